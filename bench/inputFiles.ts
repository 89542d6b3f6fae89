import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { renderedFile } from '../test/harness/emulator/media';

/** Bytes of a megabyte, as file sizes are counted here and by the provider. */
export const MB = 1_000_000;

/** An MP4 of exactly this many MB in the folder: a real one, padded. Made once. */
export async function inputFile(folder: string, megabytes: number): Promise<string> {
	const path = join(folder, `${megabytes}.mp4`);
	const bytes = megabytes * MB;
	if ((await stat(path).catch(() => undefined))?.size === bytes) return path;
	const file = renderedFile('generated', bytes);
	await pipeline(file.stream(0, bytes - 1), createWriteStream(path));
	return path;
}
