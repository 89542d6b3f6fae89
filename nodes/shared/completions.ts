import type { Video } from './objects';
import { isFinal } from './objects';

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

/** What a poll has read so far. */
export interface Reads {
	/** Pages of 100, newest first, in the order they were read. */
	pages: PageRead[];
	/** Videos read one by one; `missing` when the API does not know the ID. */
	singles: Map<string, Video | 'missing'>;
}

/** One answer of the list. `refused`: the API does not take this `after`. */
export interface PageRead {
	after?: string;
	videos: Video[] | 'refused';
}

/** What to read next: a page of 100 strictly after a video (or the newest), or one video. */
export type ReadRequest = { page: { after?: string } } | { videoId: string };

/** What the person chose, and what the poll can do. */
export interface Choice {
	/** Identifies the account as far as n8n can tell: the ID of the credential. */
	account: string;
	/** Whether a video that has ended is to fire. */
	wanted: (video: Video) => boolean;
	/** The time of n8n, ms since 1970. */
	now: number;
	/** Completions that this poll can deliver; reading stops when it has found as many. Default: any number. */
	capacity?: number;
}

/** Why a completion is kept for the next poll: its download failed, or was not begun. */
export type Undelivered = ReadonlyMap<string, 'failed' | 'waiting'>;

/** The outcome of a poll. */
export interface Settlement {
	/** Videos to fire now, in the order they ended. */
	completions: Video[];
	state: CompletionsState;
}

/** Largest page of the API (OpenAPI document: `limit`). */
const PAGE = 100;
/** IDs to remember: as many as a page holds, so that a page of known videos is told by its IDs. */
const SEEN = PAGE;
/** IDs to remember when more than {@link SEEN} videos share a second, or were made within {@link LATE_S}. */
const MAX_SEEN = 500;
/** Open videos to remember. Beyond, those created first are given up. */
const MAX_OPEN = 1_000;
/** Pages that one poll reads at most; the next poll goes on from there. */
const MAX_PAGES = 50;
/** Pages that the first poll reads whatever it finds, to see which jobs still render. */
const FIRST_PAGES = 5;
/** How much older than the newest video a job may be to be looked for beyond {@link FIRST_PAGES}, in s. */
const FIRST_HORIZON_S = 86_400;
/** A video may show up in the list this much later than newer ones did, in s, and is still found. */
const LATE_S = 10;
/** Videos that one poll reads one by one. */
const MAX_SINGLES = 25;
/** A job that is not on the pages read is read again after a tenth of the time it was known for. */
const READ_SPACING = 0.1;
/** A job this much older than the newest sign of life, and no longer on the pages read, is given up, in s. */
const MAX_AGE_S = 7 * 86_400;
/** The API must deny a video this often in a row until it counts as deleted. */
const MAX_MISSING = 3;
/** Cursors to try when the API does not take one. */
const CURSOR_TRIES = 3;

/** Empty reads, to begin a poll with. */
export function noReads(): Reads {
	return { pages: [], singles: new Map() };
}

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

/**
 * What the poll must read next; `undefined` when it has read enough. A poll may stop earlier than that,
 * after at least one read: nothing is lost, the rest follows in the next poll.
 */
export function nextRead(
	stored: CompletionsState | undefined,
	reads: Reads,
	choice: Choice,
): ReadRequest | undefined {
	const state = sameAccount(stored, reads, choice);
	if (!state) return nextFirstRead(reads);
	const capacity = choice.capacity ?? Infinity;
	const undelivered = state.open.filter(isUndelivered);
	if (undelivered.length >= capacity) {
		const found = undelivered.filter(({ id }) => isFound(reads.singles.get(id))).length;
		return found < capacity ? nextSingle(undelivered, reads) : undefined;
	}

	const view = viewOf(state, reads);
	const more = reads.pages.length < MAX_PAGES;
	if (!view.reached) {
		if (reads.pages.length === 0 && state.account !== choice.account) return { page: {} };
		const goOn = more && deliverable(view, state, choice) < capacity;
		const next = goOn && nextPage(view, state);
		if (next) return { page: next };
	}
	const listed = new Set(view.listed.map(({ id }) => id));
	const due = state.open.filter((video) => !listed.has(video.id) && isDue(video, choice.now));
	const worthIt = due.length > MAX_SINGLES && isNear(due, state, view.lastPage);
	const page = view.reached && !view.ended && more && worthIt && nextPage(view, state);
	return page ? { page } : nextSingle(due, reads);
}

/** Whether the next page likely holds open videos: this one does, or they are at most a page's time older. */
function isNear(due: OpenVideo[], state: CompletionsState, lastPage: Video[]): boolean {
	const open = new Set(state.open.map(({ id }) => id));
	const [first, last] = [lastPage[0], lastPage.at(-1)];
	if (!first || !last) return false;
	const reach = 2 * last.created_at - first.created_at;
	return lastPage.some(({ id }) => open.has(id)) || due.some(({ createdAt }) => createdAt >= reach);
}

/**
 * Judges what was read. The result is for the state given: when the stored state has changed since the
 * reads began, they belong to nothing and must be dropped.
 *
 * @param undelivered completions of these very reads that are to be kept for the next poll
 */
export function settle(
	stored: CompletionsState | undefined,
	reads: Reads,
	choice: Choice,
	undelivered: Undelivered = new Map(),
): Settlement {
	const { account, now, wanted } = choice;
	const state = sameAccount(stored, reads, choice);
	if (!state) return { completions: [], state: firstState(reads, choice) };

	const view = viewOf(state, reads);
	const latest = latestTime(state, view.listed, reads);
	const open = new Map(state.open.map((video) => [video.id, video]));
	const completions: Video[] = [];
	const judge = (video: Video, known: OpenVideo | undefined) => {
		open.delete(video.id);
		const { id, created_at: createdAt } = video;
		const entry: OpenVideo = { id, createdAt, foundAt: known?.foundAt ?? now, readAt: now };
		if (!isFinal(video)) return open.set(id, entry);
		if (!wanted(video)) return;
		const why = undelivered.get(id);
		if (!why) return completions.push(video);
		const failedDownloads = (known?.failedDownloads ?? 0) + (why === 'failed' ? 1 : 0);
		return open.set(id, { ...entry, failedDownloads });
	};
	view.listed.forEach((video, index) => {
		const known = open.get(video.id);
		if (known || view.isNew(video, index)) judge(video, known);
	});
	for (const [id, video] of reads.singles) {
		const known = open.get(id);
		if (!known) continue;
		if (video === 'missing') {
			const missing = (known.missing ?? 0) + 1;
			if (missing >= MAX_MISSING) open.delete(id);
			else open.set(id, { ...known, missing, readAt: now });
		} else if (!isFinal(video) && known.createdAt < latest - MAX_AGE_S) {
			open.delete(id);
		} else judge(video, known);
	}
	return {
		completions: completions.reverse().sort((a, b) => endOf(a) - endOf(b)),
		state: {
			version: 1,
			account: reads.pages.length > 0 ? account : state.account,
			open: bounded([...open.values()]),
			...positionOf(state, view),
		},
	};
}

/** State, unless it belongs to another account: another credential that sees none of the known videos. */
function sameAccount(
	state: CompletionsState | undefined,
	reads: Reads,
	{ account }: Choice,
): CompletionsState | undefined {
	if (!state || state.account === account || reads.pages.length === 0) return state;
	const known = new Set([...state.seen.map(([id]) => id), ...state.open.map(({ id }) => id)]);
	return listedIn(reads).some(({ id }) => known.has(id)) ? state : undefined;
}

/** The pages of a poll, seen from the state. */
interface View {
	/** All videos of the pages, each once, in the order of the list. */
	listed: Video[];
	/** The videos of the last page that had any. */
	lastPage: Video[];
	/** Whether a listed video, given with its place, is one that the state does not know. */
	isNew: (video: Video, index: number) => boolean;
	/** Whether a listed video is newer than the start of the reading that goes on: the next one judges it. */
	isLater: (video: Video) => boolean;
	/** Whether everything newer than what the state knows has been read. */
	reached: boolean;
	/** Whether the list was read to its end. */
	ended: boolean;
	/** Answers in a row that did not continue the list: the video of the cursor may be gone. */
	lostCursors: number;
}

function viewOf(state: CompletionsState, reads: Reads): View {
	const { floor, crowded, backlog } = state;
	const seen = new Set(state.seen.map(([id]) => id));
	const done = new Set(backlog ? [...backlog.seen.map(([id]) => id), ...backlog.atIds] : []);
	const pages = pagesOf(reads);
	const lastSeen = pages.listed.findLastIndex(({ id }) => seen.has(id));
	const isLater = ({ id, created_at: createdAt }: Video) =>
		backlog !== undefined && createdAt > backlog.at && !seen.has(id) && !done.has(id);
	const isNew = (video: Video, index: number) => {
		const { id, created_at: createdAt } = video;
		if (seen.has(id) || done.has(id) || isLater(video)) return false;
		// In a second with more videos than are remembered, only their place tells old from new.
		if (createdAt === floor && crowded) return lastSeen === -1 || index < lastSeen;
		return createdAt >= floor;
	};
	// New videos can share the newest known second or show up late, so one known video is no end yet.
	const newest = state.seen[0]?.[1] ?? 0;
	const isKnown = (video: Video) =>
		seen.has(video.id) ||
		(crowded &&
			video.created_at === floor &&
			!done.has(video.id) &&
			!isNew(
				video,
				pages.listed.findIndex(({ id }) => id === video.id),
			));
	const allKnown = pages.lastPage.length > 0 && pages.lastPage.every(isKnown);
	const end = Math.max(newest - LATE_S, floor);
	const reached =
		pages.ended || allKnown || pages.listed.some((video) => createdBefore(video, end));
	return { ...pages, isNew, isLater, reached };
}

const createdBefore = (video: Video, second: number) => video.created_at < second;

function listedIn(reads: Reads): Video[] {
	const videos = new Map<string, Video>();
	for (const page of reads.pages)
		if (page.videos !== 'refused')
			for (const video of page.videos) if (!videos.has(video.id)) videos.set(video.id, video);
	return [...videos.values()];
}

/** Follows the pages, and tells a list that ends from a cursor that leads nowhere. */
function pagesOf(reads: Reads): Omit<View, 'isNew' | 'isLater' | 'reached'> {
	const ids = new Set<string>();
	let lastPage: Video[] = [];
	let ended = false;
	let empty = 0;
	let lostCursors = 0;
	for (const { after, videos } of reads.pages) {
		const fresh = videos === 'refused' ? 0 : videos.filter(({ id }) => !ids.has(id)).length;
		if (videos !== 'refused' && videos.length < PAGE) {
			empty = videos.length === 0 ? empty + 1 : 0;
			// An empty page may also mean that the video of the cursor is gone: ask again from others.
			ended = videos.length > 0 || after === undefined || empty >= CURSOR_TRIES;
		}
		lostCursors = fresh > 0 ? 0 : lostCursors + 1;
		if (fresh > 0) lastPage = videos as Video[];
		if (videos !== 'refused') videos.forEach(({ id }) => ids.add(id));
	}
	return { listed: listedIn(reads), lastPage, ended, lostCursors };
}

/** Where to go on reading the list; `undefined` when the cursors at hand lead nowhere. */
function nextPage(view: Pick<View, 'lastPage' | 'lostCursors'>, state?: CompletionsState) {
	const { lastPage, lostCursors } = view;
	const tail = lastPage.length > 0 ? lastPage.map(({ id }) => id) : (state?.backlog?.tail ?? []);
	const after = lostCursors < CURSOR_TRIES ? tail.at(-1 - lostCursors) : undefined;
	if (after !== undefined) return { after };
	// Before anything was read in this poll, it can begin at the newest video again.
	return lastPage.length === 0 && lostCursors <= CURSOR_TRIES ? {} : undefined;
}

/** How many of the listed videos would fire. */
function deliverable(view: View, state: CompletionsState, { wanted }: Choice): number {
	const open = new Set(state.open.map(({ id }) => id));
	return view.listed.filter(
		(video, index) =>
			isFinal(video) && (open.has(video.id) || view.isNew(video, index)) && wanted(video),
	).length;
}

const isFound = (video: Video | 'missing' | undefined) =>
	video !== undefined && video !== 'missing';

const isUndelivered = (video: OpenVideo) => video.failedDownloads !== undefined;

function isDue(video: OpenVideo, now: number): boolean {
	if (isUndelivered(video) || now < video.readAt) return true;
	return now - video.readAt >= (video.readAt - video.foundAt) * READ_SPACING;
}

/** The next of these videos to read by itself: those that wait for their file first, then the longest unread. */
function nextSingle(videos: OpenVideo[], reads: Reads): ReadRequest | undefined {
	if (reads.singles.size >= MAX_SINGLES) return undefined;
	const [next] = videos
		.filter(({ id }) => !reads.singles.has(id))
		.sort((a, b) => Number(isUndelivered(b)) - Number(isUndelivered(a)) || a.readAt - b.readAt);
	return next && { videoId: next.id };
}

/** The first poll looks how far down jobs still render, and then never again. */
function nextFirstRead(reads: Reads): ReadRequest | undefined {
	const view = pagesOf(reads);
	const { listed, lastPage, ended } = view;
	if (ended || reads.pages.length >= MAX_PAGES) return undefined;
	const [newest, oldest] = [listed[0], listed.at(-1)];
	const old = newest && oldest && createdBefore(oldest, newest.created_at - FIRST_HORIZON_S);
	if (reads.pages.length >= FIRST_PAGES && old && lastPage.every(isFinal)) return undefined;
	const page = nextPage(view);
	return page && { page };
}

/** What has ended before the first poll never fires; what still renders is open. */
function firstState(reads: Reads, { account, now }: Choice): CompletionsState {
	const { listed, ended } = pagesOf(reads);
	const open = listed
		.filter((video) => !isFinal(video))
		.map(({ id, created_at: createdAt }) => ({ id, createdAt, foundAt: now, readAt: now }));
	const zone = newestOf(listed.map(seenOf), 0, false);
	if (!ended && listed.length > 0) {
		const deepest = Math.min(...listed.map((video) => video.created_at));
		zone.floor = Math.max(zone.floor, deepest);
		zone.crowded ||= zone.floor === deepest;
	}
	return { version: 1, account, ...zone, open: bounded(open) };
}

type Zone = Pick<CompletionsState, 'seen' | 'floor' | 'crowded'>;

const seenOf = ({ id, created_at: createdAt }: Video): SeenVideo => [id, createdAt];

/**
 * The newest videos to remember: {@link SEEN}, those of the last {@link LATE_S} seconds and whole seconds,
 * as long as these are not more than {@link MAX_SEEN}.
 */
function newestOf(videos: SeenVideo[], floor: number, crowded: boolean): Zone {
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

/** What is known after these reads: all of it, or the old with a note how far the reading has come. */
function positionOf(state: CompletionsState, view: View): Zone & { backlog?: Backlog } {
	const { seen, floor, crowded, backlog } = state;
	const listed = view.listed.filter((video) => !view.isLater(video)).map(seenOf);
	if (view.reached) return newestOf([...(backlog?.seen ?? []), ...listed, ...seen], floor, crowded);
	if (listed.length === 0) return { seen, floor, crowded, ...(backlog ? { backlog } : {}) };
	const at = Math.min(backlog?.at ?? Infinity, ...listed.map(([, createdAt]) => createdAt));
	const atIds = [
		...(backlog?.at === at ? backlog.atIds : []),
		...listed.filter(([, createdAt]) => createdAt === at).map(([id]) => id),
	];
	return {
		seen,
		floor,
		crowded,
		backlog: {
			seen: newestOf([...(backlog?.seen ?? []), ...listed], 0, false).seen,
			at,
			atIds: [...new Set(atIds)],
			tail: view.lastPage.slice(-CURSOR_TRIES).map(({ id }) => id),
		},
	};
}

/** The newest time that the API has shown, Unix seconds: the server's clock as far as it is known. */
function latestTime(state: CompletionsState, listed: Video[], reads: Reads): number {
	const singles = [...reads.singles.values()].filter((video) => video !== 'missing');
	const times = [...listed, ...singles].map((video) => Math.max(video.created_at, endOf(video)));
	return Math.max(state.seen[0]?.[1] ?? 0, ...times);
}

const endOf = (video: Video) => video.completed_at ?? video.created_at;

/** At most {@link MAX_OPEN}; those that wait for their file stay, of the others the newest. */
function bounded(open: OpenVideo[]): OpenVideo[] {
	if (open.length <= MAX_OPEN) return open;
	return [...open]
		.sort(
			(a, b) => Number(isUndelivered(b)) - Number(isUndelivered(a)) || b.createdAt - a.createdAt,
		)
		.slice(0, MAX_OPEN);
}
