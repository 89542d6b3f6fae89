import { NodeOperationError } from 'n8n-workflow';

import type { FileKind } from '../media/formats';
import { KINDS } from '../media/formats';

/** A file that passed its check and can be uploaded. Nothing of it is held in memory until then. */
export interface CheckedFile {
	kind: FileKind;
	/** Exact length in bytes. */
	size: number;
	/**
	 * Opens the file from its beginning; may be called once for every try. Throws `NodeOperationError` when
	 * it cannot be read to its end.
	 */
	open(): AsyncIterable<Uint8Array>;
	/**
	 * Length of the recording or video in s, read from the file's own headers when it is asked for;
	 * `undefined` where they do not tell it. Throws only when the execution was stopped.
	 */
	durationS(): Promise<number | undefined>;
	/** Tells this file from another one, to recognise an item that ran before: two files never share it. */
	fingerprint: string;
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
