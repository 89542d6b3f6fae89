import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** An answer before it is sent, so that a fault can still change it. */
export interface Answer {
	status: number;
	headers: Record<string, string>;
	/** Content-Length. */
	bytes: number;
	stream: () => Readable;
}

/** How much of the body is sent, and how fast. */
export interface Delivery {
	/** Cut the connection after this many bytes of the body. */
	cutAfter?: number;
	bytesPerSecond?: number;
}

export function textAnswer(
	status: number,
	contentType: string,
	text: string,
	headers: Record<string, string> = {},
): Answer {
	const body = Buffer.from(text);
	return {
		status,
		headers: { 'content-type': contentType, ...headers },
		bytes: body.length,
		stream: () => Readable.from(body.length > 0 ? [body] : []),
	};
}

export function jsonAnswer(
	status: number,
	value: unknown,
	headers: Record<string, string> = {},
): Answer {
	return textAnswer(status, 'application/json', JSON.stringify(value), headers);
}

export function redirectAnswer(location: string): Answer {
	return {
		status: 302,
		headers: { location },
		bytes: 0,
		stream: () => Readable.from([]),
	};
}

/** Sends an answer with its Content-Length. Resolves when it is out; rejects when the client left. */
export async function send(
	response: ServerResponse,
	answer: Answer,
	signal: AbortSignal,
	{ cutAfter, bytesPerSecond }: Delivery = {},
): Promise<void> {
	response.writeHead(answer.status, { ...answer.headers, 'content-length': String(answer.bytes) });
	if (response.req.method === 'HEAD' || answer.bytes === 0) {
		response.end();
		await finished(response);
		return;
	}
	let body: Readable = answer.stream();
	if (bytesPerSecond !== undefined) {
		body = Readable.from(paced(body, bytesPerSecond, signal), { objectMode: false });
	}
	if (cutAfter === undefined || cutAfter >= answer.bytes) {
		await pipeline(body, response);
		return;
	}
	response.flushHeaders();
	let left = cutAfter;
	for await (const chunk of body as AsyncIterable<Buffer>) {
		if (left <= 0) break;
		const part = chunk.subarray(0, left);
		left -= part.length;
		await new Promise<void>((resolve, reject) => {
			response.write(part, (error) => (error ? reject(error) : resolve()));
		});
	}
	response.destroy();
}

async function* paced(
	body: Readable,
	bytesPerSecond: number,
	signal: AbortSignal,
): AsyncGenerator<Buffer> {
	const portion = Math.max(1, Math.floor(bytesPerSecond / 20));
	for await (const chunk of body as AsyncIterable<Buffer>) {
		for (let at = 0; at < chunk.length; at += portion) {
			const part = chunk.subarray(at, at + portion);
			await sleep((part.length / bytesPerSecond) * 1000, undefined, { signal });
			yield part;
		}
	}
}
