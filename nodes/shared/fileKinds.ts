/** The kinds of file that the API takes or gives, told by their bytes and never by their name. */
export type FileKind = 'jpeg' | 'png' | 'wav' | 'mp3' | 'mp4' | 'mov';

/** What a kind is called in a request: MIME type and the ending of its file name. */
export const KINDS: Record<FileKind, { mimeType: string; extension: string }> = {
	jpeg: { mimeType: 'image/jpeg', extension: 'jpg' },
	png: { mimeType: 'image/png', extension: 'png' },
	wav: { mimeType: 'audio/wav', extension: 'wav' },
	mp3: { mimeType: 'audio/mpeg', extension: 'mp3' },
	mp4: { mimeType: 'video/mp4', extension: 'mp4' },
	mov: { mimeType: 'video/quicktime', extension: 'mov' },
};

/** Bytes from the start of a file that {@link kindOf} needs to be sure. */
export const SNIFF_BYTES = 16;

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const tag = (bytes: Buffer, at: number) => bytes.toString('latin1', at, at + 4);

/**
 * Tells the kind of a file by its first bytes; `undefined` for everything the API does not know.
 * Signatures: JPEG and PNG start markers, RIFF/WAVE, ID3 or an MPEG layer III frame header, and the
 * box types that ISO base media and QuickTime files start with.
 */
export function kindOf(start: Buffer): FileKind | undefined {
	if (start.length >= 3 && start[0] === 0xff && start[1] === 0xd8 && start[2] === 0xff)
		return 'jpeg';
	if (start.subarray(0, 8).equals(PNG)) return 'png';
	if (start.length >= 12 && tag(start, 0) === 'RIFF' && tag(start, 8) === 'WAVE') return 'wav';
	if (start.toString('latin1', 0, 3) === 'ID3' || isMp3Frame(start)) return 'mp3';
	if (start.length >= 12) {
		const box = tag(start, 4);
		if (box === 'ftyp') return tag(start, 8) === 'qt  ' ? 'mov' : 'mp4';
		// QuickTime files from before `ftyp` start with one of these.
		if (['moov', 'mdat', 'wide', 'pnot'].includes(box)) return 'mov';
	}
	return undefined;
}

/** An MPEG audio frame header with values that layer III allows. AAC has the same sync and another layer. */
function isMp3Frame(start: Buffer): boolean {
	const [a, b, c] = start;
	if (a !== 0xff || b === undefined || c === undefined || (b & 0xe0) !== 0xe0) return false;
	const version = (b >> 3) & 3;
	const layer = (b >> 1) & 3;
	const bitrate = c >> 4;
	const sampleRate = (c >> 2) & 3;
	return version !== 1 && layer === 1 && bitrate !== 0 && bitrate !== 15 && sampleRate !== 3;
}

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
