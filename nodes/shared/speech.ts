import type { IBinaryData, IExecuteFunctions } from 'n8n-workflow';

import { generateSpeech, LOST_SPEECH } from './api';
import { apiError } from './errors';
import { followRiff, KINDS, kindOf } from './fileKinds';
import { stored } from './files';
import type { Gate } from './gate';
import type { Ledger } from './ledger';

/** What speech is made from. */
export interface SpeechInput {
	voiceId: string;
	text: string;
	model: string;
}

/** Models of the API (OpenAPI: TTSRequest). */
export const SPEECH_MODEL = 'mirage-audio-1';

/**
 * Makes speech and streams the WAV file into n8n's binary store. Speech that this item was already
 * given in an earlier try of the run is not made again. Throws `NodeApiError`; a file that is cut short
 * cannot be fetched again, since speech comes in the answer itself.
 */
export async function makeSpeech(
	ctx: IExecuteFunctions,
	gate: Gate,
	ledger: Ledger,
	itemIndex: number,
	input: SpeechInput,
	fileName = 'speech.wav',
): Promise<IBinaryData> {
	const fingerprint = JSON.stringify(['speech', input, fileName]);
	const earlier = ledger.find<IBinaryData>(itemIndex, fingerprint);
	if (earlier) return earlier;
	const { answer, sentAt } = await generateSpeech(ctx, gate, input);
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
	ledger.add(itemIndex, fingerprint, { value: result.binary });
	return result.binary;
}
