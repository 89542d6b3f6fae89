import type { IBinaryData, IExecuteFunctions } from 'n8n-workflow';

import { generateSpeech, LOST_SPEECH } from '../api/endpoints';
import { apiError } from '../transport/errors';
import { followRiff } from '../media/completeness';
import { KINDS, kindOf } from '../media/formats';
import { storeBody } from './store';
import type { RateLimiter } from '../api/buckets';

/** What speech is made from. */
export interface SpeechInput {
	voiceId: string;
	text: string;
	model: string;
}

/** Models of the API (OpenAPI: TTSRequest). */
export const SPEECH_MODEL = 'mirage-audio-1';

/**
 * Makes speech and streams the WAV file into n8n's binary store. Throws `NodeApiError` when the
 * answer breaks off: speech comes in the answer itself, so it cannot be fetched again. An answer that came
 * to its end is kept even where its header states more, because it is billed; a hint then says so.
 */
export async function makeSpeech(
	ctx: IExecuteFunctions,
	limiter: RateLimiter,
	input: SpeechInput,
	fileName = 'speech.wav',
): Promise<IBinaryData> {
	const { answer, sentAt } = await generateSpeech(ctx, limiter, input);
	const result = await storeBody(
		ctx,
		answer.body,
		{ fileName, mimeType: KINDS.wav.mimeType },
		{
			follow: (start) => (kindOf(start) === 'wav' ? followRiff() : undefined),
		},
	);
	if ('problem' in result)
		throw apiError(
			ctx.getNode(),
			{
				kind: 'unreadable',
				reason:
					result.problem === 'wrong content'
						? 'The server sent something other than a WAV file'
						: 'The speech was cut short on its way',
			},
			{ doing: 'generate speech', mayHaveStartedAt: sentAt, note: LOST_SPEECH },
		);
	if (result.isCutOff)
		ctx.addExecutionHints({
			message: `The speech "${input.text.slice(0, 40)}" may be shorter than it should be: its header states more than Mirage sent. Listen to it. It was kept, because it is billed.`,
			location: 'outputPane',
			type: 'warning',
		});
	return result.binary;
}
