import { setImmediate as turn } from 'node:timers/promises';

import type { Clock } from '../../../nodes/shared/async/clock';
import {
	createRateLimiter,
	type RateLimiterRules,
} from '../../../nodes/shared/transport/rateLimiter';
import type { Bucket } from '../../../nodes/shared/transport/adaptiveInterval';
import type { Submission } from '../../../nodes/shared/transport/retry';

/** A clock that jumps to the next moment at which somebody wants to wake up. */
class VirtualClock implements Clock {
	private time = 1_700_000_000_000;
	private readonly sleepers = new Set<{ until: number; wake: () => void }>();

	now() {
		return this.time;
	}

	async sleep(ms: number, signal?: AbortSignal) {
		if (signal?.aborted) return;
		await new Promise<void>((resolve) => {
			const sleeper = { until: this.time + ms, wake: resolve };
			this.sleepers.add(sleeper);
			signal?.addEventListener('abort', () => {
				if (this.sleepers.delete(sleeper)) resolve();
			});
		});
	}

	/** Lets time pass until `work` is done. Fails when nobody will ever wake up. */
	async until<T>(work: Promise<T>): Promise<T> {
		let done = false;
		void work.then(
			() => (done = true),
			() => (done = true),
		);
		for (;;) {
			await turn();
			if (done) return await work;
			const next = [...this.sleepers].sort((a, b) => a.until - b.until)[0];
			if (!next) throw new Error('Everybody waits for somebody else');
			this.sleepers.delete(next);
			this.time = Math.max(this.time, next.until);
			next.wake();
		}
	}
}

/** A server with a token bucket that holds a minute's worth of requests, as the provider describes it. */
class Server {
	readonly log: Array<{ item: number; at: number; accepted: boolean }> = [];
	private at: number;

	constructor(
		private readonly clock: VirtualClock,
		private readonly perMinute: number,
		private tokens = perMinute,
		private readonly rules: {
			retryAfter?: boolean;
			/** How long an upload takes, in ms. */
			uploadMs?: (count: number) => number;
		} = {},
	) {
		this.at = clock.now();
	}

	async send(item: number): Promise<Submission> {
		await this.clock.sleep(this.rules.uploadMs?.(this.log.length) ?? 200);
		const now = this.clock.now();
		this.tokens = Math.min(
			this.perMinute,
			this.tokens + ((now - this.at) * this.perMinute) / 60_000,
		);
		this.at = now;
		const accepted = this.tokens >= 1 - 1e-9;
		if (accepted) this.tokens -= 1;
		this.log.push({ item, at: now, accepted });
		if (accepted) return { kind: 'accepted', sentAt: now, answer: {} as never };
		const waitMs = ((1 - this.tokens) * 60_000) / this.perMinute;
		return {
			kind: 'rateLimited',
			retryAfterMs: this.rules.retryAfter ? Math.ceil(waitMs / 1_000) * 1_000 : undefined,
		};
	}

	get refused() {
		return this.log.filter(({ accepted }) => !accepted).length;
	}

	/** Whether two requests in a row were refused although the second left after the first was answered. */
	refusedTwice(item: number) {
		return this.log.filter((entry) => entry.item === item && !entry.accepted).length > 1;
	}
}

/** Sends `items` through a limiter, `concurrency` at a time, as a node does. */
async function sendAll(
	clock: VirtualClock,
	server: Server,
	{
		items = 50,
		concurrency = 3,
		bucket = 'createVideo' as Bucket,
		...rules
	}: Partial<RateLimiterRules> & {
		items?: number;
		concurrency?: number;
		bucket?: Bucket;
	},
) {
	const limiter = createRateLimiter({ patienceMs: 10 * 3_600_000, clock, ...rules });
	const startedAt = clock.now();
	const results: Submission[] = [];
	let next = 0;
	const lane = async () => {
		while (next < items) {
			const item = next++;
			results[item] = await limiter.pass(bucket, async () => await server.send(item));
		}
	};
	await clock.until(Promise.all(Array.from({ length: concurrency }, lane)));
	const accepted = results.filter(({ kind }) => kind === 'accepted').length;
	return { limiter, results, accepted, tookMs: clock.now() - startedAt };
}

const jitter = (count: number) => 1_000 + ((count * 7_919) % 4_000);

describe('a spreadsheet of 50 rows', () => {
	const cases: Array<{
		name: string;
		perMinute: number;
		tokens?: number;
		bucket?: Bucket;
		concurrency?: number;
		items?: number;
		retryAfter?: boolean;
		uploadMs?: (count: number) => number;
	}> = [
		{ name: '2 a minute', perMinute: 2 },
		{ name: '2 a minute, one at a time', perMinute: 2, concurrency: 1 },
		{ name: '2 a minute, 10 at a time', perMinute: 2, concurrency: 10 },
		{ name: '2 a minute, 20 at a time', perMinute: 2, concurrency: 20 },
		{ name: '2 a minute with Retry-After', perMinute: 2, retryAfter: true },
		{ name: '2 a minute, one token left', perMinute: 2, tokens: 1 },
		{ name: '2 a minute, half a token left', perMinute: 2, tokens: 0.5 },
		{ name: '2 a minute, no token left', perMinute: 2, tokens: 0 },
		{ name: '2 a minute, uploads of 1 to 5 s', perMinute: 2, uploadMs: jitter },
		{ name: '2 a minute, uploads of 20 s', perMinute: 2, uploadMs: () => 20_000 },
		{ name: '20 a minute, a larger plan', perMinute: 20 },
		{ name: '100 a minute', perMinute: 100, bucket: 'addCaptions', concurrency: 10 },
		{
			name: '100 a minute, 250 rows',
			perMinute: 100,
			bucket: 'addCaptions',
			concurrency: 10,
			items: 250,
		},
		{
			name: '100 a minute, 40 tokens left',
			perMinute: 100,
			tokens: 40,
			bucket: 'addCaptions',
			concurrency: 10,
		},
		{
			name: '100 a minute, no token left, uploads of 3 s',
			perMinute: 100,
			tokens: 0,
			bucket: 'addCaptions',
			concurrency: 10,
			uploadMs: () => 3_000,
		},
	];
	it.each(cases)('is sent in time: $name', async (rules) => {
		const { perMinute, tokens = perMinute, items = 50, concurrency = 3 } = rules;
		const clock = new VirtualClock();
		const server = new Server(clock, perMinute, tokens, rules);
		const { accepted, tookMs } = await sendAll(clock, server, rules);
		// The limit itself, and where uploads take longer than the limit asks for, those.
		const uploadMs = rules.uploadMs?.(0) ?? 200;
		const shortestMs = Math.max(
			((items - tokens) * 60_000) / perMinute + uploadMs,
			(items / concurrency) * uploadMs,
		);
		expect(accepted).toBe(items);
		expect(tookMs).toBeLessThanOrEqual(1.2 * shortestMs);
		expect(server.refused).toBeLessThanOrEqual(0.2 * server.log.length);
		for (let item = 0; item < items; item++) expect(server.refusedTwice(item)).toBe(false);
	});
});

it('ends when patience is spent: the rest is refused without being sent', async () => {
	const clock = new VirtualClock();
	const server = new Server(clock, 2);
	const patienceMs = 5 * 60_000;
	const { limiter, results, accepted, tookMs } = await sendAll(clock, server, { patienceMs });
	expect(limiter.waited.spent).toBe(true);
	expect(limiter.waited.ms).toBeLessThanOrEqual(patienceMs);
	expect(tookMs).toBeLessThan(patienceMs + 10_000);
	expect(accepted).toBeGreaterThanOrEqual(10);
	expect(results.filter(({ kind }) => kind === 'rateLimited')).toHaveLength(50 - accepted);
	expect(server.log.length - server.refused).toBe(accepted);
	expect(limiter.note()).toContain('allows 5.');
});

it('ends at once when the execution is stopped, and sends nothing any more', async () => {
	const clock = new VirtualClock();
	const server = new Server(clock, 2);
	const stop = new AbortController();
	const waits: number[] = [];
	const onWait = (ms: number) => {
		waits.push(ms);
		if (waits.length === 3) stop.abort();
	};
	const { results } = await sendAll(clock, server, { signal: stop.signal, onWait });
	const sent = server.log.length;
	expect(waits).toHaveLength(3);
	expect(sent).toBeLessThan(12);
	expect(results).toHaveLength(50);
});

it('goes on when a request fails otherwise', async () => {
	const clock = new VirtualClock();
	const limiter = createRateLimiter({ patienceMs: 1_000, clock });
	const broken = limiter.pass('createVideo', async () => {
		throw new Error('stopped');
	});
	await expect(broken).rejects.toThrow('stopped');
	const rejected: Submission = { kind: 'rejected', failure: { kind: 'http', status: 422 } };
	expect(await limiter.pass('createVideo', async () => rejected)).toBe(rejected);
});

it('keeps the pace from one run of the node to the next, as a loop needs it', async () => {
	const clock = new VirtualClock();
	const server = new Server(clock, 2);
	const paces = {};
	for (let row = 0; row < 20; row++)
		await sendAll(clock, server, { paces, items: 1, concurrency: 1 });
	expect(server.log.length - server.refused).toBe(20);
	expect(server.refused).toBeLessThanOrEqual(3);
});

it('a lower limit than documented is found without refusing every second upload', async () => {
	const clock = new VirtualClock();
	const server = new Server(clock, 1);
	const { accepted } = await sendAll(clock, server, {});
	expect(accepted).toBe(50);
	expect(server.refused).toBeLessThanOrEqual(0.2 * server.log.length);
});
