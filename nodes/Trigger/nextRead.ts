import type { Video } from '../shared/api/objects';
import { isFinal } from '../shared/api/objects';
import type { Choice, Reads, View } from './listView';
import { createdBefore, nextPage, pagesOf, sameAccount, viewOf } from './listView';
import type { CompletionsState, OpenVideo } from './state';
import { isUndelivered } from './state';

/** What to read next: a page of 100 strictly after a video (or the newest), or one video. */
export type ReadRequest = { page: { after?: string } } | { videoId: string };

/** Pages that one poll reads at most; the next poll goes on from there. */
const MAX_PAGES = 50;

/** Pages that the first poll reads whatever it finds, to see which jobs still render. */
const FIRST_PAGES = 5;

/** How much older than the newest video the last page must be, in s, for the first poll to end. */
const FIRST_HORIZON_S = 86_400;

/** Videos that one poll reads one by one. */
const MAX_SINGLES = 25;

/** A job that is not on the pages read is read again after a tenth of the time it was known for. */
const READ_SPACING = 0.1;

/**
 * What the poll must read next; `undefined` when it has read enough. A poll may stop earlier than that,
 * after at least one read: nothing is lost, the rest follows in the next poll.
 */
export function nextRead(
	before: CompletionsState | undefined,
	reads: Reads,
	choice: Choice,
): ReadRequest | undefined {
	const state = sameAccount(before, reads, choice);
	if (!state) return nextFirstRead(reads, before);
	// Another address or key: the newest videos tell whether it is another account.
	if (reads.pages.length === 0 && state.account !== choice.account) return { page: {} };
	const capacity = choice.capacity ?? Infinity;
	const undelivered = state.open.filter(isUndelivered);
	if (undelivered.length >= capacity) {
		const found = undelivered.filter(({ id }) => isFound(reads.singles.get(id))).length;
		return found < capacity ? nextSingle(undelivered, reads) : undefined;
	}

	const view = viewOf(state, reads);
	const more = reads.pages.length < MAX_PAGES;
	if (!view.reached) {
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

/** How many of the listed videos would fire. */
function deliverable(view: View, state: CompletionsState, { matches }: Choice): number {
	const open = new Set(state.open.map(({ id }) => id));
	return view.listed.filter(
		(video) => isFinal(video) && (open.has(video.id) || view.isNew(video)) && matches(video),
	).length;
}

const isFound = (video: Video | 'missing' | undefined) =>
	video !== undefined && video !== 'missing';

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

/**
 * The first poll finds out how far down jobs still render, and then never again. With another address or
 * key it also goes down to the time of the videos that were known: none of them on the way, so it is
 * another account.
 */
function nextFirstRead(
	reads: Reads,
	before: CompletionsState | undefined,
): ReadRequest | undefined {
	const view = pagesOf(reads);
	const { listed, lastPage, ended } = view;
	if (ended || reads.pages.length >= MAX_PAGES) return undefined;
	const [newest, oldest] = [listed[0], listed.at(-1)];
	const until = Math.min(
		(newest?.created_at ?? 0) - FIRST_HORIZON_S,
		...(before?.seen ?? []).map(([, createdAt]) => createdAt),
	);
	const enough = reads.pages.length >= FIRST_PAGES && oldest && createdBefore(oldest, until);
	if (enough && lastPage.every(isFinal)) return undefined;
	const page = nextPage(view);
	return page && { page };
}
