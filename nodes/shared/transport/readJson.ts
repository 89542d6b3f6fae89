import { jsonParse } from 'n8n-workflow';

import { systemClock } from '../async/clock';
import type { ApiFailure } from './failures';
import type { Answer } from './networkErrors';
import { reasonsIn } from './reasons';
import { redactJson } from './redact';
import { UnreadableBody, readText } from './responseBody';

/**
 * Reads the body of an answer as JSON, with the account's key taken out of it. RULE: this is the only way
 * in which words of the API come into the package. A body that is no JSON comes back as a failure; never
 * rejects.
 */
export async function readJson(
	answer: Answer,
): Promise<{ value: unknown } | { failure: ApiFailure }> {
	try {
		const text = await readText(answer.body, answer.signal);
		return { value: redactJson(jsonParse<unknown>(text), answer.redact) };
	} catch (error) {
		const reason =
			error instanceof UnreadableBody ? error.message : 'The server sent something else than JSON';
		return { failure: { kind: 'unreadable', reason } };
	}
}

/** Reads an answer that is no success into the facts that an error needs. Never rejects. */
export async function httpFailure(answer: Answer): Promise<ApiFailure> {
	const body = await readJson(answer);
	return {
		kind: 'http',
		status: answer.status,
		// The status alone has to do where there are no words.
		reasons: 'value' in body ? reasonsIn(body.value) : [],
		retryAfterMs: retryAfterMs(answer.headers),
	};
}

/** Milliseconds from a `Retry-After` header (seconds or an HTTP date), never negative. */
export function retryAfterMs(
	headers: Answer['headers'],
	now = systemClock.now(),
): number | undefined {
	const value = headers['retry-after']?.trim();
	if (!value) return undefined;
	if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1_000;
	const date = Date.parse(value);
	return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
