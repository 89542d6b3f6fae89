import type { Video } from '../shared/api/objects';
import { isFinal } from '../shared/api/objects';
import type { Choice, Reads, View } from './listView';
import { CURSOR_TRIES, pagesOf, sameAccount, viewOf } from './listView';
import type { Backlog, CompletionsState, OpenVideo, Zone } from './state';
import { bounded, newestOf, seenOf } from './state';

/** Why a completion is kept for the next poll: its download failed, or was not begun. */
export type Undelivered = ReadonlyMap<string, 'failed' | 'waiting'>;

/** The outcome of a poll. */
export interface Settlement {
	/** Videos to fire now, in the order they ended. */
	completions: Video[];
	state: CompletionsState;
}

/** A job this much older than the newest sign of life, and no longer on the pages read, is given up, in s. */
const MAX_AGE_S = 7 * 86_400;

/** The API must deny a video this often in a row until it counts as deleted. */
const MAX_MISSING = 3;

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
