import { tag } from './formats';

/**
 * Follows a file as it passes by, chunk after chunk, and tells at its end whether it is whole. It reads
 * only lengths that the container itself states, so a file it does not understand counts as whole.
 */
export interface Wholeness {
	next(chunk: Buffer): void;
	/** Whether the container says that bytes are missing. */
	isCutOff(): boolean;
}

/** Boxes that stand at the top of an MP4 or MOV (ISO/IEC 14496-12, 23009-1; QuickTime File Format). */
const TOP_LEVEL =
	/^(ftyp|moov|mdat|free|skip|wide|pnot|moof|mfra|sidx|ssix|styp|emsg|prft|pdin|meta|udta|uuid)$/;

/**
 * {@link Wholeness} for MP4 and MOV: every top-level box must end inside the file, and one of them is the
 * index, `moov`. What stands behind the last box and is none, as zeros or a line break, does no harm.
 */
export function followBoxes(): Wholeness {
	let header = Buffer.alloc(0);
	let skip = 0;
	let lost = false;
	let hasIndex = false;
	return {
		next(chunk) {
			let at = 0;
			while (!lost && at < chunk.length) {
				const jump = Math.min(skip, chunk.length - at);
				skip -= jump;
				at += jump;
				if (at >= chunk.length) break;
				const headerBytes = header.length >= 8 && header.readUInt32BE(0) === 1 ? 16 : 8;
				const piece = chunk.subarray(at, at + headerBytes - header.length);
				header = Buffer.concat([header, piece]);
				at += piece.length;
				if (header.length < 8) break;
				const size32 = header.readUInt32BE(0);
				const type = tag(header, 4);
				if (TOP_LEVEL.test(type) && size32 === 1 && header.length < 16) continue;
				const size = size32 === 1 ? Number(header.readBigUInt64BE(8)) : size32;
				// Size 0 means "to the end of the file"; anything that is no box ends the reading.
				if (size < header.length || !TOP_LEVEL.test(type)) lost = true;
				else skip = size - header.length;
				hasIndex ||= type === 'moov';
				header = Buffer.alloc(0);
			}
		},
		isCutOff: () => !lost && (skip > 0 || !hasIndex),
	};
}

/**
 * From this length on, in bytes, a RIFF file was written as a stream whose end the writer did not know yet.
 * Seen: 0xffffffff (ffmpeg), 0x7fffffff and 0x7ffff024 (speech engines); 0 counts as well.
 */
export const STREAMING_RIFF_BYTES = 0x7fff0000;

/** {@link Wholeness} for WAV: the RIFF chunk must end inside the file. Streamed files state no length. */
export function followRiff(): Wholeness {
	let header = Buffer.alloc(0);
	let bytes = 0;
	return {
		next(chunk) {
			bytes += chunk.length;
			if (header.length < 8) header = Buffer.concat([header, chunk.subarray(0, 8 - header.length)]);
		},
		isCutOff() {
			if (header.length < 8) return true;
			const stated = header.readUInt32LE(4);
			return stated !== 0 && stated < STREAMING_RIFF_BYTES && bytes < stated + 8;
		},
	};
}
