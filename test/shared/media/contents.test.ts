import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CONTENT_BYTES, contentOf, conversionAdvice } from '../../../nodes/shared/media/contents';
import { kindOf } from '../../../nodes/shared/media/formats';

const folder = mkdtempSync(join(tmpdir(), 'contents-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The start of a file that ffmpeg makes. */
function made(ending: string, args: string[] = []): Buffer {
	const path = join(folder, `file.${ending}`);
	const inputs = ['testsrc=size=64x64:rate=5', 'sine=frequency=330'].flatMap((source) => [
		...['-f', 'lavfi', '-t', '0.4', '-i', source],
	]);
	execFileSync('ffmpeg', ['-loglevel', 'error', '-y', ...inputs, ...args, path]);
	return readFileSync(path).subarray(0, CONTENT_BYTES);
}
const picture = ['-map', '0:v', '-frames:v', '1'];
const sound = ['-map', '1:a'];
const text = (content: string) => Buffer.from(content);
const ftyp = (brand: string, ...further: string[]) => {
	const brands = `${brand}\0\0\0\0${further.join('')}`;
	const size = Buffer.alloc(4);
	size.writeUInt32BE(8 + brands.length);
	return Buffer.concat([size, text(`ftyp${brands}`), Buffer.alloc(40)]);
};

it.each<[string, string, () => Buffer]>([
	['a HEIC picture', 'of an iPhone', () => ftyp('heic', 'mif1', 'heic')],
	['a HEIC picture', 'whose first brand says only "picture"', () => ftyp('mif1', 'mif1', 'heic')],
	['a HEIC picture', 'with ten bits', () => ftyp('heix', 'mif1')],
	['an AVIF picture', 'by its first brand', () => ftyp('avif', 'mif1', 'miaf')],
	['an AVIF picture', 'by a further brand', () => ftyp('mif1', 'avif', 'miaf')],
	['a GIF picture', '', () => made('gif', ['-map', '0:v'])],
	['a WebP picture', '', () => made('webp', picture)],
	['a BMP picture', '', () => made('bmp', picture)],
	['a TIFF picture', '', () => made('tiff', picture)],
	['an SVG picture', 'with a prologue', () => text('<?xml version="1.0"?>\n<!-- x -->\n<svg>')],
	['an M4A file', '', () => made('m4a', sound)],
	['an AAC file', '', () => made('aac', sound)],
	['an OGG file', 'with Vorbis', () => made('ogg', sound)],
	['an OGG file', 'with Opus', () => made('opus', sound)],
	['a FLAC file', '', () => made('flac', sound)],
	['an AIFF file', '', () => made('aiff', sound)],
	['a WebM video', '', () => made('webm')],
	['an MKV video', '', () => made('mkv')],
	['an AVI video', '', () => made('avi')],
	['a Windows Media file', '', () => made('wmv')],
	['a PDF document', '', () => text('%PDF-1.7\n%\xe2\xe3')],
	['a ZIP archive', '', () => Buffer.from('504b0304140000000800', 'hex')],
	['a GZIP archive', '', () => Buffer.from('1f8b0800000000000003', 'hex')],
	['a web page', 'as servers send it', () => text('\ufeff\n <!DOCTYPE html><html lang="en">')],
	['a web page', 'without a type', () => text('<html><body>Please log in')],
	['JSON text', '', () => text('{"error": "not found"}')],
	['XML text', '', () => text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>')],
	['plain text', '', () => text('Grüß Gott, this is no picture')],
])('%s %s is called by its name and taken for nothing else', (name, _, make) => {
	const start = make();
	expect(kindOf(start)).toBeUndefined();
	expect(contentOf(start)).toMatchObject({ name });
});

it.each([
	['mp4', 'mp4', []],
	['mov', 'mov', []],
	['mp4', 'mp4', ['-movflags', 'frag_keyframe+empty_moov']],
	['mp4', 'm4v', ['-f', 'ipod']],
	['mp4', '3gp', ['-s', '176x144', '-c:a', 'aac', '-c:v', 'h263']],
	['wav', 'wav', sound],
	['wav', 'wav', [...sound, '-rf64', 'always']],
	['mp3', 'mp3', sound],
	['jpeg', 'jpg', picture],
	['png', 'png', picture],
])('a file that Mirage takes counts as %s (%s %j)', (kind, ending, args) => {
	expect(kindOf(made(ending, args))).toBe(kind);
});

it('bytes of no known kind are called nothing', () => {
	expect(contentOf(Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]))).toBeUndefined();
	expect(contentOf(Buffer.alloc(0))).toBeUndefined();
});

it.each<[string, Parameters<typeof conversionAdvice>[1], Buffer, RegExp]>([
	['a GIF for a picture', ['jpeg', 'png'], text('GIF89a'), /Edit Image node.*"Format" to JPEG/],
	['a HEIC for a picture', ['jpeg', 'png'], ftyp('heic'), /JPEG or PNG.*Most Compatible/],
	['an AVIF for a picture', ['jpeg', 'png'], ftyp('avif'), /^Save it as JPEG or PNG(?!.*iPhone)/],
	['an M4A for speech', ['wav', 'mp3'], ftyp('M4A '), /^Convert it to WAV or MP3/],
	['a video for speech', ['wav', 'mp3'], ftyp('isom'), /^Save its sound as WAV or MP3/],
	['a ZIP', ['jpeg', 'png'], Buffer.from('504b0304', 'hex'), /Compression node/],
	['a web page', ['mp4', 'mov'], text('<html>'), /login.*Google Drive/],
	['an error message', ['mp4', 'mov'], text('{"a":1}'), /error message of another service/],
	['a picture for a video', ['mp4', 'mov'], text('GIF89a'), /names the right file/],
])('%s: the advice says which node or service helps', (_, kinds, start, advice) => {
	expect(conversionAdvice(contentOf(start)!, kinds)).toMatch(advice);
});
