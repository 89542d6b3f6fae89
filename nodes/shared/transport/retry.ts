import { backoffMs } from '../async/backoff';
import { systemClock } from '../async/clock';
import type { MirageContext } from '../n8n/cancellation';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { ApiFailure } from './failures';
import { mayPass } from './failures';
import type { Answer, ApiRequest } from './networkErrors';
import { httpFailure, retryAfterMs } from './readJson';
import { exchange } from './request';
import { LIMITS } from './timeouts';

/** Tries of a read, and of a POST that certainly did not reach the server. */
const TRIES = 3;

/** How hard a read tries. */
export interface ReadOptions {
	/** Tries in all for what may pass but a rate limit; 1 leaves repeating to the caller. Default 3. */
	tries?: number;
	/** How long rate limits are waited out in all, in ms. Default 5 minutes; 0 with `tries: 1`. */
	patienceMs?: number;
	/** Told what the server's clock says with each answer, in ms since 1970. */
	onServerTime?: (serverMs: number) => void;
}

/** What a read gives: a value, or why there is none. */
export type Reading<T> = { value: T } | { failure: ApiFailure };

/**
 * Sends a GET and makes something of the answer, and again while it may pass: network faults, 408, 5xx and
 * answers that cannot be read count as tries, 429 is waited out. One count and one patience for all of it.
 *
 * `take` gets answers below 400 and gives the value, or what was wrong. Throws what {@link exchange} throws.
 *
 * @example pauses of 0 to 500, 0 to 1000, 0 to 2000 ms
 */
export async function read<T>(
	ctx: MirageContext,
	request: Omit<ApiRequest, 'method' | 'body'>,
	options: ReadOptions,
	take: (answer: Answer) => Promise<Reading<T>>,
): Promise<Reading<T>> {
	const tries = options.tries ?? TRIES;
	const patienceMs = options.patienceMs ?? (tries === 1 ? 0 : LIMITS.readPatienceMs);
	let failed = 0;
	let waits = 0;
	let waitedMs = 0;
	for (;;) {
		const reading = await readOnce(ctx, request, take);
		throwIfCancelled(ctx);
		if ('value' in reading || !mayPass(reading.failure)) return reading;
		const { failure } = reading;
		const rateLimited = failure.kind === 'http' && failure.status === 429;
		let pauseMs = backoffMs(failed + waits + 1, { firstMs: LIMITS.firstPauseMs });
		if (rateLimited) {
			// A server that says 0 is not asked again and again without a pause.
			pauseMs = Math.max(failure.retryAfterMs ?? 0, pauseMs);
			waits += 1;
			waitedMs += pauseMs;
			if (waitedMs > patienceMs) return reading;
		} else {
			failed += 1;
			if (failed >= tries) return reading;
		}
		await systemClock.sleep(pauseMs, cancelSignal(ctx));
	}
}

async function readOnce<T>(
	ctx: MirageContext,
	request: Omit<ApiRequest, 'method' | 'body'>,
	take: (answer: Answer) => Promise<Reading<T>>,
): Promise<Reading<T>> {
	const outcome = await exchange(ctx, { ...request, method: 'GET' });
	if (outcome.kind !== 'answer') return outcome;
	const { answer } = outcome;
	return answer.status < 400 ? await take(answer) : { failure: await httpFailure(answer) };
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
 * billed and the API knows no idempotency keys. Only a request that got no connection is tried again
 * here; 429 goes back to the caller, who waits with all other items.
 *
 * `build` makes the request anew for every try, since a streamed body can be read only once. Throws what
 * {@link exchange} throws; then nothing was accepted, unless the execution was stopped.
 */
export async function submit(
	ctx: MirageContext,
	build: () => Omit<ApiRequest, 'method'>,
): Promise<Submission> {
	for (let tries = 1; ; tries++) {
		const sentAt = systemClock.now();
		const outcome = await exchange(ctx, { ...build(), method: 'POST' });
		if (outcome.kind === 'answer') {
			const { answer } = outcome;
			if (answer.status >= 200 && answer.status < 300) return { kind: 'accepted', answer, sentAt };
			const failure = await httpFailure(answer);
			if (answer.status === 429)
				return { kind: 'rateLimited', retryAfterMs: retryAfterMs(answer.headers) };
			return mayBeAccepted(answer.status)
				? { kind: 'uncertain', failure, sentAt }
				: { kind: 'rejected', failure };
		}
		const { failure } = outcome;
		if (outcome.kind === 'unknown') return { kind: 'uncertain', failure, sentAt };
		if (!mayPass(failure) || tries >= TRIES) return { kind: 'rejected', failure };
		const pauseMs = backoffMs(tries, { firstMs: LIMITS.firstPauseMs });
		await systemClock.sleep(pauseMs, cancelSignal(ctx));
		throwIfCancelled(ctx);
	}
}

/**
 * Whether a POST with this status may have been accepted. 302 and 303 may mean "done, look over there";
 * 301, 307 and 308 only say where to send it.
 */
function mayBeAccepted(status: number): boolean {
	return status >= 500 || status === 408 || status === 302 || status === 303;
}
