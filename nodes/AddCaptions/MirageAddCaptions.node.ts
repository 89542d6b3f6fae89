import type {
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';

import { knownJobs } from '../shared/account/account';
import type { AddCaptionsInput } from '../shared/api/endpoints';
import { addCaptions } from '../shared/api/endpoints';
import {
	captionTemplateLocator,
	fileFields,
	fileSources,
	mirageIcon,
	videoLocator,
	rateLimitHint,
} from '../shared/descriptions/fields';
import { concurrencyOption, rateLimitPatienceOption } from '../shared/items/runOptions';
import { isNineSixteenths } from '../shared/media/frame';
import type { FileRule } from '../shared/files/checkFile';
import { checkedFile } from '../shared/files/inputFile';
import { runItems } from '../shared/items/runItems';
import { openIdempotencyRecord } from '../shared/items/idempotency';
import type { Video } from '../shared/api/objects';
import { jsonOf } from '../shared/api/objects';
import { locatorId } from '../shared/n8n/parameters';
import { searchCaptionTemplates, searchVideos } from '../shared/methods/listSearch';
import { hintWaited, runOptions } from '../shared/items/runOptions';

/**
 * What the captions endpoint takes (OpenAPI: addCaptions): MP4 or MOV, at most 50 MB, 9:16. Which
 * megabyte is meant is not said, so the larger one counts here and the API judges the rest.
 */
const VIDEO: FileRule = {
	label: 'Video',
	kinds: ['mp4', 'mov'],
	wanted: 'an upright (9:16) MP4 or MOV video of at most 50 MB',
	maxBytes: 50 * 1_048_576,
	frameComplaint: (frame) =>
		isNineSixteenths(frame)
			? undefined
			: {
					problem: `the picture is ${Math.round(frame.width)} × ${Math.round(frame.height)}, and captions need an upright 9:16 picture`,
					advice:
						'Crop the video to 9:16, for example 1080 × 1920, and run the node again. Nothing was sent.',
				},
};

/** Starts captions for a video of the account, an uploaded file, or a file behind a URL. */
export class MirageAddCaptions implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Mirage Add Captions',
		name: 'mirageAddCaptions',
		icon: mirageIcon('add-captions'),
		group: ['transform'],
		version: 1,
		subtitle:
			'={{ { videoId: "to a Mirage video", binary: "to a file", url: "to a file from a URL" }[$parameter["videoSource"]] }}',
		description: 'Start adding captions (subtitles) to a video',
		defaults: { name: 'Mirage Add Captions' },
		usableAsTool: true,
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'mirageApi', required: true }],
		hints: [rateLimitHint],
		properties: [
			{
				displayName:
					'Mirage bills captions per started minute of the video: 0.15 USD (price of October 2026)',
				name: 'costNotice',
				type: 'notice',
				default: '',
			},
			{
				displayName: 'Video Source',
				name: 'videoSource',
				type: 'options',
				options: [
					{
						name: 'Mirage Video',
						value: 'videoId',
						description: 'Use a video that Mirage made and that is complete',
					},
					fileSources.binary,
					fileSources.url,
				],
				default: 'videoId',
				description: 'Where the video comes from',
			},
			videoLocator({
				description: 'Video to add captions to. It must be complete.',
				defaultId: '={{ $json.id }}',
				show: { videoSource: ['videoId'] },
			}),
			...fileFields({
				prefix: 'video',
				label: 'Video',
				defaultField: 'data',
				wanted: 'the video, an upright (9:16) MP4 or MOV of at most 50 MB',
				urlPlaceholder: 'e.g. https://example.com/video.mp4',
			}),
			captionTemplateLocator({ description: 'Style of the captions' }),
			{
				displayName: 'Options',
				name: 'options',
				type: 'collection',
				placeholder: 'Add option',
				default: {},
				options: [concurrencyOption, rateLimitPatienceOption],
			},
		],
	};

	methods = { listSearch: { searchVideos, searchCaptionTemplates } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const { concurrency, limiter } = runOptions(this);
		const record = openIdempotencyRecord(this);
		const output = await runItems(this, {
			concurrency,
			record,
			check: async (i): Promise<AddCaptionsInput> => {
				const templateId = locatorId(this, 'captionTemplateId', 'Caption Template', i);
				if (this.getNodeParameter('videoSource', i) === 'videoId')
					return { templateId, videoId: locatorId(this, 'videoId', 'Video', i) };
				const video = await checkedFile(
					this,
					i,
					{ source: 'videoSource', field: 'videoField', url: 'videoUrl' },
					VIDEO,
				);
				return { templateId, video };
			},
			run: async (input, i) => {
				const source = 'videoId' in input ? input.videoId : input.video.fingerprint;
				const inputs = [input.templateId, source];
				const video = await record.once<Video>(i, { kind: 'captions', inputs }, async () =>
					addCaptions(this, limiter, input, await knownJobs(this, record.ids())),
				);
				return [{ json: jsonOf(video), pairedItem: { item: i } }];
			},
		});
		hintWaited(this, limiter);
		return [output];
	}
}
