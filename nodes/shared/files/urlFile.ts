import { createHash } from 'crypto';

import type { CheckedFile } from '../api/uploadFile';
import type { ByteRange } from '../media/byteRanges';
import { KINDS } from '../media/formats';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { PublicAnswer } from '../transport/fetchPublic';
import { getPublic, lengthOf } from '../transport/fetchPublic';
import { watchStream, readStart } from '../transport/responseBody';
import { LIMITS } from '../transport/timeouts';
import { fileFromBinary } from './binaryField';
import { WINDOW_BYTES } from './byteReader';
import type { FileParameter } from './checkFile';
import { checkStart, megabytes } from './checkFile';
import { checkedFrom } from './inspect';
import { storeBody } from './store';

/** Behind an error that came while a file was sent to Mirage. */
const RUN_AGAIN =
	'Nothing was started. Run the node again. If that does not help, fetch the file with an HTTP Request node and use its binary field.';

/**
 * Checks the file behind a URL by its first bytes. It is fetched without the API key. When the server
 * tells the length the file is streamed from there at upload; otherwise it goes through n8n's binary
 * store first. Errors as in {@link fileFromItem}.
 */
export async function fileFromUrl(parameter: FileParameter, url: string): Promise<CheckedFile> {
	const { fail } = parameter;
	if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
		return fail(
			'the URL is not a web address',
			'Enter an address that starts with https:// or http://.',
		);
	const answer = await fetchUrl(parameter, url, { from: 0, count: WINDOW_BYTES });
	const start = await firstBytes(parameter, answer, WINDOW_BYTES);
	const size = lengthOf(answer);
	const kind = checkStart(parameter, start, size);
	const { etag, 'last-modified': modified } = answer.headers;
	// What else tells two files behind one address apart, where the server says nothing.
	const version = etag ?? modified ?? createHash('sha256').update(start).digest('base64url');
	if (size === undefined) return await storedFirst(parameter, url, version, kind);
	const file = {
		kind,
		size,
		fingerprint: `${url}:${size}:${version}`,
		open: () => chunksFromUrl(parameter, url, size),
		range:
			answer.status === 206
				? async (part: ByteRange) => await partOf(parameter, url, part)
				: undefined,
	};
	return await checkedFrom(parameter, file, start);
}

/** A file whose length the server does not tell: it is fetched into n8n's store, and sent from there. */
async function storedFirst(
	parameter: FileParameter,
	url: string,
	version: string,
	kind: CheckedFile['kind'],
): Promise<CheckedFile> {
	const { ctx, itemIndex, rule, fail } = parameter;
	const { body } = await fetchUrl(parameter, url);
	const name = { fileName: `file.${KINDS[kind].extension}`, mimeType: KINDS[kind].mimeType };
	const result = await storeBody(ctx, body, name, { maxBytes: rule.maxBytes });
	if ('problem' in result)
		return fail(
			result.problem === 'too large' && rule.maxBytes
				? `the file behind the URL is larger than ${megabytes(rule.maxBytes)}`
				: 'the file behind the URL broke off',
			`Use ${rule.wanted}.`,
		);
	const file = await fileFromBinary(ctx, itemIndex, result.binary, rule);
	// The store gives a new ID every time; the item is known again by its address.
	return { ...file, fingerprint: `${url}:${result.bytes}:${version}` };
}

/** The first bytes of an answer, which is ended then: a server that knows no ranges sends the whole file. */
async function firstBytes(
	{ ctx, fail }: FileParameter,
	{ body }: PublicAnswer,
	count: number,
): Promise<Buffer> {
	const limits = { idleMs: LIMITS.fileIdleMs, signal: cancelSignal(ctx) };
	try {
		return await readStart(body, count, limits);
	} catch {
		throwIfCancelled(ctx);
		return fail(
			'the file behind the URL broke off',
			'Check that the address opens the file in a browser.',
		);
	}
}

/** A part of a file whose server knew ranges when it was asked first. */
async function partOf(parameter: FileParameter, url: string, part: ByteRange): Promise<Buffer> {
	const answer = await fetchUrl(parameter, url, part);
	const isPart = answer.headers['content-range']?.startsWith(`bytes ${part.from}-`);
	if (answer.status === 206 && isPart) return await firstBytes(parameter, answer, part.count);
	answer.body.destroy();
	return parameter.fail('the file behind the URL changed', RUN_AGAIN);
}

async function* chunksFromUrl(
	parameter: FileParameter,
	url: string,
	size: number,
): AsyncIterable<Uint8Array> {
	const { ctx, fail } = parameter;
	const { body } = await fetchUrl(parameter, url);
	const unwatch = watchStream(body, {
		idleMs: LIMITS.fileIdleMs,
		totalMs: LIMITS.fileTotalMs,
		signal: cancelSignal(ctx),
	});
	let bytes = 0;
	try {
		for await (const chunk of body) {
			const piece = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer);
			bytes += piece.length;
			if (bytes > size) break;
			yield piece;
		}
	} catch {
		throwIfCancelled(ctx);
		return fail('the file behind the URL broke off while it was sent', RUN_AGAIN);
	} finally {
		unwatch();
		body.destroy();
	}
	if (bytes !== size) fail('the file behind the URL changed while it was sent', RUN_AGAIN);
}

/** Fetches a URL of the user's, or a part of it. Fails for everything but a success. */
async function fetchUrl(
	{ ctx, fail }: FileParameter,
	url: string,
	part?: ByteRange,
): Promise<PublicAnswer> {
	const range = part && `bytes=${part.from}-${part.from + part.count - 1}`;
	const answer = await getPublic(ctx, url, range ? { range } : {});
	if (!answer)
		return fail(
			'the URL could not be reached',
			'Check the address. n8n itself must be able to open it, without a login.',
		);
	if (answer.status === 200 || answer.status === 206) return answer;
	answer.body.destroy();
	if (answer.status >= 300 && answer.status < 400)
		return fail(
			'the URL redirects and leads to no file',
			'Check that the address opens the file itself, without a login.',
		);
	if (answer.status === 416) return fail('the file behind the URL is empty', 'Check the address.');
	return fail(
		`the URL answered with status ${answer.status}`,
		'Check that the address opens the file itself, without a login.',
	);
}
