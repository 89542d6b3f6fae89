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

export const tag = (bytes: Buffer, at: number) => bytes.toString('latin1', at, at + 4);

/**
 * Tells the kind of a file by its first bytes; `undefined` for everything the API does not know.
 * Signatures: JPEG and PNG start markers, WAVE in RIFF or RF64 (EBU Tech 3306), ID3 or an MPEG layer III
 * frame header, and the box types that ISO base media and QuickTime files start with.
 */
export function kindOf(start: Buffer): FileKind | undefined {
	if (start.length >= 3 && start[0] === 0xff && start[1] === 0xd8 && start[2] === 0xff)
		return 'jpeg';
	if (start.subarray(0, 8).equals(PNG)) return 'png';
	if (/^(RIFF|RF64)$/.test(tag(start, 0)) && tag(start, 8) === 'WAVE') return 'wav';
	if (start.toString('latin1', 0, 3) === 'ID3' || isMp3Frame(start)) return 'mp3';
	if (start.length >= 12) {
		const box = tag(start, 4);
		if (box === 'ftyp') {
			const family = familyOf(start);
			return family === 'mp4' || family === 'mov' ? family : undefined;
		}
		// QuickTime files from before `ftyp` start with one of these.
		if (['moov', 'mdat', 'wide', 'pnot'].includes(box)) return 'mov';
	}
	return undefined;
}

/**
 * What the brand of an ISO base media file says: pictures and audio share the container with videos.
 * Brands: ISO/IEC 23008-12 (HEIF), AV1 Image File Format, and the registry at mp4ra.org.
 */
export function familyOf(start: Buffer): 'heic' | 'avif' | 'm4a' | 'mov' | 'mp4' {
	const brand = tag(start, 8);
	if (brand === 'qt  ') return 'mov';
	if (/^M4[ABP] $/.test(brand)) return 'm4a';
	if (/^avi[fos]$/.test(brand)) return 'avif';
	if (/^he[iv][cxms]$/.test(brand)) return 'heic';
	// A picture whose coding only the further brands tell.
	if (brand === 'mif1' || brand === 'msf1') {
		const further = start.toString('latin1', 16, Math.min(start.readUInt32BE(0), 64));
		return further.includes('avif') ? 'avif' : 'heic';
	}
	return 'mp4';
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
