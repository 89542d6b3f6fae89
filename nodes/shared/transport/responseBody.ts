import { ApplicationError } from 'n8n-workflow';

import { systemClock } from '../async/clock';
import { LIMITS } from './timeouts';

/**
 * A body as n8n hands it out. Node's own stream class cannot be imported here: the rules for community
 * nodes do not allow it.
 */
export interface ResponseStream extends NodeJS.ReadableStream {
	destroy(error?: Error): void;
}

/** Why a body could not be read to its end; the message is a sentence without full stop. */
export class UnreadableBody extends ApplicationError {
	constructor(message: string) {
		super(message, { level: 'warning' });
	}
}

/** How long a stream may be silent, and what ends it early. */
export interface StreamLimits {
	/** Milliseconds without a byte after which the stream is ended. */
	idleMs: number;
	/** Milliseconds in all after which it is ended. */
	totalMs?: number;
	signal?: AbortSignal;
}

/**
 * Watches a stream without touching its flow and ends it with an error when it falls silent, takes too
 * long, or `signal` aborts. Returns the function that stops watching.
 *
 * The listener is put in with `prependListener`, because `on('data')` would start the flow before the
 * one who reads it is ready.
 */
export function watchStream(stream: ResponseStream, limits: StreamLimits): () => void {
	const { idleMs, totalMs = Infinity, signal } = limits;
	ignoreErrors(stream);
	const startedAt = systemClock.now();
	const stopped = new AbortController();
	let lastByteAt = startedAt;
	stream.prependListener('data', () => {
		lastByteAt = systemClock.now();
	});
	const onAbort = () => stream.destroy(new UnreadableBody('The execution was stopped'));
	if (signal?.aborted) onAbort();
	signal?.addEventListener('abort', onAbort, { once: true });
	const watch = async () => {
		for (;;) {
			const now = systemClock.now();
			const leftMs = Math.min(lastByteAt + idleMs, startedAt + totalMs) - now;
			if (leftMs <= 0) {
				stream.destroy(new UnreadableBody('The server did not send the whole answer in time'));
				return;
			}
			await systemClock.sleep(leftMs, stopped.signal);
			if (stopped.signal.aborted) return;
		}
	};
	void watch();
	return () => {
		stopped.abort();
		signal?.removeEventListener('abort', onAbort);
	};
}

/**
 * Makes sure that an error of a body which nobody reads any more, or not yet, does not end n8n's process.
 * Who reads it sees the error all the same.
 */
export function ignoreErrors(stream: ResponseStream): void {
	stream.on('error', () => undefined);
}

/**
 * Reads a body as UTF-8 text. Throws {@link UnreadableBody} when it is longer than
 * `LIMITS.jsonBytes`, breaks off or falls silent.
 */
export async function readText(stream: ResponseStream, signal?: AbortSignal): Promise<string> {
	const { jsonIdleMs: idleMs, jsonTotalMs: totalMs, jsonBytes } = LIMITS;
	const bytes = await collect(stream, jsonBytes + 1, { idleMs, totalMs, signal });
	if (bytes.length > jsonBytes) return fail('The answer of the server is too large');
	return bytes.toString('utf8');
}

/**
 * Reads at least the first `count` bytes of a stream, or all there are, and ends it. Errors as in
 * {@link readText}.
 */
export async function readStart(
	stream: ResponseStream,
	count: number,
	limits: StreamLimits,
): Promise<Buffer> {
	return (await collect(stream, count, limits)).subarray(0, count);
}

/** Reads until `enough` bytes are there or the stream ends, then ends it. */
async function collect(
	stream: ResponseStream,
	enough: number,
	limits: StreamLimits,
): Promise<Buffer> {
	const unwatch = watchStream(stream, limits);
	const chunks: Buffer[] = [];
	let bytes = 0;
	try {
		for await (const chunk of stream) {
			const buffer = Buffer.from(chunk);
			chunks.push(buffer);
			bytes += buffer.length;
			if (bytes >= enough) break;
		}
	} catch (error) {
		return fail(
			error instanceof UnreadableBody ? error.message : 'The answer of the server broke off',
		);
	} finally {
		unwatch();
		stream.destroy();
	}
	return Buffer.concat(chunks);
}

function fail(message: string): never {
	throw new UnreadableBody(message);
}
