import type { Box, ByteReading } from './byteRanges';
import { contentStart, MAX_TOP_LEVEL, visitBoxes, visitChildren } from './byteRanges';
import { tag } from './formats';

/** Width and height of the picture, in pixels, as it is shown (rotation applied). */
export interface Frame {
	width: number;
	height: number;
}

/**
 * Reads the size of the picture of an MP4 or MOV file of `size` bytes. `undefined` when the index (`moov`)
 * is missing or holds no video track.
 */
export function* readFrame(size: number): ByteReading<Frame | undefined> {
	const top = { from: 0, to: size, max: MAX_TOP_LEVEL };
	return yield* visitBoxes(top, function* (moov) {
		if (moov.type !== 'moov') return undefined;
		return yield* visitChildren(moov, function* (trak) {
			return trak.type === 'trak' ? yield* trackFrame(trak) : undefined;
		});
	});
}

function* trackFrame(trak: Box): ByteReading<Frame | undefined> {
	let frame: Frame | undefined;
	const handler = yield* visitChildren(trak, function* (box) {
		if (box.type === 'tkhd') frame = headerFrame(yield* contentStart(box, 96));
		if (box.type !== 'mdia') return undefined;
		return yield* visitChildren(box, function* (inside) {
			return inside.type === 'hdlr' ? tag(yield* contentStart(inside, 12), 8) : undefined;
		});
	});
	return handler === 'vide' ? frame : undefined;
}

/** ISO/IEC 14496-12, 8.3.2: matrix at 40 (version 0) or 52 (version 1), then width and height as 16.16. */
function headerFrame(tkhd: Buffer): Frame | undefined {
	const matrix = tkhd[0] === 1 ? 52 : 40;
	if (matrix + 44 > tkhd.length) return undefined;
	const width = tkhd.readUInt32BE(matrix + 36) / 65_536;
	const height = tkhd.readUInt32BE(matrix + 40) / 65_536;
	if (width === 0 || height === 0) return undefined;
	const turned = tkhd.readInt32BE(matrix) === 0 && tkhd.readInt32BE(matrix + 4) !== 0;
	return turned ? { width: height, height: width } : { width, height };
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
