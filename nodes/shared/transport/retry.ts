import { jsonParse } from 'n8n-workflow';

import { systemClock } from '../async/clock';
import type { MirageContext } from '../n8n/cancellation';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { ApiFailure } from './errors';
import { reasonsIn } from './errors';
import type { Answer, ApiRequest, Outcome } from './networkErrors';
import { exchange } from './request';
import { UnreadableBody, jsonLimits, readText } from './responseBody';
import { LIMITS } from './timeouts';

/** Tries of a read, and of a POST that certainly did not reach the server. */
const TRIES = 3;

/** No connection, and worth another try. */
const MAY_PASS = /^(ECONNREFUSED|EAI_AGAIN|ENOTFOUND)$/;

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

/** Reads an answer that is not a success into the facts that an error needs. */
export async function failureOf(ctx: MirageContext, answer: Answer): Promise<ApiFailure> {
	const failure: ApiFailure = {
		status: answer.status,
		retryAfterMs: retryAfterMs(answer.headers),
	};
	try {
		const text = await readText(answer.body, jsonLimits(cancelSignal(ctx)));
		failure.reasons = reasonsIn(jsonParse(text, { fallbackValue: undefined }));
	} catch {
		// The status alone has to do; the body only adds words to it.
		throwIfCancelled(ctx);
	}
	return failure;
}

/** Reads a success as JSON; a body that is none comes back as a failure, never as a throw. */
export async function jsonOf(
	ctx: MirageContext,
	answer: Answer,
): Promise<{ json: unknown } | { failure: ApiFailure }> {
	try {
		const text = await readText(answer.body, jsonLimits(cancelSignal(ctx)));
		return { json: jsonParse<unknown>(text) };
	} catch (error) {
		throwIfCancelled(ctx);
		const unreadable =
			error instanceof UnreadableBody ? error.message : 'The server sent something else than JSON';
		return { failure: { unreadable } };
	}
}

/** How hard a read tries. */
export interface ReadOptions {
	/** Tries in all for network faults and 5xx; 1 leaves repeating to the caller. Default 3. */
	tries?: number;
	/** How long rate limits are waited out in all, in ms. Default 5 minutes; 0 with `tries: 1`. */
	patienceMs?: number;
}

/**
 * Sends a GET until it has an answer that is worth reading: a success, or a status that repeating does
 * not change. Network faults, 408 and 5xx are tried again with growing pauses, 429 is waited out.
 */
export async function read(
	ctx: MirageContext,
	request: Omit<ApiRequest, 'method' | 'body'>,
	options: ReadOptions = {},
): Promise<{ answer: Answer } | { failure: ApiFailure }> {
	const tries = options.tries ?? TRIES;
	const patienceMs = options.patienceMs ?? (tries === 1 ? 0 : LIMITS.readPatienceMs);
	let pauseMs = LIMITS.firstPauseMs;
	let waitedMs = 0;
	for (let used = 0; ;) {
		const outcome = await exchange(ctx, { ...request, method: 'GET' });
		if (outcome.kind === 'brokenSource') throw outcome.error;
		const status = outcome.kind === 'answer' ? outcome.answer.status : undefined;
		const passing = status === undefined || status === 408 || status === 429 || status >= 500;
		if (outcome.kind === 'answer' && !passing) return { answer: outcome.answer };
		const failure =
			outcome.kind === 'answer' ? await failureOf(ctx, outcome.answer) : networkFailure(outcome);
		// n8n or the credential will refuse it again.
		if (failure.refusal !== undefined) return { failure };
		if (status === 429) {
			// A server that says 0 is not asked again and again without a pause.
			const wait = Math.max(failure.retryAfterMs ?? 0, pauseMs);
			if (waitedMs + wait > patienceMs) return { failure };
			waitedMs += wait;
			await systemClock.sleep(wait, cancelSignal(ctx));
		} else {
			used += 1;
			if (used >= tries) return { failure };
			await systemClock.sleep(pauseMs, cancelSignal(ctx));
		}
		throwIfCancelled(ctx);
		pauseMs *= 2;
	}
}

/** The facts of a request that got no answer. */
function networkFailure(outcome: Extract<Outcome, { kind: 'notSent' | 'unknown' }>): ApiFailure {
	const { code } = outcome;
	return outcome.kind === 'notSent' && outcome.refusal !== undefined
		? { code, refusal: outcome.refusal }
		: { code };
}

/**
 * Whether a POST with this status may have been accepted. 302 and 303 may mean "done, look over there";
 * 301, 307 and 308 only say where to send it.
 */
function mayBeAccepted(status: number): boolean {
	return status >= 500 || status === 408 || status === 302 || status === 303;
}

/**
 * Reads with {@link read} and makes something of the answer, and reads again where that fails although
 * the status was fine: a proxy's page, half an answer. `take` gives the value, or what was wrong.
 */
export async function readAs<T>(
	ctx: MirageContext,
	request: Omit<ApiRequest, 'method' | 'body'>,
	options: ReadOptions,
	take: (answer: Answer) => Promise<{ value: T } | { failure: ApiFailure }>,
): Promise<{ value: T } | { failure: ApiFailure }> {
	const tries = options.tries ?? TRIES;
	let pauseMs = LIMITS.firstPauseMs;
	for (let used = 1; ; used++) {
		const result = await read(ctx, request, options);
		if ('failure' in result) return result;
		const taken = await take(result.answer);
		if ('value' in taken || taken.failure.unreadable === undefined || used >= tries) return taken;
		await systemClock.sleep(pauseMs, cancelSignal(ctx));
		throwIfCancelled(ctx);
		pauseMs *= 2;
	}
}

/** What became of a POST, in terms of money. */
export type Submission =
	/** A 2xx answer: the job exists. */
	| { kind: 'accepted'; answer: Answer; sentAt: number }
	/** 429: certainly not accepted; may be sent again later. */
	| { kind: 'rateLimited'; retryAfterMs?: number }
	/** Certainly not accepted, and sending it again changes nothing. */
	| { kind: 'rejected'; failure: ApiFailure }
	/** No readable answer: it may have been accepted, so it is never sent again. */
	| { kind: 'uncertain'; failure: ApiFailure; sentAt: number };

/**
 * Sends a POST. RULE: a POST that may have been accepted is never sent again, because every job is
 * billed and the API knows no idempotency keys. Only a connection that was refused or whose host was
 * not found is tried again here; 429 goes back to the caller, who waits with all other items.
 *
 * `build` makes the request anew for every try, since a streamed body can be read only once. Throws
 * what `build`'s files throw when they cannot be read to their end: then nothing was accepted.
 */
export async function submit(
	ctx: MirageContext,
	build: () => Omit<ApiRequest, 'method'>,
): Promise<Submission> {
	let pauseMs = LIMITS.firstPauseMs;
	for (let used = 1; ; used++) {
		const sentAt = systemClock.now();
		const outcome = await exchange(ctx, { ...build(), method: 'POST' });
		if (outcome.kind === 'answer') {
			const { answer } = outcome;
			if (answer.status >= 200 && answer.status < 300) return { kind: 'accepted', answer, sentAt };
			const failure = await failureOf(ctx, answer);
			if (answer.status === 429) return { kind: 'rateLimited', retryAfterMs: failure.retryAfterMs };
			return mayBeAccepted(answer.status)
				? { kind: 'uncertain', failure, sentAt }
				: { kind: 'rejected', failure };
		}
		if (outcome.kind === 'brokenSource') throw outcome.error;
		const failure = networkFailure(outcome);
		if (outcome.kind === 'unknown') return { kind: 'uncertain', failure, sentAt };
		if (!MAY_PASS.test(outcome.code) || used >= TRIES) return { kind: 'rejected', failure };
		await systemClock.sleep(pauseMs, cancelSignal(ctx));
		throwIfCancelled(ctx);
		pauseMs *= 2;
	}
}
