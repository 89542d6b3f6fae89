import { tag } from './formats';

/** Width and height of the picture, in pixels, as it is shown (rotation applied). */
export interface Frame {
	width: number;
	height: number;
}

/** A box of an ISO base media file: where its content starts and ends in the buffer. */
interface Box {
	type: string;
	start: number;
	end: number;
}

/** Lists the boxes between two offsets; stops at the first that is cut off or makes no sense. */
function boxesIn(bytes: Buffer, from: number, to: number): Box[] {
	const boxes: Box[] = [];
	for (let at = from; at + 8 <= to;) {
		const size32 = bytes.readUInt32BE(at);
		const header = size32 === 1 ? 16 : 8;
		if (at + header > to) break;
		const size =
			size32 === 0 ? to - at : size32 === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : size32;
		if (size < header || at + size > to) break;
		boxes.push({ type: tag(bytes, at + 4), start: at + header, end: at + size });
		at += size;
	}
	return boxes;
}

/**
 * Reads the size of the picture from the start of an MP4 or MOV file. `undefined` when the index
 * (`moov`) is not whole within the bytes given, or holds no video track; that says nothing about the
 * file.
 */
export function frameOf(start: Buffer): Frame | undefined {
	const moov = boxesIn(start, 0, start.length).find(({ type }) => type === 'moov');
	if (!moov) return undefined;
	for (const trak of boxesIn(start, moov.start, moov.end).filter(({ type }) => type === 'trak')) {
		const inside = boxesIn(start, trak.start, trak.end);
		const tkhd = inside.find(({ type }) => type === 'tkhd');
		const mdia = inside.find(({ type }) => type === 'mdia');
		const hdlr = mdia && boxesIn(start, mdia.start, mdia.end).find(({ type }) => type === 'hdlr');
		if (!tkhd || !hdlr || hdlr.end - hdlr.start < 12) continue;
		if (tag(start, hdlr.start + 8) !== 'vide') continue;
		// ISO/IEC 14496-12, 8.3.2: matrix at 40 (version 0) or 52 (version 1), then width and height as 16.16.
		const matrix = tkhd.start + (start[tkhd.start] === 1 ? 52 : 40);
		if (matrix + 44 > tkhd.end) continue;
		const width = start.readUInt32BE(matrix + 36) / 65_536;
		const height = start.readUInt32BE(matrix + 40) / 65_536;
		if (width === 0 || height === 0) continue;
		const turned = start.readInt32BE(matrix) === 0 && start.readInt32BE(matrix + 4) !== 0;
		return turned ? { width: height, height: width } : { width, height };
	}
	return undefined;
}

/**
 * Share by which a frame may differ from 9:16 and still count as 9:16: encoders round to even or
 * 16-pixel sizes (608 × 1080 is 0.1 % off, 544 × 960 is 0.7 % off).
 */
const ASPECT_TOLERANCE = 0.015;

/** Whether a frame has the upright 9:16 shape that the captions endpoint asks for (OpenAPI: addCaptions). */
export function isNineSixteenths({ width, height }: Frame): boolean {
	return Math.abs((width / height) * (16 / 9) - 1) <= ASPECT_TOLERANCE;
}
