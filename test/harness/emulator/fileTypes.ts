export type FileType = 'jpeg' | 'png' | 'wav' | 'mp3' | 'mp4' | 'mov';

/** Brands of the ISO container that hold no video of the kinds the API takes. */
const OTHER_BRANDS = /^(M4A|M4B|M4P|heic|heix|hevc|mif1|msf1|avif|avis|crx)/;

/** What a file is by its first bytes, whatever its name says; undefined for anything else. */
export function fileType(head: Buffer): FileType | undefined {
	const text = head.toString('latin1', 0, 12);
	if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) return 'jpeg';
	if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
	if (text.startsWith('RIFF') && text.slice(8, 12) === 'WAVE') return 'wav';
	if (text.startsWith('ID3')) return 'mp3';
	const box = text.slice(4, 8);
	if (box === 'ftyp') {
		if (OTHER_BRANDS.test(text.slice(8, 12))) return undefined;
		return text.slice(8, 12) === 'qt  ' ? 'mov' : 'mp4';
	}
	if (/^(moov|mdat|wide|free|skip|pnot)$/.test(box)) return 'mov';
	// MPEG audio frame: 11 sync bits, layer 3, a bit rate and a sample rate that exist.
	const [first = 0, second = 0, third = 0] = head;
	const synced = first === 0xff && (second & 0xe0) === 0xe0 && (second & 0x18) !== 0x08;
	if (synced && (second & 0x06) === 0x02 && third >> 4 !== 15 && (third & 0x0c) !== 0x0c) {
		return 'mp3';
	}
	return undefined;
}
