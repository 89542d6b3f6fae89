import type { IBinaryData, IExecuteFunctions } from 'n8n-workflow';

import { generateSpeech, LOST_SPEECH } from '../api/endpoints';
import { apiError } from '../transport/errors';
import { followRiff } from '../media/completeness';
import { KINDS, kindOf } from '../media/formats';
import { stored } from './store';
import type { RateLimiter } from '../transport/rateLimiter';

/** What speech is made from. */
export interface SpeechInput {
	voiceId: string;
	text: string;
	model: string;
}

/** Models of the API (OpenAPI: TTSRequest). */
export const SPEECH_MODEL = 'mirage-audio-1';

/**
 * Makes speech and streams the WAV file into n8n's binary store. Throws `NodeApiError`; a file that is cut
 * short cannot be fetched again, since speech comes in the answer itself.
 */
export async function makeSpeech(
	ctx: IExecuteFunctions,
	limiter: RateLimiter,
	input: SpeechInput,
	fileName = 'speech.wav',
): Promise<IBinaryData> {
	const { answer, sentAt } = await generateSpeech(ctx, limiter, input);
	const length = answer.headers['content-length'];
	const result = await stored(
		ctx,
		answer.body,
		{ fileName, mimeType: KINDS.wav.mimeType },
		{
			expectedBytes: length && /^\d+$/.test(length) ? Number(length) : undefined,
			follow: (start) => (kindOf(start) === 'wav' ? followRiff() : undefined),
		},
	);
	if ('problem' in result)
		throw apiError(
			ctx.getNode(),
			{
				unreadable:
					result.problem === 'wrong content'
						? 'The server sent something else than a WAV file'
						: 'The speech was cut short on its way',
			},
			{ doing: 'generate speech', mayHaveStartedAt: sentAt, note: LOST_SPEECH },
		);
	return result.binary;
}
