import { readFileSync } from 'node:fs';

import { Client, stoppedClock } from '../../emulator/client';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../emulator/emulator';
import { MEDIA } from '../../emulator/media';
import { Mp4Header } from '../../emulator/mp4Header';

let emulator: Emulator;
let client: Client;

async function contentOf(options: EmulatorOptions = {}): Promise<string> {
	emulator = await startEmulator({ renderMs: 0, ...options });
	client = new Client(emulator);
	const { id } = (await client.createVideo()).json();
	const redirect = await client.get(`/v1/videos/${id}/content`);
	return redirect.headers.location as string;
}
afterEach(() => emulator?.close());

it('needs no key, and tells when one was sent to it', async () => {
	const location = await contentOf();
	expect((await client.get(location)).status).toBe(200);
	expect((await client.get(location, { 'x-api-key': emulator.apiKey })).status).toBe(200);
	const keys = emulator.requests
		.filter((entry) => entry.server === 'content')
		.map((entry) => [entry.route, entry.headers['x-api-key']]);
	expect(keys).toEqual([
		['content', undefined],
		['content', emulator.apiKey],
	]);
});

it('is valid for as long as told, by the clock', async () => {
	const clock = stoppedClock();
	const location = await contentOf({ now: clock.now, signedUrlMs: 5_000 });
	clock.pass(4_999);
	expect((await client.get(location)).status).toBe(200);
	clock.pass(1);
	const expired = await client.get(location);
	expect(expired.status).toBe(403);
	expect(expired.headers['content-type']).toBe('application/xml');
});

it('refuses a changed URL and forgets a deleted video', async () => {
	const location = await contentOf();
	expect((await client.get(location.replace('expires=1', 'expires=2'))).status).toBe(403);
	expect((await client.get(location.replace('.mp4', 'x.mp4'))).status).toBe(403);
	expect((await client.get(location.split('?')[0]!)).status).toBe(403);
	expect((await client.send('POST', location)).status).toBe(405);
	emulator.deleteVideo(emulator.videos()[0]!.id);
	expect((await client.get(location)).status).toBe(404);
});

it('serves ranges, so that a broken download can go on', async () => {
	const location = await contentOf();
	const whole = readFileSync(MEDIA.generated);
	const ranged = (range: string) => client.get(location, { range });
	const first = await ranged('bytes=0-99');
	expect(first.status).toBe(206);
	expect(first.headers['content-range']).toBe(`bytes 0-99/${whole.length}`);
	expect(first.body.equals(whole.subarray(0, 100))).toBe(true);
	expect((await ranged('bytes=100-')).body.equals(whole.subarray(100))).toBe(true);
	expect((await ranged('bytes=-50')).body.equals(whole.subarray(-50))).toBe(true);
	expect((await ranged('bytes=100-99999999')).body.equals(whole.subarray(100))).toBe(true);
	const beyond = await ranged(`bytes=${whole.length}-`);
	expect(beyond.status).toBe(416);
	expect(beyond.headers['content-range']).toBe(`bytes */${whole.length}`);
	expect((await ranged('bytes=0-1,5-6')).status).toBe(200);
	const head = await client.send('HEAD', location);
	expect(head.headers['content-length']).toBe(String(whole.length));
});

it('is a valid MP4 of exactly the bytes asked for', async () => {
	const bytes = 5_000_001;
	const location = await contentOf({ contentBytes: bytes });
	const { headers, body } = await client.get(location);
	expect([headers['content-length'], body.length]).toEqual([String(bytes), bytes]);
	const header = new Mp4Header();
	header.push(body);
	expect(header.frame).toEqual({ width: 360, height: 640 });
	const types: string[] = [];
	for (let at = 0; at < bytes;) {
		types.push(body.toString('latin1', at + 4, at + 8));
		const size = body.readUInt32BE(at);
		at += size === 1 ? Number(body.readBigUInt64BE(at + 8)) : size;
		expect(at).toBeLessThanOrEqual(bytes);
	}
	expect(types).toEqual(expect.arrayContaining(['ftyp', 'moov', 'mdat']));
	expect(types.at(-1)).toBe('free');

	const range = { range: 'bytes=33000-1100000' };
	const part = await client.get(location, range);
	expect(part.body.equals(body.subarray(33_000, 1_100_001))).toBe(true);
	await expect(startEmulator({ contentBytes: 1_000 })).rejects.toThrow(RangeError);
});

it('is small, portrait and H.264 whatever the kind of job', async () => {
	for (const kind of ['generated', 'captioned', 'overlay'] as const) {
		const bytes = readFileSync(MEDIA[kind]);
		const header = new Mp4Header();
		header.push(bytes);
		expect(header.frame).toEqual({ width: 360, height: 640 });
		expect(header.duration).toBeGreaterThan(2);
		expect(bytes.includes('avc1')).toBe(true);
		expect(bytes.length).toBeLessThan(60_000);
	}
});
