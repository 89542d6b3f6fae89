import type { ByteReading } from './byteRanges';
import { STREAMING_RIFF_BYTES } from './completeness';
import { tag } from './formats';

/** Chunks before the sound that are read at most. */
const MAX_CHUNKS = 200;
/** Codings with a fixed number of bytes a second: PCM, floating point, A-law and µ-law (RFC 2361). */
const LINEAR = [1, 3, 6, 7];
/** `WAVE_FORMAT_EXTENSIBLE`: the coding stands further behind. */
const EXTENSIBLE = 0xfffe;

interface WavFormat {
	isLinear: boolean;
	samplesPerSecond: number;
	bytesPerSecond: number;
}

/**
 * Length of a WAV file of `size` bytes, in s: RIFF, and RF64 for more than 4 GB (EBU Tech 3306). A sound
 * whose length was not known when its header was written goes on to the end of the file. Codings that
 * pack sound need their `fact` chunk, the number of samples.
 */
export function* wavDuration(size: number): ByteReading<number | undefined> {
	let format: WavFormat | undefined;
	let samples: number | undefined;
	let longSize: number | undefined;
	let at = 12;
	for (let count = 0; count < MAX_CHUNKS && at + 8 <= size; count++) {
		const chunk = yield { from: at, count: Math.min(48, size - at) };
		if (chunk.length < 8) return undefined;
		const name = tag(chunk, 0);
		const stated = chunk.readUInt32LE(4);
		const content = chunk.subarray(8);
		if (name === 'ds64' && content.length >= 16) longSize = Number(content.readBigUInt64LE(8));
		if (name === 'fmt ' && content.length >= 16) format = formatIn(content);
		if (name === 'fact' && content.length >= 4) samples = content.readUInt32LE(0);
		if (name === 'data') {
			const rest = size - at - 8;
			const isOpen = stated === 0 || stated >= STREAMING_RIFF_BYTES;
			const bytes = Math.min(rest, isOpen ? (longSize ?? rest) : stated);
			if (!format) return undefined;
			if (format.isLinear) return perSecond(bytes, format.bytesPerSecond);
			// A stream's writer did not know the number of samples either.
			return isOpen || !samples ? undefined : perSecond(samples, format.samplesPerSecond);
		}
		at += 8 + stated + (stated % 2);
	}
	return undefined;
}

function formatIn(content: Buffer): WavFormat {
	const coding = content.readUInt16LE(0);
	const inner = coding === EXTENSIBLE && content.length >= 26 ? content.readUInt16LE(24) : coding;
	const samplesPerSecond = content.readUInt32LE(4);
	// The bytes of a second follow from rate and frame; the field for them is wrong in some files.
	const bytesPerSecond = samplesPerSecond * content.readUInt16LE(12);
	return { isLinear: LINEAR.includes(inner), samplesPerSecond, bytesPerSecond };
}

const perSecond = (amount: number, rate: number) => (rate > 0 ? amount / rate : undefined);
