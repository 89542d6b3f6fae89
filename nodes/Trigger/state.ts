import type { Video } from '../shared/api/objects';

/**
 * Which videos have ended since the last poll. Nothing in here does I/O or looks at a clock: a poll asks
 * {@link nextRead} what to read until it needs no more, then {@link settle} turns old state and reads
 * into completions and new state. Same input, same answer, so a poll whose result is lost is simply
 * repeated.
 *
 * RULE: a video is judged once. It is settled when it is known (in `seen`, or created before `floor`)
 * and not in `open`. Only a video that is not settled can fire, and firing settles it. So what has fired
 * needs no list of its own, and state that is older than the last empty polls decides the same.
 *
 * Order and age come from the API's own times (`created_at`, Unix seconds). The time of n8n only spaces
 * out the reads of jobs that take long.
 */
export interface CompletionsState {
	version: 1;
	/** The credential that was used, so that another account's history is not taken for news. */
	account: string;
	/** The newest videos that were seen, newest first. */
	seen: SeenVideo[];
	/** Videos created before this second count as seen. 0: none do. */
	floor: number;
	/** Whether more videos were created in the very second `floor` than `seen` holds. */
	crowded: boolean;
	/** Videos that are known and not settled. */
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

/** Largest page of the API (OpenAPI document: `limit`). */
export const PAGE = 100;

/** IDs to remember: as many as a page holds, so that a page of known videos is told by its IDs. */
const SEEN = PAGE;

/** IDs to remember when more than {@link SEEN} videos share a second, or were made within {@link LATE_S}. */
const MAX_SEEN = 500;

/** Open videos to remember. Beyond, those created first are given up. */
const MAX_OPEN = 1_000;

/** A video may show up in the list this much later than newer ones did, in s, and is still found. */
export const LATE_S = 10;

/** Reads stored state. `undefined` for none, and for anything that is not such state: the next poll is the first. */
export function storedState(value: unknown): CompletionsState | undefined {
	if (typeof value !== 'object' || value === null) return undefined;
	const { version, account, seen, floor, crowded, open } = value as Partial<CompletionsState>;
	const sound =
		version === 1 &&
		typeof account === 'string' &&
		typeof floor === 'number' &&
		typeof crowded === 'boolean' &&
		Array.isArray(seen) &&
		Array.isArray(open);
	return sound ? (value as CompletionsState) : undefined;
}

export const isUndelivered = (video: OpenVideo) => video.failedDownloads !== undefined;

export type Zone = Pick<CompletionsState, 'seen' | 'floor' | 'crowded'>;

export const seenOf = ({ id, created_at: createdAt }: Video): SeenVideo => [id, createdAt];

/**
 * The newest videos to remember: {@link SEEN}, those of the last {@link LATE_S} seconds and whole seconds,
 * as long as these are not more than {@link MAX_SEEN}.
 */
export function newestOf(videos: SeenVideo[], floor: number, crowded: boolean): Zone {
	const sorted = [...new Map(videos.map((video) => [video[0], video])).values()].sort(
		(a, b) => b[1] - a[1],
	);
	if (sorted.length <= SEEN) return { seen: sorted, floor, crowded };
	const oldest = Math.min(sorted[SEEN - 1]![1], sorted[0]![1] - LATE_S);
	const kept = sorted.filter(([, createdAt]) => createdAt >= oldest);
	const seen = kept.slice(0, MAX_SEEN);
	const next = kept[MAX_SEEN];
	const cut = Math.max(floor, next ? seen.at(-1)![1] : oldest);
	return { seen, floor: cut, crowded: next?.[1] === cut || (crowded && cut === floor) };
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
