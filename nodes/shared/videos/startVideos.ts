import type { IExecuteFunctions, INodeExecutionData, INodeProperties } from 'n8n-workflow';

import type { Bucket, RateLimiter } from '../api/buckets';
import { DOCUMENTED } from '../api/buckets';
import type { Video } from '../api/objects';
import { jsonOf } from '../api/objects';
import { pollPauses, timeoutMinutes, timeoutOption } from '../descriptions/waitOptions';
import type { Estimate } from '../items/estimate';
import {
	allowUnknownCostOption,
	checkSpending,
	inWords,
	spendingLimit,
	spendingLimitOption,
} from '../items/estimate';
import type { BilledKind, IdempotencyRecord } from '../items/idempotency';
import { openIdempotencyRecord } from '../items/idempotency';
import { runItems } from '../items/runItems';
import {
	concurrencyOption,
	hintWaited,
	rateLimitPatienceOption,
	runOptions,
} from '../items/runOptions';
import { requiredText } from '../n8n/parameters';
import { finishedVideos } from './finishedVideos';

/** Options of a node that starts videos. */
export const startOptions: INodeProperties[] = [
	allowUnknownCostOption,
	concurrencyOption,
	rateLimitPatienceOption,
	spendingLimitOption,
	timeoutOption(
		'How long to wait for completion before it is an error. Videos keep rendering and are billed all the same.',
		{ displayOptions: { show: { '/waitForCompletion': [true] } } },
	),
];

/** How a node starts one kind of video. */
export interface VideoStart<Input> {
	kind: BilledKind;
	bucket: Bucket;
	/** What one and several of them are called in a hint: `video`, `videos`. */
	names: readonly [one: string, many: string];
	/** Reads and checks one item's input, without sending anything. */
	check(itemIndex: number): Promise<Input>;
	/** What the item is billed at list price. */
	estimate(input: Input): Promise<Estimate>;
	/** Everything that goes into the video, to know it again: see `once`. */
	inputs(input: Input): unknown;
	create(
		input: Input,
		itemIndex: number,
		run: { limiter: RateLimiter; record: IdempotencyRecord },
	): Promise<Video>;
}

/**
 * Starts a video for each item, and with "Wait for Completion" waits for all of them and gives their files.
 * With the operation "Estimate" every input is checked as well, nothing is sent, and each item tells what it
 * would cost. Throws `NodeOperationError` for input and for a spending limit, before anything is sent.
 */
export async function startVideos<Input>(
	ctx: IExecuteFunctions,
	start: VideoStart<Input>,
): Promise<INodeExecutionData[]> {
	const estimated = new Map<number, Estimate>();
	const check = async (i: number) => {
		const input = await start.check(i);
		estimated.set(i, await start.estimate(input));
		return input;
	};
	if (ctx.getNodeParameter('operation', 0, 'create') === 'estimate')
		return await estimateItems(ctx, start, check, estimated);

	const { concurrency, limiter } = runOptions(ctx);
	const limit = spendingLimit(ctx);
	const record = openIdempotencyRecord(ctx);
	const wait = ctx.getNodeParameter('waitForCompletion', 0, false) === true;
	const waitMinutes = timeoutMinutes(ctx);
	const videos = finishedVideos(ctx, { ...pollPauses(ctx), timeoutMs: waitMinutes * 60_000 });
	const started = new Map<number, Estimate>();
	const output = await runItems(ctx, {
		concurrency,
		record,
		// The estimate comes last: only what passed everything is counted.
		check: async (i) => ({ fileField: fileFieldOf(ctx, i, wait), input: await check(i) }),
		approve: () => checkSpending(ctx, estimated, limit),
		run: async ({ input, fileField }, i) => {
			const billed = { kind: start.kind, inputs: start.inputs(input) };
			const video = await record.once<Video>(i, billed, async () => {
				const created = await start.create(input, i, { limiter, record });
				started.set(i, estimated.get(i)!);
				return created;
			});
			if (!wait) return [{ json: jsonOf(video) }];
			return videos.follow({
				itemIndex: i,
				videoId: video.id,
				fileField,
				failedIsError: true,
				waitMinutes,
			});
		},
	});
	hintWaited(ctx, limiter);
	hintStarted(ctx, start, started, wait);
	return output;
}

/** The binary field for the file of an item; `undefined` when none is wanted. */
function fileFieldOf(ctx: IExecuteFunctions, i: number, wait: boolean): string | undefined {
	if (!wait || ctx.getNodeParameter('downloadVideo', i, true) !== true) return undefined;
	return requiredText(ctx, 'outputField', 'Put Output File in Field', i);
}

/** One output item for each input: its own fields, and what it would cost. */
async function estimateItems<Input>(
	ctx: IExecuteFunctions,
	{ bucket, names }: VideoStart<Input>,
	check: (i: number) => Promise<Input>,
	estimated: ReadonlyMap<number, Estimate>,
): Promise<INodeExecutionData[]> {
	const output = await runItems(ctx, {
		concurrency: CHECKED_TOGETHER,
		check,
		run: async (_, i) => {
			const { json, binary } = ctx.getInputData()[i]!;
			return [{ json: { ...json, ...estimated.get(i) }, ...(binary ? { binary } : {}) }];
		},
	});
	const perMinute = DOCUMENTED[bucket] ?? Infinity;
	const minutes = Math.round(Math.max(0, estimated.size - perMinute) / perMinute);
	ctx.addExecutionHints({
		message: `Nothing was sent. A run would start ${inWords(estimated, ...names)}.${minutes > 0 ? ` Mirage's rate limit lets it take about ${minutes} minute${minutes === 1 ? '' : 's'}.` : ''}`,
		location: 'outputPane',
		type: 'info',
	});
	return output;
}

/** Items whose files are read for an estimate at the same time. */
const CHECKED_TOGETHER = 3;

/** Tells at the node what was started and what it costs, and where the file comes from. */
function hintStarted<Input>(
	ctx: IExecuteFunctions,
	{ names }: VideoStart<Input>,
	started: ReadonlyMap<number, Estimate>,
	waited: boolean,
): void {
	if (started.size === 0) return;
	const children = ctx.getChildNodes(ctx.getNode().name);
	const waitsLater = children.some(({ type }) => /mirageWaitForVideo$/i.test(type));
	const next =
		waited || waitsLater ? '' : ' It is rendering. Add Mirage Wait for Video to get the file.';
	ctx.addExecutionHints({
		message: `This run started ${inWords(started, ...names)}.${next}`,
		location: 'outputPane',
		type: 'info',
	});
}
