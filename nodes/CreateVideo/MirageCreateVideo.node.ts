import type {
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';

import { knownJobs } from '../shared/account/account';
import { createVideo } from '../shared/api/endpoints';
import { concurrencyOption, rateLimitPatienceOption } from '../shared/items/runOptions';
import {
	fileFields,
	fileSources,
	mirageIcon,
	voiceIdField,
	rateLimitHint,
} from '../shared/descriptions/fields';
import type { FileRule } from '../shared/files/checkFile';
import { checkedFile } from '../shared/files/inputFile';
import { fileFromBinary } from '../shared/files/binaryField';
import { runItems } from '../shared/items/runItems';
import { openIdempotencyRecord } from '../shared/items/idempotency';
import type { Video } from '../shared/api/objects';
import { jsonOf } from '../shared/api/objects';
import { requiredId, requiredText } from '../shared/n8n/parameters';
import { hintWaited, runOptions } from '../shared/items/runOptions';
import { makeSpeech, SPEECH_MODEL } from '../shared/files/speech';

/** Portrait formats (provider's overview). */
const IMAGE: FileRule = {
	label: 'Image',
	kinds: ['jpeg', 'png'],
	wanted: 'a JPEG or PNG picture',
};
/** Speech formats (provider's overview). */
const AUDIO: FileRule = {
	label: 'Audio',
	kinds: ['wav', 'mp3'],
	wanted: 'a WAV or MP3 file',
};

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
			'={{ $parameter["audioSource"] === "text" ? "portrait + text" : "portrait + speech" }}',
		description: 'Start a talking-head video from a portrait and speech',
		defaults: { name: 'Mirage Create Video' },
		usableAsTool: true,
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'mirageApi', required: true }],
		hints: [rateLimitHint],
		properties: [
			{
				displayName:
					'Mirage bills every video that is started: 0.15 USD per second of video, in steps of 6 seconds (price of October 2026). Try with one item first.',
				name: 'costNotice',
				type: 'notice',
				default: '',
			},
			{
				displayName: 'Image Source',
				name: 'imageSource',
				type: 'options',
				options: [fileSources.binary, fileSources.url],
				default: 'binary',
				description: 'Where the portrait comes from',
			},
			...fileFields({
				prefix: 'image',
				label: 'Image',
				defaultField: 'image',
				wanted: 'the portrait, a JPEG or PNG picture of one person who looks at the camera',
				urlPlaceholder: 'e.g. https://example.com/portrait.jpg',
			}),
			{
				displayName: 'Audio Source',
				name: 'audioSource',
				type: 'options',
				options: [fileSources.binary, spokenText, fileSources.url],
				default: 'binary',
				description: 'Where the speech comes from',
			},
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
			{
				displayName: 'Model',
				name: 'model',
				type: 'options',
				options: [{ name: 'Mirage Video 1 (Latest)', value: 'mirage-video-1-latest' }],
				default: 'mirage-video-1-latest',
				description: 'Model that makes the video',
			},
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

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const { concurrency, limiter } = runOptions(this);
		const record = openIdempotencyRecord(this);
		const output = await runItems(this, {
			concurrency,
			record,
			check: async (i) => {
				const model = requiredText(this, 'model', 'Model', i);
				const image = await checkedFile(
					this,
					i,
					{ source: 'imageSource', field: 'imageField', url: 'imageUrl' },
					IMAGE,
				);
				if (this.getNodeParameter('audioSource', i) === 'text') {
					const voiceId = requiredId(this, 'voiceId', 'Voice ID', i);
					const text = requiredText(this, 'text', 'Text', i);
					return { model, image, speech: { voiceId, text, model: SPEECH_MODEL } };
				}
				const audio = await checkedFile(
					this,
					i,
					{ source: 'audioSource', field: 'audioField', url: 'audioUrl' },
					AUDIO,
				);
				return { model, image, audio };
			},
			run: async ({ model, image, audio, speech }, i) => {
				const voice = async () =>
					await fileFromBinary(
						this,
						i,
						await record.once(i, { kind: 'speech', inputs: speech }, async () =>
							makeSpeech(this, limiter, speech!),
						),
						AUDIO,
					);
				const inputs = [model, image.fingerprint, audio?.fingerprint ?? speech];
				const video = await record.once<Video>(i, { kind: 'video', inputs }, async () =>
					createVideo(
						this,
						limiter,
						{ model, image, audio: audio ?? voice },
						await knownJobs(this, record.ids()),
					),
				);
				return [{ json: jsonOf(video), pairedItem: { item: i } }];
			},
		});
		hintWaited(this, limiter);
		return [output];
	}
}
