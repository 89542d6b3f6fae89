import { Readable } from 'node:stream';

/** Hertz; mono, 16 bit. */
export const SAMPLE_RATE = 24_000;
/** How long a character is spoken. */
export const MS_PER_CHARACTER = 60;

const CHUNK_SAMPLES = 32_768;
const WAV_HEADER_BYTES = 44;

/** A WAV whose length follows the text: a soft hum that swells once a syllable. */
export function speech(text: string): { bytes: number; stream: () => Readable } {
	const samples = Math.max(1, Math.round((text.length * MS_PER_CHARACTER * SAMPLE_RATE) / 1000));
	return {
		bytes: WAV_HEADER_BYTES + samples * 2,
		stream: () => Readable.from(wav(samples), { objectMode: false }),
	};
}

function* wav(samples: number): Generator<Buffer> {
	yield wavHeader(samples);
	for (let from = 0; from < samples; from += CHUNK_SAMPLES) {
		const count = Math.min(CHUNK_SAMPLES, samples - from);
		const chunk = Buffer.allocUnsafe(count * 2);
		for (let i = 0; i < count; i++) {
			const seconds = (from + i) / SAMPLE_RATE;
			const syllable = Math.sin(Math.PI * ((seconds * 4) % 1)) ** 2;
			const pitch = 2 * Math.PI * 150 * seconds;
			const hum = Math.sin(pitch) + 0.5 * Math.sin(2 * pitch) + 0.25 * Math.sin(4 * pitch);
			chunk.writeInt16LE(Math.round(hum * syllable * 4_500), i * 2);
		}
		yield chunk;
	}
}

function wavHeader(samples: number): Buffer {
	const header = Buffer.alloc(WAV_HEADER_BYTES);
	header.write('RIFF', 0);
	header.writeUInt32LE(WAV_HEADER_BYTES - 8 + samples * 2, 4);
	header.write('WAVEfmt ', 8);
	header.writeUInt32LE(16, 16);
	header.writeUInt16LE(1, 20);
	header.writeUInt16LE(1, 22);
	header.writeUInt32LE(SAMPLE_RATE, 24);
	header.writeUInt32LE(SAMPLE_RATE * 2, 28);
	header.writeUInt16LE(2, 32);
	header.writeUInt16LE(16, 34);
	header.write('data', 36);
	header.writeUInt32LE(samples * 2, 40);
	return header;
}
