import { BucketLimiter, type Place, type Waiter } from '../../../nodes/shared/account/rateLimiter';
import { placeText } from '../../../nodes/shared/account/runRateLimiter';
import type { Bucket } from '../../../nodes/shared/api/buckets';
import type { Submission } from '../../../nodes/shared/transport/retry';
import { simulate } from './simulation';
import { SimulatedClock } from './simulatedClock';

const ACCEPTED: Submission = { kind: 'accepted', sentAt: 0, answer: {} as never };
const REFUSED: Submission = { kind: 'rateLimited' };
const HOUR = 3_600_000;

let clock: SimulatedClock;
let limiter: BucketLimiter;
const sent: string[] = [];

function open(bucket: Bucket = 'createVideo') {
	clock = new SimulatedClock();
	limiter = new BucketLimiter(bucket, { clock, random: () => 0.5 });
	sent.length = 0;
}
beforeEach(() => open());

/** A server that takes the first `tokens`, and one in `everyMs` from then on. */
function server(tokens: number, everyMs = Infinity) {
	let freeAt = 0;
	return (name: string) => async (): Promise<Submission> => {
		await clock.sleep(100);
		sent.push(name);
		if (tokens-- > 0) return ACCEPTED;
		freeAt ||= everyMs;
		if (clock.now() < freeAt) return REFUSED;
		freeAt = clock.now() + everyMs;
		return ACCEPTED;
	};
}

const waiter = (more: Partial<Waiter> = {}): Waiter => ({ run: {}, patienceMs: HOUR, ...more });

it('runs take turns, and within a run the first to come goes first', async () => {
	const send = server(2, 25_000);
	const [rows, one, other] = [waiter(), waiter(), waiter()];
	await clock.until(
		Promise.all([
			...['a1', 'a2', 'a3', 'a4', 'a5'].map(async (name) =>
				limiter.pass({ send: send(name) }, rows),
			),
			limiter.pass({ send: send('b') }, one),
			limiter.pass({ send: send('c') }, other),
		]),
	);
	const once = sent.filter((name, index) => sent.indexOf(name) === index);
	expect(once).toEqual(['a1', 'a2', 'b', 'c', 'a3', 'a4', 'a5']);
});

it('a queue that moves is waited out to its end, however long it is', async () => {
	const { failed, tookMs } = await simulate({
		executions: [{ at: 0, items: 200, concurrency: 200 }],
		patienceMs: 2 * 60_000,
	});
	expect(failed).toBe(0);
	expect(tookMs).toBeGreaterThan(90 * 60_000);
});

it('a limit that never opens is waited for as long as patience says, and then everybody is told', async () => {
	const send = server(1);
	const spent: Place[] = [];
	const more = { patienceMs: HOUR, onSpent: (place: Place) => void spent.push(place) };
	const ends = await clock.until(
		Promise.all(
			Array.from({ length: 10 }, async (_, index) =>
				limiter.pass({ send: send(`${index}`) }, waiter(more)),
			),
		),
	);
	expect(ends.map(({ kind }) => kind)).toEqual(['accepted', ...Array(9).fill('rateLimited')]);
	expect(clock.now()).toBeGreaterThan(0.5 * HOUR);
	expect(clock.now()).toBeLessThanOrEqual(1.1 * HOUR);
	expect(spent).toHaveLength(9);
	expect(sent.length).toBeLessThan(20);
	expect(limiter.isBusy).toBe(false);
});

it('who is refused keeps its place, and what was prepared is not prepared again', async () => {
	const send = server(0, 60_000);
	const prepared: string[] = [];
	const request = (name: string) => ({
		send: send(name),
		prepare: async () => {
			await clock.sleep(5_000);
			prepared.push(name);
		},
	});
	await clock.until(
		Promise.all(['a', 'b', 'c'].map(async (name) => limiter.pass(request(name), waiter()))),
	);
	expect(prepared).toEqual(['a', 'b', 'c']);
	expect(sent.filter((name, index) => sent.indexOf(name) === index)).toEqual(['a', 'b', 'c']);
	expect([...sent].sort()).toEqual(sent);
});

it('nothing is prepared before its turn, so nothing is paid for in vain', async () => {
	const {
		speeches,
		accepted,
		sent: requests,
	} = await simulate({
		executions: Array.from({ length: 20 }, () => ({ at: 0 })),
		speechMs: 8_000,
		patienceMs: 0,
	});
	expect(accepted).toBe(2);
	expect(speeches).toBeLessThanOrEqual(requests);
	expect(speeches).toBeLessThanOrEqual(4);
});

it('speech that takes longer than the interval does not slow down videos', async () => {
	const { tookMs, idealMs } = await simulate({
		executions: [{ at: 0, items: 60, concurrency: 10 }],
		perMinute: 20,
		speechMs: 8_000,
	});
	expect(tookMs).toBeLessThanOrEqual(1.3 * idealMs + 60_000);
});

it('speech that does not come lets others pass who need none', async () => {
	const send = server(2, 25_000);
	const stuck = new AbortController();
	const prepare = async () =>
		await new Promise<void>((resolve) => {
			stuck.signal.addEventListener('abort', () => resolve());
		});
	const blocked = limiter.pass({ send: send('stuck'), prepare }, waiter());
	await clock.until(
		Promise.all(
			['a', 'b', 'c', 'd'].map(async (name) => limiter.pass({ send: send(name) }, waiter())),
		),
	);
	expect(new Set(sent)).toEqual(new Set(['a', 'b', 'c', 'd']));
	stuck.abort();
	expect((await clock.until(blocked)).kind).toBe('accepted');
});

it('speech that does not come holds up other speech for a minute, not until it is given up', async () => {
	for (const tokens of [9, 0]) {
		open();
		const send = server(tokens, 25_000);
		const quick = async () => await clock.sleep(2_000);
		const hangs = async () => await clock.sleep(HOUR / 2);
		const blocked = limiter.pass({ send: send('stuck'), prepare: hangs }, waiter());
		const others = ['a', 'b', 'c', 'd'].map(async (name) =>
			limiter.pass({ send: send(name), prepare: quick }, waiter()),
		);
		await clock.until(Promise.all(others));
		expect(clock.now()).toBeLessThan(HOUR / 6);
		expect(new Set(sent)).toEqual(new Set(['a', 'b', 'c', 'd']));
		expect((await clock.until(blocked)).kind).toBe('accepted');
	}
});

it('an error while preparing or sending ends that request alone', async () => {
	const send = server(9);
	const prepare = async () => {
		throw new Error('no voice');
	};
	const failing = async () => {
		throw new Error('stopped');
	};
	const ends = await clock.until(
		Promise.allSettled([
			limiter.pass({ send: send('a'), prepare }, waiter()),
			limiter.pass({ send: failing }, waiter()),
			limiter.pass({ send: send('c') }, waiter()),
		]),
	);
	expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
	expect(sent).toEqual(['c']);
	expect(limiter.isBusy).toBe(false);
});

it('a stopped execution leaves the queue at once, and the others move up', async () => {
	const send = server(2, 25_000);
	const own = waiter();
	const before = ['a', 'b', 'c'].map(async (name) => limiter.pass({ send: send(name) }, waiter()));
	const stopped = limiter.pass({ send: send('x') }, own);
	const after = limiter.pass({ send: send('d') }, waiter());
	await clock.until(clock.sleep(10_000));
	limiter.stop(own.run);
	expect((await stopped).kind).toBe('rateLimited');
	expect(clock.now()).toBe(10_000);
	await clock.until(Promise.all([...before, after]));
	expect(sent).not.toContain('x');
	expect(clock.now()).toBeLessThan(100_000);
});

it('what a 429 taught is forgotten after a minute without use', async () => {
	const send = server(2, 25_000);
	await clock.until(
		Promise.all(['a', 'b', 'c'].map(async (name) => limiter.pass({ send: send(name) }, waiter()))),
	);
	await clock.until(clock.sleep(5 * 60_000));
	const from = clock.now();
	await clock.until(limiter.pass({ send: send('late') }, waiter()));
	expect(clock.now() - from).toBe(100);
});

it('who waits is told once how many executions are ahead, and for how long', async () => {
	const places: Place[] = [];
	const send = server(2, 30_000);
	await clock.until(
		Promise.all(
			Array.from({ length: 40 }, async (_, index) =>
				limiter.pass(
					{ send: send(`${index}`) },
					waiter({ onWait: (place) => void places.push(place) }),
				),
			),
		),
	);
	expect(places).toHaveLength(38);
	expect(placeText(places.at(-1)!)).toBe('37 executions are ahead of this one; about 19 minutes.');
});

it('"Retry-After: 0" is no leave to ask again and again without a pause, for ever', async () => {
	open('generateSpeech');
	let count = 0;
	const send = async (): Promise<Submission> => {
		await clock.sleep(10);
		return ++count > 2_000 ? ACCEPTED : { kind: 'rateLimited', retryAfterMs: 0 };
	};
	const end = await clock.until(limiter.pass({ send }, waiter({ patienceMs: 10 * 60_000 })));
	expect(end.kind).toBe('rateLimited');
	expect(count).toBeLessThan(60);
});

it('one wrong "Retry-After" does not block the account until n8n is restarted', async () => {
	for (const bucket of ['createVideo', 'generateSpeech'] as const) {
		open(bucket);
		const wrong = async (): Promise<Submission> => {
			await clock.sleep(10);
			return { kind: 'rateLimited', retryAfterMs: 1_764_000_000_000 };
		};
		const first = await clock.until(limiter.pass({ send: wrong }, waiter()));
		expect(first.kind).toBe('rateLimited');
		await clock.until(clock.sleep(1.1 * HOUR));
		const next = await clock.until(limiter.pass({ send: async () => ACCEPTED }, waiter()));
		expect(next).toBe(ACCEPTED);
	}
});

it('a long "Retry-After" is waited out once, not between all that follow', async () => {
	open('generateSpeech');
	let refused = false;
	const send = async (): Promise<Submission> => {
		await clock.sleep(10);
		if (refused) return ACCEPTED;
		refused = true;
		return { kind: 'rateLimited', retryAfterMs: HOUR / 2 };
	};
	const run = waiter();
	const all = [1, 2, 3, 4, 5].map(async () => await limiter.pass({ send }, run));
	expect(await clock.until(Promise.all(all))).toEqual(Array.from({ length: 5 }, () => ACCEPTED));
	expect(clock.now()).toBeLessThan(HOUR);
});
