import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import busboy from 'busboy';

import { Refused } from './invalid';
import { Mp4Header } from './mp4Header';
import type { LoggedFile } from './types';

/** An uploaded file: what is known of it once its bytes have passed through. */
export interface UploadedFile extends LoggedFile {
	/** The first bytes, at most `HEAD_BYTES`. */
	head: Buffer;
	/** What an MP4 or MOV says of itself. */
	mp4: Mp4Header;
}

export interface MultipartForm {
	fields: Record<string, string[]>;
	files: UploadedFile[];
}

/** How much of a file is kept in memory. */
export const HEAD_BYTES = 64 * 1024;

/**
 * Reads a multipart body as a stream; of each file only the head, the length and the hash are kept.
 * `onBytes` is told the length of each chunk of the body. Throws Refused (400, as Starlette answers) for a body that is not well-formed multipart.
 */
export async function readMultipart(
	request: IncomingMessage,
	hashFiles: boolean,
	onBytes: (count: number) => void,
): Promise<MultipartForm> {
	const form: MultipartForm = { fields: {}, files: [] };
	let parser: busboy.Busboy;
	try {
		parser = busboy({
			headers: request.headers,
			preservePath: true,
			defParamCharset: 'utf8',
			highWaterMark: 1024 * 1024,
			limits: { fieldSize: 1024 * 1024 },
		});
	} catch {
		throw unreadable();
	}
	let received = 0;
	await new Promise<void>((resolve, reject) => {
		parser.on('field', (name, value) => (form.fields[name] ??= []).push(value));
		parser.on('file', (field, stream, info) => {
			const file: UploadedFile = {
				field,
				// Busboy's types leave out that a part need not carry a name.
				fileName: (info.filename as string | undefined) ?? '',
				mimeType: info.mimeType,
				bytes: 0,
				sha256: '',
				head: Buffer.alloc(0),
				mp4: new Mp4Header(),
			};
			form.files.push(file);
			const hash = hashFiles ? createHash('sha256') : undefined;
			stream.on('data', (chunk: Buffer) => {
				if (file.head.length < HEAD_BYTES) {
					file.head = Buffer.concat([file.head, chunk.subarray(0, HEAD_BYTES - file.head.length)]);
				}
				file.mp4.push(chunk);
				file.bytes += chunk.length;
				hash?.update(chunk);
			});
			stream.on('end', () => (file.sha256 = hash?.digest('hex') ?? ''));
			stream.on('error', () => reject(unreadable()));
		});
		parser.on('close', resolve);
		// A body of no bytes is a form without fields.
		parser.on('error', () => (received === 0 ? resolve() : reject(unreadable())));
		request.on('error', reject);
		request.on('close', () => {
			if (!request.complete) reject(new Error('The client closed the connection'));
		});
		request.on('data', (chunk: Buffer) => {
			received += chunk.length;
			onBytes(chunk.length);
		});
		request.pipe(parser);
	}).finally(() => {
		request.unpipe(parser);
		request.resume();
	});
	return form;
}

function unreadable(): Refused {
	return new Refused(400, 'There was an error parsing the body');
}
