import type { IDataObject, IExecuteFunctions, INodeExecutionData, JsonObject } from 'n8n-workflow';
import { NodeApiError, NodeOperationError } from 'n8n-workflow';

import { accountOf } from '../shared/account/account';
import type { JobEnd, WaitOptions } from '../shared/account/waitForJobs';
import { waitForVideos } from '../shared/account/waitForJobs';
import type { Video } from '../shared/api/objects';
import { jsonOf } from '../shared/api/objects';
import { untilAborted } from '../shared/async/untilAborted';
import { downloadVideo } from '../shared/files/download';
import type { NodeError } from '../shared/items/runErrors';
import { asNodeError } from '../shared/items/runErrors';
import type { ItemPlan } from '../shared/items/runItems';
import { waitTogether } from '../shared/items/waitTogether';
import { cancelSignal } from '../shared/n8n/cancellation';
import { locatorId, requiredText } from '../shared/n8n/parameters';
import { httpStatusOf } from '../shared/transport/errors';
import type { Problem, VideoFile, VideoItem } from './judge';
import { judge, summaryOf } from './judge';

/** How long a single status check may wait out a rate limit, in minutes. */
export const CHECK_MINUTES = 5;

/** A single status check; its pauses, in ms, are those between tries when the rate is limited. */
export const CHECK_ONCE = {
	pollIntervalMs: 1_000,
	maxPollIntervalMs: 10_000,
	timeoutMs: CHECK_MINUTES * 60_000,
	until: 'read',
} as const;

/**
 * The videos of all items of a run. `plan` waits for them and gives each item its `output`: the video, and
 * the file of a finished one; or throws what is wrong with it. An unknown ID ends the wait at once, unless
 * items stand alone. Once the run is going to fail, nothing more is downloaded.
 */
export function videosOf(
	ctx: IExecuteFunctions,
	rules: Omit<WaitOptions<Video>, 'signal' | 'onEnd'> & {
		waitMinutes: number;
		everyStateIsFine?: boolean;
	},
) {
	const goOn = ctx.continueOnFail();
	const items = new Map<number, VideoItem>();
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

	const plan: ItemPlan<VideoItem> = {
		concurrency: 20,
		async check(itemIndex) {
			const onFailed = ctx.getNodeParameter('options.onFailed', itemIndex, 'error');
			const item = {
				itemIndex,
				videoId: locatorId(ctx, 'videoId', 'Video', itemIndex),
				...(ctx.getNodeParameter('downloadVideo', itemIndex) === true
					? { fileField: requiredText(ctx, 'outputField', 'Put Output File in Field', itemIndex) }
					: {}),
				failedIsError: !rules.everyStateIsFine && onFailed !== 'continue',
				waitMinutes: rules.waitMinutes,
			};
			items.set(itemIndex, item);
			jobs.add(item.videoId);
			return item;
		},
		run: async (item) => async () => await output(item, await jobs.endOf(item.videoId)),
		onFail: (itemIndex): IDataObject => {
			const item = items.get(itemIndex);
			return item ? { id: item.videoId } : {};
		},
		summary: (errors) => summaryOf(errors, jobs.known()),
	};

	return { plan, output, ends: jobs.ends };
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
