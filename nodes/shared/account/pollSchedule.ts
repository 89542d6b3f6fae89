import { MAX_PAGE } from '../api/endpoints';
import { statusMayPass } from '../transport/failures';
import type { Remaining } from './estimate';

/**
 * When to read the state of jobs again, and by which request: decisions only, no clock and no requests.
 * Times are milliseconds unless a name says otherwise; `created_at` is in Unix seconds, as in the API.
 */

/** How often and how long jobs are watched. */
export interface PollTiming {
	/** Pause after the first read. */
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

/** Times in a row that the API may not know a job: a new one may not be everywhere yet. */
export const MAX_UNKNOWN_READS = 3;

/** Pause after the first read that did not know a job, in ms; it doubles. */
const UNKNOWN_PAUSE_MS = 1_000;

/** No account is read more often than once in this time, in ms. */
const LEAST_SPACING_MS = 1_000;

/** The same while {@link MANY_WAITS} executions or more wait, so that a read brings news to several, in ms. */
const SPACING_OF_MANY_MS = 1_600;
const MANY_WAITS = 6;

/** An end that is known this well is read once, when it has passed, in ms. */
const WELL_KNOWN_MS = 1_500;

/** An end that is known less well is read first when this share of the time it may fall in has passed. */
const FIRST_SHARE = 0.1;

/** Below this many open videos single reads cost no more than the list. */
const LIST_FROM = 3;

/** A video that the list did not show is read singly for this many rounds before it is looked for again. */
export const ROUNDS_WITHOUT_LIST = 5;

/** Time between the begins of two reads of an account, in ms, by the number of executions that wait. */
export function spacingFor(waits: number): number {
	return waits >= MANY_WAITS ? SPACING_OF_MANY_MS : LEAST_SPACING_MS;
}

type Pauses = Pick<PollTiming, 'pollIntervalMs' | 'maxPollIntervalMs'>;

/** The longest pause that a node's options allow, in ms. */
function longestPause({ pollIntervalMs, maxPollIntervalMs }: Pauses): number {
	return Math.max(pollIntervalMs, maxPollIntervalMs);
}

/** Pause after round `round` (0 is the first) when nothing went wrong. */
export function pauseAfter(round: number, pauses: Pauses): number {
	return Math.min(pauses.pollIntervalMs * GROWTH ** Math.min(round, 100), longestPause(pauses));
}

/**
 * Pause of a job that nothing is known about, `waitedMs` after that began: the growing pauses, told by
 * time and not by rounds, so that a read which another execution made does not stretch them.
 */
function growingPause(waitedMs: number, pauses: Pauses): number {
	const longest = longestPause(pauses);
	let passed = 0;
	for (let round = 0; ; round++) {
		const pause = pauseAfter(round, pauses);
		passed += pause;
		if (passed > waitedMs || pause >= longest) return pause;
	}
}

/** Pause until a job should be read whose end is estimated: shortly before it, then closer and closer. */
function pauseUntilEnd({ earliestMs, latestMs }: Remaining): number {
	const width = latestMs - earliestMs;
	return Math.max(
		LEAST_SPACING_MS,
		width <= WELL_KNOWN_MS ? latestMs : earliestMs + width * FIRST_SHARE,
	);
}

/** What one execution knows about one of its open jobs. */
export interface OpenJob {
	/** Last read of it, well or failed, in ms since 1970; missing before the first. */
	triedAtMs?: number;
	/** Failed reads in a row. */
	failedReads: number;
	/** Reads in a row that did not know it. */
	unknownReads: number;
	/** The last read met the rate limit. */
	rateLimited: boolean;
	/** How much longer it rendered when it was read last, where that is known. */
	remaining?: Remaining;
	/** Since when nothing is known about its end, in ms since 1970. */
	unsureSinceMs: number;
}

/**
 * When an execution wants its next read, in ms since 1970: of several jobs the last to end counts, but
 * meanwhile the pauses grow as ever, so that files are fetched while others render.
 */
export function nextReadAt(open: readonly OpenJob[], timing: PollTiming, startMs: number): number {
	let soonest = timing.deadlineMs;
	const ends: number[] = [];
	for (const job of open) {
		const { triedAtMs, failedReads, unknownReads, rateLimited, remaining, unsureSinceMs } = job;
		if (triedAtMs === undefined) return startMs;
		const growing = growingPause(triedAtMs - unsureSinceMs, timing);
		let pause = growing;
		if (rateLimited) pause = longestPause(timing);
		else if (unknownReads > 0) pause = UNKNOWN_PAUSE_MS * 2 ** (unknownReads - 1);
		else if (failedReads > 0) pause = Math.max(growing, pauseAfter(failedReads - 1, timing));
		else if (remaining) {
			ends.push(triedAtMs + pauseUntilEnd(remaining));
			if (open.length === 1) pause = longestPause(timing);
		}
		soonest = Math.min(soonest, triedAtMs + pause);
	}
	const allKnown = ends.length > 0 && ends.length === open.length;
	return allKnown ? Math.min(soonest, Math.max(...ends)) : soonest;
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
	return status === undefined || status < 400 || statusMayPass(status) ? 'passing' : 'rejected';
}

/** A job that somebody waits for, as far as the choice of requests goes. */
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
	if (last.size < MAX_PAGE) return false;
	const possible = missing.filter(
		({ createdAt }) => createdAt === undefined || createdAt <= last.oldest,
	).length;
	if (possible < 2) return false;
	const hit = pages.findLastIndex(({ found }) => found > 0);
	const fruitless = pages.length - 1 - hit;
	return fruitless <= Math.max(1, Math.floor(possible / 10));
}
