/** What engine tests put into a workflow, and the ways in which n8n stores it. */
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';

import { MEDIA } from '../emulator/media';
import { n8nRelease } from './n8n';
import { type BinaryMode } from './binary-store';
import { type RunOptions } from './engine';

/** Bytes of one of the emulator's fixtures. */
export const media = (name: keyof typeof MEDIA): Buffer => readFileSync(MEDIA[name]);

/** A file of an input item. Name and type say nothing on purpose: nodes look at the bytes. */
export const fileOf = (content: Buffer, fileName = 'file') => ({
	content,
	fileName,
	mimeType: 'application/octet-stream',
});
export const portrait = () => fileOf(media('portraitJpeg'));
export const voice = () => fileOf(media('voiceWav'));
export const upright = () => fileOf(media('generated'));
export const landscape = () => fileOf(media('landscape'));

export const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');

/** A valid MP4 of exactly this many bytes: the fixture, followed by a box that means nothing. */
export function videoOfSize(bytes: number): Buffer {
	const video = media('generated');
	const padding = Buffer.alloc(bytes - video.length);
	padding.writeUInt32BE(padding.length);
	padding.write('free', 4);
	return Buffer.concat([video, padding]);
}

/** Every way in which n8n stores files: in the item or on disk, and on n8n 2 also inside the JSON. */
export const stores: Array<{
	binaryMode: BinaryMode;
	binaryLayout: NonNullable<RunOptions['binaryLayout']>;
}> = [
	{ binaryMode: 'memory', binaryLayout: 'separate' },
	{ binaryMode: 'filesystem', binaryLayout: 'separate' },
	...(n8nRelease === '1.123'
		? []
		: [{ binaryMode: 'filesystem' as const, binaryLayout: 'combined' as const }]),
];
