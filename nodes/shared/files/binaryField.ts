import { createHash } from 'crypto';
import type { IBinaryData, IExecuteFunctions } from 'n8n-workflow';

import type { CheckedFile } from '../api/uploadFile';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { ResponseStream } from '../transport/responseBody';
import { readStart } from '../transport/responseBody';
import { LIMITS } from '../transport/timeouts';
import { WINDOW_BYTES } from './byteReader';
import type { FileParameter, FileRule } from './checkFile';
import { checkStart, fileParameter } from './checkFile';
import { checkedFrom } from './inspect';

/**
 * Bytes read from the binary store at a time. Pieces of 1 MiB are a little faster and cost up to 90 MiB more
 * memory, because V8 frees them late (bench/README.md).
 */
const CHUNK_BYTES = 131_072;

/**
 * Checks the file in the binary field that `field` names. Throws `NodeOperationError` that names parameter
 * and item when the field is missing, empty, too large or holds something else.
 */
export async function fileFromItem(parameter: FileParameter, field: unknown): Promise<CheckedFile> {
	const { ctx, itemIndex, rule, fail } = parameter;
	if (field === '' || field === undefined || field === null)
		return fail(
			'no binary field is named',
			'Enter the name of the field that holds the file, as the INPUT panel shows it under "Binary".',
		);
	const binary = binaryOf(ctx, itemIndex, field);
	if (binary) return await checkBinary(parameter, binary);
	const item = ctx.getInputData()[itemIndex];
	const names = Object.keys(
		item?.binary ?? (item?.json[COMBINED_FILES] as object | undefined) ?? {},
	);
	const name = typeof field === 'string' ? `"${field}"` : 'that the expression names';
	return fail(`the item has no binary field ${name}`, fieldAdvice(names, rule));
}

/** Says which fields of the item hold files, and what to do with that. */
function fieldAdvice(names: string[], { label }: FileRule): string {
	if (names.length === 0) return 'The item has no file at all: connect a node that outputs one.';
	return names.length === 1
		? `The item has the field ${names[0]}: enter ${names[0]} in ${label} Field.`
		: `The item has the fields ${names.join(', ')}: enter one of them in ${label} Field.`;
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
	return await checkBinary(fileParameter(ctx, itemIndex, rule), binary);
}

async function checkBinary(parameter: FileParameter, binary: IBinaryData): Promise<CheckedFile> {
	const { ctx, fail } = parameter;
	let facts: { start: Buffer; size: number; fingerprint: string };
	try {
		facts = binary.id ? await storedFacts(ctx, binary.id) : memoryFacts(binary.data);
	} catch {
		throwIfCancelled(ctx);
		return fail(
			'n8n could not read the file from its storage',
			'Run the node that made the file again.',
		);
	}
	const { start, size, fingerprint } = facts;
	const kind = checkStart(parameter, start, size);
	const open = () =>
		chunksOf(ctx, binary, size, () =>
			fail(
				'n8n could not read the file from its storage while it was sent',
				'Nothing was started. Run the node that made the file again.',
			),
		);
	return await checkedFrom(parameter, { kind, size, fingerprint, open }, start);
}

/** First bytes and length of a file in n8n's store. Its ID is its fingerprint: no other file ever has it. */
async function storedFacts(ctx: IExecuteFunctions, id: string) {
	const stream = (await ctx.helpers.getBinaryStream(id, WINDOW_BYTES)) as ResponseStream;
	const limits = { idleMs: LIMITS.fileIdleMs, signal: cancelSignal(ctx) };
	const start = await readStart(stream, WINDOW_BYTES, limits);
	return { start, size: (await ctx.helpers.getBinaryMetadata(id)).fileSize, fingerprint: id };
}

/** The same of a file that lies in the item; the hash of its bytes tells it from every other. */
function memoryFacts(base64: string) {
	const hash = createHash('sha256');
	let start: Buffer | undefined;
	let size = 0;
	for (const piece of decodedChunks(base64)) {
		start ??= piece.subarray(0, WINDOW_BYTES);
		size += piece.length;
		hash.update(piece);
	}
	return { start: start ?? Buffer.alloc(0), size, fingerprint: hash.digest('base64url') };
}

/**
 * The bytes of a file that n8n holds, in pieces. Fails when there are not `size` of
 * them: the request has stated its length by then, and the server would wait for the rest.
 */
async function* chunksOf(
	ctx: IExecuteFunctions,
	binary: IBinaryData,
	size: number,
	failUnreadable: () => never,
): AsyncIterable<Uint8Array> {
	let bytes = 0;
	try {
		for await (const piece of binary.id
			? storedChunks(ctx, binary.id)
			: decodedChunks(binary.data)) {
			bytes += piece.length;
			if (bytes > size) break;
			yield piece;
		}
	} catch {
		failUnreadable();
	}
	if (bytes !== size) failUnreadable();
}

async function* storedChunks(ctx: IExecuteFunctions, id: string): AsyncIterable<Uint8Array> {
	const stream = (await ctx.helpers.getBinaryStream(id, CHUNK_BYTES)) as ResponseStream;
	try {
		for await (const chunk of stream) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
	} finally {
		stream.destroy();
	}
}

/** Decodes base64 text piece by piece. Line breaks in it, as MIME has them, are left out. */
function* decodedChunks(base64: string): Generator<Buffer> {
	const step = Math.ceil(CHUNK_BYTES / 3) * 4;
	let rest = '';
	for (let at = 0; at < base64.length; at += step) {
		const text = rest + base64.slice(at, at + step).replace(/\s+/g, '');
		// Four signs are three bytes; what is left over goes before the next piece.
		const whole = text.length - (text.length % 4);
		rest = text.slice(whole);
		if (whole > 0) yield Buffer.from(text.slice(0, whole), 'base64');
	}
	if (rest) yield Buffer.from(rest, 'base64');
}
