import type { IBinaryData, INodeExecutionData, IPollFunctions } from 'n8n-workflow';
import { deepCopy } from 'n8n-workflow';

import { getVideo, listVideos } from '../shared/api/endpoints';
import { systemClock } from '../shared/async/clock';
import type { Choice, Reads } from './listView';
import type { CompletionsState } from './state';
import type { ReadRequest } from './nextRead';
import { nextRead } from './nextRead';
import { noReads } from './listView';
import { settle } from './settle';
import { storedState } from './state';
import { downloadVideo } from '../shared/files/download';
import { httpStatusOf } from '../shared/transport/errors';
import type { Video } from '../shared/api/objects';
import type { TriggerParameters } from './triggerParameters';
import { itemOf, triggerParameters } from './triggerParameters';

/** Videos that one poll downloads at most: n8n may hold their files in memory until the poll ends. */
const MAX_DOWNLOADS = 25;
/** Downloads on their way at the same time. */
const CONCURRENT_DOWNLOADS = 3;
/** Polls that try to download a video before its item goes out without the file. */
const DOWNLOAD_POLLS = 5;
/** What a poll may take where n8n does not tell, in ms: the figure of n8n 2.41 outside its own scheduler. */
const DEFAULT_BUDGET_MS = 300_000;
/** Shares of that after which nothing more is read, and downloads are no longer waited for. */
const READING_SHARE = 0.5;
const DOWNLOADING_SHARE = 0.8;
/** The next poll is a repetition anyway, so a failed read is not repeated for long. */
const READ_OPTIONS = { tries: 2, patienceMs: 5_000 };
/** Statuses by which an API may say that it does not know an ID. */
const UNKNOWN_ID = new Set([400, 404, 410, 422]);

/** Polls under way: the static data they work on, and the time by which they are done, ms since 1970. */
const underWay = new WeakMap<object, number>();

/** What became of the download of a video. */
type Download = { file: IBinaryData } | { error: Error } | 'unfinished';

/**
 * One scheduled poll: reads what may have ended, downloads the files that were asked for, and returns an
 * item for every video that is to fire, or null.
 *
 * RULE: state is written in the same synchronous step that returns the items. Whatever fails or is cut
 * off before leaves the state as it was, and the next poll finds the same videos.
 *
 * Throws `NodeApiError` with the HTTP status when nothing could be read, so that n8n can back off.
 */
export async function pollForCompletions(
	ctx: IPollFunctions,
): Promise<INodeExecutionData[][] | null> {
	const memory = ctx.getWorkflowStaticData('node');
	const startedAt = systemClock.now();
	// n8n starts a poll although the one before still downloads: its videos would be fetched twice.
	if (startedAt < (underWay.get(memory) ?? 0)) return null;
	const budgetMs = budgetOf(ctx);
	underWay.set(memory, startedAt + budgetMs);
	try {
		const parameters = triggerParameters(ctx);
		const before = memory.completions;
		const state = storedState(deepCopy(before));
		const choice: Choice = {
			account: ctx.getNode().credentials?.mirageApi?.id ?? '',
			wanted: parameters.wanted,
			now: startedAt,
			capacity: parameters.downloads ? MAX_DOWNLOADS : undefined,
		};
		const reads = await readVideos(ctx, state, choice, startedAt + budgetMs * READING_SHARE);
		const { completions } = settle(state, reads, choice);
		const downloads = await downloadAll(
			ctx,
			completions.filter(parameters.needsFile),
			startedAt + budgetMs * DOWNLOADING_SHARE,
		);

		// From here to the return nothing waits. Another poll may have written since: then this one is void.
		if (memory.completions !== before) return null;
		const undelivered = new Map<string, 'failed' | 'waiting'>();
		const items: INodeExecutionData[] = [];
		for (const video of completions) {
			const item = itemWith(video, downloads.get(video.id), parameters, state);
			if (typeof item === 'string') undelivered.set(video.id, item);
			else items.push(item);
		}
		memory.completions = settle(state, reads, choice, undelivered).state;
		return items.length > 0 ? [items] : null;
	} finally {
		underWay.delete(memory);
	}
}

/** How long n8n lets this poll take, in ms. Older versions do not tell. */
function budgetOf(ctx: IPollFunctions): number {
	const { getPollBudgetMs } = ctx as { getPollBudgetMs?: () => number };
	return getPollBudgetMs?.call(ctx) ?? DEFAULT_BUDGET_MS;
}

/**
 * Does the reads that `nextRead` asks for, until the time `deadline`. The first must succeed; a later
 * failure ends the reading, and what was read counts. On the first poll of all, every read must succeed:
 * a job that it does not see rendering would never fire.
 */
async function readVideos(
	ctx: IPollFunctions,
	state: CompletionsState | undefined,
	choice: Choice,
	deadline: number,
): Promise<Reads> {
	const reads = noReads();
	let next = nextRead(state, reads, choice);
	for (let done = 0; next; done++) {
		if (done > 0 && systemClock.now() >= deadline) break;
		const error = await readOne(ctx, reads, next);
		if (error !== undefined) {
			if (done === 0 || !state) throw error;
			ctx.logger.warn(`${ctx.getNode().name}: the rest is read in the next poll`, { error });
			break;
		}
		next = nextRead(state, reads, choice);
	}
	return reads;
}

/** Does one read and adds it. An ID that the API does not know is an answer too; the error of any other failure is returned. */
async function readOne(ctx: IPollFunctions, reads: Reads, request: ReadRequest): Promise<unknown> {
	try {
		if ('videoId' in request) {
			const { videoId } = request;
			reads.singles.set(videoId, await getVideo(ctx, videoId, READ_OPTIONS));
		} else {
			const { after } = request.page;
			reads.pages.push({ after, videos: await listVideos(ctx, { after }, READ_OPTIONS) });
		}
	} catch (error) {
		if (!UNKNOWN_ID.has(httpStatusOf(error) ?? 0)) return error;
		if ('videoId' in request) reads.singles.set(request.videoId, 'missing');
		else if (request.page.after === undefined) return error;
		else reads.pages.push({ after: request.page.after, videos: 'refused' });
	}
	return undefined;
}

/**
 * Downloads the files of the first {@link MAX_DOWNLOADS} videos, a few at a time, until the time
 * `deadline`. Never rejects: a download that fails, or is still on its way then, is told as such; the
 * videos that were not begun are not in the result.
 */
async function downloadAll(
	ctx: IPollFunctions,
	videos: Video[],
	deadline: number,
): Promise<Map<string, Download>> {
	const downloads = new Map<string, Download>();
	const queue = videos.slice(0, MAX_DOWNLOADS);
	const over = new AbortController();
	const work = async () => {
		for (let video = queue.shift(); video && !over.signal.aborted; video = queue.shift()) {
			const { id } = video;
			downloads.set(id, 'unfinished');
			try {
				const file = await downloadVideo(ctx, id);
				if (!over.signal.aborted) downloads.set(id, { file });
			} catch (error) {
				if (!over.signal.aborted) downloads.set(id, { error: error as Error });
			}
		}
	};
	if (queue.length === 0) return downloads;
	const all = Promise.all(Array.from({ length: CONCURRENT_DOWNLOADS }, work));
	await Promise.race([all, systemClock.sleep(deadline - systemClock.now(), over.signal)]);
	over.abort();
	return downloads;
}

/** The item of a completion, or why it must wait for the next poll. */
function itemWith(
	video: Video,
	download: Download | undefined,
	parameters: TriggerParameters,
	state: CompletionsState | undefined,
): INodeExecutionData | 'failed' | 'waiting' {
	if (!parameters.needsFile(video)) return itemOf(video, parameters);
	if (download === undefined) return 'waiting';
	if (download !== 'unfinished' && 'file' in download)
		return itemOf(video, parameters, download.file);
	const failed = state?.open.find(({ id }) => id === video.id)?.failedDownloads ?? 0;
	if (failed + 1 < DOWNLOAD_POLLS) return 'failed';
	const reason = download === 'unfinished' ? 'It took too long' : download.error.message;
	return itemOf({ ...video, download_error: reason }, parameters);
}
