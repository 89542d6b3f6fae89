import { backoffMs } from '../../../nodes/shared/async/backoff';
import { systemClock } from '../../../nodes/shared/async/clock';
import { createPool } from '../../../nodes/shared/async/pool';
import { untilAborted } from '../../../nodes/shared/async/untilAborted';

/** Work that ends when it is told to. */
function controlled() {
	const begun: string[] = [];
	const ends = new Map<string, (error?: Error) => void>();
	const work = (name: string) => async () => {
		begun.push(name);
		await new Promise<void>((resolve, reject) =>
			ends.set(name, (error) => (error ? reject(error) : resolve())),
		);
		return name;
	};
	return { begun, ends, work };
}
const settle = async () => await new Promise((resolve) => setImmediate(resolve));

test('no more items are under way than were asked for, and they begin in their order', async () => {
	const { begun, ends, work } = controlled();
	const pool = createPool(2);
	const all = Promise.all(['a', 'b', 'c', 'd'].map(async (name) => await pool(work(name))));
	await settle();
	expect(begun).toEqual(['a', 'b']);
	ends.get('b')!();
	await settle();
	expect(begun).toEqual(['a', 'b', 'c']);
	ends.get('a')!();
	await settle();
	ends.get('c')!();
	ends.get('d')!();
	expect(await all).toEqual(['a', 'b', 'c', 'd']);
});

test('an item that fails does not take its place with it', async () => {
	const { begun, ends, work } = controlled();
	const pool = createPool(1);
	const first = pool(work('a'));
	const second = pool(work('b'));
	await settle();
	ends.get('a')!(new Error('broke'));
	await expect(first).rejects.toThrow('broke');
	await settle();
	expect(begun).toEqual(['a', 'b']);
	ends.get('b')!();
	expect(await second).toBe('b');
});

test('the pauses between tries grow, and never pass their ceiling', () => {
	const ceilings = [1, 2, 3, 4, 5].map((tries) =>
		backoffMs(tries, { firstMs: 500, maxMs: 3_000 }, () => 0.999_999),
	);
	expect(ceilings).toEqual([500, 1_000, 2_000, 3_000, 3_000]);
	expect(backoffMs(5, { firstMs: 500 }, () => 0)).toBe(0);
});

test('a stopped execution is free at once, although the request it made never ends', async () => {
	const stop = new AbortController();
	const waiting = untilAborted(new Promise<string>(() => undefined), stop.signal);
	stop.abort();
	expect(await waiting).toBeUndefined();
	const failing = untilAborted(Promise.reject(new Error('late')), stop.signal);
	expect(await failing).toBeUndefined();
	await expect(untilAborted(Promise.reject(new Error('seen')), undefined)).rejects.toThrow('seen');
});

test('a wait ends when the execution is stopped, not when it would have been over', async () => {
	const stop = new AbortController();
	const from = Date.now();
	const waiting = systemClock.sleep(60_000, stop.signal);
	stop.abort();
	await waiting;
	expect(Date.now() - from).toBeLessThan(5_000);
});
