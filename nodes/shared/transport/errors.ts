import type { INode, JsonObject } from 'n8n-workflow';
import { NodeApiError } from 'n8n-workflow';

import type { ApiFailure, Attempt } from './failures';
import { describe, mayPass } from './failures';

/**
 * The error a person sees for a failed request. It is built from plain facts only, never from the
 * request: neither the key nor the request's headers can be inside.
 */
export function apiError(node: INode, failure: ApiFailure, attempt: Attempt): NodeApiError {
	const { message, description } = describe(failure, attempt);
	const facts = failure.kind === 'http' ? { httpCode: String(failure.status) } : {};
	const error = new NodeApiError(node, { message, ...facts } as JsonObject, {
		message,
		description,
		...facts,
	});
	// n8n swaps a message for one of its own when a network code occurs in it, also inside an ID.
	error.message = message;
	error.context.mayPass = mayPass(failure);
	if (failure.kind === 'http' && failure.retryAfterMs !== undefined)
		error.context.retryAfterMs = failure.retryAfterMs;
	if (attempt.mayHaveStartedAt !== undefined)
		error.context.mayHaveStartedAt = attempt.mayHaveStartedAt;
	return error;
}

/** The same failure as an error of another node: an answer that several executions share, for one of them. */
export function ownError(node: INode, { message, description, httpCode, context }: NodeApiError) {
	const own = new NodeApiError(node, { message } as JsonObject, {
		message,
		description: description ?? undefined,
		...(httpCode ? { httpCode } : {}),
	});
	own.message = message;
	own.context = { ...context };
	return own;
}

/** Whether an error says that something may have been started and billed although no answer tells. */
export function mayHaveStarted(error: unknown): error is NodeApiError {
	return error instanceof NodeApiError && error.context.mayHaveStartedAt !== undefined;
}

/** Whether the request behind an error of this package may have another end when it is repeated. */
export function mayPassIfRepeated(error: NodeApiError): boolean {
	return error.context.mayPass === true;
}

/** HTTP status of an error of this package; `undefined` for network faults and for anything else. */
export function httpStatusOf(error: unknown): number | undefined {
	if (!(error instanceof NodeApiError) || !error.httpCode) return undefined;
	const status = Number(error.httpCode);
	return Number.isInteger(status) ? status : undefined;
}

/** Milliseconds that the server asked to wait, from the `Retry-After` of the answer behind the error. */
export function retryAfterMsOf(error: unknown): number | undefined {
	if (!(error instanceof NodeApiError)) return undefined;
	const value: unknown = error.context.retryAfterMs;
	return typeof value === 'number' ? value : undefined;
}
