import type { IExecuteFunctions, IN8nHttpFullResponse, IPollFunctions } from 'n8n-workflow';

import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { ResponseStream } from './responseBody';
import { ignoreErrors } from './responseBody';
import { LIMITS } from './timeouts';

/** An answer from an address that needs no key, with its body still on the wire. */
export interface PublicAnswer {
	status: number;
	headers: Record<string, string | undefined>;
	body: ResponseStream;
}

/** Hops from an address to the file behind it. */
const MAX_REDIRECTS = 5;

/**
 * Fetches an address WITHOUT the API key: files of the user's, and the signed addresses that the API
 * hands out. Follows up to {@link MAX_REDIRECTS} redirects itself, because n8n 1 and 2 differ in how many
 * they follow; one that it does not follow is the answer. `undefined` when there is none. Throws only when
 * the execution was stopped.
 */
export async function getPublic(
	ctx: IExecuteFunctions | IPollFunctions,
	url: string,
	headers: Record<string, string> = {},
): Promise<PublicAnswer | undefined> {
	let address = url;
	for (let hop = 0; ; hop++) {
		throwIfCancelled(ctx);
		let response: IN8nHttpFullResponse;
		try {
			response = (await ctx.helpers.httpRequest({
				method: 'GET',
				url: address,
				headers: { ...headers, accept: '*/*', 'accept-encoding': 'identity' },
				encoding: 'stream',
				returnFullResponse: true,
				ignoreHttpStatusErrors: true,
				disableFollowRedirect: true,
				timeout: LIMITS.fileIdleMs,
				abortSignal: cancelSignal(ctx),
			})) as IN8nHttpFullResponse;
		} catch {
			throwIfCancelled(ctx);
			return undefined;
		}
		const answer = {
			status: response.statusCode,
			headers: response.headers as PublicAnswer['headers'],
			body: response.body as unknown as ResponseStream,
		};
		ignoreErrors(answer.body);
		const { location } = answer.headers;
		if (answer.status < 300 || answer.status >= 400 || !location) return answer;
		if (hop === MAX_REDIRECTS || !URL.canParse(location, address)) return answer;
		const next = new URL(location, address);
		if (!/^https?:$/.test(next.protocol)) return answer;
		answer.body.destroy();
		address = next.href;
	}
}

/**
 * Length in bytes of the whole file behind an answer, where the server tells it and sends the bytes as
 * they are.
 */
export function lengthOf({
	status,
	headers,
}: Pick<PublicAnswer, 'status' | 'headers'>): number | undefined {
	const encoding = headers['content-encoding'];
	if (encoding && encoding !== 'identity') return undefined;
	const text = status === 206 ? headers['content-range']?.split('/')[1] : headers['content-length'];
	return text && /^\d+$/.test(text) ? Number(text) : undefined;
}
