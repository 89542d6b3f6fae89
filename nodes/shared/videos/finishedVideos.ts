import type { IDataObject, IExecuteFunctions, INodeExecutionData, JsonObject } from 'n8n-workflow';
import { NodeApiError, NodeOperationError } from 'n8n-workflow';

import { accountOf } from '../account/account';
import type { JobEnd, WaitOptions } from '../account/waitForJobs';
import { waitForVideos } from '../account/waitForJobs';
import type { Video } from '../api/objects';
import { jsonOf } from '../api/objects';
import { untilAborted } from '../async/untilAborted';
import { downloadVideo } from '../files/download';
import type { NodeError } from '../items/runErrors';
import { asNodeError } from '../items/runErrors';
import type { Rest } from '../items/runItems';
import { waitTogether } from '../items/waitTogether';
import { cancelSignal } from '../n8n/cancellation';
import { httpStatusOf } from '../transport/errors';
import type { Problem, VideoFile, VideoItem } from './judge';
import { judge, summaryOf } from './judge';

/**
 * The videos that the items of a run wait for together. `follow` gives what is left to do for an item: wait
 * for its video, fetch the file of a finished one, and output both, or throw what is wrong. Files are fetched
 * while other videos still render. An unknown ID ends the wait at once, unless items stand alone. Once the
 * run is going to fail, nothing more is downloaded.
 */
export function finishedVideos(
	ctx: IExecuteFunctions,
	rules: Omit<WaitOptions<Video>, 'signal' | 'onEnd'>,
) {
	const goOn = ctx.continueOnFail();
	const files = new Map<string, Promise<VideoFile | undefined>>();
	let failing = false;
	let stopped = false;

	const jobs = waitTogether<Video>(async (ids, options) => await waitForVideos(ctx, ids, options), {
		...rules,
		onEnd: (_, end) => {
			stopped ||= !goOn && end.kind === 'unknown';
			return stopped ? 'stop' : undefined;
		},
	});

	const download = async (videoId: string): Promise<VideoFile | undefined> => {
		if (failing || stopped || cancelSignal(ctx)?.aborted) return undefined;
		try {
			return { file: await downloadVideo(ctx, videoId) };
		} catch (error) {
			return { error: asNodeError(ctx, error, 0) };
		}
	};
	/** The file of a video, fetched once, whichever items want it. */
	const fileOf = async (videoId: string) => {
		const { downloads } = await accountOf(ctx);
		const file = files.get(videoId) ?? downloads(async () => await download(videoId));
		files.set(videoId, file);
		return await untilAborted(file, cancelSignal(ctx));
	};

	const output = async (item: VideoItem, end: JobEnd<Video>): Promise<INodeExecutionData[]> => {
		// The error of the unknown ID tells enough: these videos were not waited for.
		if (stopped && end.kind === 'open') return [];
		if (!goOn && judge(item, end)) failing = true;
		const complete = end.kind === 'read' && end.job.status === 'COMPLETE';
		const file = complete && item.fileField ? await fileOf(item.videoId) : undefined;
		const problem = judge(item, end, file);
		if (problem || end.kind !== 'read') throw itemError(ctx, item.itemIndex, problem!);
		return [outputItem(ctx, item, end.job, file)];
	};

	/** Adds the video of an item, before any wait begins; the rest of the item's work waits for it. */
	const follow = (item: VideoItem): Rest => {
		jobs.add(item.videoId);
		return async () => await output(item, await jobs.endOf(item.videoId));
	};
	const summary = (errors: NodeError[]) => summaryOf(errors, jobs.known());

	return { follow, output, summary, ends: jobs.ends };
}

function outputItem(
	ctx: IExecuteFunctions,
	{ itemIndex, fileField }: VideoItem,
	video: Video,
	file: VideoFile | undefined,
): INodeExecutionData {
	const input = ctx.getInputData()[itemIndex]!;
	const binary = {
		...input.binary,
		...(fileField && file && 'file' in file ? { [fileField]: file.file } : {}),
	};
	return {
		json: { ...jsonOf(video), ...filesInJson(input) },
		...(Object.keys(binary).length > 0 ? { binary } : {}),
	};
}

/**
 * The input's files where the workflow keeps them in the JSON (n8n 2, workflow setting `binaryMode:
 * 'combined'`, property `_files`), so that they pass through like those in `binary`.
 */
function filesInJson({ json: { _files: files } }: INodeExecutionData): IDataObject {
	const isObject = typeof files === 'object' && files !== null && !Array.isArray(files);
	return isObject ? { _files: files } : {};
}

/** A problem as n8n's error: that of the API where an answer of the API is behind it. */
function itemError(
	ctx: IExecuteFunctions,
	itemIndex: number,
	{ message, description, cause }: Problem,
): NodeError {
	const status = httpStatusOf(cause);
	return status === undefined
		? new NodeOperationError(ctx.getNode(), message, { itemIndex, description })
		: new NodeApiError(ctx.getNode(), { message } as JsonObject, {
				message,
				description,
				itemIndex,
				httpCode: String(status),
			});
}
