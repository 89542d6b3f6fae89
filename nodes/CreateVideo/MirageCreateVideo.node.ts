import type {
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';

import { knownJobs } from '../shared/account/account';
import { createVideo } from '../shared/api/endpoints';
import { DEFAULT_VIDEO_MODEL, VIDEO_MODELS, VIDEO_STEP_S } from '../shared/api/models';
import type { Show } from '../shared/descriptions/fields';
import {
	completionFields,
	costNotice,
	fileFields,
	fileSources,
	mirageIcon,
	sourceField,
	startOperation,
	voiceIdField,
	withToolForm,
	rateLimitHint,
} from '../shared/descriptions/fields';
import { estimateVideo } from '../shared/items/estimate';
import { startOptions, startVideos } from '../shared/videos/startVideos';
import type { VideoInput } from './videoInput';
import { spokenFile, videoInput } from './videoInput';

/** When the person is shown from a clip and not from a picture. */
const fromClip = { appearance: ['video'] };
/** Models whose panel asks for it. */
const clipShown = { ...fromClip, model: [{ _cnd: { not: DEFAULT_VIDEO_MODEL } }] };

/** The portrait. The first model takes nothing else, the others take a clip as well. */
const portraitFields = (rules: { show?: Show; hide?: Show }) => [
	...sourceField('Image', 'Where the portrait comes from', rules),
	...fileFields({
		prefix: 'image',
		label: 'Image',
		defaultField: 'data',
		wanted:
			'the portrait, a JPEG or PNG picture of one person who looks at the camera; upright (9:16) if captions follow',
		urlPlaceholder: 'e.g. https://example.com/portrait.jpg',
		...rules,
	}),
];

/** The third place that speech can come from. */
const spokenText = {
	name: 'Text',
	value: 'text',
	description: 'Let a Mirage voice speak a text, and use that',
};

/** Starts a talking-head video from a portrait and speech. */
export class MirageCreateVideo implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Mirage Create Video',
		name: 'mirageCreateVideo',
		icon: mirageIcon('create-video'),
		group: ['transform'],
		version: 1,
		subtitle:
			'={{ ($parameter["appearance"] === "video" && $parameter["model"] !== "mirage-video-1-latest" ? "Clip" : "Portrait") + ($parameter["audioSource"] === "text" ? " + Text" : " + Speech") }}',
		description: 'Start a talking-head video from a portrait and speech',
		defaults: { name: 'Mirage Create Video' },
		usableAsTool: {
			replacements: {
				description:
					'Paid. Start a talking-head video from a portrait and a text. It returns an ID at once; ask for the video later.',
			},
		},
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'mirageApi', required: true }],
		hints: [rateLimitHint],
		properties: [
			...Object.entries(VIDEO_MODELS).map(([id, { name, usdPerSecond, priceOf }]) =>
				costNotice(
					`Mirage bills every video that is started. ${name} costs ${usdPerSecond} USD per second of video, in steps of ${VIDEO_STEP_S} seconds (list price of ${priceOf}). Try with one item first.`,
					{ model: [id], operation: ['create'] },
				),
			),
			costNotice(
				'Mirage bills every video that is started. The Mirage platform dashboard shows the price of other models. Try with one item first.',
				{ model: ['other'], operation: ['create'] },
			),
			startOperation('a video', 'Create a video'),
			{
				displayName: 'Model',
				name: 'model',
				type: 'options',
				options: [
					...Object.entries(VIDEO_MODELS).map(([value, { name }]) => ({ name, value })),
					{ name: 'Other', value: 'other', description: 'Use any model that the account has' },
				],
				default: DEFAULT_VIDEO_MODEL,
				description: 'Model that makes the video',
			},
			{
				displayName: 'Model ID',
				name: 'modelId',
				type: 'string',
				required: true,
				default: '',
				placeholder: 'e.g. mirage-avatar-x',
				description: 'ID of the model, as the Mirage platform names it',
				displayOptions: { show: { model: ['other'] } },
			},
			{
				displayName: 'Appearance',
				name: 'appearance',
				type: 'options',
				options: [
					{
						name: 'Picture',
						value: 'image',
						description: 'Show the person from a JPEG or PNG picture',
					},
					{
						name: 'Clip',
						value: 'video',
						description: 'Show the person from a short MP4 or MOV video of them',
					},
				],
				default: 'image',
				description: 'What the person in the video looks like',
				displayOptions: { hide: { model: [DEFAULT_VIDEO_MODEL] } },
			},
			...portraitFields({ show: { model: [DEFAULT_VIDEO_MODEL] } }),
			...portraitFields({ hide: { model: [DEFAULT_VIDEO_MODEL], ...fromClip } }),
			...sourceField('Video', 'Where the clip of the person comes from', { show: clipShown }),
			...fileFields({
				prefix: 'video',
				label: 'Video',
				defaultField: 'video',
				wanted: 'the clip of the person, an MP4 or MOV of 10 to 60 seconds',
				urlPlaceholder: 'e.g. https://example.com/person.mp4',
				show: clipShown,
			}),
			...withToolForm(
				{
					displayName: 'Audio Source',
					name: 'audioSource',
					type: 'options',
					options: [fileSources.binary, spokenText, fileSources.url],
					default: 'binary',
					description: 'Where the speech comes from',
				},
				{ options: [spokenText, fileSources.url], default: 'text' },
			),
			...fileFields({
				prefix: 'audio',
				label: 'Audio',
				defaultField: 'audio',
				wanted: 'the speech, a WAV or MP3 file',
				urlPlaceholder: 'e.g. https://example.com/speech.mp3',
			}),
			voiceIdField({ audioSource: ['text'] }),
			{
				displayName: 'Text',
				name: 'text',
				type: 'string',
				typeOptions: { rows: 4 },
				required: true,
				default: '',
				placeholder: 'e.g. Hello, and welcome to our channel!',
				hint: 'The longer the speech, the longer and more expensive the video',
				description: 'Words that the person in the video says',
				displayOptions: { show: { audioSource: ['text'] } },
			},
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

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const output = await startVideos<VideoInput>(this, {
			kind: 'video',
			bucket: 'createVideo',
			names: ['video', 'videos'],
			check: async (i) => await videoInput(this, i),
			estimate: async ({ model, length }) => estimateVideo(model, length),
			inputs: ({ model, appearance, speech }) => [
				model,
				appearance.file.fingerprint,
				'file' in speech ? speech.file.fingerprint : speech,
			],
			create: async ({ model, appearance, speech }, i, { limiter, record }) => {
				const audio =
					'file' in speech
						? speech.file
						: async () => await spokenFile(this, i, speech, limiter, record);
				const known = await knownJobs(this, record.ids());
				return await createVideo(this, limiter, { model, appearance, audio }, known);
			},
		});
		return [output];
	}
}
