import type { ByteReading } from './byteRanges';
import { mp3Duration } from './durationMp3';
import { mp4Duration } from './durationMp4';
import { wavDuration } from './durationWav';
import type { FileKind } from './formats';

/**
 * Length of a recording or video of `size` bytes, in s; `undefined` for pictures and where the file does
 * not tell: never a guess.
 */
export function* readDuration(kind: FileKind, size: number): ByteReading<number | undefined> {
	if (kind === 'wav') return yield* wavDuration(size);
	if (kind === 'mp3') return yield* mp3Duration(size);
	if (kind === 'mp4' || kind === 'mov') return yield* mp4Duration(size);
	return undefined;
}
