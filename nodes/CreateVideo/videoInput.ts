import type { IExecuteFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import type { CreateVideoInput } from '../shared/api/endpoints';
import { DEFAULT_VIDEO_MODEL, VIDEO_MODELS } from '../shared/api/models';
import type { CheckedFile } from '../shared/api/uploadFile';
import type { RateLimiter } from '../shared/api/buckets';
import { fileFromBinary } from '../shared/files/binaryField';
import type { FileRule } from '../shared/files/checkFile';
import { checkedFile } from '../shared/files/inputFile';
import type { SpeechInput } from '../shared/files/speech';
import { makeSpeech, SPEECH_MODEL } from '../shared/files/speech';
import type { SpeechLength } from '../shared/items/estimate';
import type { IdempotencyRecord } from '../shared/items/idempotency';
import { requiredId, requiredText } from '../shared/n8n/parameters';

/** Portrait formats (provider's overview). */
const IMAGE: FileRule = {
	label: 'Image',
	kinds: ['jpeg', 'png'],
	wanted: 'a JPEG or PNG picture',
};
/** Clip formats (public clients of August and September 2026). */
const CLIP: FileRule = {
	label: 'Video',
	kinds: ['mp4', 'mov'],
	wanted: 'an MP4 or MOV clip of the person',
};
/** Speech formats (provider's overview). */
const AUDIO: FileRule = {
	label: 'Audio',
	kinds: ['wav', 'mp3'],
	wanted: 'a WAV or MP3 file',
};

/** What an item gives to make a video from. */
export interface VideoInput {
	model: string;
	appearance: CreateVideoInput['appearance'];
	/** The speech: a file, or a text that is still to be spoken. */
	speech: { file: CheckedFile } | SpeechInput;
	/** How long the speech is, for the estimate. */
	length: SpeechLength;
}

/**
 * Reads and checks what an item gives. Throws `NodeOperationError` that names parameter and item, also for
 * a clip or a speech that is too short or too long for the model.
 */
export async function videoInput(ctx: IExecuteFunctions, i: number): Promise<VideoInput> {
	const chosen = requiredText(ctx, 'model', 'Model', i);
	const model = chosen === 'other' ? requiredId(ctx, 'modelId', 'Model ID', i) : chosen;
	const appearance = await appearanceOf(ctx, i, model);
	if (ctx.getNodeParameter('audioSource', i) === 'text') {
		const voiceId = requiredId(ctx, 'voiceId', 'Voice ID', i);
		const text = requiredText(ctx, 'text', 'Text', i);
		return { model, appearance, speech: { voiceId, text, model: SPEECH_MODEL }, length: { text } };
	}
	const names = { source: 'audioSource', field: 'audioField', url: 'audioUrl' };
	const file = await checkedFile(ctx, i, names, AUDIO);
	const seconds = await checkedLength(ctx, i, file, AUDIO, model, VIDEO_MODELS[model]?.speechS);
	return { model, appearance, speech: { file }, length: { seconds } };
}

async function appearanceOf(
	ctx: IExecuteFunctions,
	i: number,
	model: string,
): Promise<VideoInput['appearance']> {
	// The first model takes only a picture, and its panel does not ask.
	const isClip =
		model !== DEFAULT_VIDEO_MODEL && ctx.getNodeParameter('appearance', i, 'image') === 'video';
	if (!isClip) {
		const names = { source: 'imageSource', field: 'imageField', url: 'imageUrl' };
		return { field: 'image_reference', file: await checkedFile(ctx, i, names, IMAGE) };
	}
	const names = { source: 'videoSource', field: 'videoField', url: 'videoUrl' };
	const file = await checkedFile(ctx, i, names, CLIP);
	await checkedLength(ctx, i, file, CLIP, model, VIDEO_MODELS[model]?.clipS);
	return { field: 'video_reference', file };
}

/** The length of a file in seconds, where it is told. Throws when the model takes no file of that length. */
async function checkedLength(
	ctx: IExecuteFunctions,
	itemIndex: number,
	file: CheckedFile,
	{ label }: FileRule,
	model: string,
	limits: readonly [shortest: number, longest: number] | undefined,
): Promise<number | undefined> {
	const seconds = await file.durationS();
	if (seconds === undefined || !limits) return seconds;
	const [shortest, longest] = limits;
	if (seconds >= shortest && seconds <= longest) return seconds;
	const isLong = seconds > longest;
	throw new NodeOperationError(
		ctx.getNode(),
		`${label}: the file is ${Math.round(seconds * 10) / 10} s long, and ${VIDEO_MODELS[model]!.name} takes ${shortest} to ${longest} s [item ${itemIndex}]`,
		{
			itemIndex,
			description: `Nothing was sent. Use a ${isLong ? 'shorter' : 'longer'} file, or choose another model.`,
		},
	);
}

/**
 * Speaks a text and gives the file to upload. It is called when the video is next in line, so that no speech
 * is paid for before its video may go. Throws `NodeApiError`.
 */
export async function spokenFile(
	ctx: IExecuteFunctions,
	itemIndex: number,
	speech: SpeechInput,
	limiter: RateLimiter,
	record: IdempotencyRecord,
): Promise<CheckedFile> {
	const billed = { kind: 'speech', inputs: speech } as const;
	const binary = await record.once(itemIndex, billed, async () => makeSpeech(ctx, limiter, speech));
	return await fileFromBinary(ctx, itemIndex, binary, AUDIO);
}
