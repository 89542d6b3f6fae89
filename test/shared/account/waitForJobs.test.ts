import fc from 'fast-check';
import { NodeApiError } from 'n8n-workflow';

import type { Job } from '../../../nodes/shared/account/jobSource';
import { JobWatch } from '../../../nodes/shared/account/jobWatch';
import {
	judgeFailedRead,
	listable,
	MAX_FAILED_READS,
	ROUNDS_WITHOUT_LIST,
	wantsNextPage,
} from '../../../nodes/shared/account/pollSchedule';
import {
	waitForJobs,
	type JobEnd,
	type WaitOptions,
} from '../../../nodes/shared/account/waitForJobs';
import { suspensionMs } from '../../../nodes/WaitForVideo/suspend';
import { VirtualClock } from './virtualClock';
import { node, TIMING } from './waitingNode';

const START = 1_700_000_000_000;

/** An error as the API functions throw it. */
function apiError(status?: number, retryAfterMs?: number): NodeApiError {
	const error = new NodeApiError(node, { message: `HTTP ${status ?? 'none'}` });
	error.httpCode = status === undefined ? null : String(status);
	if (retryAfterMs !== undefined) error.context.retryAfterMs = retryAfterMs;
	error.context.mayPass = status === undefined;
	return error;
}

interface Rendering {
	id: string;
	createdMs: number;
	endsMs: number;
	status?: string;
}

/** An account whose videos render by the clock, and a record of what was asked, round by round. */
class Account {
	readonly clock = new VirtualClock(START);
	readonly watch = new JobWatch<Job>();
	readonly videos: Rendering[] = [];
	/** Requests by the time they were sent. */
	requests: Array<{ at: number; path: string }> = [];
	/** Fails requests: gets the path, gives the error. */
	fault: (path: string) => NodeApiError | undefined = () => undefined;
	inFlight = 0;
	mostInFlight = 0;

	add(...videos: Rendering[]) {
		this.videos.push(...videos);
		this.videos.sort((a, b) => b.createdMs - a.createdMs);
	}

	source = {
		node,
		read: async (id: string) => {
			await this.ask(id);
			const video = this.videos.find((one) => one.id === id);
			if (!video) throw apiError(404);
			return this.show(video);
		},
		list: async (after: string | undefined) => {
			await this.ask('list');
			const from = after === undefined ? 0 : this.videos.findIndex(({ id }) => id === after) + 1;
			return this.videos.slice(from, from + 100).map((video) => this.show(video));
		},
	};

	/** Waits for `ids` and tells when each was seen to have ended. */
	async wait(ids: string[], options: Partial<WaitOptions<Job>> = {}, source: object = this.source) {
		const seenAt = new Map<string, number>();
		const ends = await waitForJobs<Job>(this.watch, ids, source as typeof this.source, {
			...TIMING,
			clock: this.clock,
			onEnd: (id) => void seenAt.set(id, this.clock.now()),
			...options,
		});
		return { ends, seenAt };
	}

	/** Requests of each round, in order. */
	rounds(): number[] {
		const counts = new Map<number, number>();
		for (const { at } of this.requests) counts.set(at, (counts.get(at) ?? 0) + 1);
		return [...counts.values()];
	}

	private show({ id, createdMs, endsMs, status = 'COMPLETE' }: Rendering): Job {
		return {
			id,
			status: this.clock.now() >= endsMs ? status : 'PROCESSING',
			created_at: Math.floor(createdMs / 1_000),
		};
	}

	private async ask(path: string) {
		this.requests.push({ at: this.clock.now(), path });
		this.inFlight += 1;
		this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
		await this.clock.sleep(0);
		this.inFlight -= 1;
		const error = this.fault(path);
		if (error) throw error;
	}
}

const kinds = (ends: Map<string, JobEnd<Job>>) => [...ends.values()].map(({ kind }) => kind);
const staggered = (count: number, spreadMs: number): Rendering[] =>
	Array.from({ length: count }, (_, index) => ({
		id: `video_${index}`,
		createdMs: START - count * 1_000 + index * 1_000,
		endsMs: START + ((index + 1) * spreadMs) / count,
	}));
const idsOf = (videos: Rendering[]) => videos.map(({ id }) => id);

test.each([
	[404, 'unknown'],
	[401, 'refused'],
	[403, 'refused'],
	[422, 'rejected'],
	[429, 'rateLimited'],
	[408, 'passing'],
	[500, 'passing'],
	[503, 'passing'],
	[200, 'passing'],
	[undefined, 'passing'],
])('a read that fails with %p is %s', (status, meaning) => {
	expect(judgeFailedRead(status)).toBe(meaning);
});

describe('the list of videos', () => {
	const job = (createdAt?: number) => ({ createdAt, listFromRound: 0 });

	test('is asked from three open videos on, and not for those it did not show', () => {
		expect(listable([job(), job()], 0)).toEqual([]);
		expect(listable([job(), job(), job()], 0)).toHaveLength(3);
		const hidden = { listFromRound: 6 };
		expect(listable([job(), hidden, hidden], 0)).toEqual([]);
		expect(listable([job(), job(), hidden], 0)).toHaveLength(2);
		expect(listable([job(), hidden, hidden], 6)).toHaveLength(3);
	});

	const page = (found: number, oldest: number, size = 100) => ({ found, oldest, size });
	test('is read on only where at least two of the missing videos can be', () => {
		expect(wantsNextPage([job(), job()], [page(98, 500)])).toBe(true);
		expect(wantsNextPage([job()], [page(99, 500)])).toBe(false);
		expect(wantsNextPage([job(400), job(500)], [page(98, 500)])).toBe(true);
		expect(wantsNextPage([job(600), job(400)], [page(98, 500)])).toBe(false);
		expect(wantsNextPage([job(), job()], [page(40, 500, 42)])).toBe(false);
	});

	test('is given up when pages of foreign videos cost more than they can save', () => {
		const few = [job(), job(), job()];
		expect(wantsNextPage(few, [page(0, 900)])).toBe(true);
		expect(wantsNextPage(few, [page(0, 900), page(0, 800)])).toBe(false);
		const many = Array.from({ length: 100 }, () => job());
		const foreign = Array.from({ length: 11 }, (_, index) => page(0, 900 - index));
		expect(wantsNextPage(many, foreign.slice(1))).toBe(true);
		expect(wantsNextPage(many, foreign)).toBe(false);
	});
});

test('an execution is suspended for a minute at least, and for long videos not for each minute', () => {
	expect(suspensionMs(0)).toBe(60_000);
	expect(suspensionMs(600_000)).toBe(60_000);
	expect(suspensionMs(1_200_000)).toBe(120_000);
	expect(suspensionMs(86_400_000)).toBe(300_000);

	let looks = 0;
	for (let age = 0; age < 3_600_000; age += suspensionMs(age)) looks += 1;
	expect(looks).toBeLessThanOrEqual(30);
});

test('100 staggered videos are each seen within one longest pause, with two requests a round at most', async () => {
	const account = new Account();
	const videos = staggered(100, 600_000);
	account.add(...videos);
	const { ends, seenAt } = await account.wait(idsOf(videos));

	expect(kinds(ends).every((kind) => kind === 'read')).toBe(true);
	const late = videos.map(({ id, endsMs }) => seenAt.get(id)! - endsMs);
	expect(Math.max(...late)).toBeLessThanOrEqual(30_000);
	expect(Math.max(...account.rounds())).toBeLessThanOrEqual(2);
	expect(account.requests.length).toBeLessThanOrEqual(account.rounds().length + 6);
});

test('100 videos that lie on two pages of the list cost two requests a round', async () => {
	const account = new Account();
	const videos = staggered(100, 1).map((video) => ({ ...video, endsMs: START + 300_000 }));
	account.add(...videos);
	account.add(
		...Array.from({ length: 60 }, (_, index) => ({
			id: `other_${index}`,
			createdMs: START - 40_000 + index,
			endsMs: START,
		})),
	);
	await account.wait(idsOf(videos));

	expect(new Set(account.rounds())).toEqual(new Set([2]));
	expect(account.requests.every(({ path }) => path === 'list')).toBe(true);
});

test('videos too old for the list are read singly, and the list is not searched for them each round', async () => {
	const account = new Account();
	const old = staggered(3, 1).map((video) => ({ ...video, endsMs: START + 300_000 }));
	account.add(...old.map((video) => ({ ...video, createdMs: START - 90_000_000 })));
	account.add(
		...Array.from({ length: 500 }, (_, index) => ({
			id: `other_${index}`,
			createdMs: START - index,
			endsMs: START,
		})),
	);
	await account.wait(idsOf(old));

	const rounds = account.rounds();
	expect(rounds[0]).toBe(2 + 3);
	expect(rounds.slice(1, 1 + ROUNDS_WITHOUT_LIST)).toEqual(Array(ROUNDS_WITHOUT_LIST).fill(3));
});

test('whatever else the account holds, no video is missed or much dearer than reading each singly', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.record({ gap: fc.nat(3), mine: fc.boolean() }), {
				minLength: 1,
				maxLength: 600,
				size: 'max',
			}),
			fc.nat(250),
			async (history, foreignOnTop) => {
				const account = new Account();
				let createdMs = START - 10_000_000;
				history.forEach(({ gap, mine }, index) => {
					createdMs += gap * 1_000;
					const endsMs = START + ((index * 7_919) % 120_000);
					account.add({ id: `${mine ? 'mine' : 'other'}_${index}`, createdMs, endsMs });
				});
				for (let index = 0; index < foreignOnTop; index++)
					account.add({ id: `top_${index}`, createdMs: START, endsMs: START });
				const mine = account.videos.filter(({ id }) => id.startsWith('mine'));
				const { ends, seenAt } = await account.wait(idsOf(mine));

				expect(kinds(ends).every((kind) => kind === 'read')).toBe(true);
				for (const { id, endsMs } of mine)
					expect(seenAt.get(id)! - Math.max(endsMs, START)).toBeLessThanOrEqual(30_000);
				const times = [...new Set(account.requests.map(({ at }) => at))];
				for (const at of times) {
					const open = mine.filter(({ id }) => seenAt.get(id)! >= at).length;
					const sent = account.requests.filter((request) => request.at === at).length;
					expect(sent).toBeLessThanOrEqual(open * 1.1 + 2);
				}
			},
		),
		{ numRuns: 60 },
	);
});

test('the same ID on many items is read once a round', async () => {
	const account = new Account();
	account.add({ id: 'a', createdMs: START, endsMs: START + 20_000 });
	const { ends } = await account.wait(['a', 'a', 'a', 'a']);

	expect([...ends.keys()]).toEqual(['a']);
	expect(new Set(account.rounds())).toEqual(new Set([1]));
});

test('an ID that does not exist is known after three reads in three seconds, and can end the wait', async () => {
	const account = new Account();
	const videos = staggered(5, 600_000);
	account.add(...videos);
	const { ends } = await account.wait([...idsOf(videos), 'typo'], {
		onEnd: (_, end) => (end.kind === 'unknown' ? 'stop' : undefined),
	});

	expect(ends.get('typo')!.kind).toBe('unknown');
	expect(account.clock.pauses).toEqual([1_000, 2_000]);
	expect(ends.get('video_4')).toMatchObject({ kind: 'open', job: { status: 'PROCESSING' } });
});

test('an outage of four rounds is survived, with the fifth failed read in a row the video is given up', async () => {
	for (const failures of [MAX_FAILED_READS - 1, MAX_FAILED_READS]) {
		const account = new Account();
		account.add({ id: 'a', createdMs: START, endsMs: START + 500_000 });
		let left = failures;
		account.fault = () => (account.clock.now() > START && left-- > 0 ? apiError(503) : undefined);
		const { ends } = await account.wait(['a']);

		const survived = failures < MAX_FAILED_READS;
		expect(ends.get('a')).toMatchObject(
			survived
				? { kind: 'read', job: { status: 'COMPLETE' } }
				: { kind: 'unreadable', job: { status: 'PROCESSING' } },
		);
	}
});

test('failures that are not in a row do not add up', async () => {
	const account = new Account();
	account.add({ id: 'a', createdMs: START, endsMs: START + 900_000 });
	account.fault = () => (account.requests.length % 3 > 0 ? apiError() : undefined);
	const { ends } = await account.wait(['a']);

	expect(account.requests.length).toBeGreaterThan(20);
	expect(ends.get('a')!.kind).toBe('read');
});

test('when the list is out of order, the videos are read singly', async () => {
	const account = new Account();
	const videos = staggered(10, 400_000);
	account.add(...videos);
	account.fault = (path) => (path === 'list' ? apiError(500) : undefined);
	const { ends } = await account.wait(idsOf(videos));

	expect(kinds(ends).every((kind) => kind === 'read')).toBe(true);
});

test('Retry-After is waited out, a rate limit is no failed read, and no more reads follow it in its round', async () => {
	const account = new Account();
	const videos = staggered(20, 1).map((video) => ({ ...video, endsMs: START + 900_000 }));
	account.add(...videos);
	let answers = 0;
	account.fault = () => (++answers <= 8 ? apiError(429, 47_000) : undefined);
	const { ends } = await account.wait(idsOf(videos));

	expect(account.clock.pauses.slice(0, 8)).toEqual(Array(8).fill(47_000));
	expect(account.rounds().slice(0, 8)).toEqual(Array(8).fill(1));
	expect(kinds(ends).every((kind) => kind === 'read')).toBe(true);
});

test('under a rate limit all jobs get their turn, and the rest of a round is not wasted on it', async () => {
	const account = new Account();
	const jobs = staggered(40, 1).map((video) => ({ ...video, endsMs: START + 9_000_000 }));
	account.add(...jobs);
	let sent = 0;
	let at = 0;
	account.fault = () => {
		if (at !== account.clock.now()) [at, sent] = [account.clock.now(), 0];
		return ++sent > 7 ? apiError(429) : undefined;
	};
	const timeoutMs = 6 * 30_000;
	const { ends } = await account.wait(
		idsOf(jobs),
		{ timeoutMs },
		{ node, read: account.source.read },
	);

	expect([...ends.values()].filter((end) => 'job' in end && end.job)).toHaveLength(40);
	expect(Math.max(...account.rounds())).toBeLessThanOrEqual(7 + 5);
});

test.each([401, 403])(
	'a key that is refused (%i) ends the wait at once for all',
	async (status) => {
		const account = new Account();
		const videos = staggered(50, 600_000);
		account.add(...videos);
		account.fault = () => apiError(status);
		for (const source of [account.source, { node, read: account.source.read }]) {
			account.requests = [];
			const { ends } = await account.wait(idsOf(videos), {}, source);
			expect(new Set(kinds(ends))).toEqual(new Set(['unreadable']));
			expect(account.requests.length).toBeLessThanOrEqual(5);
		}
		expect(account.clock.pauses).toEqual([]);
	},
);

test('jobs without a list are read with at most five requests at a time', async () => {
	const account = new Account();
	const jobs = staggered(60, 120_000);
	account.add(...jobs);
	const { ends } = await account.wait(idsOf(jobs), {}, { node, read: account.source.read });

	expect(account.mostInFlight).toBe(5);
	expect(kinds(ends).every((kind) => kind === 'read')).toBe(true);
});

test('when the time is over, each open video has its last state', async () => {
	const account = new Account();
	const videos = staggered(4, 1_200_000);
	account.add(...videos);
	const { ends } = await account.wait(idsOf(videos), { timeoutMs: 660_000 });

	expect(kinds(ends)).toEqual(['read', 'read', 'open', 'open']);
	expect(ends.get('video_3')).toMatchObject({ job: { status: 'PROCESSING' } });
	expect(account.clock.now()).toBe(START + 660_000);
});

test('a single look reads each job once, whatever its state', async () => {
	const account = new Account();
	const videos = staggered(10, 600_000);
	account.add(...videos);
	const { ends } = await account.wait(idsOf(videos), { until: 'read' });

	expect(account.requests).toHaveLength(1);
	expect([...ends.values()].every((end) => end.kind === 'read')).toBe(true);
});

test('a status that does not exist today means not finished yet', async () => {
	const account = new Account();
	account.add({ id: 'a', createdMs: START, endsMs: START, status: 'QUEUED' });
	const { ends } = await account.wait(['a'], { timeoutMs: 60_000 });

	expect(ends.get('a')).toMatchObject({ kind: 'open', job: { status: 'QUEUED' } });
});

test('a stop ends the wait although a request hangs', async () => {
	const stop = new AbortController();
	const waiting = waitForJobs<Job>(
		new JobWatch(),
		['a', 'b'],
		{ node, read: async () => await new Promise<Job>(() => {}) },
		{ ...TIMING, signal: stop.signal },
	);
	setImmediate(() => stop.abort());

	expect(kinds(await waiting)).toEqual(['open', 'open']);
});

test('what is no answer of the API is not taken for one', async () => {
	const broken = waitForJobs<Job>(
		new JobWatch(),
		['a'],
		{
			node,
			read: async () => {
				throw new TypeError('credential unusable');
			},
		},
		{ ...TIMING, clock: new VirtualClock(START) },
	);

	await expect(broken).rejects.toThrow('credential unusable');
});
