import { Client, stoppedClock } from '../../emulator/client';
import { type EmulatorOptions, startEmulator } from '../../emulator/emulator';

async function withEmulator(
	options: EmulatorOptions,
	use: (client: Client, pass: (ms: number) => void) => Promise<void>,
) {
	const clock = stoppedClock();
	const emulator = await startEmulator({ ...options, now: clock.now });
	try {
		await use(new Client(emulator), clock.pass);
	} finally {
		await emulator.close();
	}
}

const statuses = async (count: number, send: () => Promise<{ status: number }>) => {
	const seen: number[] = [];
	for (let i = 0; i < count; i++) seen.push((await send()).status);
	return seen;
};

it('creates two videos at once, then one every 30 seconds', async () => {
	await withEmulator({ rateLimits: 'real' }, async (client, pass) => {
		const create = () => client.createVideo();
		expect(await statuses(3, create)).toEqual([200, 200, 429]);
		pass(29_999);
		expect(await statuses(1, create)).toEqual([429]);
		pass(1);
		expect(await statuses(2, create)).toEqual([200, 429]);
		pass(3_600_000);
		expect(await statuses(3, create)).toEqual([200, 200, 429]);
	});
});

it('refuses with the documented body and without Retry-After', async () => {
	await withEmulator({ rateLimits: 'real' }, async (client) => {
		await statuses(2, () => client.createVideo());
		const refused = await client.createVideo();
		expect(refused.json()).toEqual({
			error: { type: 'rate_limit_exceeded', message: 'Rate limit exceeded.' },
		});
		expect(refused.headers).not.toHaveProperty('retry-after');
	});
});

it('tells the seconds to wait when asked to', async () => {
	await withEmulator({ rateLimits: 'real', retryAfter: true }, async (client, pass) => {
		await statuses(2, () => client.createVideo());
		pass(9_500);
		const refused = await client.createVideo();
		expect(refused.headers['retry-after']).toBe('21');
		pass(21_000);
		expect((await client.createVideo()).status).toBe(200);
	});
});

it('counts each feature by itself: captions 100 a minute, lists and templates without end', async () => {
	await withEmulator({ rateLimits: 'real' }, async (client) => {
		expect(await statuses(2, () => client.createVideo())).toEqual([200, 200]);
		const captions = await statuses(101, () => client.addCaptions('ctpl_none', { video_id: 'x' }));
		expect(captions.filter((status) => status === 404)).toHaveLength(100);
		expect(captions.at(-1)).toBe(429);
		const reads = await statuses(101, () => client.get('/v1/videos/x'));
		expect(reads.slice(-2)).toEqual([404, 429]);
		const overlays = await statuses(101, () => client.get('/v1/meta/text_overlays/x'));
		expect(overlays.slice(-2)).toEqual([404, 429]);
		expect(await statuses(101, () => client.get('/v1/videos'))).not.toContain(429);
	});
});

it('takes other figures, and refuses a speed that never refills', async () => {
	await withEmulator(
		{ rateLimits: { speed: 1, perMinute: { createVideo: 1 } } },
		async (client) => {
			expect(await statuses(2, () => client.createVideo())).toEqual([200, 429]);
		},
	);
	await expect(startEmulator({ rateLimits: { speed: 0 } })).rejects.toThrow(RangeError);
});

it('accepts nothing that it refuses', async () => {
	const clock = stoppedClock();
	const emulator = await startEmulator({ rateLimits: 'real', now: clock.now });
	await statuses(5, () => new Client(emulator).createVideo());
	expect(emulator.videos()).toHaveLength(2);
	expect(emulator.requests.map(({ accepted }) => accepted !== undefined)).toEqual([
		true,
		true,
		false,
		false,
		false,
	]);
	await emulator.close();
});
