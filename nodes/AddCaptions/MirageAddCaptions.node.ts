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
import { CAPTIONS_USD_PER_MINUTE } from '../shared/api/models';
import {
	captionTemplateLocator,
	completionFields,
	costNotice,
	fileFields,
	fileSources,
	mirageIcon,
	startOperation,
	videoLocator,
	withToolForm,
	rateLimitHint,
} from '../shared/descriptions/fields';
import type { FileRule } from '../shared/files/checkFile';
import { checkedFile } from '../shared/files/inputFile';
import { estimateCaptions } from '../shared/items/estimate';
import { isNineSixteenths } from '../shared/media/frame';
import { searchCaptionTemplates, searchVideos } from '../shared/methods/listSearch';
import { locatorId } from '../shared/n8n/parameters';
import { startOptions, startVideos } from '../shared/videos/startVideos';

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

/** The place that needs no file. */
const mirageVideo = {
	name: 'Mirage Video',
	value: 'videoId',
	description: 'Use a video that Mirage made and that is complete',
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
			'={{ { videoId: "To a Mirage Video", binary: "To a File", url: "To a File From a URL" }[$parameter["videoSource"]] }}',
		description: 'Start adding captions (subtitles) to a video',
		defaults: { name: 'Mirage Add Captions' },
		usableAsTool: {
			replacements: {
				description:
					'Paid. Start captions for a finished Mirage video. It returns the ID of a new video at once; ask for it later.',
			},
		},
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'mirageApi', required: true }],
		hints: [rateLimitHint],
		properties: [
			costNotice(
				`Mirage bills captions per started minute of the video: ${CAPTIONS_USD_PER_MINUTE} USD (list price of October 2026)`,
				{ operation: ['create'] },
			),
			startOperation('captions', 'Add captions to a video'),
			...withToolForm(
				{
					displayName: 'Video Source',
					name: 'videoSource',
					type: 'options',
					options: [mirageVideo, fileSources.binary, fileSources.url],
					default: 'videoId',
					description: 'Where the video comes from',
				},
				{ options: [mirageVideo, fileSources.url] },
			),
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
			...completionFields({ operation: ['create'] }),
			{
				displayName: 'Options',
				name: 'options',
				type: 'collection',
				placeholder: 'Add option',
				default: {},
				displayOptions: { show: { operation: ['create'] } },
				options: startOptions,
			},
		],
	};

	methods = { listSearch: { searchVideos, searchCaptionTemplates } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const output = await startVideos<AddCaptionsInput>(this, {
			kind: 'captions',
			bucket: 'addCaptions',
			names: ['captioning', 'captionings'],
			check: async (i) => await captionsInput(this, i),
			estimate: async (input) =>
				estimateCaptions('videoId' in input ? undefined : await input.video.durationS()),
			inputs: (input) => [
				input.templateId,
				'videoId' in input ? input.videoId : input.video.fingerprint,
			],
			create: async (input, _, { limiter, record }) =>
				await addCaptions(this, limiter, input, await knownJobs(this, record.ids())),
		});
		return [output];
	}
}

/** Reads and checks what an item gives. Throws `NodeOperationError` that names parameter and item. */
async function captionsInput(ctx: IExecuteFunctions, i: number): Promise<AddCaptionsInput> {
	const templateId = locatorId(ctx, 'captionTemplateId', 'Caption Template', i);
	if (ctx.getNodeParameter('videoSource', i) === 'videoId')
		return { templateId, videoId: locatorId(ctx, 'videoId', 'Video', i) };
	const names = { source: 'videoSource', field: 'videoField', url: 'videoUrl' };
	return { templateId, video: await checkedFile(ctx, i, names, VIDEO) };
}
