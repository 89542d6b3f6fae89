import type {
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';

import { getCaptionTemplate, getVideo } from '../shared/api/endpoints';
import { captionTemplateLocator, mirageIcon, videoLocator } from '../shared/descriptions/fields';
import { runItems } from '../shared/items/runItems';
import { searchCaptionTemplates, searchVideos } from '../shared/methods/listSearch';
import { locatorId } from '../shared/n8n/parameters';
import { downloaded, manyTemplates, manyVideos, shape } from './entries';

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
			'={{ { getMany: "Get Many", get: "Get", download: "Download" }[$parameter["operation"]] + ": " + { video: "Video", captionTemplate: "Caption Template" }[$parameter["resource"]] }}',
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
				displayName: 'Simplify',
				name: 'simplify',
				type: 'boolean',
				displayOptions: { show: { resource: ['video'], operation: ['get', 'getMany'] } },
				default: true,
				description:
					'Whether to return a simplified version of the response instead of the raw data',
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
						? shape(this, i)(await getVideo(this, id))
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
