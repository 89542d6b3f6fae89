import type { Video } from '../shared/api/objects';
import { isFinal } from '../shared/api/objects';
import type { Choice, Reads, View } from './listView';
import { CURSOR_TRIES, pagesOf, sameAccount, viewOf } from './listView';
import type { Backlog, CompletionsState, KnownVideos, OpenVideo } from './state';
import { bounded, newestOf, seenOf } from './state';

/** What a poll has to do: the videos to fire, and what is known when all of them are. */
export interface Classified {
	/** In the order the videos ended. */
	due: DueVideo[];
	next: CompletionsState;
}

/** A video to fire, and what to remember of it when it cannot be delivered now. */
export interface DueVideo {
	video: Video;
	open: OpenVideo;
}

/** A job this much older than the newest sign of life, and no longer on the pages read, is given up, in s. */
const MAX_AGE_S = 7 * 86_400;

/** The API must deny a video this often in a row until it counts as deleted. */
const MAX_MISSING = 3;

/** Judges what was read. The answer is for the state given: if that is no longer the newest, drop it. */
export function classify(
	before: CompletionsState | undefined,
	reads: Reads,
	choice: Choice,
): Classified {
	const { account, now, matches } = choice;
	const state = sameAccount(before, reads, choice);
	if (!state) return { due: [], next: firstState(reads, choice, before) };

	const view = viewOf(state, reads);
	const latest = latestTime(state, view.listed, reads);
	const open = new Map(state.open.map((video) => [video.id, video]));
	const due: DueVideo[] = [];
	const judge = (video: Video, known: OpenVideo | undefined) => {
		const { id } = video;
		open.delete(id);
		const createdAt = known?.createdAt ?? video.created_at;
		const entry: OpenVideo = { id, createdAt, foundAt: known?.foundAt ?? now, readAt: now };
		if (!isFinal(video)) open.set(id, entry);
		else if (matches(video))
			due.push({ video, open: { ...entry, failedDownloads: known?.failedDownloads ?? 0 } });
	};
	for (const video of view.listed) {
		const known = open.get(video.id);
		if (known || view.isNew(video)) judge(video, known);
	}
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
		due: due.reverse().sort((a, b) => endedAt(a.video) - endedAt(b.video)),
		next: {
			version: 2,
			account,
			firings: state.firings,
			open: bounded([...open.values()]),
			...positionOf(state, view),
		},
	};
}

/** The state after a poll that could not deliver all that was due: those videos stay open. */
export function keep({ due, next }: Classified, undelivered: OpenVideo[]): CompletionsState {
	return {
		...next,
		firings: next.firings + (undelivered.length < due.length ? 1 : 0),
		open: bounded([...next.open, ...undelivered]),
	};
}

/** What has ended before the first poll never fires; what still renders is open. */
function firstState(
	reads: Reads,
	{ account, now }: Choice,
	before: CompletionsState | undefined,
): CompletionsState {
	const { listed, ended } = pagesOf(reads);
	const open = listed
		.filter((video) => !isFinal(video))
		.map(({ id, created_at: createdAt }) => ({ id, createdAt, foundAt: now, readAt: now }));
	const known = newestOf(listed.map(seenOf), 0);
	// Of the last second on the pages read, there may be more on the next.
	if (!ended && listed.length > 0)
		known.floor = Math.max(known.floor, Math.min(...listed.map((v) => v.created_at)) + 1);
	// It replaces what was known of another account, as if it had fired.
	const firings = before ? before.firings + 1 : 0;
	return { version: 2, account, firings, ...known, open: bounded(open) };
}

/** What is known after these reads: all of it, or the old with a note how far the reading has come. */
function positionOf(state: CompletionsState, view: View): KnownVideos & { backlog?: Backlog } {
	const { seen, floor, backlog } = state;
	const listed = view.listed.filter((video) => !view.isLater(video)).map(seenOf);
	if (view.reached) return newestOf([...(backlog?.seen ?? []), ...listed, ...seen], floor);
	if (listed.length === 0) return { seen, floor, ...(backlog ? { backlog } : {}) };
	const at = Math.min(backlog?.at ?? Infinity, ...listed.map(([, createdAt]) => createdAt));
	const atIds = [
		...(backlog?.at === at ? backlog.atIds : []),
		...listed.filter(([, createdAt]) => createdAt === at).map(([id]) => id),
	];
	return {
		seen,
		floor,
		backlog: {
			seen: newestOf([...(backlog?.seen ?? []), ...listed], 0).seen,
			at,
			atIds: [...new Set(atIds)],
			tail: view.lastPage.slice(-CURSOR_TRIES).map(({ id }) => id),
		},
	};
}

/** The newest time that the API has shown, Unix seconds: the server's clock as far as it is known. */
function latestTime(state: CompletionsState, listed: Video[], reads: Reads): number {
	const singles = [...reads.singles.values()].filter((video) => video !== 'missing');
	return Math.max(state.seen[0]?.[1] ?? 0, ...[...listed, ...singles].map(endedAt));
}

/** When a video ended, as far as the API tells, Unix seconds. */
const endedAt = ({ completed_at: completedAt, created_at: createdAt }: Video) =>
	completedAt ?? createdAt ?? 0;
