import { MAX_PAGE } from '../shared/api/endpoints';
import type { Video } from '../shared/api/objects';
import type { CompletionsState } from './state';
import { LATE_S } from './state';

/** What a poll has read so far. */
export interface Reads {
	/** Pages of 100, newest first, in the order they were read. */
	pages: PageAnswer[];
	/** Videos read one by one; `missing` when the API does not know the ID. */
	singles: Map<string, Video | 'missing'>;
}

/** One answer of the list. `refused`: the API does not take this `after`. */
export interface PageAnswer {
	after?: string;
	videos: Video[] | 'refused';
}

/** What the person chose, and what the poll can do. */
export interface Choice {
	/** The account that is read: a hash of address and key. */
	account: string;
	/** The ID of the credential, by which version 1 of the state told accounts apart. */
	credentialId?: string;
	/** Whether a video that has ended is to fire. */
	matches: (video: Video) => boolean;
	/** The time of n8n, ms since 1970. */
	now: number;
	/** Completions that this poll can deliver; reading stops when it has found as many. Default: any number. */
	capacity?: number;
}

/** Cursors to try when the API does not take one. */
export const CURSOR_TRIES = 3;

/** Empty reads, to begin a poll with. */
export function noReads(): Reads {
	return { pages: [], singles: new Map() };
}

/**
 * State, unless it belongs to another account. With another address or key, the list decides: an account
 * that shows a known video is the same. Where no video is known, only version 1 with its credential is.
 */
export function sameAccount(
	state: CompletionsState | undefined,
	reads: Reads,
	{ account, credentialId }: Choice,
): CompletionsState | undefined {
	if (!state || state.account === account || reads.pages.length === 0) return state;
	const known = new Set([...state.seen.map(([id]) => id), ...state.open.map(({ id }) => id)]);
	if (known.size === 0) return state.account === credentialId ? state : undefined;
	return listedIn(reads).some(({ id }) => known.has(id)) ? state : undefined;
}

/** The pages of a poll, seen from the state. */
export interface View {
	/** All videos of the pages, each once, in the order of the list. */
	listed: Video[];
	/** The videos of the last page that had any. */
	lastPage: Video[];
	/** Whether a listed video is one that the state does not know. */
	isNew: (video: Video) => boolean;
	/** Whether a listed video is newer than the start of the reading that goes on: the next one judges it. */
	isLater: (video: Video) => boolean;
	/** Whether everything newer than what the state knows has been read. */
	reached: boolean;
	/** Whether the list was read to its end. */
	ended: boolean;
	/** Answers in a row that did not continue the list: the video of the cursor may be gone. */
	lostCursors: number;
}

export function viewOf(state: CompletionsState, reads: Reads): View {
	const { floor, backlog } = state;
	const seen = new Set(state.seen.map(([id]) => id));
	const done = new Set(backlog ? [...backlog.seen.map(([id]) => id), ...backlog.atIds] : []);
	const pages = pagesOf(reads);
	const isLater = ({ id, created_at: createdAt }: Video) =>
		backlog !== undefined && createdAt > backlog.at && !seen.has(id) && !done.has(id);
	const isNew = (video: Video) =>
		video.created_at >= floor && !seen.has(video.id) && !done.has(video.id) && !isLater(video);
	// New videos can share the newest known second or show up late, so one known video is no end yet.
	const end = Math.max((state.seen[0]?.[1] ?? 0) - LATE_S, floor);
	const reached =
		pages.ended ||
		(pages.lastPage.length > 0 && pages.lastPage.every(({ id }) => seen.has(id))) ||
		pages.listed.some((video) => createdBefore(video, end));
	return { ...pages, isNew, isLater, reached };
}

export const createdBefore = (video: Video, second: number) => video.created_at < second;

function listedIn(reads: Reads): Video[] {
	const videos = new Map<string, Video>();
	for (const page of reads.pages)
		if (page.videos !== 'refused')
			for (const video of page.videos) if (!videos.has(video.id)) videos.set(video.id, video);
	return [...videos.values()];
}

/** Follows the pages, and tells a list that ends from a cursor that leads nowhere. */
export function pagesOf(reads: Reads): Omit<View, 'isNew' | 'isLater' | 'reached'> {
	const ids = new Set<string>();
	let lastPage: Video[] = [];
	let ended = false;
	let empty = 0;
	let lostCursors = 0;
	for (const { after, videos } of reads.pages) {
		const fresh = videos === 'refused' ? 0 : videos.filter(({ id }) => !ids.has(id)).length;
		if (videos !== 'refused' && videos.length < MAX_PAGE) {
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
export function nextPage(view: Pick<View, 'lastPage' | 'lostCursors'>, state?: CompletionsState) {
	const { lastPage, lostCursors } = view;
	const tail = lastPage.length > 0 ? lastPage.map(({ id }) => id) : (state?.backlog?.tail ?? []);
	const after = lostCursors < CURSOR_TRIES ? tail.at(-1 - lostCursors) : undefined;
	if (after !== undefined) return { after };
	// Before anything was read in this poll, it can begin at the newest video again.
	return lastPage.length === 0 && lostCursors <= CURSOR_TRIES ? {} : undefined;
}
