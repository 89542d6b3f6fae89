import type { IDataObject, IHttpRequestMethods } from 'n8n-workflow';
import { NodeApiError, NodeOperationError } from 'n8n-workflow';

import type { ResponseStream } from './responseBody';

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

/** Codes that mean: no connection, so the server has nothing. */
const NEVER_CONNECTED = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH)$/;

/** System calls before the first byte of a request, whatever their error. */
const BEFORE_REQUEST = /^(connect|getaddrinfo|queryA?)$/;

/** TLS refuses before the first byte of a request. */
const NO_TLS = /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH)/;

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

export const text = (value: unknown) => (typeof value === 'string' ? value : '');

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
export function outcomeOf(error: unknown, request: ApiRequest): Outcome {
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
