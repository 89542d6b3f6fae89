import type { IBinaryData, IExecuteFunctions, IPollFunctions } from 'n8n-workflow';

import type { Wholeness } from '../media/completeness';
import { SNIFF_BYTES } from '../media/formats';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { ResponseStream } from '../transport/responseBody';
import { UnreadableBody, guard } from '../transport/responseBody';
import { LIMITS } from '../transport/timeouts';

/** What {@link stored} checks while a body passes by. */
export interface StoreRule {
	/** Length that the server stated, in bytes. */
	expectedBytes?: number;
	maxBytes?: number;
	/** Made once the first bytes are there; `undefined` refuses the content. */
	follow?: (start: Buffer) => Wholeness | undefined;
	/** Silence that the server may keep, in ms. Default `LIMITS.fileIdleMs`. */
	idleMs?: number;
}

/** Why a body did not become a file. */
export type StoreProblem = 'broke off' | 'truncated' | 'too large' | 'wrong content';

/**
 * Streams a body into n8n's binary store. Half a file is never returned: a body that breaks off, is
 * shorter than stated, or whose container says that bytes are missing gives a problem instead.
 */
export async function stored(
	ctx: IExecuteFunctions | IPollFunctions,
	body: ResponseStream,
	name: { fileName: string; mimeType: string },
	rule: StoreRule = {},
): Promise<{ binary: IBinaryData; bytes: number } | { problem: StoreProblem }> {
	const { expectedBytes, maxBytes = Infinity, follow, idleMs = LIMITS.fileIdleMs } = rule;
	let bytes = 0;
	let start = Buffer.alloc(0);
	let wholeness: Wholeness | undefined;
	let problem: StoreProblem | undefined;
	const stop = (reason: StoreProblem) => {
		problem = reason;
		body.destroy(new UnreadableBody(reason));
	};
	const look = (chunk: Buffer) => {
		if (problem) return;
		bytes += chunk.length;
		if (bytes > maxBytes) return stop('too large');
		if (!follow) return;
		if (wholeness) return wholeness.next(chunk);
		start = Buffer.concat([start, chunk]);
		if (start.length < SNIFF_BYTES) return;
		wholeness = follow(start);
		if (!wholeness) return stop('wrong content');
		wholeness.next(start);
	};
	// Not `on('data')`: that would start the flow before the store is there to take it.
	body.prependListener('data', look);
	const unwatch = guard(body, { idleMs, totalMs: LIMITS.fileTotalMs, signal: cancelSignal(ctx) });
	let binary: IBinaryData;
	try {
		binary = await ctx.helpers.prepareBinaryData(body as never, name.fileName, name.mimeType);
	} catch {
		throwIfCancelled(ctx);
		return { problem: problem ?? 'broke off' };
	} finally {
		unwatch();
		body.destroy();
	}
	throwIfCancelled(ctx);
	if (problem) return { problem };
	if (follow && !wholeness) return { problem: 'wrong content' };
	if (expectedBytes !== undefined && bytes !== expectedBytes) return { problem: 'truncated' };
	if (wholeness?.isCutOff()) return { problem: 'truncated' };
	return { binary, bytes };
}
