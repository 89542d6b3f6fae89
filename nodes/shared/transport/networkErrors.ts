import type { IDataObject, IHttpRequestMethods } from 'n8n-workflow';
import { NodeApiError, NodeOperationError } from 'n8n-workflow';

import type { ApiFailure } from './failures';
import type { Redact } from './redact';
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

/**
 * An answer with its body still on the wire. The account's key is already taken out of the headers; RULE:
 * whoever reads text from the body passes it through `redact` before it is kept or shown.
 */
export interface Answer {
	status: number;
	headers: Record<string, string | undefined>;
	body: ResponseStream;
	redact: Redact;
	/** Aborts when the request is ended because the execution was stopped. */
	signal: AbortSignal;
}

/**
 * What became of one request.
 *
 * - `answer`: the server answered, with whatever status.
 * - `notSent`: the server never had the request: no connection was made, or n8n did not let it out.
 * - `unknown`: the connection broke or fell silent; the server may have acted on the request.
 */
export type Outcome =
	| { kind: 'answer'; answer: Answer }
	| { kind: 'notSent'; failure: ApiFailure }
	| { kind: 'unknown'; failure: ApiFailure };

/** Codes that mean: no connection, so the server has nothing. */
const NEVER_CONNECTED = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH)$/;

/** System calls before the first byte of a request, whatever their error. */
const BEFORE_REQUEST = /^(connect|getaddrinfo|queryA?)$/;

/** Codes of TLS, which refuses before the first byte of a request. */
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

const textOf = (value: unknown) => (typeof value === 'string' ? value : '');

/**
 * The code of the network and the system call that failed. n8n 1 drops the cause of its error; there the
 * code is in `httpCode`, and the system call begins the text of the cause.
 */
function networkFacts(error: unknown, chain: ErrorFacts[]): { code: string; syscall: string } {
	const facts = {
		code: chain.map((link) => textOf(link.code)).find(Boolean),
		syscall: chain.map((link) => textOf(link.syscall)).find(Boolean),
	};
	if (error instanceof NodeApiError && chain.length === 1) {
		if (/^[A-Z]/.test(error.httpCode ?? '')) facts.code ||= error.httpCode!;
		facts.syscall ||= error.messages.map((message) => /^\w+(?= E[A-Z]+)/.exec(message)?.[0])[0];
	}
	return { code: facts.code ?? 'UNKNOWN', syscall: facts.syscall ?? '' };
}

/**
 * What it means when a request ended without an answer. Throws the `NodeOperationError` of a file that
 * could not be read to its end while it was sent: then the request was never complete.
 */
export function outcomeOf(error: unknown, request: ApiRequest, redact: Redact): Outcome {
	throwBrokenSource(request);
	const chain = chainOf(error);
	const { code, syscall } = networkFacts(error, chain);
	// Not from the HTTP client: n8n or the credential stopped the request before it left.
	if (chain.length > 1 && !chain.some(({ isAxiosError }) => isAxiosError)) {
		const reason = redact(textOf(chain.at(-1)!.message));
		return { kind: 'notSent', failure: { kind: 'blocked', reason } };
	}
	const secure = !NO_TLS.test(code);
	const notSent = NEVER_CONNECTED.test(code) || BEFORE_REQUEST.test(syscall) || !secure;
	return { kind: notSent ? 'notSent' : 'unknown', failure: { kind: 'network', code, secure } };
}

function throwBrokenSource({ body }: ApiRequest): void {
	if (!(body instanceof FormData)) return;
	for (const part of body.values()) {
		const { failure } = part as { failure?: unknown };
		if (failure instanceof NodeOperationError) throw failure;
	}
}
