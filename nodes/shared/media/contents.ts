import type { FileKind } from './formats';
import { familyOf, kindOf, tag } from './formats';

/** What a file turned out to be, in words for the person who chose it. */
export interface Content {
	/** With its article, behind "the file is": `a HEIC picture`. */
	name: string;
	group: 'picture' | 'audio' | 'video' | 'archive' | 'page' | 'text' | 'document';
}

/** Bytes from the start of a file that {@link contentOf} reads. */
export const CONTENT_BYTES = 512;

const TAKEN: Record<FileKind, Content> = {
	jpeg: { name: 'a JPEG picture', group: 'picture' },
	png: { name: 'a PNG picture', group: 'picture' },
	wav: { name: 'a WAV file', group: 'audio' },
	mp3: { name: 'an MP3 file', group: 'audio' },
	mp4: { name: 'an MP4 video', group: 'video' },
	mov: { name: 'a MOV video', group: 'video' },
};

/** First bytes of other kinds, as Latin-1. Sources: each format's own specification, and libmagic. */
const OTHERS: Array<[RegExp, string, Content['group']]> = [
	[/^GIF8/, 'a GIF picture', 'picture'],
	[/^RIFF[^]{4}WEBP/, 'a WebP picture', 'picture'],
	[/^BM[^]{4}\0\0\0\0/, 'a BMP picture', 'picture'],
	[/^(II\*\0|MM\0\*)/, 'a TIFF picture', 'picture'],
	[/^OggS/, 'an OGG file', 'audio'],
	[/^fLaC/, 'a FLAC file', 'audio'],
	[/^FORM[^]{4}AIF[FC]/, 'an AIFF file', 'audio'],
	[/^#!AMR/, 'an AMR file', 'audio'],
	[/^\xff[\xf0\xf1\xf8\xf9]/, 'an AAC file', 'audio'],
	[/^RIFF[^]{4}AVI /, 'an AVI video', 'video'],
	[/^\x1a\x45\xdf\xa3[^]*?webm/, 'a WebM video', 'video'],
	[/^\x1a\x45\xdf\xa3/, 'an MKV video', 'video'],
	[/^\x30\x26\xb2\x75/, 'a Windows Media file', 'video'],
	[/^%PDF/, 'a PDF document', 'document'],
	[/^PK(\x03\x04|\x05\x06)/, 'a ZIP archive', 'archive'],
	[/^\x1f\x8b/, 'a GZIP archive', 'archive'],
];

const TEXTS: Array<[RegExp, string, Content['group']]> = [
	[
		/^(<\?xml[^>]*>\s*)?(<!--[^]*?-->\s*)?(<!doctype svg[^>]*>\s*)?<svg/i,
		'an SVG picture',
		'picture',
	],
	[/^(<\?xml[^>]*>\s*)?(<!--[^]*?-->\s*)?<(!doctype html|html|head|body)\b/i, 'a web page', 'page'],
	[/^[[{]/, 'JSON text', 'text'],
	[/^</, 'XML text', 'text'],
];

/** Says what a file is by its first bytes, also where the API does not take it; `undefined` when unknown. */
export function contentOf(start: Buffer): Content | undefined {
	const kind = kindOf(start);
	if (kind) return TAKEN[kind];
	if (tag(start, 4) === 'ftyp')
		return {
			heic: { name: 'a HEIC picture', group: 'picture' } as const,
			avif: { name: 'an AVIF picture', group: 'picture' } as const,
			m4a: { name: 'an M4A file', group: 'audio' } as const,
			mov: TAKEN.mov,
			mp4: TAKEN.mp4,
		}[familyOf(start)];
	const head = start.toString('latin1', 0, CONTENT_BYTES);
	const other = OTHERS.find(([pattern]) => pattern.test(head));
	if (other) return { name: other[1], group: other[2] };
	// No control character but the usual white space: bytes that people can read.
	if (!/^[^\0-\x08\x0b\x0e-\x1f]+$/.test(head)) return undefined;
	const words = head.replace(/^\xef\xbb\xbf/, '').trimStart();
	const text = TEXTS.find(([pattern]) => pattern.test(words));
	return text ? { name: text[1], group: text[2] } : { name: 'plain text', group: 'text' };
}

const IPHONES =
	' An iPhone takes JPEG pictures with Settings > Camera > Formats > Most Compatible.';

/** What makes a file of one of the `kinds` out of this content, as a sentence. */
export function conversionAdvice({ name, group }: Content, kinds: readonly FileKind[]): string {
	const to = kinds.map((kind) => kind.toUpperCase()).join(' or ');
	const goal = TAKEN[kinds[0]!].group;
	if (group === 'page')
		return 'A web page often asks for a login. Use the address of the file itself, or fetch the file with the n8n node of that service, for example Google Drive.';
	if (group === 'text')
		return 'It may be the error message of another service. Open it in the INPUT panel, and correct the node that gave it.';
	if (group === 'archive') return 'Unpack it with a Compression node before this one.';
	if (group === 'picture' && goal === 'picture')
		return /GIF|WebP|BMP|TIFF/.test(name)
			? 'Put an Edit Image node before this one, and set its option "Format" to JPEG.'
			: `Save it as ${to} where it comes from, or convert it with a service such as CloudConvert.${name.includes('HEIC') ? IPHONES : ''}`;
	if (goal === 'audio' && group === 'video')
		return `Save its sound as ${to} first, for example with ffmpeg or with a service such as CloudConvert.`;
	if (goal === group)
		return `Convert it to ${to}, for example with ffmpeg or with a service such as CloudConvert. n8n has no node of its own for that.`;
	return 'Check that the parameter names the right file.';
}
