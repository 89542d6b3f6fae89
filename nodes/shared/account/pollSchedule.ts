/**
 * When to look at jobs again, and by which request: decisions only, no clock and no requests. Times are
 * milliseconds unless a name says otherwise; `created_at` is in Unix seconds, as in the API.
 */

/** How often and how long jobs are watched. */
export interface PollTiming {
	/** Pause after the first round. */
	pollIntervalMs: number;
	/** The pause grows to this. */
	maxPollIntervalMs: number;
	/** Time since 1970 at which watching ends. */
	deadlineMs: number;
}

/** Each pause is this much longer than the one before: from 5 s to 30 s in five rounds. */
const GROWTH = 1.5;

/** Reads of one job that may fail one after the other; with the last of them watching it ends. */
export const MAX_FAILED_READS = 5;

/** Videos in one page of the list (OpenAPI: `limit`, maximum 100). */
const PAGE = 100;

/** Below this many open videos single reads cost no more than the list. */
const LIST_FROM = 3;

/** A video that the list did not show is read singly for this many rounds before it is looked for again. */
export const ROUNDS_WITHOUT_LIST = 5;

/** Pause after round `round` (0 is the first) when nothing went wrong. */
export function pauseAfter(
	round: number,
	{ pollIntervalMs, maxPollIntervalMs }: Pick<PollTiming, 'pollIntervalMs' | 'maxPollIntervalMs'>,
): number {
	const longest = Math.max(pollIntervalMs, maxPollIntervalMs);
	return Math.min(pollIntervalMs * GROWTH ** Math.min(round, 100), longest);
}

/** What a round has to tell about the time of the next. */
export interface RoundEnd {
	/** 0 for the first round. */
	round: number;
	nowMs: number;
	/** The server answered 429: pause as long as allowed, also without `Retry-After`. */
	rateLimited?: boolean;
	/** Longest `Retry-After` of the round. */
	retryAfterMs?: number;
}

/**
 * How long to pause before the next round, and whether that round happens at all. The last round is at
 * the deadline, so that a job which ends just before it is still seen; only a `Retry-After` that reaches
 * beyond the deadline leaves it out.
 */
export function nextRound(
	timing: PollTiming,
	{ round, nowMs, rateLimited = false, retryAfterMs = 0 }: RoundEnd,
): { pauseMs: number; look: boolean } {
	const leftMs = timing.deadlineMs - nowMs;
	if (leftMs <= 0) return { pauseMs: 0, look: false };
	const usual = rateLimited
		? Math.max(timing.pollIntervalMs, timing.maxPollIntervalMs)
		: pauseAfter(round, timing);
	return {
		pauseMs: Math.min(Math.max(usual, retryAfterMs), leftMs),
		look: retryAfterMs <= leftMs,
	};
}

/**
 * What a failed read means.
 *
 * - `unknown`: no such job (404); asking again changes nothing.
 * - `refused`: the key is not accepted (401, 403); true for all jobs.
 * - `rejected`: the API does not take the request (any other 4xx).
 * - `rateLimited`: ask later (429). Says nothing about the job, so it does not count as a failed read.
 * - `passing`: network fault, 408, 5xx, or an answer that cannot be read; may be over next time.
 */
export type FailedRead = 'unknown' | 'refused' | 'rejected' | 'rateLimited' | 'passing';

/** Judges a failed read by its HTTP status; `undefined` is a network fault. */
export function judgeFailedRead(status: number | undefined): FailedRead {
	if (status === 404) return 'unknown';
	if (status === 401 || status === 403) return 'refused';
	if (status === 429) return 'rateLimited';
	if (status === undefined || status === 408 || status < 400 || status >= 500) return 'passing';
	return 'rejected';
}

/** An open job, as far as the choice of requests goes. */
export interface WatchedJob {
	/** Unix seconds; known after the first sight. */
	createdAt?: number;
	/** First round in which the list may be asked for it. */
	listFromRound: number;
}

/** A page of the list, newest first, as this round read it. */
export interface PageRead {
	/** Videos on it. */
	size: number;
	/** How many of the open jobs were on it. */
	found: number;
	/** `created_at` of its last video. */
	oldest: number;
}

/** Jobs that the list is worth asking for in this round: all that are recent, or none. */
export function listable<T extends WatchedJob>(open: T[], round: number): T[] {
	if (open.length < LIST_FROM) return [];
	const recent = open.filter((job) => job.listFromRound <= round);
	return recent.length >= LIST_FROM - 1 ? recent : [];
}

/**
 * Whether the page after `pages` is worth a request for the jobs not found so far. It is while it can
 * hold at least two of them, and pages without any of them stay below a tenth of what single reads
 * would cost (one such page is always allowed, since others may use the account too).
 */
export function wantsNextPage(missing: WatchedJob[], pages: PageRead[]): boolean {
	const last = pages.at(-1);
	if (!last) return true;
	if (last.size < PAGE) return false;
	const possible = missing.filter(
		({ createdAt }) => createdAt === undefined || createdAt <= last.oldest,
	).length;
	if (possible < 2) return false;
	const hit = pages.findLastIndex(({ found }) => found > 0);
	const fruitless = pages.length - 1 - hit;
	return fruitless <= Math.max(1, Math.floor(possible / 10));
}
