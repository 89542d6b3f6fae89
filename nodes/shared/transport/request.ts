import type { IN8nHttpFullResponse } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { readBaseUrl } from '../../../credentials/baseUrl';
import { systemClock } from '../async/clock';
import type { MirageContext } from '../n8n/cancellation';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { Answer, ApiRequest, Outcome } from './networkErrors';
import { outcomeOf } from './networkErrors';
import type { ResponseStream } from './responseBody';
import { ignoreErrors } from './responseBody';
import { LIMITS } from './timeouts';

/** No answer within {@link ApiRequest.totalMs}. */
const TOO_LATE = 'ETIMEDOUT';

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
