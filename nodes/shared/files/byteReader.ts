import type { ByteRange, ByteReading } from '../media/byteRanges';

/** A file whose bytes can be read in pieces, more than once. */
export interface ReadableFile {
	/** Exact length in bytes. */
	size: number;
	/** The whole file from its beginning, in pieces. */
	open(): AsyncIterable<Uint8Array>;
	/** Reads a part alone, where the place of the file can do that. */
	range?(part: ByteRange): Promise<Buffer>;
}

/** Bytes that are read at a time: the index of most videos, so that most looks take one or two reads. */
export const WINDOW_BYTES = 65_536;
/** Largest range that is answered, in bytes. */
const MAX_RANGE = 2_097_152;
/** Reads of parts from a URL, each a request of its own, and openings of a file that has no parts. */
const MAX_READS = 40;

/**
 * Answers the ranges that a function of `media` asks for, and gives its result. Parts come by
 * `file.range`, or else the file is read from its beginning up to them. `undefined` also when it asks for
 * more than a check may cost. Throws what the file throws when it cannot be read.
 *
 * @param start first bytes, where they are there already
 */
export async function answerRanges<T>(
	file: ReadableFile,
	reading: ByteReading<T | undefined>,
	start: Buffer = Buffer.alloc(0),
): Promise<T | undefined> {
	let window = { from: 0, bytes: start };
	let reads = 0;
	let passing: { chunks: AsyncIterator<Uint8Array>; at: number } | undefined;
	const close = async () => await passing?.chunks.return?.();

	/** Reads on in the passing file up to the range; opens it anew when the range lies behind. */
	const readOn = async ({ from, count }: ByteRange): Promise<Buffer> => {
		const windowEnd = window.from + window.bytes.length;
		const goesOn = passing?.at === windowEnd && from >= window.from && from < windowEnd;
		const pieces = goesOn ? [window.bytes.subarray(from - window.from)] : [];
		if (!passing || (!goesOn && from < passing.at)) {
			await close();
			reads += 1;
			passing = { chunks: file.open()[Symbol.asyncIterator](), at: 0 };
		}
		let left = count - (pieces[0]?.length ?? 0);
		while (left > 0) {
			const { value, done } = await passing.chunks.next();
			if (done) break;
			const skip = Math.max(0, from - passing.at);
			passing.at += value.length;
			if (skip >= value.length) continue;
			pieces.push(Buffer.from(value.buffer, value.byteOffset + skip, value.length - skip));
			left -= value.length - skip;
		}
		return Buffer.concat(pieces);
	};

	try {
		let step = reading.next();
		while (!step.done) {
			const { from } = step.value;
			const count = Math.min(step.value.count, file.size - from);
			if (from < 0 || count > MAX_RANGE) return undefined;
			const isThere = from >= window.from && from + count <= window.from + window.bytes.length;
			if (!isThere && count > 0) {
				const part = { from, count: Math.min(Math.max(count, WINDOW_BYTES), file.size - from) };
				if (file.range) reads += 1;
				if (reads > MAX_READS) return undefined;
				window = { from, bytes: await (file.range ? file.range(part) : readOn(part)) };
				// The file is shorter than it was.
				if (window.bytes.length < count) return undefined;
			}
			const at = from - window.from;
			step = reading.next(window.bytes.subarray(at, at + Math.max(0, count)));
		}
		return step.value;
	} finally {
		await close();
	}
}
