import type {
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';

import { createTextOverlay, getTextOverlay } from '../shared/api/endpoints';
import { concurrencyOption, rateLimitPatienceOption } from '../shared/items/runOptions';
import {
	fileFields,
	mirageIcon,
	outputField,
	sourceField,
	withToolForm,
	waitingHint,
} from '../shared/descriptions/fields';
import type { FileRule } from '../shared/files/checkFile';
import { checkedFile } from '../shared/files/inputFile';
import { runItems } from '../shared/items/runItems';
import { openIdempotencyRecord } from '../shared/items/idempotency';
import type { TextOverlay } from '../shared/api/objects';
import { jsonOf } from '../shared/api/objects';
import { requiredId, requiredText } from '../shared/n8n/parameters';
import { hintWaited, runOptions } from '../shared/items/runOptions';
import {
	maxPollIntervalOption,
	pollIntervalOption,
	timeoutOption,
} from '../shared/descriptions/waitOptions';
import type { StartedOverlay } from './results';
import { overlayOutputs } from './results';
import { MAX_TEXTS, overlayTexts } from './texts';

/** Source video formats (OpenAPI: CreateMetaTextOverlayRequest). */
const VIDEO: FileRule = {
	label: 'Video',
	kinds: ['mp4', 'mov'],
	wanted: 'an MP4 or MOV video',
};

const creates = { operation: ['create'] };
const waits = { waitForCompletion: [true] };
const onlyWhileWaiting = { displayOptions: { show: { '/waitForCompletion': [true] } } };

/** An item whose input is fine, and how its job is started or named. */
interface CheckedOverlay extends Pick<StartedOverlay, 'texts' | 'fileField'> {
	start(): Promise<TextOverlay | { id: string }>;
}

/** Writes up to four texts onto a video, each giving a video of its own. */
export class MirageMetaTextOverlay implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Mirage Meta Text Overlay',
		name: 'mirageMetaTextOverlay',
		icon: mirageIcon('meta-text-overlay'),
		group: ['transform'],
		version: 1,
		subtitle: '={{ { create: "Create", get: "Get" }[$parameter["operation"]] + ": Text Overlay" }}',
		description: 'Write texts onto a video, to get up to four variants of it',
		defaults: { name: 'Mirage Meta Text Overlay' },
		usableAsTool: true,
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'mirageApi', required: true }],
		hints: [
			waitingHint(
				'Mirage renders the videos, which takes some minutes. This node checks the jobs until all are finished.',
				'={{ $parameter["waitForCompletion"] === true }}',
			),
		],
		properties: [
			{
				displayName:
					'Mirage bills every text overlay that is started. The Mirage platform dashboard shows the price.',
				name: 'costNotice',
				type: 'notice',
				default: '',
				displayOptions: { show: creates },
			},
			{
				displayName: 'Operation',
				name: 'operation',
				type: 'options',
				noDataExpression: true,
				options: [
					{
						name: 'Create',
						value: 'create',
						description: 'Start rendering texts onto a video',
						action: 'Create a text overlay',
					},
					{
						name: 'Get',
						value: 'get',
						description: 'Get the videos of a text overlay that was started before',
						action: 'Get a text overlay',
					},
				],
				default: 'create',
			},
			...sourceField('Video', 'Where the video comes from', { show: creates }),
			...fileFields({
				prefix: 'video',
				label: 'Video',
				defaultField: 'data',
				wanted: 'the video, an MP4 or MOV',
				urlPlaceholder: 'e.g. https://example.com/video.mp4',
				show: creates,
			}),
			{
				displayName: 'Texts',
				name: 'texts',
				type: 'fixedCollection',
				typeOptions: { multipleValues: true, maxAllowedFields: MAX_TEXTS },
				placeholder: 'Add Text',
				default: { values: [{ text: '', font: '', size: 0, color: '' }] },
				required: true,
				description: 'One to four texts. Each gives a video of its own.',
				displayOptions: { show: creates },
				options: [
					{
						displayName: 'Text',
						name: 'values',
						values: [
							{
								displayName: 'Text',
								name: 'text',
								type: 'string',
								required: true,
								default: '',
								placeholder: 'e.g. Only this week!',
								description: 'Words to write onto the video',
							},
							{
								displayName: 'Font',
								name: 'font',
								type: 'string',
								default: '',
								placeholder: 'e.g. Montserrat',
								description: 'Name of the font. Leave empty to let Mirage decide.',
							},
							{
								displayName: 'Size',
								name: 'size',
								type: 'number',
								typeOptions: { minValue: 0 },
								default: 0,
								hint: 'With 0, Mirage decides',
								description: 'Height of the letters in pixels. Leave at 0 to let Mirage decide.',
							},
							{
								displayName: 'Color',
								name: 'color',
								type: 'color',
								default: '',
								description:
									'Color of the letters, like #FFFFFF. Leave empty to let Mirage decide.',
							},
						],
					},
				],
			},
			{
				displayName: 'Overlay ID',
				name: 'overlayId',
				type: 'string',
				required: true,
				default: '={{ $json.id }}',
				placeholder: 'e.g. d7f76ec6-2500-4d23-a2bc-648f4e904555',
				description: 'ID that the operation "Create" returned',
				displayOptions: { show: { operation: ['get'] } },
			},
			{
				displayName: 'Wait for Completion',
				name: 'waitForCompletion',
				type: 'boolean',
				default: true,
				description:
					'Whether to wait until the videos are rendered and output one item for each text. If off, the job is output as it is.',
			},
			...withToolForm(
				{
					displayName: 'Download Videos',
					name: 'downloadVideos',
					type: 'boolean',
					default: true,
					description: 'Whether to add the rendered video to each item as a file',
					displayOptions: { show: waits },
				},
				{ default: false },
			),
			outputField({
				defaultField: 'data',
				what: 'the rendered video, an MP4 file',
				show: { ...waits, downloadVideos: [true] },
			}),
			{
				displayName: 'Options',
				name: 'options',
				type: 'collection',
				placeholder: 'Add option',
				default: {},
				options: [
					{ ...concurrencyOption, displayOptions: { show: { '/operation': ['create'] } } },
					maxPollIntervalOption(onlyWhileWaiting),
					pollIntervalOption(onlyWhileWaiting),
					{ ...rateLimitPatienceOption, displayOptions: { show: { '/operation': ['create'] } } },
					timeoutOption(
						'How long to wait until it is an error. The job goes on all the same, and can be read later with "Get".',
						onlyWhileWaiting,
					),
				],
			},
		],
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const { concurrency, limiter } = runOptions(this);
		const record = openIdempotencyRecord(this);
		const wait = this.getNodeParameter('waitForCompletion', 0) === true;
		const fileFieldOf = (i: number) =>
			wait && this.getNodeParameter('downloadVideos', i) === true
				? requiredText(this, 'outputField', 'Put Output File in Field', i)
				: undefined;
		const outputLater = wait ? overlayOutputs(this) : undefined;
		const output = await runItems<CheckedOverlay>(this, {
			concurrency,
			record,
			check: async (i) => {
				const fileField = fileFieldOf(i);
				if (this.getNodeParameter('operation', i) === 'get') {
					const id = requiredId(this, 'overlayId', 'Overlay ID', i);
					return {
						fileField,
						start: async () => (wait ? { id } : await getTextOverlay(this, id)),
					};
				}
				const texts = overlayTexts(this, i);
				const video = await checkedFile(
					this,
					i,
					{ source: 'videoSource', field: 'videoField', url: 'videoUrl' },
					VIDEO,
				);
				const inputs = [texts, video.fingerprint];
				return {
					fileField,
					texts: texts.map(({ text }) => text),
					start: async () =>
						await record.once<TextOverlay>(i, { kind: 'textOverlay', inputs }, async () =>
							createTextOverlay(this, limiter, { video, texts }),
						),
				};
			},
			run: async ({ fileField, texts, start }, i) => {
				const overlay = await start();
				return outputLater
					? outputLater({ itemIndex: i, overlayId: overlay.id, texts, fileField })
					: [{ json: jsonOf<Partial<TextOverlay>>(overlay), pairedItem: { item: i } }];
			},
			onFail: (i) => {
				if (this.getNodeParameter('operation', i) !== 'get') return {};
				return { id: String(this.getNodeParameter('overlayId', i, '')) };
			},
		});
		hintWaited(this, limiter);
		return [output];
	}
}
