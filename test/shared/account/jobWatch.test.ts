import { NodeApiError, type INode } from 'n8n-workflow';

import type { Job, JobSource } from '../../../nodes/shared/account/jobSource';
import { JobWatch } from '../../../nodes/shared/account/jobWatch';
import {
	waitForJobs,
	type JobEnd,
	type WaitOptions,
} from '../../../nodes/shared/account/waitForJobs';
import { apiError } from '../../../nodes/shared/transport/errors';
import { VirtualClock } from './virtualClock';

const START = 1_750_000_000_000;
const TIMING = { pollIntervalMs: 5_000, maxPollIntervalMs: 30_000, timeoutMs: 3_600_000 };
const nodeOf = (name: string): INode => ({
	id: name,
	name,
	type: 'test',
	typeVersion: 1,
	position: [0, 0],
	parameters: {},
});

/** One account that several executions wait at; videos end at a given time after the start, in ms. */
class SharedAccount {
	readonly clock = new VirtualClock(START);
	readonly watch = new JobWatch<Job>();
	readonly reads: Array<{ by: string; at: number; what: string }> = [];
	/** What happens to a read instead of an answer. */
	fault: (by: string, count: number) => Promise<void> | void = () => {};

	constructor(private readonly endsAfterMs: Record<string, number>) {}

	async wait(by: string, ids: string[], options: Partial<WaitOptions<Job>> = {}) {
		const ends = await waitForJobs(this.watch, ids, this.source(by), {
			...TIMING,
			clock: this.clock,
			...options,
		});
		return { ends, endedAfterMs: this.clock.now() - START };
	}

	private source(by: string): JobSource<Job> {
		const ask = async (what: string) => {
			this.reads.push({ by, at: this.clock.now() - START, what });
			await this.clock.sleep(100);
			await this.fault(by, this.reads.length);
		};
		const show = (id: string): Job => ({
			id,
			status: this.clock.now() >= START + this.endsAfterMs[id]! ? 'COMPLETE' : 'PROCESSING',
			created_at: START / 1_000,
		});
		return {
			node: nodeOf(by),
			read: async (id) => {
				await ask(id);
				if (this.endsAfterMs[id] === undefined) throw httpError(by, 404);
				return show(id);
			},
			list: async () => {
				await ask('list');
				return Object.keys(this.endsAfterMs).map(show);
			},
		};
	}
}

function httpError(by: string, status: number, retryAfterMs?: number): NodeApiError {
	return apiError(nodeOf(by), { kind: 'http', status, retryAfterMs }, { doing: `read for ${by}` });
}

const never = async () => await new Promise<never>(() => {});
const kindOf = ({ ends }: { ends: Map<string, JobEnd<Job>> }, id: string) => ends.get(id)!.kind;
const errorOf = ({ ends }: { ends: Map<string, JobEnd<Job>> }, id: string) => {
	const end = ends.get(id)!;
	return 'error' in end ? end.error : undefined;
};
const NAMES = Array.from({ length: 12 }, (_, index) => `e${index}`);

test('executions that wait for the same video share each read of it', async () => {
	const account = new SharedAccount({ v: 60_000 });
	const runs = await Promise.all(NAMES.map(async (name) => await account.wait(name, ['v'])));

	expect(runs.every((run) => kindOf(run, 'v') === 'read')).toBe(true);
	expect(new Set(runs.map(({ endedAfterMs }) => endedAfterMs)).size).toBe(1);
	// The first execution reads at once; the others came while it did, and read a moment later.
	expect(account.reads.length).toBeLessThanOrEqual(7);
});

test('an account is not read more often than once a second, whatever the pauses and however many wait', async () => {
	const jobs = Object.fromEntries(NAMES.map((name, index) => [`v_${name}`, index * 1_000]));
	const account = new SharedAccount(jobs);
	await Promise.all(
		NAMES.map(async (name, index) => {
			await account.clock.sleep(index * 150);
			await account.wait(name, [`v_${name}`], { pollIntervalMs: 50, maxPollIntervalMs: 50 });
		}),
	);

	const lists = account.reads.filter(({ what }) => what === 'list').map(({ at }) => at);
	const gaps = lists.slice(1).map((at, index) => at - lists[index]!);
	expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_000);
});

test('a node with short pauses brings the others news sooner, and is not held up by their long ones', async () => {
	const account = new SharedAccount({ v: 21_000 });
	const [slow, quick] = await Promise.all([
		account.wait('slow', ['v'], { pollIntervalMs: 300_000, maxPollIntervalMs: 300_000 }),
		account.wait('quick', ['v'], { pollIntervalMs: 2_000, maxPollIntervalMs: 2_000 }),
	]);

	expect(quick.endedAfterMs).toBeLessThanOrEqual(21_000 + 2_000 + 200);
	expect(slow.endedAfterMs).toBe(quick.endedAfterMs);
});

describe('when the execution that reads', () => {
	test('is stopped while its request is under way, another takes over and nobody is late', async () => {
		const account = new SharedAccount({ a: 4_000, b: 4_000 });
		const stop = new AbortController();
		account.fault = async (_, count) => {
			if (count !== 1) return;
			stop.abort();
			await never();
		};
		const [a, b] = await Promise.all([
			account.wait('A', ['a'], { signal: stop.signal }),
			account.wait('B', ['b']),
		]);

		expect(a.ends.get('a')).toEqual({ kind: 'open', job: undefined, error: undefined });
		expect(account.reads.slice(0, 2)).toMatchObject([
			{ by: 'A', at: 0 },
			{ by: 'B', at: 1_000 },
		]);
		expect(kindOf(b, 'b')).toBe('read');
		expect(b.endedAfterMs).toBeLessThan(4_000 + 5_000);
	});

	test('is stopped and its request fails of that, the others hear nothing of it', async () => {
		const account = new SharedAccount({ a: 4_000, b: 4_000 });
		const stop = new AbortController();
		account.fault = (by) => {
			if (by !== 'A') return;
			stop.abort();
			throw new TypeError('The execution was canceled');
		};
		const [a, b] = await Promise.all([
			account.wait('A', ['a'], { signal: stop.signal }),
			account.wait('B', ['b']),
		]);

		expect(kindOf(a, 'a')).toBe('open');
		expect(kindOf(b, 'b')).toBe('read');
		expect(errorOf(b, 'b')).toBeUndefined();
	});

	test('gets no answer, another takes over after ten seconds, and brings the reader the news, too', async () => {
		const account = new SharedAccount({ a: 4_000, b: 4_000 });
		account.fault = async (by) => (by === 'A' ? await never() : undefined);
		const [a, b] = await Promise.all([account.wait('A', ['a']), account.wait('B', ['b'])]);

		expect([kindOf(a, 'a'), kindOf(b, 'b')]).toEqual(['read', 'read']);
		expect([a.endedAfterMs, b.endedAfterMs]).toEqual([10_100, 10_100]);
	});

	test('has an unusable credential, only its own wait fails', async () => {
		const account = new SharedAccount({ a: 4_000, b: 4_000 });
		account.fault = (by) => {
			if (by === 'A') throw new TypeError('credential unusable');
		};
		const [a, b] = await Promise.allSettled([account.wait('A', ['a']), account.wait('B', ['b'])]);

		expect(a).toMatchObject({ status: 'rejected', reason: { message: 'credential unusable' } });
		expect(b).toMatchObject({ status: 'fulfilled' });
	});

	test('may not send the request, only its own wait fails', async () => {
		const account = new SharedAccount({ a: 4_000, b: 4_000 });
		account.fault = (by) => {
			if (by !== 'A') return;
			throw apiError(
				nodeOf('A'),
				{ kind: 'blocked', reason: 'Domain not allowed' },
				{ doing: 'read' },
			);
		};
		const [a, b] = await Promise.all([account.wait('A', ['a']), account.wait('B', ['b'])]);

		expect(errorOf(a, 'a')!.message).toContain('Domain not allowed');
		expect(kindOf(b, 'b')).toBe('read');
	});

	test('brings the news to an execution whose next step fails, that is no error of the reader', async () => {
		const account = new SharedAccount({ v: 4_000 });
		const [a, b] = await Promise.allSettled([
			account.wait('A', ['v']),
			account.wait('B', ['v'], {
				onEnd: () => {
					throw new TypeError('no place for the file');
				},
			}),
		]);

		expect(a.status).toBe('fulfilled');
		expect(b).toMatchObject({ status: 'rejected', reason: { message: 'no place for the file' } });
	});
});

test('a rate limit is everybody’s: nobody reads until it is over, and everybody gets the video', async () => {
	const account = new SharedAccount({ a: 10_000, b: 10_000, c: 10_000 });
	account.fault = (by, count) => {
		if (count === 1) throw httpError(by, 429, 47_000);
	};
	const runs = await Promise.all(
		['a', 'b', 'c'].map(async (id) => ({ id, run: await account.wait(`for ${id}`, [id]) })),
	);

	expect(account.reads[1]!.at).toBe(47_100);
	expect(runs.map(({ id, run }) => kindOf(run, id))).toEqual(['read', 'read', 'read']);
	expect(account.reads.length).toBeLessThanOrEqual(3);
});

test('a rate limit that lasts longer than a timeout ends that wait only', async () => {
	const account = new SharedAccount({ a: 10_000, b: 10_000 });
	account.fault = (by, count) => {
		if (count === 1) throw httpError(by, 429, 47_000);
	};
	const [a, b] = await Promise.all([
		account.wait('A', ['a'], { timeoutMs: 20_000 }),
		account.wait('B', ['b']),
	]);

	expect(a).toMatchObject({ endedAfterMs: 20_000 });
	expect(a.ends.get('a')).toMatchObject({ kind: 'open', error: { httpCode: '429' } });
	expect(kindOf(b, 'b')).toBe('read');
});

test('a refused key is everybody’s, and each execution is told in an error of its own node', async () => {
	const account = new SharedAccount({ a: 10_000, b: 10_000 });
	account.fault = (by) => {
		throw httpError(by, 401);
	};
	const runs = await Promise.all([account.wait('A', ['a']), account.wait('B', ['b'])]);

	expect(account.reads).toHaveLength(1);
	expect(errorOf(runs[0], 'a')).toMatchObject({ httpCode: '401', node: { name: 'A' } });
	expect(errorOf(runs[1], 'b')).toMatchObject({ httpCode: '401', node: { name: 'B' } });
	expect(errorOf(runs[0], 'a')).not.toBe(errorOf(runs[1], 'b'));
});

test('reads that fail for newcomers do not use up what an execution tolerates', async () => {
	const account = new SharedAccount({ v: 60_000 });
	account.fault = (by) => {
		if (account.clock.now() < START + 12_000) throw httpError(by, 503);
	};
	const patient = account.wait('patient', ['v']);
	const others = NAMES.map(async (name, index) => {
		await account.clock.sleep(1_000 * index + 500);
		return await account.wait(name, ['v']);
	});

	expect(kindOf(await patient, 'v')).toBe('read');
	await Promise.all(others);
	expect(account.reads.length).toBeLessThan(20);
});

test('a video that is not known everywhere yet is waited for', async () => {
	const account = new SharedAccount({ v: 20_000 });
	account.fault = (by, count) => {
		if (count <= 2) throw httpError(by, 404);
	};
	expect(kindOf(await account.wait('A', ['v']), 'v')).toBe('read');

	account.reads.length = 0;
	const unknown = await account.wait('A', ['typo']);
	expect(errorOf(unknown, 'typo')).toMatchObject({ httpCode: '404' });
	expect(account.reads).toHaveLength(3);
});

test('when the last execution has left, nothing is left of the wait', async () => {
	const account = new SharedAccount({ v: 60_000 });
	const stop = new AbortController();
	const waits = ['A', 'B'].map(
		async (name) => await account.wait(name, ['v'], { signal: stop.signal }),
	);
	expect(account.watch.isBusy).toBe(true);
	await account.clock.sleep(30_000);
	stop.abort();
	await Promise.all(waits);
	const reads = account.reads.length;
	await account.clock.sleep(600_000);

	expect(account.watch.isBusy).toBe(false);
	expect(account.reads).toHaveLength(reads);
	// A newcomer is not held up by who read before.
	const since = account.clock.now();
	await account.wait('C', ['v']);
	expect(account.reads.at(-1)!.at + START).toBe(since);
});

test('a clock that is set back an hour holds nobody up', async () => {
	const account = new SharedAccount({ v: 20_000 });
	let setBackMs = 0;
	const clock = {
		now: () => account.clock.now() - setBackMs,
		sleep: async (ms: number, signal?: AbortSignal) => await account.clock.sleep(ms, signal),
	};
	account.fault = (_, count) => {
		if (count === 2) setBackMs = 3_600_000;
	};
	const run = await account.wait('A', ['v'], { clock });

	expect(kindOf(run, 'v')).toBe('read');
	expect(run.endedAfterMs).toBeLessThan(60_000);
});

test('one wrong "Retry-After" does not silence executions that come later, however many overlap', async () => {
	const account = new SharedAccount({ a: 0 });
	account.fault = (by, count) => {
		if (count === 1) throw httpError(by, 429, 1_764_000_000_000);
	};
	const later = Array.from({ length: 6 }, async (_, index) => {
		await account.clock.sleep(index * 1_500_000);
		return await account.wait(`e${index}`, ['a']);
	});
	const runs = await Promise.all(later);
	expect(runs.slice(1).map((run) => kindOf(run, 'a'))).toEqual(later.slice(1).map(() => 'read'));
});
