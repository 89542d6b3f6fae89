import type { IBinaryData, IExecuteFunctions, IPollFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { cancelSignal, throwIfCancelled } from './cancellation';
import type { FileKind, Wholeness } from './fileKinds';
import { KINDS, kindOf, SNIFF_BYTES } from './fileKinds';
import { requiredText } from './parameters';
import type { PublicAnswer } from './publicAddresses';
import { getPublic, lengthOf } from './publicAddresses';
import type { ResponseStream } from './streams';
import { guard, LIMITS, readStart, UnreadableBody } from './streams';

/** A file that was looked at and can be uploaded. Its bytes stay where they are until then. */
export interface CheckedFile {
	kind: FileKind;
	/** Exact length in bytes. */
	size: number;
	/** The first bytes, at most {@link FileRule.startBytes}. */
	start: Buffer;
	/**
	 * Opens the file from its beginning; may be called once for every try. Throws `NodeOperationError` when
	 * it cannot be read to its end.
	 */
	open(): AsyncIterable<Uint8Array>;
	/** Tells this file from another one, to recognise an item that was run before. */
	fingerprint: string;
}

/** What a parameter takes. */
export interface FileRule {
	/** The label of the parameter in the panel. */
	label: string;
	kinds: FileKind[];
	/** What to use, behind "Use": `a JPEG or PNG picture`. */
	wanted: string;
	/** Largest size in bytes that the API takes. */
	maxBytes?: number;
	/** Bytes that are read for checks before the upload. Default {@link SNIFF_BYTES}. */
	startBytes?: number;
}

/**
 * Bytes read from the binary store at a time. Pieces of 1 MiB are a little faster and cost up to 90 MiB more
 * memory, because V8 frees them late (bench/README.md).
 */
const CHUNK_BYTES = 131_072;

const megabytes = (bytes: number) => `${Math.round(bytes / 100_000) / 10} MB`;

/** Reads a file parameter: `…Source` says where from, `…Field` or `…Url` which one. */
export async function checkedFile(
	ctx: IExecuteFunctions,
	itemIndex: number,
	parameters: { source: string; field: string; url: string },
	rule: FileRule,
): Promise<CheckedFile> {
	const source = ctx.getNodeParameter(parameters.source, itemIndex) as string;
	return source === 'url'
		? await fileFromUrl(ctx, itemIndex, parameters.url, rule)
		: await fileFromItem(ctx, itemIndex, parameters.field, rule);
}

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

/**
 * Checks the file behind a URL by its first bytes. It is fetched without the API key. When the server
 * tells the length the file is streamed from there at upload; otherwise it goes through n8n's binary
 * store first. Errors as in {@link fileFromItem}.
 */
export async function fileFromUrl(
	ctx: IExecuteFunctions,
	itemIndex: number,
	parameter: string,
	rule: FileRule,
): Promise<CheckedFile> {
	const url = requiredText(ctx, parameter, `${rule.label} URL`, itemIndex);
	const say = (problem: string, advice: string) =>
		inputError(ctx, itemIndex, rule, problem, advice);
	if (!/^https?:$/.test(protocolOf(url)))
		throw say(
			'the URL is not a web address',
			'Enter an address that starts with https:// or http://.',
		);
	const startBytes = rule.startBytes ?? SNIFF_BYTES;
	const peek = await get(ctx, url, say, { range: `bytes=0-${startBytes - 1}` });
	let start: Buffer;
	try {
		start = await readStart(peek.body, startBytes, {
			idleMs: LIMITS.fileIdleMs,
			signal: cancelSignal(ctx),
		});
	} catch {
		throwIfCancelled(ctx);
		throw say(
			'the file behind the URL broke off',
			'Check that the address opens the file in a browser.',
		);
	}
	const size = lengthOf(peek);
	const kind = checkStart(ctx, itemIndex, start, size, rule);
	if (size === undefined) {
		const whole = await get(ctx, url, say);
		const binary = await stored(
			ctx,
			whole.body,
			{ fileName: `file.${KINDS[kind].extension}`, mimeType: KINDS[kind].mimeType },
			{ maxBytes: rule.maxBytes },
		);
		if ('problem' in binary)
			throw say(
				binary.problem === 'too large' && rule.maxBytes
					? `the file behind the URL is larger than ${megabytes(rule.maxBytes)}`
					: 'the file behind the URL broke off',
				`Use ${rule.wanted}.`,
			);
		const file = await fileFromBinary(ctx, itemIndex, binary.binary, rule);
		// The store gives a new ID every time; the item is known again by its address.
		return { ...file, fingerprint: `${url}:${binary.bytes}` };
	}
	return {
		kind,
		size,
		start,
		open: () => chunksFromUrl(ctx, url, size, say),
		fingerprint: `${url}:${size}`,
	};
}

type Say = (problem: string, advice: string) => NodeOperationError;

async function* chunksFromUrl(
	ctx: IExecuteFunctions,
	url: string,
	size: number,
	say: Say,
): AsyncIterable<Uint8Array> {
	const { body } = await get(ctx, url, say);
	const unwatch = guard(body, {
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
		throw say(
			'the file behind the URL broke off while it was sent',
			'Nothing was started. Run the node again. If that does not help, fetch the file with an HTTP Request node and use its binary field.',
		);
	} finally {
		unwatch();
		body.destroy();
	}
	if (bytes !== size)
		throw say(
			'the file behind the URL changed while it was sent',
			'Nothing was started. Run the node again. If that does not help, fetch the file with an HTTP Request node and use its binary field.',
		);
}

/** Fetches a URL of the user's. Throws the given error for everything but a success. */
async function get(
	ctx: IExecuteFunctions,
	url: string,
	say: Say,
	headers: Record<string, string> = {},
): Promise<PublicAnswer> {
	const answer = await getPublic(ctx, url, headers);
	if (!answer)
		throw say(
			'the URL could not be reached',
			'Check the address. n8n itself must be able to open it, without a login.',
		);
	if (answer.status === 200 || answer.status === 206) return answer;
	answer.body.destroy();
	if (answer.status >= 300 && answer.status < 400)
		throw say(
			'the URL redirects and leads to no file',
			'Check that the address opens the file itself, without a login.',
		);
	if (answer.status === 416) throw say('the file behind the URL is empty', 'Check the address.');
	throw say(
		`the URL answered with status ${answer.status}`,
		'Check that the address opens the file itself, without a login.',
	);
}

function protocolOf(url: string): string {
	try {
		return new URL(url).protocol;
	} catch {
		return '';
	}
}

/** Checks emptiness, size and kind; throws the error for the item. */
function checkStart(
	ctx: IExecuteFunctions,
	itemIndex: number,
	start: Buffer,
	size: number | undefined,
	rule: FileRule,
): FileKind {
	const say = (problem: string) => inputError(ctx, itemIndex, rule, problem, `Use ${rule.wanted}.`);
	if (size === 0 || start.length === 0) throw say('the file is empty');
	const kind = kindOf(start);
	if (!kind || !rule.kinds.includes(kind))
		throw say(
			kind
				? `the file is ${/^mp/.test(kind) ? 'an' : 'a'} ${kind.toUpperCase()}`
				: 'the content of the file is not of a kind that Mirage takes',
		);
	if (size !== undefined && rule.maxBytes !== undefined && size > rule.maxBytes)
		throw say(
			`the file has ${megabytes(size)}, more than the ${megabytes(rule.maxBytes)} that Mirage takes`,
		);
	return kind;
}

/** An error about an input file, for the person at the canvas. */
export function inputError(
	ctx: IExecuteFunctions,
	itemIndex: number,
	rule: Pick<FileRule, 'label'>,
	problem: string,
	advice: string,
): NodeOperationError {
	const message = `${rule.label}: ${problem} [item ${itemIndex}]`;
	const error = new NodeOperationError(ctx.getNode(), message, { itemIndex, description: advice });
	// n8n swaps a message for one of its own when a network code occurs in it, also inside a name.
	error.message = message;
	return error;
}

/**
 * The platform's own `File`, but with the length and the bytes of a {@link CheckedFile}: the multipart
 * encoder reads them as a stream, so no file is held in memory as a whole. RULE: append it to a
 * `FormData` without a file name argument; with one, the platform copies it into a plain `File`.
 */
class StreamedFile extends File {
	/** Why the file could not be read to its end while it was sent. */
	failure?: NodeOperationError;
	readonly #file: CheckedFile;

	constructor(file: CheckedFile, name: string) {
		super([], name, { type: KINDS[file.kind].mimeType });
		this.#file = file;
		Object.defineProperty(this, 'size', { value: file.size });
	}

	override stream(): ReturnType<File['stream']> {
		return ReadableStream.from(this.#chunks()) as ReturnType<File['stream']>;
	}

	async *#chunks() {
		try {
			yield* this.#file.open();
		} catch (error) {
			this.failure = error as NodeOperationError;
			// The same error: n8n makes no new one of its own.
			throw new NodeOperationError(this.failure.node, this.failure);
		}
	}
}

/**
 * The part of a form that uploads a file. Its name is made from the form's field and the kind, so no
 * text of the user's reaches the header of the part.
 */
export function formPart(file: CheckedFile, field: string): File {
	return new StreamedFile(file, `${field}.${KINDS[file.kind].extension}`);
}

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
