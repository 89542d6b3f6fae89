import type { Video } from '../shared/api/objects';

/**
 * Which videos have ended since the last poll. Nothing in these files does I/O or reads a clock: a poll
 * asks `nextRead` what to read until it needs no more, `classify` turns state and reads into what is due
 * and the next state, and `keep` adds what could not be delivered. Same input, same answer, so a poll
 * whose result is lost is simply repeated.
 *
 * RULE: a video is judged once. It is judged when it is known (in `seen`, or created before `floor`) and
 * not in `open`. Only a video that is not judged can fire, and firing judges it. So what has fired needs
 * no list of its own, and state that is older than the last empty polls decides the same.
 *
 * Three polls; `a` was complete before the first, `b` renders, `c` is made after it:
 *
 * ```
 *            the list shows                           fires   seen       open
 * 1st poll   b PROCESSING, a COMPLETE                 –       b, a       b
 * 2nd poll   c PROCESSING, b PROCESSING, a COMPLETE   –       c, b, a    c, b
 * 3rd poll   c COMPLETE,   b PROCESSING, a COMPLETE   c       c, b, a    b
 * ```
 *
 * Had the file of `c` not arrived in the third poll, `c` would have stayed in `open`, to be read and
 * delivered by the fourth.
 *
 * Order and age come from the API's own times (`created_at`, Unix seconds). The time of n8n only spaces
 * out the reads of jobs that take long.
 */
export interface CompletionsState {
	version: 2;
	/** Address and key as a hash (`accountKeyOf`), so that another account's history is not taken for news. */
	account: string;
	/** Polls that have fired. Of two states of a node, the one with more is the newer. */
	firings: number;
	/** The newest videos that were seen, newest first. */
	seen: SeenVideo[];
	/** Videos created before this second count as seen. 0: none do. */
	floor: number;
	/** Videos that are known and not judged. */
	open: OpenVideo[];
	/** Set while a reading that did not get down to what is known goes on in the next poll. */
	backlog?: Backlog;
}

/** ID and `created_at` (Unix seconds). */
export type SeenVideo = [id: string, createdAt: number];

/** A video that still renders, or one that has ended and whose item could not be delivered yet. */
export interface OpenVideo {
	id: string;
	/** Unix seconds. */
	createdAt: number;
	/** When it was first seen and last read, by the clock of n8n, in ms since 1970. */
	foundAt: number;
	readAt: number;
	/** How often in a row the API did not know it. */
	missing?: number;
	/** Set on a video that has ended and waits for its file: how many polls failed to download it. */
	failedDownloads?: number;
}

/** How far a reading from the newest video down to the known ones has come. */
export interface Backlog {
	/** The newest videos at its start: they become `seen` at its end. */
	seen: SeenVideo[];
	/** Everything newer than this second, and `atIds` of this second, is done. */
	at: number;
	atIds: string[];
	/** The last IDs of the last page, to go on from. */
	tail: string[];
}

/** IDs to remember: as many as a page of the API holds, so that a page of known videos is told by its IDs. */
const SEEN = 100;

/** IDs to remember when more than {@link SEEN} videos share a second, or were made within {@link LATE_S}. */
const MAX_SEEN = 500;

/** Open videos to remember. Beyond, those created first are given up. */
const MAX_OPEN = 1_000;

/** A video may show up in the list this much later than newer ones did, in s, and is still found. */
export const LATE_S = 10;

/**
 * Reads state as n8n kept it. `undefined` for none, and for anything that is not such state: the next poll
 * is the first. Version 1 told accounts apart by the ID of the credential, which stays in `account`.
 */
export function parseState(value: unknown): CompletionsState | undefined {
	if (typeof value !== 'object' || value === null) return undefined;
	const { version, account, floor, seen, open, backlog } = value as Partial<CompletionsState>;
	const { firings = 0 } = value as Partial<CompletionsState>;
	if (
		![1, 2].includes(Number(version)) ||
		typeof account !== 'string' ||
		typeof firings !== 'number' ||
		typeof floor !== 'number' ||
		!Array.isArray(seen) ||
		!Array.isArray(open)
	)
		return undefined;
	// Version 1 knew of a second with more videos than it remembered: all of that second count as seen.
	const { crowded } = value as { crowded?: unknown };
	const state = { version: 2 as const, account, firings, seen, floor, open };
	return {
		...state,
		...(crowded === true ? { floor: floor + 1 } : {}),
		...(backlog ? { backlog } : {}),
	};
}

export const isUndelivered = (video: OpenVideo) => video.failedDownloads !== undefined;

export type KnownVideos = Pick<CompletionsState, 'seen' | 'floor'>;

export const seenOf = ({ id, created_at: createdAt }: Video): SeenVideo => [id, createdAt];

/**
 * The newest videos to remember: {@link SEEN}, those of the last {@link LATE_S} seconds and whole seconds,
 * as long as these are not more than {@link MAX_SEEN}.
 */
export function newestOf(videos: SeenVideo[], floor: number): KnownVideos {
	const sorted = [...new Map(videos.map((video) => [video[0], video])).values()].sort(
		(a, b) => b[1] - a[1],
	);
	if (sorted.length <= SEEN) return { seen: sorted, floor };
	const oldest = Math.min(sorted[SEEN - 1]![1], sorted[0]![1] - LATE_S);
	const next = sorted[MAX_SEEN];
	// Of a second that is cut in two, the videos that are left out count as seen as well.
	const cut = next && next[1] >= oldest ? next[1] + 1 : oldest;
	return {
		seen: sorted.slice(0, MAX_SEEN).filter(([, createdAt]) => createdAt >= oldest),
		floor: Math.max(floor, cut),
	};
}

/** At most {@link MAX_OPEN}; those that wait for their file stay, of the others the newest. */
export function bounded(open: OpenVideo[]): OpenVideo[] {
	if (open.length <= MAX_OPEN) return open;
	return [...open]
		.sort(
			(a, b) => Number(isUndelivered(b)) - Number(isUndelivered(a)) || b.createdAt - a.createdAt,
		)
		.slice(0, MAX_OPEN);
}
