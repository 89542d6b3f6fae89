/** A piece of a file: `count` bytes from the byte `from` on. */
export interface ByteRange {
	from: number;
	count: number;
}

/**
 * A function that looks into a file without reading it itself: it yields the ranges that it needs and is
 * given their bytes, fewer at the end of the file. So the same code serves n8n's store and a URL. Ranges
 * come in the order of the file wherever that is possible.
 *
 * @example `const type = tag(yield { from: 4, count: 4 }, 0)`
 */
export type ByteReading<T> = Generator<ByteRange, T, Buffer>;

/** A box of an ISO base media file: its content is the bytes from `start` to before `end`. */
export interface Box {
	type: string;
	start: number;
	end: number;
}

/** The box at `at`; `undefined` when none begins there or it does not end before `to`. */
export function* boxAt(at: number, to: number): ByteReading<Box | undefined> {
	if (at + 8 > to) return undefined;
	const header = yield { from: at, count: Math.min(16, to - at) };
	if (header.length < 8) return undefined;
	const size32 = header.readUInt32BE(0);
	const headerBytes = size32 === 1 ? 16 : 8;
	if (header.length < headerBytes) return undefined;
	const size = size32 === 0 ? to - at : size32 === 1 ? Number(header.readBigUInt64BE(8)) : size32;
	if (size < headerBytes || at + size > to) return undefined;
	return { type: header.toString('latin1', 4, 8), start: at + headerBytes, end: at + size };
}

/** Boxes inside another one that are read at most: a real file has a few dozen, so more is nonsense. */
const MAX_CHILDREN = 100;
/** Boxes at the top of a file that are read at most: a fragment for every frame of five minutes, twice. */
export const MAX_TOP_LEVEL = 20_000;

/**
 * Visits the boxes that stand one behind the other from `from` to `to`, `max` at most, until a visit gives
 * something; gives that. Ends at the first box that is cut off or makes no sense.
 */
export function* visitBoxes<T>(
	{ from, to, max }: { from: number; to: number; max: number },
	visit: (box: Box) => ByteReading<T | undefined>,
): ByteReading<T | undefined> {
	let at = from;
	for (let count = 0; count < max; count++) {
		const box = yield* boxAt(at, to);
		if (!box) return undefined;
		const found = yield* visit(box);
		if (found !== undefined) return found;
		at = box.end;
	}
	return undefined;
}

/** {@link visitBoxes} for the boxes inside one. */
export function* visitChildren<T>(
	{ start, end }: Box,
	visit: (box: Box) => ByteReading<T | undefined>,
): ByteReading<T | undefined> {
	return yield* visitBoxes({ from: start, to: end, max: MAX_CHILDREN }, visit);
}

/** The first `max` bytes of a box's content, or all there are. */
export function* contentStart({ start, end }: Box, max: number): ByteReading<Buffer> {
	return yield { from: start, count: Math.min(max, end - start) };
}
