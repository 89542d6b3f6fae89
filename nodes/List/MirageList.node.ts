import type {
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
} from 'n8n-workflow';
import { NodeConnectionTypes, NodeOperationError } from 'n8n-workflow';

import { accountOf } from '../shared/account/account';
import {
	getCaptionTemplate,
	getVideo,
	listCaptionTemplates,
	listVideos,
} from '../shared/api/endpoints';
import { downloadVideo } from '../shared/files/download';
import { captionTemplateLocator, mirageIcon, videoLocator } from '../shared/descriptions/fields';
import { runItems } from '../shared/items/runItems';
import { eachEntry } from './pages';
import type { CaptionTemplate, Video } from '../shared/api/objects';
import { jsonOf } from '../shared/api/objects';
import { locatorId } from '../shared/n8n/parameters';
import { searchCaptionTemplates, searchVideos } from '../shared/methods/listSearch';

/** Items that read at the same time. */
const CONCURRENCY = 3;

/** Lists and reads what the account has: videos and caption templates. */
export class MirageList implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Mirage List',
		name: 'mirageList',
		icon: mirageIcon('list'),
		group: ['input'],
		version: 1,
		subtitle:
			'={{ { getMany: "get many", get: "get", download: "download" }[$parameter["operation"]] + ": " + { video: "video", captionTemplate: "caption template" }[$parameter["resource"]] }}',
		description: 'List, read and download videos, and list caption templates',
		defaults: { name: 'Mirage List' },
		usableAsTool: true,
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'mirageApi', required: true }],
		properties: [
			{
				displayName: 'Resource',
				name: 'resource',
				type: 'options',
				noDataExpression: true,
				options: [
					{ name: 'Caption Template', value: 'captionTemplate' },
					{ name: 'Video', value: 'video' },
				],
				default: 'video',
			},
			{
				displayName: 'Operation',
				name: 'operation',
				type: 'options',
				noDataExpression: true,
				displayOptions: { show: { resource: ['video'] } },
				options: [
					{
						name: 'Download',
						value: 'download',
						description: 'Add the file of a complete video to the item',
						action: 'Download a video',
					},
					{
						name: 'Get',
						value: 'get',
						description: 'Get the state of one video',
						action: 'Get a video',
					},
					{
						name: 'Get Many',
						value: 'getMany',
						description: 'Get a list of videos',
						action: 'Get many videos',
					},
				],
				default: 'getMany',
			},
			{
				displayName: 'Operation',
				name: 'operation',
				type: 'options',
				noDataExpression: true,
				displayOptions: { show: { resource: ['captionTemplate'] } },
				options: [
					{
						name: 'Get',
						value: 'get',
						description: 'Get one caption template',
						action: 'Get a caption template',
					},
					{
						name: 'Get Many',
						value: 'getMany',
						description: 'Get a list of caption templates',
						action: 'Get many caption templates',
					},
				],
				default: 'getMany',
			},
			videoLocator({
				description: 'Video to get',
				show: { resource: ['video'], operation: ['get', 'download'] },
			}),
			captionTemplateLocator({
				description: 'Caption template to get',
				show: { resource: ['captionTemplate'], operation: ['get'] },
			}),
			{
				displayName: 'Return All',
				name: 'returnAll',
				type: 'boolean',
				displayOptions: { show: { operation: ['getMany'] } },
				default: false,
				description: 'Whether to return all results or only up to a given limit',
			},
			{
				displayName: 'Limit',
				name: 'limit',
				type: 'number',
				displayOptions: { show: { operation: ['getMany'], returnAll: [false] } },
				typeOptions: { minValue: 1 },
				default: 50,
				description: 'Max number of results to return',
			},
			{
				displayName: 'Options',
				name: 'options',
				type: 'collection',
				placeholder: 'Add option',
				default: {},
				displayOptions: { show: { resource: ['captionTemplate'], operation: ['getMany'] } },
				options: [
					{
						displayName: 'Start After ID',
						name: 'after',
						type: 'string',
						default: '',
						placeholder: 'e.g. ctpl_123456789abcdefg',
						description: 'ID of a template: the list starts with the one behind it',
					},
				],
			},
			{
				displayName: 'Options',
				name: 'options',
				type: 'collection',
				placeholder: 'Add option',
				default: {},
				displayOptions: { show: { resource: ['video'], operation: ['getMany'] } },
				options: [
					{
						displayName: 'Order',
						name: 'order',
						type: 'options',
						options: [
							{ name: 'Newest First', value: 'desc' },
							{ name: 'Oldest First', value: 'asc' },
						],
						default: 'desc',
						description: 'Order by the time a video was started',
					},
					{
						displayName: 'Start After ID',
						name: 'after',
						type: 'string',
						default: '',
						placeholder: 'e.g. video_abc123def456',
						description: 'ID of a video: the list starts with the one behind it',
					},
					{
						displayName: 'Status',
						name: 'status',
						type: 'multiOptions',
						options: [
							{ name: 'Cancelled', value: 'CANCELLED' },
							{ name: 'Complete', value: 'COMPLETE' },
							{ name: 'Failed', value: 'FAILED' },
							{ name: 'Processing', value: 'PROCESSING' },
						],
						default: [],
						description: 'States of videos to return. Leave empty for all of them.',
					},
				],
			},
			{
				displayName: 'Options',
				name: 'options',
				type: 'collection',
				placeholder: 'Add option',
				default: {},
				displayOptions: { show: { resource: ['video'], operation: ['download'] } },
				options: [
					{
						displayName: 'Put Output File in Field',
						name: 'outputField',
						type: 'string',
						default: 'data',
						placeholder: 'e.g. data',
						description: 'Name of the binary field that will hold the video, an MP4 file',
					},
				],
			},
		],
	};

	methods = { listSearch: { searchVideos, searchCaptionTemplates } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const output = await runItems(this, {
			concurrency: CONCURRENCY,
			check: async (i) => {
				const resource = this.getNodeParameter('resource', i) as 'video' | 'captionTemplate';
				const operation = this.getNodeParameter('operation', i) as string;
				if (operation === 'getMany') return { resource, operation, id: '' };
				const id =
					resource === 'video'
						? locatorId(this, 'videoId', 'Video', i)
						: locatorId(this, 'captionTemplateId', 'Caption Template', i);
				return { resource, operation, id };
			},
			run: async ({ resource, operation, id }, i) => {
				if (operation === 'getMany')
					return resource === 'video' ? await manyVideos(this, i) : await manyTemplates(this, i);
				if (operation === 'download') return [await downloaded(this, i, id)];
				const json =
					resource === 'video'
						? jsonOf(await getVideo(this, id))
						: await getCaptionTemplate(this, id);
				return [{ json, pairedItem: { item: i } }];
			},
			onFail: (i) => {
				const operation = this.getNodeParameter('operation', i);
				const resource = this.getNodeParameter('resource', i);
				if (operation === 'getMany') return {};
				const name = resource === 'video' ? 'videoId' : 'captionTemplateId';
				const id = this.getNodeParameter(name, i, '', { extractValue: true });
				return typeof id === 'string' && id !== '' ? { id } : {};
			},
		});
		return [output];
	}
}

/** The number of results wanted; without a limit, all of them. */
function wanted(ctx: IExecuteFunctions, itemIndex: number): number {
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

async function manyVideos(
	ctx: IExecuteFunctions,
	itemIndex: number,
): Promise<INodeExecutionData[]> {
	const option = (name: string, otherwise: string | string[]) =>
		ctx.getNodeParameter(`options.${name}`, itemIndex, otherwise);
	const order = option('order', 'desc') as 'asc' | 'desc';
	const states = option('status', []) as string[];
	const output: INodeExecutionData[] = [];
	const request = {
		limit: wanted(ctx, itemIndex),
		after: String(option('after', '')).trim() || undefined,
		matches: states.length > 0 ? (video: Video) => isIn(states, video.status) : undefined,
	};
	const videos = eachEntry<Video>(request, async (after, limit) => {
		const entries = await listVideos(ctx, { after, limit, order });
		return { entries, hasMore: entries.length === limit };
	});
	for await (const video of videos) output.push({ json: jsonOf(video) });
	return output;
}

/** "Processing" means every state that is not final, also those that the API may add. */
function isIn(states: string[], status: string): boolean {
	const known = ['COMPLETE', 'FAILED', 'CANCELLED'].includes(status);
	return states.includes(known ? status : 'PROCESSING');
}

async function manyTemplates(
	ctx: IExecuteFunctions,
	itemIndex: number,
): Promise<INodeExecutionData[]> {
	const after = String(ctx.getNodeParameter('options.after', itemIndex, '')).trim() || undefined;
	const output: INodeExecutionData[] = [];
	const request = { limit: wanted(ctx, itemIndex), after };
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
async function downloaded(
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
