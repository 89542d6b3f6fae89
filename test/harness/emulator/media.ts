import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import type { JobKind } from './types';

/** Where the fixtures are; `make-media.mjs` beside them makes them again. */
export const MEDIA_FOLDER = join(__dirname, 'media');

/** Fixture files by what they are for. */
export const MEDIA = {
	portraitJpeg: join(MEDIA_FOLDER, 'portrait.jpg'),
	portraitPng: join(MEDIA_FOLDER, 'portrait.png'),
	voiceWav: join(MEDIA_FOLDER, 'voice.wav'),
	voiceMp3: join(MEDIA_FOLDER, 'voice.mp3'),
	/** 9:16 MP4, `moov` first. */
	generated: join(MEDIA_FOLDER, 'generated.mp4'),
	/** The same with burnt-in captions. */
	captioned: join(MEDIA_FOLDER, 'captioned.mp4'),
	/** The same with a text overlay. */
	overlay: join(MEDIA_FOLDER, 'overlay.mp4'),
	/** 9:16 MOV, `moov` last. */
	clipMov: join(MEDIA_FOLDER, 'clip.mov'),
	/** 16:9 MP4, which captions refuse. */
	landscape: join(MEDIA_FOLDER, 'landscape.mp4'),
	/** 9:16 MP4 of 12 s, a clip of a person. */
	person: join(MEDIA_FOLDER, 'person.mp4'),
} as const;

/** A file that can be read from any byte on. */
export interface ServedFile {
	bytes: number;
	/** Bytes `start` to `end`, both included. */
	stream: (start: number, end: number) => Readable;
}

const PADDING = Buffer.alloc(1024 * 1024);
const FREE_BOX_HEADER_BYTES = 16;

/**
 * The rendered file of a job. With `bytes`, the fixture is followed by a `free` box that pads it to exactly
 * that size; the padding is streamed. Throws RangeError when the fixture alone is larger.
 */
export function renderedFile(kind: JobKind, bytes?: number): ServedFile {
	const fixture = readFileSync(MEDIA[kind]);
	if (bytes === undefined) {
		return {
			bytes: fixture.length,
			stream: (start, end) => Readable.from([fixture.subarray(start, end + 1)]),
		};
	}
	const padding = bytes - fixture.length;
	if (padding < FREE_BOX_HEADER_BYTES) {
		throw new RangeError(`contentBytes must be at least ${fixture.length + FREE_BOX_HEADER_BYTES}`);
	}
	const boxHeader = Buffer.alloc(FREE_BOX_HEADER_BYTES);
	boxHeader.writeUInt32BE(1, 0);
	boxHeader.write('free', 4);
	boxHeader.writeBigUInt64BE(BigInt(padding), 8);
	const start = Buffer.concat([fixture, boxHeader]);
	return {
		bytes,
		stream: (from, end) => Readable.from(padded(start, from, end + 1), { objectMode: false }),
	};
}

function* padded(head: Buffer, from: number, until: number): Generator<Buffer> {
	let at = from;
	if (at < head.length) {
		yield head.subarray(at, until);
		at = head.length;
	}
	while (at < until) {
		const chunk = PADDING.subarray(0, until - at);
		yield chunk;
		at += chunk.length;
	}
}
