import type { IBinaryData, IExecuteFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import type { CheckedFile } from '../api/uploadFile';
import { SNIFF_BYTES } from '../media/formats';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { ResponseStream } from '../transport/responseBody';
import { readStart } from '../transport/responseBody';
import { LIMITS } from '../transport/timeouts';
import type { FileRule } from './checkFile';
import { checkStart, inputError } from './checkFile';

/**
 * Bytes read from the binary store at a time. Pieces of 1 MiB are a little faster and cost up to 90 MiB more
 * memory, because V8 frees them late (bench/README.md).
 */
const CHUNK_BYTES = 131_072;

/**
 * Checks the file in a binary field of the item. Throws `NodeOperationError` that names parameter and
 * item when the field is missing, empty, too large or holds something else.
 */
export async function fileFromItem(
	ctx: IExecuteFunctions,
	itemIndex: number,
	parameter: string,
	rule: FileRule,
): Promise<CheckedFile> {
	const field: unknown = ctx.getNodeParameter(parameter, itemIndex);
	if (field === '' || field === undefined || field === null)
		throw inputError(
			ctx,
			itemIndex,
			rule,
			'no binary field is named',
			'Enter the name of the field that holds the file, as the INPUT panel shows it under "Binary".',
		);
	const binary = binaryOf(ctx, itemIndex, field);
	if (!binary) {
		const item = ctx.getInputData()[itemIndex];
		const names = Object.keys(
			item?.binary ?? (item?.json[COMBINED_FILES] as object | undefined) ?? {},
		);
		const has =
			names.length > 0
				? `It has: ${names.join(', ')}.`
				: 'It has no file at all: connect a node that outputs one.';
		const name = typeof field === 'string' ? `"${field}"` : 'that the expression names';
		throw inputError(ctx, itemIndex, rule, `the item has no binary field ${name}`, has);
	}
	return await fileFromBinary(ctx, itemIndex, binary, rule);
}

/**
 * Where n8n 2 keeps an item's files when the workflow setting `binaryMode` is `combined`: in its JSON,
 * under this key. Field names keep meaning the same there.
 */
const COMBINED_FILES = '_files';

/** The file that a binary field names, in both of n8n's layouts; `undefined` when there is none. */
function binaryOf(
	ctx: IExecuteFunctions,
	itemIndex: number,
	field: unknown,
): IBinaryData | undefined {
	const item = ctx.getInputData()[itemIndex];
	if (typeof field === 'string' && item?.binary?.[field]) return item.binary[field];
	const ways = typeof field === 'string' ? [field, `${COMBINED_FILES}.${field}`] : [field];
	for (const way of ways) {
		try {
			return ctx.helpers.assertBinaryData(itemIndex, way as string);
		} catch {
			// The next way, or the caller's own error: n8n's does not name the parameter.
		}
	}
	return undefined;
}

/** Checks a file that n8n already holds. Errors as in {@link fileFromItem}. */
export async function fileFromBinary(
	ctx: IExecuteFunctions,
	itemIndex: number,
	binary: IBinaryData,
	rule: FileRule,
): Promise<CheckedFile> {
	const startBytes = rule.startBytes ?? SNIFF_BYTES;
	let start: Buffer;
	let size: number;
	try {
		start = await firstBytes(ctx, binary, startBytes);
		size = await sizeOf(ctx, binary);
	} catch {
		throwIfCancelled(ctx);
		throw inputError(
			ctx,
			itemIndex,
			rule,
			'n8n could not read the file from its storage',
			'Run the node that made the file again.',
		);
	}
	const kind = checkStart(ctx, itemIndex, start, size, rule);
	return {
		kind,
		size,
		start,
		open: () =>
			chunksOf(ctx, binary, size, () =>
				inputError(
					ctx,
					itemIndex,
					rule,
					'n8n could not read the file from its storage while it was sent',
					'Nothing was started. Run the node that made the file again.',
				),
			),
		fingerprint: binary.id ?? `${size}:${binary.data.slice(0, 64)}:${binary.data.slice(-64)}`,
	};
}

/** Length of a file that n8n holds, in bytes. */
async function sizeOf(ctx: IExecuteFunctions, binary: IBinaryData): Promise<number> {
	if (binary.id) return (await ctx.helpers.getBinaryMetadata(binary.id)).fileSize;
	return Buffer.byteLength(binary.data, 'base64');
}

async function firstBytes(
	ctx: IExecuteFunctions,
	binary: IBinaryData,
	count: number,
): Promise<Buffer> {
	if (!binary.id) return decode(binary.data, 0, count);
	const stream = (await ctx.helpers.getBinaryStream(binary.id, count)) as ResponseStream;
	return await readStart(stream, count, { idleMs: LIMITS.fileIdleMs, signal: cancelSignal(ctx) });
}

/** Decodes a part of a base64 text; `from` is a multiple of 3. */
function decode(base64: string, from: number, count: number): Buffer {
	const at = (from / 3) * 4;
	return Buffer.from(base64.slice(at, at + Math.ceil(count / 3) * 4), 'base64').subarray(0, count);
}

/**
 * The bytes of a file that n8n holds, in pieces. Throws the given error when there are not `size` of
 * them: the request has stated its length by then, and the server would wait for the rest.
 */
async function* chunksOf(
	ctx: IExecuteFunctions,
	binary: IBinaryData,
	size: number,
	unreadable: () => NodeOperationError,
): AsyncIterable<Uint8Array> {
	let bytes = 0;
	try {
		for await (const piece of binary.id ? storedChunks(ctx, binary.id) : decodedChunks(binary)) {
			bytes += piece.length;
			if (bytes > size) break;
			yield piece;
		}
	} catch {
		throw unreadable();
	}
	if (bytes !== size) throw unreadable();
}

async function* storedChunks(ctx: IExecuteFunctions, id: string): AsyncIterable<Uint8Array> {
	const stream = (await ctx.helpers.getBinaryStream(id, CHUNK_BYTES)) as ResponseStream;
	try {
		for await (const chunk of stream) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
	} finally {
		stream.destroy();
	}
}

function* decodedChunks({ data }: IBinaryData): Iterable<Uint8Array> {
	const step = CHUNK_BYTES - (CHUNK_BYTES % 3);
	for (let from = 0; ; from += step) {
		const piece = decode(data, from, step);
		if (piece.length === 0) return;
		yield piece;
	}
}
