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

/** {@link Wholeness} for MP4 and MOV: every top-level box must end inside the file. */
export function followBoxes(): Wholeness {
	let header = Buffer.alloc(0);
	let skip = 0;
	let lost = false;
	return {
		next(chunk) {
			let at = 0;
			while (!lost && at < chunk.length) {
				const jump = Math.min(skip, chunk.length - at);
				skip -= jump;
				at += jump;
				if (at >= chunk.length) break;
				const wanted = header.length >= 8 && header.readUInt32BE(0) === 1 ? 16 : 8;
				const piece = chunk.subarray(at, at + wanted - header.length);
				header = Buffer.concat([header, piece]);
				at += piece.length;
				if (header.length < 8) break;
				const size32 = header.readUInt32BE(0);
				if (size32 === 1 && header.length < 16) continue;
				const size = size32 === 1 ? Number(header.readBigUInt64BE(8)) : size32;
				// Size 0 means "to the end of the file"; anything that is no box ends the reading.
				if (size < header.length || !/^[\x20-\x7e\xa9]{4}$/.test(tag(header, 4))) lost = true;
				else skip = size - header.length;
				header = Buffer.alloc(0);
			}
		},
		isCutOff: () => !lost && (skip > 0 || header.length > 0),
	};
}

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
			return stated !== 0 && stated < 0xffffff00 && bytes < stated + 8;
		},
	};
}
