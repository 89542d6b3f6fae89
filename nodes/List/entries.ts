import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { accountOf } from '../shared/account/account';
import { getVideo, listCaptionTemplates, listVideos } from '../shared/api/endpoints';
import type { CaptionTemplate, Video } from '../shared/api/objects';
import { isCaptioned, jsonOf } from '../shared/api/objects';
import { downloadVideo } from '../shared/files/download';
import { eachEntry } from './pages';

/** The number of results wanted; without a limit, all of them. */
function resultLimit(ctx: IExecuteFunctions, itemIndex: number): number {
	if (ctx.getNodeParameter('returnAll', itemIndex) === true) return Infinity;
	const limit = Number(ctx.getNodeParameter('limit', itemIndex));
	if (!Number.isInteger(limit) || limit < 1)
		throw new NodeOperationError(
			ctx.getNode(),
			`Limit must be a whole number from 1 on [item ${itemIndex}]`,
			{ itemIndex, description: 'Correct "Limit", or turn "Return All" on.' },
		);
	return limit;
}

/** How videos are output: the API's object, or what people look at, with times they can read. */
export function shape(ctx: IExecuteFunctions, itemIndex: number): (video: Video) => IDataObject {
	return ctx.getNodeParameter('simplify', itemIndex, true) === true ? simplified : jsonOf;
}

function simplified(video: Video): IDataObject {
	const { id, status, progress, created_at, completed_at, model, error } = video;
	const iso = (seconds: number | null | undefined) =>
		typeof seconds === 'number' ? new Date(seconds * 1_000).toISOString() : null;
	return {
		id,
		status,
		progress: progress ?? null,
		createdAt: iso(created_at),
		completedAt: iso(completed_at),
		model: model ?? null,
		kind: isCaptioned(video) ? 'captioned' : 'generated',
		...(error ? { error } : {}),
	};
}

/** The videos that an item asks for. Throws `NodeApiError`, and `NodeOperationError` for a wrong limit. */
export async function manyVideos(
	ctx: IExecuteFunctions,
	itemIndex: number,
): Promise<INodeExecutionData[]> {
	const option = (name: string, otherwise: string | string[]) =>
		ctx.getNodeParameter(`options.${name}`, itemIndex, otherwise);
	const order = option('order', 'desc') as 'asc' | 'desc';
	const states = option('status', []) as string[];
	const output: INodeExecutionData[] = [];
	const request = {
		limit: resultLimit(ctx, itemIndex),
		after: String(option('after', '')).trim() || undefined,
		matches: states.length > 0 ? (video: Video) => isIn(states, video.status) : undefined,
	};
	const videos = eachEntry<Video>(request, async (after, limit) => {
		const entries = await listVideos(ctx, { after, limit, order });
		return { entries, hasMore: entries.length === limit };
	});
	const json = shape(ctx, itemIndex);
	for await (const video of videos) output.push({ json: json(video) });
	return output;
}

/** "Processing" means every state that is not final, also those that the API may add. */
function isIn(states: string[], status: string): boolean {
	const known = ['COMPLETE', 'FAILED', 'CANCELLED'].includes(status);
	return states.includes(known ? status : 'PROCESSING');
}

/** The caption templates that an item asks for. Errors as in {@link manyVideos}. */
export async function manyTemplates(
	ctx: IExecuteFunctions,
	itemIndex: number,
): Promise<INodeExecutionData[]> {
	const after = String(ctx.getNodeParameter('options.after', itemIndex, '')).trim() || undefined;
	const output: INodeExecutionData[] = [];
	const request = { limit: resultLimit(ctx, itemIndex), after };
	const templates = eachEntry<CaptionTemplate>(request, async (cursor, limit) => {
		const page = await listCaptionTemplates(ctx, { after: cursor, limit });
		return { entries: page.templates, hasMore: page.hasMore };
	});
	for await (const template of templates) output.push({ json: { ...template } });
	return output;
}

/**
 * The item with the file of a complete video added. Throws `NodeOperationError` for a video that has
 * no file.
 */
export async function downloaded(
	ctx: IExecuteFunctions,
	itemIndex: number,
	videoId: string,
): Promise<INodeExecutionData> {
	const field =
		String(ctx.getNodeParameter('options.outputField', itemIndex, 'data')).trim() || 'data';
	const video = await getVideo(ctx, videoId);
	if (video.status !== 'COMPLETE')
		throw new NodeOperationError(
			ctx.getNode(),
			`Video "${videoId}" has no file: it is ${video.status.toLowerCase()} [item ${itemIndex}]`,
			{
				itemIndex,
				description:
					video.error?.message ??
					'Use the Mirage Wait for Video node to wait until it is complete.',
			},
		);
	const { json, binary } = ctx.getInputData()[itemIndex]!;
	const { downloads } = await accountOf(ctx);
	const file = await downloads(async () => await downloadVideo(ctx, videoId));
	return { json, binary: { ...binary, [field]: file } };
}
