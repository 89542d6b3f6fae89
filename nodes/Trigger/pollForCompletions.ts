import type { IBinaryData, INodeExecutionData, IPollFunctions } from 'n8n-workflow';

import { accountKeyOf, accountOf } from '../shared/account/account';
import { unreadableError } from '../shared/api/answers';
import { getVideo, listVideos } from '../shared/api/endpoints';
import type { Video } from '../shared/api/objects';
import { systemClock } from '../shared/async/clock';
import { downloadVideo } from '../shared/files/download';
import { httpStatusOf } from '../shared/transport/errors';
import type { DueVideo } from './classify';
import { classify, keep } from './classify';
import type { Choice, Reads } from './listView';
import { noReads, sameAccount } from './listView';
import type { ReadRequest } from './nextRead';
import { nextRead } from './nextRead';
import type { PollTurn } from './pollTurn';
import { beginPoll } from './pollTurn';
import type { CompletionsState, OpenVideo } from './state';
import type { TriggerParameters } from './triggerParameters';
import { triggerItem, triggerParameters } from './triggerParameters';

/** Videos that one poll downloads at most: n8n may hold their files in memory until the poll ends. */
const MAX_DOWNLOADS = 25;
/** Polls that try to download a video before its item goes out without the file. */
const DOWNLOAD_POLLS = 5;
/** Shares of the poll's time after which nothing more is read, and downloads are no longer waited for. */
const READING_SHARE = 0.5;
const DOWNLOADING_SHARE = 0.8;
/** The next poll is a repetition anyway, so a failed read is not repeated for long. */
const READ_OPTIONS = { tries: 2, patienceMs: 5_000 };
/** Statuses by which an API may say that it does not know an ID. */
const UNKNOWN_ID = new Set([400, 404, 410, 422]);

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
	const turn = beginPoll(ctx);
	if (!turn) return null;
	try {
		return await pollInTurn(ctx, turn);
	} finally {
		turn.end();
	}
}

async function pollInTurn(
	ctx: IPollFunctions,
	turn: PollTurn,
): Promise<INodeExecutionData[][] | null> {
	const parameters = triggerParameters(ctx);
	const { state, startedAt, budgetMs } = turn;
	const choice: Choice = {
		account: await accountKeyOf(ctx),
		credentialId: ctx.getNode().credentials?.mirageApi?.id ?? '',
		matches: parameters.matches,
		now: startedAt,
		capacity: parameters.downloads ? MAX_DOWNLOADS : undefined,
	};
	const reads = await readVideos(ctx, state, choice, startedAt + budgetMs * READING_SHARE);
	const classified = classify(state, reads, choice);
	const downloads = await downloadAll(
		ctx,
		classified.due.filter(({ video }) => parameters.needsFile(video)),
		startedAt + budgetMs * DOWNLOADING_SHARE,
	);

	// From here to the return nothing waits.
	const undelivered: OpenVideo[] = [];
	const items: INodeExecutionData[] = [];
	for (const due of classified.due) {
		const result = itemOrOpen(due, downloads.get(due.video.id), parameters);
		if ('json' in result) items.push(result);
		else undelivered.push(result);
	}
	if (!turn.write(keep(classified, undelivered))) return null;
	return items.length > 0 ? [items] : null;
}

/**
 * Does the reads that `nextRead` asks for, until the time `deadline`. The first must succeed; a later
 * failure ends the reading, and what was read counts. On the first poll of an account, every read must
 * succeed: a job that it does not see rendering would never fire.
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
			if (done === 0 || !sameAccount(state, reads, choice)) throw error;
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
			const videos = await listVideos(ctx, { after }, READ_OPTIONS);
			reads.pages.push({ after, videos: withTimes(ctx, videos) });
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
 * A page whose videos all have `created_at`. One that came without a readable time gets its neighbour's:
 * the list is in the order of creation. Throws `NodeApiError` when no video of the page has one.
 */
function withTimes(ctx: IPollFunctions, videos: Video[]): Video[] {
	const times: (number | undefined)[] = videos.map(({ created_at: createdAt }) => createdAt);
	const unknown = videos.filter((_, index) => times[index] === undefined).map(({ id }) => id);
	if (unknown.length === 0) return videos;
	let time = times.find((each) => each !== undefined);
	if (time === undefined)
		throw unreadableError(ctx, 'list videos', 'No video has a time of creation that can be read');
	ctx.logger.warn(`${ctx.getNode().name}: no readable created_at in ${unknown.join(', ')}`);
	return videos.map((video, index) => ({ ...video, created_at: (time = times[index] ?? time!) }));
}

/**
 * Downloads the files of the first {@link MAX_DOWNLOADS} videos until the time `deadline`. Never rejects
 * for a file: a download that fails, or is still on its way then, is told as such; the videos that were
 * not begun are not in the result.
 */
async function downloadAll(
	ctx: IPollFunctions,
	due: DueVideo[],
	deadline: number,
): Promise<Map<string, Download>> {
	const results = new Map<string, Download>();
	if (due.length === 0) return results;
	const { downloads } = await accountOf(ctx);
	const over = new AbortController();
	const download = async ({ video: { id } }: DueVideo) => {
		if (over.signal.aborted) return;
		results.set(id, 'unfinished');
		const result: Download = await downloadVideo(ctx, id).then(
			(file) => ({ file }),
			(error: Error) => ({ error }),
		);
		if (!over.signal.aborted) results.set(id, result);
	};
	const all = due.slice(0, MAX_DOWNLOADS).map(async (each) => {
		await downloads(async () => await download(each));
	});
	const timeIsUp = systemClock.sleep(deadline - systemClock.now(), over.signal);
	await Promise.race([Promise.all(all), timeIsUp]);
	over.abort();
	return results;
}

/** The item of a due video, or what to remember when it must wait for the next poll. */
function itemOrOpen(
	{ video, open }: DueVideo,
	download: Download | undefined,
	parameters: TriggerParameters,
): INodeExecutionData | OpenVideo {
	if (!parameters.needsFile(video)) return triggerItem(video, parameters);
	if (download === undefined) return open;
	if (download !== 'unfinished' && 'file' in download)
		return triggerItem(video, parameters, download.file);
	const failedDownloads = (open.failedDownloads ?? 0) + 1;
	if (failedDownloads < DOWNLOAD_POLLS) return { ...open, failedDownloads };
	const reason = download === 'unfinished' ? 'It took too long' : download.error.message;
	return triggerItem({ ...video, download_error: reason }, parameters);
}
