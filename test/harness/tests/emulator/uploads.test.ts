import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { Readable } from 'node:stream';

import { Client, fixture } from '../../emulator/client';
import { type Emulator, startEmulator } from '../../emulator/emulator';
import { MEDIA } from '../../emulator/media';
import { Mp4Header } from '../../emulator/mp4Header';

let emulator: Emulator;
let client: Client;

beforeEach(async () => {
	emulator = await startEmulator();
	client = new Client(emulator);
});
afterEach(() => emulator.close());

const MEBIBYTE = Buffer.alloc(1024 * 1024);

/** A PNG signature followed by so many MiB of nothing. */
function* largeImage(mebibytes: number) {
	yield Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
	for (let i = 0; i < mebibytes; i++) yield MEBIBYTE;
}

it('takes a file of 300 MiB without keeping it in memory', async () => {
	const image = Readable.from(largeImage(300), { objectMode: false });
	const before = process.memoryUsage.rss();
	let peak = before;
	const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 10);
	const received = await client.createVideo({
		image_reference: { content: image, fileName: 'huge.png' },
	});
	clearInterval(watch);
	expect(received.status).toBe(200);
	expect(emulator.requests[0]!.files![0]!.bytes).toBe(8 + 300 * 1024 * 1024);
	expect((peak - before) / 1024 / 1024).toBeLessThan(150);
});

it('hashes what arrives, unless that costs too much', async () => {
	await client.createVideo();
	const expected = createHash('sha256').update(readFileSync(MEDIA.portraitJpeg)).digest('hex');
	expect(emulator.requests[0]!.files![0]!.sha256).toBe(expected);
	const unhashed = await startEmulator({ hashFiles: false });
	await new Client(unhashed).createVideo();
	expect(unhashed.requests[0]!.files![0]!.sha256).toBe('');
	await unhashed.close();
});

it('accepts nothing when the client goes away in the middle of a file', async () => {
	const { port } = new URL(emulator.url);
	const done = new Promise<void>((resolve) => {
		const socket = connect(Number(port), '127.0.0.1', () => {
			socket.write(
				`POST /v1/videos HTTP/1.1\r\nhost: x\r\nx-api-key: ${emulator.apiKey}\r\n` +
					'content-length: 1000\r\ncontent-type: multipart/form-data; boundary=b\r\n\r\n' +
					'--b\r\ncontent-disposition: form-data; name="image_reference"; filename="a.png"\r\n\r\n',
				() => setImmediate(() => socket.destroy()),
			);
		});
		socket.on('close', () => resolve());
	});
	await done;
	expect((await client.createVideo()).status).toBe(200);
	expect(emulator.videos()).toHaveLength(1);
	expect(emulator.requests[0]).toMatchObject({ route: 'POST /v1/videos' });
	expect(emulator.requests[0]!.status).toBeUndefined();
});

it('shows file names as they arrived', async () => {
	const image = { ...fixture('portraitJpeg'), fileName: 'größe/x y.jpg' };
	await client.createVideo({ image_reference: image });
	expect(emulator.requests[0]!.files![0]!.fileName).toBe('größe/x y.jpg');
});

describe('the header of an MP4 or MOV', () => {
	function header(bytes: Buffer, chunkSize: number): Mp4Header {
		const read = new Mp4Header();
		for (let at = 0; at < bytes.length; at += chunkSize) {
			read.push(bytes.subarray(at, at + chunkSize));
		}
		return read;
	}

	it.each([1, 7, 1000, 1_000_000])('is found in chunks of %i bytes', (chunkSize) => {
		const first = header(readFileSync(MEDIA.generated), chunkSize);
		expect(first.frame).toEqual({ width: 360, height: 640 });
		expect(first.duration).toBeCloseTo(3.2, 1);
		const last = header(readFileSync(MEDIA.clipMov), chunkSize);
		expect(last.frame).toEqual({ width: 360, height: 640 });
		expect(header(readFileSync(MEDIA.landscape), chunkSize).frame?.width).toBe(480);
	});

	it('is read as shown when the picture is turned', () => {
		const bytes = Buffer.from(readFileSync(MEDIA.landscape));
		const matrix = bytes.indexOf('tkhd') + 4 + 40;
		bytes.writeInt32BE(0, matrix);
		bytes.writeInt32BE(0x10000, matrix + 4);
		bytes.writeInt32BE(-0x10000, matrix + 12);
		bytes.writeInt32BE(0, matrix + 16);
		expect(header(bytes, 1000).frame).toEqual({ width: 270, height: 480 });
	});

	it('is left alone in files that are broken or something else', () => {
		const broken = Buffer.from(readFileSync(MEDIA.generated));
		broken.writeUInt32BE(3, broken.indexOf('moov') - 4);
		for (const bytes of [broken, readFileSync(MEDIA.voiceMp3), Buffer.alloc(5_000)]) {
			expect(header(bytes, 100).frame).toBeUndefined();
		}
		const whole = readFileSync(MEDIA.generated);
		expect(header(whole.subarray(0, whole.indexOf('tkhd')), 100).frame).toBeUndefined();
	});
});
