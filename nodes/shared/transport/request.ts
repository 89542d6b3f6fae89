import type { IN8nHttpFullResponse } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { readBaseUrl } from '../../../credentials/baseUrl';
import { systemClock } from '../async/clock';
import { untilAborted } from '../async/untilAborted';
import type { MirageContext } from '../n8n/cancellation';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { Answer, ApiRequest, Outcome } from './networkErrors';
import { outcomeOf } from './networkErrors';
import { createRedact } from './redact';
import type { ResponseStream } from './responseBody';
import { ignoreErrors } from './responseBody';
import { LIMITS } from './timeouts';

/** No answer within {@link ApiRequest.totalMs}. */
const TOO_LATE = { kind: 'network', code: 'ETIMEDOUT', secure: true } as const;

/**
 * The address that the key belongs to, and what takes the key out of texts. Throws `NodeOperationError`
 * when the credential's address is unusable.
 */
async function credentialOf(ctx: MirageContext) {
	const { baseUrl, apiKey } = await ctx.getCredentials('mirageApi');
	const base = readBaseUrl(baseUrl);
	if ('problem' in base)
		throw new NodeOperationError(ctx.getNode(), base.problem, { level: 'warning' });
	const key = typeof apiKey === 'string' ? apiKey.trim() : '';
	return { origin: base.origin, redact: createRedact(key) };
}

/**
 * Sends one request, once, with the key, to the credential's base URL. Redirects are never followed:
 * n8n would carry the key along to the other host.
 *
 * Throws `NodeOperationError` when the execution was stopped before an answer came, when the credential is
 * unusable, and when a file to upload could not be read to its end.
 */
export async function exchange(ctx: MirageContext, request: ApiRequest): Promise<Outcome> {
	throwIfCancelled(ctx);
	const { origin, redact } = await credentialOf(ctx);
	const { idleMs = LIMITS.jsonIdleMs, totalMs = LIMITS.jsonTotalMs } = request;
	const ending = new AbortController();
	const sending = ctx.helpers.httpRequestWithAuthentication.call(
		endedBy(ctx, ending.signal),
		'mirageApi',
		{
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
		},
	) as Promise<IN8nHttpFullResponse>;
	const stop = cancelSignal(ctx);
	const heard = new AbortController();
	let answered = false;
	const onStop = async () => {
		// RULE: what was accepted is heard to its end, so that the job can be named and is not lost.
		if (answered && request.method === 'POST')
			await systemClock.sleep(LIMITS.afterStopMs, heard.signal);
		ending.abort();
	};
	stop?.addEventListener('abort', onStop, { once: true });
	const leaveStop = () => stop?.removeEventListener('abort', onStop);
	try {
		const response = await within(sending, totalMs);
		if (!response) {
			ending.abort();
			// Polls and pickers have no signal to end it by: what still comes is thrown away.
			void sending.then(
				(late) => (late.body as unknown as ResponseStream).destroy(),
				() => undefined,
			);
			return { kind: 'unknown', failure: TOO_LATE };
		}
		answered = true;
		const body = response.body as unknown as ResponseStream;
		ignoreErrors(body);
		body.once('close', () => {
			leaveStop();
			heard.abort();
		});
		const headers = Object.entries(response.headers as Answer['headers']).map(([name, value]) => [
			name,
			typeof value === 'string' ? redact(value) : undefined,
		]);
		const { statusCode: status } = response;
		return {
			kind: 'answer',
			answer: {
				status,
				headers: Object.fromEntries(headers) as Answer['headers'],
				body,
				redact,
				signal: ending.signal,
			},
		};
	} catch (error) {
		leaveStop();
		if (request.method === 'POST' && stop?.aborted)
			ctx.logger.warn(
				`The execution was stopped while a request to Mirage was under way (POST ${request.path}). Mirage may still have accepted it and billed it.`,
			);
		throwIfCancelled(ctx);
		return outcomeOf(error, request, redact);
	}
}

/**
 * The context under whose name n8n sends a request, with another signal to end it: n8n takes the stop of
 * the execution, and a node cannot hand in a signal of its own.
 */
function endedBy<T extends MirageContext>(ctx: T, signal: AbortSignal): T {
	if (!('getExecutionCancelSignal' in ctx)) return ctx;
	return Object.create(ctx, { getExecutionCancelSignal: { value: () => signal } }) as T;
}

/** Waits for an answer, but no longer than `ms`: then `undefined`. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
	const [tooLate, ended] = [new AbortController(), new AbortController()];
	void systemClock.sleep(ms, ended.signal).then(() => tooLate.abort());
	try {
		return await untilAborted(promise, tooLate.signal);
	} finally {
		ended.abort();
	}
}
