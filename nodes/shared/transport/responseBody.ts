import { ApplicationError } from 'n8n-workflow';

import type { Clock } from '../async/clock';
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
export interface Guard {
	/** Milliseconds without a byte after which the stream is ended. */
	idleMs: number;
	/** Milliseconds in all after which it is ended. */
	totalMs?: number;
	signal?: AbortSignal;
	clock?: Clock;
}

/**
 * Watches a stream without touching its flow and ends it with an error when it falls silent, takes too
 * long, or `signal` aborts. Returns the function that stops watching.
 *
 * The listener is put in with `prependListener`, because `on('data')` would start the flow before the
 * one who reads it is ready.
 */
export function guard(stream: ResponseStream, limits: Guard): () => void {
	const { idleMs, totalMs = Infinity, signal, clock = systemClock } = limits;
	ignoreErrors(stream);
	const startedAt = clock.now();
	const stopped = new AbortController();
	let lastByteAt = startedAt;
	stream.prependListener('data', () => {
		lastByteAt = clock.now();
	});
	const onAbort = () => stream.destroy(new UnreadableBody('The execution was stopped'));
	if (signal?.aborted) onAbort();
	signal?.addEventListener('abort', onAbort, { once: true });
	const watch = async () => {
		for (;;) {
			const now = clock.now();
			const leftMs = Math.min(lastByteAt + idleMs, startedAt + totalMs) - now;
			if (leftMs <= 0) {
				stream.destroy(new UnreadableBody('The server did not send the whole answer in time'));
				return;
			}
			await clock.sleep(leftMs, stopped.signal);
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

/** Limits of every JSON body. */
export function jsonLimits(signal?: AbortSignal): Guard & { maxBytes: number } {
	const { jsonIdleMs: idleMs, jsonTotalMs: totalMs, jsonBytes: maxBytes } = LIMITS;
	return { idleMs, totalMs, maxBytes, signal };
}

/**
 * Reads a body as UTF-8 text. Throws {@link UnreadableBody} when it is longer than `maxBytes`, breaks
 * off or falls silent.
 */
export async function readText(
	stream: ResponseStream,
	limits: Guard & { maxBytes: number },
): Promise<string> {
	return (await readBytes(stream, limits)).toString('utf8');
}

/** Reads a body into memory. Same limits and errors as {@link readText}. */
export async function readBytes(
	stream: ResponseStream,
	limits: Guard & { maxBytes: number },
): Promise<Buffer> {
	const unwatch = guard(stream, limits);
	const chunks: Buffer[] = [];
	let bytes = 0;
	try {
		for await (const chunk of stream) {
			const buffer = Buffer.from(chunk);
			bytes += buffer.length;
			if (bytes > limits.maxBytes) return fail('The answer of the server is too large');
			chunks.push(buffer);
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

/**
 * Reads at least the first `count` bytes of a stream, or all there are, and ends it. Errors as in
 * {@link readText}.
 */
export async function readStart(
	stream: ResponseStream,
	count: number,
	limits: Guard,
): Promise<Buffer> {
	const unwatch = guard(stream, limits);
	const chunks: Buffer[] = [];
	let bytes = 0;
	try {
		for await (const chunk of stream) {
			chunks.push(Buffer.from(chunk));
			bytes += chunks.at(-1)!.length;
			if (bytes >= count) break;
		}
	} catch (error) {
		return fail(
			error instanceof UnreadableBody ? error.message : 'The answer of the server broke off',
		);
	} finally {
		unwatch();
		stream.destroy();
	}
	return Buffer.concat(chunks).subarray(0, count);
}

function fail(message: string): never {
	throw new UnreadableBody(message);
}
