import type { IBinaryData, IExecuteFunctions, IPollFunctions } from 'n8n-workflow';

import type { Wholeness } from '../media/completeness';
import { SNIFF_BYTES } from '../media/formats';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { ResponseStream } from '../transport/responseBody';
import { UnreadableBody, watchStream } from '../transport/responseBody';
import { LIMITS } from '../transport/timeouts';

/** What {@link storeBody} checks while a body passes by. */
export interface StoreRule {
	maxBytes?: number;
	/** Made once the first bytes are there; `undefined` refuses the content. */
	follow?: (start: Buffer) => Wholeness | undefined;
}

/** A body that became a file. */
export interface StoredFile {
	binary: IBinaryData;
	bytes: number;
	/** Whether the file's own header says that bytes are missing. */
	isCutOff: boolean;
}

/** Why a body did not become a file. */
export type StoreProblem = 'broke off' | 'too large' | 'wrong content';

/**
 * Streams a body into n8n's binary store. A body that breaks off gives a problem and no file. One that
 * ended as its transport says is stored whatever length was stated: n8n unpacks what a server packed
 * unasked, and leaves the packed length in the header.
 */
export async function storeBody(
	ctx: IExecuteFunctions | IPollFunctions,
	body: ResponseStream,
	name: { fileName: string; mimeType: string },
	{ maxBytes = Infinity, follow }: StoreRule = {},
): Promise<StoredFile | { problem: StoreProblem }> {
	let bytes = 0;
	let start = Buffer.alloc(0);
	let wholeness: Wholeness | undefined;
	let problem: StoreProblem | undefined;
	const stop = (reason: StoreProblem) => {
		problem = reason;
		body.destroy(new UnreadableBody(reason));
	};
	const check = (chunk: Buffer) => {
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
	body.prependListener('data', check);
	const unwatch = watchStream(body, {
		idleMs: LIMITS.fileIdleMs,
		totalMs: LIMITS.fileTotalMs,
		signal: cancelSignal(ctx),
	});
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
	return { binary, bytes, isCutOff: wholeness?.isCutOff() ?? false };
}
