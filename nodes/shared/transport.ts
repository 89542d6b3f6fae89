import type { IDataObject, IHttpRequestMethods, IN8nHttpFullResponse } from 'n8n-workflow';
import { jsonParse, NodeApiError, NodeOperationError } from 'n8n-workflow';

import { readBaseUrl } from '../../credentials/baseUrl';
import type { MirageContext } from './cancellation';
import { cancelSignal, throwIfCancelled } from './cancellation';
import { systemClock } from './clock';
import type { ApiFailure } from './errors';
import { reasonsIn } from './errors';
import type { ResponseStream } from './streams';
import { ignoreErrors, jsonLimits, LIMITS, readText, UnreadableBody } from './streams';

export type { MirageContext } from './cancellation';

/** One request to the API. The path starts with a slash; IDs in it are already encoded. */
export interface ApiRequest {
	method: Extract<IHttpRequestMethods, 'GET' | 'POST'>;
	path: string;
	qs?: IDataObject;
	/**
	 * A form to upload, or an object to send as JSON. A file of the form that cannot be read to its end
	 * tells so in its property `failure`, a `NodeOperationError`.
	 */
	body?: FormData | IDataObject;
	/** How long the connection may be silent, in ms. Default `LIMITS.jsonIdleMs`. */
	idleMs?: number;
	/** How long it may take until the answer begins, in ms. Default `LIMITS.jsonTotalMs`. */
	totalMs?: number;
}

/** An answer with its body still on the wire. */
export interface Answer {
	status: number;
	headers: Record<string, string | undefined>;
	body: ResponseStream;
}

/**
 * What became of one request.
 *
 * - `answer`: the server answered, with whatever status.
 * - `notSent`: the server never had the request: no connection was made, or n8n did not let it out
 *   (`refusal` then says why).
 * - `brokenSource`: the file to upload could not be read to its end, so the request was never complete.
 * - `unknown`: the connection broke or fell silent; the server may have acted on the request.
 */
export type Outcome =
	| { kind: 'answer'; answer: Answer }
	| { kind: 'notSent'; code: string; refusal?: string }
	| { kind: 'brokenSource'; error: NodeOperationError }
	| { kind: 'unknown'; code: string };

/** Tries of a read, and of a POST that certainly did not reach the server. */
const TRIES = 3;
/** Codes that mean: no connection, so the server has nothing. */
const NEVER_CONNECTED = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH)$/;
/** System calls before the first byte of a request, whatever their error. */
const BEFORE_REQUEST = /^(connect|getaddrinfo|queryA?)$/;
/** TLS refuses before the first byte of a request. */
const NO_TLS = /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH)/;
/** No connection, and worth another try. */
const MAY_PASS = /^(ECONNREFUSED|EAI_AGAIN|ENOTFOUND)$/;
/** No answer within {@link ApiRequest.totalMs}. */
const TOO_LATE = 'ETIMEDOUT';

interface ErrorFacts {
	code?: unknown;
	syscall?: unknown;
	cause?: unknown;
	errors?: unknown;
	isAxiosError?: unknown;
	message?: unknown;
}

/** An error and what caused it, as n8n and its HTTP client wrap it. */
function chainOf(error: unknown): ErrorFacts[] {
	const chain: ErrorFacts[] = [];
	let current: unknown = error;
	while (typeof current === 'object' && current !== null && chain.length < 8) {
		chain.push(current);
		const { cause, errors } = current as ErrorFacts;
		// Trying several addresses of a host gives one error for each.
		current = cause ?? (Array.isArray(errors) ? (errors[0] as unknown) : undefined);
	}
	return chain;
}

const text = (value: unknown) => (typeof value === 'string' ? value : '');

/**
 * The code of the network and the system call that failed. n8n 1 drops the cause of its error; there the
 * code is in `httpCode`, and the system call begins the text of the cause.
 */
function networkFacts(error: unknown, chain: ErrorFacts[]): { code: string; syscall: string } {
	const facts = {
		code: chain.map((link) => text(link.code)).find(Boolean),
		syscall: chain.map((link) => text(link.syscall)).find(Boolean),
	};
	if (error instanceof NodeApiError && chain.length === 1) {
		if (/^[A-Z]/.test(error.httpCode ?? '')) facts.code ||= error.httpCode!;
		facts.syscall ||= error.messages.map((message) => /^\w+(?= E[A-Z]+)/.exec(message)?.[0])[0];
	}
	return { code: facts.code ?? 'UNKNOWN', syscall: facts.syscall ?? '' };
}

/** What it means when a request ended without an answer. */
function outcomeOf(error: unknown, request: ApiRequest): Outcome {
	const source = brokenSource(request);
	if (source) return { kind: 'brokenSource', error: source };
	const chain = chainOf(error);
	const { code, syscall } = networkFacts(error, chain);
	// Not from the HTTP client: n8n or the credential stopped the request before it left.
	if (chain.length > 1 && !chain.some(({ isAxiosError }) => isAxiosError))
		return { kind: 'notSent', code, refusal: text(chain.at(-1)!.message) };
	const notSent = NEVER_CONNECTED.test(code) || NO_TLS.test(code) || BEFORE_REQUEST.test(syscall);
	return { kind: notSent ? 'notSent' : 'unknown', code };
}

/** The error of a file in the request that could not be read to its end while it was sent. */
function brokenSource({ body }: ApiRequest): NodeOperationError | undefined {
	if (!(body instanceof FormData)) return undefined;
	for (const part of body.values()) {
		const failure: unknown = (part as { failure?: unknown }).failure;
		if (failure instanceof NodeOperationError) return failure;
	}
	return undefined;
}

/** The address that the key belongs to. Throws `NodeOperationError` when the credential's is unusable. */
async function originOf(ctx: MirageContext): Promise<string> {
	const credentials = await ctx.getCredentials('mirageApi');
	const base = readBaseUrl(credentials.baseUrl);
	if ('problem' in base)
		throw new NodeOperationError(ctx.getNode(), base.problem, { level: 'warning' });
	return base.origin;
}

/**
 * Sends one request, once, with the key, to the credential's base URL. Redirects are never followed:
 * n8n would carry the key along to the other host. Throws only when the execution was stopped or the
 * credential is unusable.
 */
export async function exchange(ctx: MirageContext, request: ApiRequest): Promise<Outcome> {
	throwIfCancelled(ctx);
	const origin = await originOf(ctx);
	const { idleMs = LIMITS.jsonIdleMs, totalMs = LIMITS.jsonTotalMs } = request;
	const sending = ctx.helpers.httpRequestWithAuthentication.call(ctx, 'mirageApi', {
		method: request.method,
		url: `${origin}${request.path}`,
		qs: request.qs,
		body: request.body,
		headers: { accept: 'application/json, */*', 'accept-encoding': 'identity' },
		json: !(request.body instanceof FormData),
		encoding: 'stream',
		returnFullResponse: true,
		ignoreHttpStatusErrors: true,
		disableFollowRedirect: true,
		timeout: idleMs,
	}) as Promise<IN8nHttpFullResponse>;
	try {
		const response = await within(sending, totalMs);
		if (!response) return { kind: 'unknown', code: TOO_LATE };
		const body = response.body as unknown as ResponseStream;
		ignoreErrors(body);
		return {
			kind: 'answer',
			answer: {
				status: response.statusCode,
				headers: response.headers as Answer['headers'],
				body,
			},
		};
	} catch (error) {
		if (request.method === 'POST' && cancelSignal(ctx)?.aborted)
			ctx.logger.warn(
				`The execution was stopped while a request to Mirage was under way (POST ${request.path}). It may have been accepted, and billed.`,
			);
		throwIfCancelled(ctx);
		return outcomeOf(error, request);
	}
}

/**
 * Waits for an answer, but no longer than `ms`. An answer that comes later is thrown away: a node cannot
 * take a request back, since n8n ends requests only together with the execution.
 */
async function within(
	sending: Promise<IN8nHttpFullResponse>,
	ms: number,
): Promise<IN8nHttpFullResponse | undefined> {
	const settled = new AbortController();
	const tooLate = systemClock.sleep(ms, settled.signal).then(() => undefined);
	try {
		const response = await Promise.race([sending, tooLate]);
		if (!response)
			void sending.then(
				({ body }) => (body as unknown as ResponseStream).destroy(),
				() => undefined,
			);
		return response;
	} finally {
		settled.abort();
	}
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
