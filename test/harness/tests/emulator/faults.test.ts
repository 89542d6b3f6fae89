import { Agent, request } from 'undici';

import { Client } from '../../emulator/client';
import { type Emulator, startEmulator } from '../../emulator/emulator';
import type { ApiVideo, Fault } from '../../emulator/types';

let emulator: Emulator;
let client: Client;

beforeEach(async () => {
	emulator = await startEmulator({ renderMs: 0 });
	client = new Client(emulator);
});
afterEach(() => emulator.close());

const CREATE = 'POST /v1/videos';
const play = (fault: Fault, route = CREATE) => emulator.fault({ route, fault });

it('answers the given status, headers and body, and accepts nothing', async () => {
	play({ kind: 'status', status: 503, retryAfter: 7, headers: { 'x-a': 'b' }, body: { a: 1 } });
	const received = await client.createVideo();
	expect([received.status, received.json()]).toEqual([503, { a: 1 }]);
	expect(received.headers).toMatchObject({ 'retry-after': '7', 'x-a': 'b' });
	expect(emulator.videos()).toEqual([]);
	const logged = emulator.requests[0]!;
	expect(logged).toMatchObject({ fault: 'status', status: 503 });
	expect(logged.accepted).toBeUndefined();
	expect(logged.files).toHaveLength(2);
});

it('plays as often as told, after letting some through, on its route only', async () => {
	emulator.fault({ route: CREATE, times: 2, after: 1, fault: { kind: 'status', status: 500 } });
	const statuses: number[] = [];
	for (let i = 0; i < 4; i++) {
		statuses.push((await client.createVideo()).status);
		expect((await client.get('/v1/videos')).status).toBe(200);
	}
	expect(statuses).toEqual([200, 500, 500, 200]);

	emulator.fault({ times: Infinity, fault: { kind: 'status', status: 500 } });
	expect((await client.get('/v1/videos')).status).toBe(500);
	expect((await client.get('/v1/nothing')).status).toBe(500);
	emulator.clearFaults();
	expect((await client.get('/v1/videos')).status).toBe(200);
});

it('resets before the body is read and accepts nothing', async () => {
	play({ kind: 'resetBeforeBody' });
	await expect(client.createVideo()).rejects.toThrow();
	expect(emulator.videos()).toEqual([]);
	expect(emulator.requests[0]).toMatchObject({ bodyBytes: 0, fault: 'resetBeforeBody' });
	expect(emulator.requests[0]!.status).toBeUndefined();
});

it.each([true, false])('resets after the body was read, accepted: %s', async (accepted) => {
	play({ kind: 'resetAfterBody', accepted });
	await expect(client.createVideo()).rejects.toThrow(/other side closed|ECONNRESET/);
	expect(emulator.videos()).toHaveLength(accepted ? 1 : 0);
	const logged = emulator.requests[0]!;
	expect(logged.files).toHaveLength(2);
	expect(logged.accepted).toBe(emulator.videos()[0]?.id);
	expect(logged.status).toBeUndefined();
});

it('starts the job and answers an error', async () => {
	play({ kind: 'statusAfterAccept', status: 502 });
	expect((await client.createVideo()).status).toBe(502);
	expect(emulator.videos()).toHaveLength(1);
	expect(emulator.requests[0]).toMatchObject({ status: 502, accepted: emulator.videos()[0]!.id });
});

it('starts the job and answers HTML or unreadable JSON', async () => {
	play({ kind: 'html' });
	play({ kind: 'html', status: 502 });
	play({ kind: 'garbage' });
	const page = await client.createVideo();
	expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html']);
	expect(page.body.toString()).toContain('<html>');
	expect((await client.createVideo()).status).toBe(502);
	const garbage = await client.createVideo();
	expect([garbage.status, garbage.headers['content-type']]).toEqual([200, 'application/json']);
	expect(() => garbage.json()).toThrow(SyntaxError);
	expect(emulator.videos()).toHaveLength(3);
});

it('cuts a body off after the given bytes, though Content-Length promises all', async () => {
	play({ kind: 'truncate', bytes: 1_000 }, 'POST /v1/audio/text-to-speech/{voice_id}');
	const response = await request(`${emulator.url}/v1/audio/text-to-speech/v`, {
		method: 'POST',
		headers: { 'x-api-key': emulator.apiKey, 'content-type': 'application/json' },
		body: JSON.stringify({ text: 'A long enough text', model: 'mirage-audio-1' }),
	});
	expect(Number(response.headers['content-length'])).toBeGreaterThan(50_000);
	let bytes = 0;
	const read = async () => {
		for await (const chunk of response.body) bytes += (chunk as Buffer).length;
	};
	await expect(read()).rejects.toThrow();
	expect(bytes).toBe(1_000);
});

it('cuts off before the first byte of the body', async () => {
	play({ kind: 'truncate', bytes: 0 }, 'GET /v1/videos');
	const headers = { 'x-api-key': emulator.apiKey };
	const response = await request(`${emulator.url}/v1/videos`, { headers });
	expect(response.statusCode).toBe(200);
	await expect(response.body.text()).rejects.toThrow();
});

it('sends slowly', async () => {
	play({ kind: 'slow', bytesPerSecond: 1_500 });
	const started = performance.now();
	const received = await client.createVideo();
	const expected = (received.body.length / 1_500) * 1_000;
	expect(performance.now() - started).toBeGreaterThan(expected * 0.9);
	expect(received.json().status).toBe('COMPLETE');
});

it('delays', async () => {
	play({ kind: 'delay', ms: 120 });
	const started = performance.now();
	expect((await client.createVideo()).status).toBe(200);
	expect(performance.now() - started).toBeGreaterThan(110);
});

it('hangs until the client gives up, and accepts nothing', async () => {
	play({ kind: 'hang' });
	const dispatcher = new Agent({ headersTimeout: 200 });
	const hanging = request(`${emulator.url}/v1/videos`, {
		method: 'POST',
		dispatcher,
		headers: { 'x-api-key': emulator.apiKey },
	});
	await expect(hanging).rejects.toThrow('Headers Timeout');
	expect(emulator.videos()).toEqual([]);
	await dispatcher.close();
});

it('accepts a job and hangs, when asked to', async () => {
	play({ kind: 'hang', accepted: true });
	const sent = client.createVideo().catch(() => 'cut off');
	while (emulator.videos().length === 0) await new Promise((resolve) => setImmediate(resolve));
	await emulator.close();
	expect(await sent).toBe('cut off');
});

describe('content', () => {
	let video: ApiVideo;
	const CONTENT = 'GET /v1/videos/{video_id}/content';
	const locate = async () => {
		const redirect = await client.get(`/v1/videos/${video.id}/content`);
		return redirect.headers.location as string;
	};
	beforeEach(async () => {
		video = (await client.createVideo()).json();
	});

	it('is out of date on the second origin, and fine when asked for anew', async () => {
		play({ kind: 'expired' }, 'content');
		const expired = await client.get(await locate());
		expect(expired.status).toBe(403);
		expect(expired.body.toString()).toContain('Request has expired');
		expect((await client.get(await locate())).status).toBe(200);
	});

	it('is out of date from the start', async () => {
		play({ kind: 'expired' }, CONTENT);
		const location = await locate();
		expect((await client.get(location)).status).toBe(403);
		expect((await client.get(location)).status).toBe(403);
		expect((await client.get(await locate())).status).toBe(200);
	});

	it.each(['content', CONTENT])('redirects without end (%s)', async (route) => {
		play({ kind: 'redirectLoop' }, route);
		const seen = new Set<string>();
		let location = await locate();
		for (let hop = 0; hop < 30; hop++) {
			seen.add(location);
			const received = await client.get(location);
			expect(received.status).toBe(302);
			location = received.headers.location as string;
		}
		expect(seen.size).toBe(30);
	});

	it('is cut off, slow or refused like any answer', async () => {
		play({ kind: 'truncate', bytes: 100 }, 'content');
		await expect(client.get(await locate())).rejects.toThrow();
		play({ kind: 'status', status: 500, body: 'no' }, 'content');
		const refused = await client.get(await locate());
		expect([refused.status, refused.body.toString()]).toEqual([500, 'no']);
		play({ kind: 'html', status: 200 }, 'content');
		expect((await client.get(await locate())).headers['content-type']).toBe('text/html');
	});
});
