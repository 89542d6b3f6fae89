/**
 * When a job that renders will have ended: decisions only, no clock and no requests. Times are
 * milliseconds; progress is percent, as in the API.
 *
 * ```text
 * created 5 s ago, progress 12 → ends in 27 to 37 s → read in 29 s, shortly before
 * progress 84 now              → ends in 5.8 to 6.4 s → read in 6.4 s, when it has ended
 * ```
 */

/** How much longer a job renders: not less than the one, hardly more than the other, in ms. */
export interface Remaining {
	earliestMs: number;
	latestMs: number;
}

/** What was seen of the progress of one job. States: believed, and no longer believed, which is for good. */
export interface ProgressRecord {
	/** One for each value, oldest first: since when it was seen. */
	sightings: ReadonlyArray<{ atMs: number; progress: number }>;
	/** When the last value was seen again, in ms. */
	seenAtMs: number;
	/** How often the job still rendered at the end of what progress had promised. */
	missed: number;
	/** False once progress went back, or promised too much too often. */
	believed: boolean;
}

/** A finished job: how long it took, and when it ended (Unix seconds). */
export interface RenderTime {
	id: string;
	completedAt: number;
	renderMs: number;
}

/** Values of progress that are kept of a job. */
const MAX_SIGHTINGS = 20;
/** A rate is taken over this many percent at least, where so many were seen. */
const RATE_OVER = 5;
/** Promises of an end that may be broken until progress is no longer believed. */
const MAX_MISSED = 3;
/** Silence in progress is no stall before this, in ms: values are whole percents, and reads take a while. */
const STALL_GRACE_MS = 2_000;
/** Last render times that are kept of a kind of job. */
const MAX_RENDER_TIMES = 50;
/** Fewer finished jobs than this say nothing about the next. */
const MIN_RENDER_TIMES = 5;
/** The API's times are whole seconds. */
const SECOND_MS = 1_000;

export const NO_PROGRESS: ProgressRecord = {
	sightings: [],
	seenAtMs: 0,
	missed: 0,
	believed: true,
};

/** The record with one more read of the job; `promisedMs` is when its end was expected at the latest. */
export function withProgress(
	record: ProgressRecord,
	progress: number | null | undefined,
	atMs: number,
	promisedMs = Infinity,
): ProgressRecord {
	const missed = record.missed + (atMs >= promisedMs ? 1 : 0);
	const believed = record.believed && missed < MAX_MISSED;
	const seen = { ...record, missed, believed, seenAtMs: atMs };
	if (typeof progress !== 'number' || !(progress >= 0 && progress <= 100))
		return { ...seen, sightings: [] };
	const last = record.sightings.at(-1);
	if (last?.progress === progress) return seen;
	const sightings = [...record.sightings, { atMs, progress }].slice(-MAX_SIGHTINGS);
	return { ...seen, sightings, believed: believed && (!last || progress > last.progress) };
}

/**
 * What progress says, if it can be believed: it grew from the job's creation on, or between two reads,
 * and goes on as it did. `undefined` when it is missing, 0, stands still or went back.
 *
 * @param ageMs time since `created_at`, by the server's clock; a second more than the truth at most
 */
export function remainingByProgress(
	{ sightings, seenAtMs, believed }: ProgressRecord,
	ageMs: number | undefined,
): Remaining | undefined {
	const last = sightings.at(-1);
	if (!believed || !last || last.progress <= 0) return undefined;
	const { progress, atMs } = last;
	const base =
		sightings.findLast((one) => progress - one.progress >= RATE_OVER) ?? sightings.at(0)!;
	const grown = progress - base.progress;
	const observed = grown >= 2 ? byRate(progress, grown, atMs - base.atMs) : undefined;
	const overall = ageMs === undefined ? undefined : byAge(progress, ageMs - (seenAtMs - atMs));
	const remaining = overall && observed ? narrower(observed, overall) : (observed ?? overall);
	if (!remaining) return undefined;
	// Whole percents: how long one of them lasts, by what was seen of the others.
	const perPercentMs = remaining.latestMs / Math.max(1, 100 - progress);
	const standsMs = seenAtMs - atMs;
	const patienceMs = progress >= 99 ? 0 : 2 * perPercentMs + STALL_GRACE_MS;
	if (standsMs > patienceMs) return undefined;
	return {
		earliestMs: Math.max(0, remaining.earliestMs - standsMs),
		latestMs: Math.max(0, remaining.latestMs - standsMs),
	};
}

/** A percent shown as 12 is anything from 12 to 13; a creation time may be a second later than shown. */
function byAge(progress: number, ageMs: number): Remaining {
	const least = Math.max(0, ageMs - SECOND_MS);
	return {
		earliestMs: (least * Math.max(0, 99 - progress)) / (progress + 1),
		latestMs: (ageMs * (100 - progress)) / progress,
	};
}

function byRate(progress: number, grown: number, tookMs: number): Remaining {
	return {
		earliestMs: (tookMs * Math.max(0, 99 - progress)) / (grown + 1),
		latestMs: (tookMs * (100 - progress)) / (grown - 1),
	};
}

/** What both say. Where they differ, a job was queued or changed its speed: what was observed counts. */
function narrower(observed: Remaining, overall: Remaining): Remaining {
	const earliestMs = Math.max(observed.earliestMs, overall.earliestMs);
	const latestMs = Math.min(observed.latestMs, overall.latestMs);
	return earliestMs <= latestMs ? { earliestMs, latestMs } : observed;
}

/** The last render times with those just seen, newest first; each job counts once. */
export function withRenderTimes(
	known: readonly RenderTime[],
	seen: readonly RenderTime[],
): readonly RenderTime[] {
	const all = new Map([...known, ...seen].map((time) => [time.id, time]));
	if (all.size === known.length) return known;
	return [...all.values()].sort((a, b) => b.completedAt - a.completedAt).slice(0, MAX_RENDER_TIMES);
}

/** What the render times of others say about a job of this age; nothing once it took longer than all of them. */
export function remainingByOthers(
	renderTimes: readonly RenderTime[],
	ageMs: number | undefined,
): Remaining | undefined {
	if (ageMs === undefined || renderTimes.length < MIN_RENDER_TIMES) return undefined;
	const longer = renderTimes
		.map(({ renderMs }) => renderMs)
		.filter((renderMs) => renderMs > ageMs)
		.sort((a, b) => a - b);
	if (longer.length === 0) return undefined;
	const quantile = (share: number) => longer[Math.floor(share * (longer.length - 1))]!;
	return {
		earliestMs: Math.max(0, quantile(0.1) - ageMs),
		latestMs: quantile(0.9) - ageMs + SECOND_MS,
	};
}
