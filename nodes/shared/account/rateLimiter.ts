import type { Bucket, LimitedRequest, Submission } from '../api/buckets';
import type { Clock } from '../async/clock';
import { steadyClock } from '../async/clock';
import { untilAborted } from '../async/untilAborted';

import type { Interval } from './interval';
import {
	intervalMs,
	isStale,
	openInterval,
	placesLeft,
	whenAccepted,
	whenRefused,
	whenSent,
} from './interval';

/** Who waits: everything that one run of a node sends has the same `run`. */
export interface Waiter {
	/** Tells runs apart; nothing of it is read. */
	run: object;
	/** The time in which nothing of the account may be accepted before the wait ends, in ms. */
	patienceMs: number;
	/** Called once, when the request has to wait. */
	onWait?: (place: Place) => void;
	/** Called when patience is spent. */
	onSpent?: (place: Place) => void;
}

/** Where a request stands in its queue. */
export interface Place {
	/** Other runs of nodes that have a request before this one. */
	runs: number;
	/** Requests before this one. */
	requests: number;
	/** Until it leaves, in ms, at the present interval. */
	expectedMs: number;
	/** How long nothing was accepted while this one waited, in ms. */
	quietMs: number;
}

/** What a rate limiter needs from outside. */
export interface RateLimiterParts {
	clock?: Clock;
	/** Gives numbers from 0 to 1. */
	random?: () => number;
}

interface QueuedRequest extends Waiter {
	request: LimitedRequest;
	/** `waiting` for its turn, `preparing` or `ready` when it is next, `sent`, and back to `ready` after a 429. */
	state: 'waiting' | 'preparing' | 'ready' | 'sent';
	joinedAt: number;
	/** Counts those that were chosen, so that who was refused gets its place back. */
	turn: number;
	/** When it began to prepare, in ms. */
	preparesSince: number;
	told: boolean;
	stopped: boolean;
	retryAfterMs?: number;
	end(result: Submission | Promise<Submission>): void;
}

/** Requests that may be prepared before their turn, where preparing takes longer than the interval. */
const MOST_PREPARED = 4;
/** Who prepares for longer than this keeps nobody from preparing, in ms. */
const SLOW_PREPARATION_MS = 60_000;

/**
 * The rate limiter of one bucket of one account, shared by all executions of the process.
 *
 * Runs take turns, and within one run the first to come goes first. Who is next prepares while the
 * interval passes, so that nothing is paid for or fetched before what depends on it may go. Who was refused
 * keeps its place. {@link Interval} decides when the next request leaves.
 */
export class BucketLimiter {
	/** Those that are next, in the order in which they leave; the refused ones first. */
	private next: QueuedRequest[] = [];
	/** All others, by run. The first run has the next turn, and then goes to the end. */
	private readonly waiting = new Map<object, QueuedRequest[]>();
	private interval: Interval;
	private readonly underWay = new Set<QueuedRequest>();
	/** Refusals so far that changed the interval: what left before the last one brings late news. */
	private refusals = 0;
	private acceptedAt = -Infinity;
	private prepareMs = 0;
	private turns = 0;
	private moving = false;
	private wake = new AbortController();
	private readonly clock: Clock;
	private readonly random: () => number;

	constructor(
		private readonly bucket: Bucket,
		{ clock = steadyClock, random = Math.random }: RateLimiterParts = {},
	) {
		this.clock = clock;
		this.random = random;
		this.interval = openInterval(bucket, clock.now());
	}

	/** Whether requests wait or are under way. */
	get isBusy(): boolean {
		return this.underWay.size > 0 || this.next.length > 0 || this.waiting.size > 0;
	}

	/**
	 * Sends when it is the request's turn, until the answer is something else than 429, patience is spent, or
	 * the run is stopped: then a 429 comes back. Rejects with what `prepare` and `send` reject with.
	 */
	async pass(request: LimitedRequest, waiter: Waiter): Promise<Submission> {
		const now = this.clock.now();
		if (!this.isBusy && isStale(this.interval, now)) this.interval = openInterval(this.bucket, now);
		return await new Promise<Submission>((resolve) => {
			const entry: QueuedRequest = {
				...waiter,
				request,
				state: 'waiting',
				joinedAt: now,
				turn: 0,
				preparesSince: Infinity,
				told: false,
				stopped: false,
				end: resolve,
			};
			const own = this.waiting.get(entry.run);
			if (own) own.push(entry);
			else this.waiting.set(entry.run, [entry]);
			this.changed();
		});
	}

	/** Takes all requests of a run out of the queue at once. What is under way is not sent again. */
	stop(run: object): void {
		for (const entry of [...this.inOrder(), ...this.underWay]) {
			if (entry.run !== run) continue;
			entry.stopped = true;
			if (entry.state === 'sent') continue;
			this.remove(entry);
			if (entry.state !== 'preparing') entry.end({ kind: 'rateLimited' });
		}
		this.changed();
	}

	/** Something happened: whoever may go now goes, and the next wait begins. */
	private changed(): void {
		this.wake.abort();
		if (!this.moving) void this.move();
	}

	private async move(): Promise<void> {
		this.moving = true;
		while (this.next.length > 0 || this.waiting.size > 0) {
			this.wake = new AbortController();
			const { signal } = this.wake;
			const waitMs = this.step(this.clock.now());
			if (signal.aborted) continue;
			const woken =
				waitMs === undefined ? new Promise<void>(() => {}) : this.clock.sleep(waitMs, signal);
			await untilAborted(woken, signal);
		}
		this.moving = false;
	}

	/** Lets go who may go now. Gives the time until somebody may, in ms, or nothing when an answer decides. */
	private step(now: number): number | undefined {
		this.endImpatient(now);
		const isOpen = this.interval.state === 'open';
		for (;;) {
			const places = placesLeft(this.interval, now, this.underWay.size);
			const dueIn = this.interval.nextAt - now;
			const slow = this.next.filter((entry) => slowIn(entry, now) <= 0).length;
			this.choose((isOpen ? places : this.mayPrepare()) + slow, dueIn <= 0 && places > 0);
			if (places <= 0) break;
			if (dueIn > 0) {
				this.tellWaiting(now);
				return dueIn;
			}
			const entry = this.next.find(({ state }) => state === 'ready');
			if (!entry) break;
			void this.send(entry, now);
		}
		this.tellWaiting(now);
		const slowSoon = this.next.map((entry) => slowIn(entry, now)).filter((ms) => ms > 0);
		const soonest = Math.min(...slowSoon);
		return this.waiting.size > 0 && soonest < Infinity ? soonest : undefined;
	}

	/** Requests that may be chosen before their time has come. */
	private mayPrepare(): number {
		const ms = Math.max(intervalMs(this.interval), 1);
		return Math.min(1 + Math.floor(this.prepareMs / ms), MOST_PREPARED);
	}

	/** Fills the places at the front, run by run in turn. `due`: somebody could leave at once. */
	private choose(places: number, due: boolean): void {
		while (this.next.length < places) {
			// Who has nothing to prepare is chosen when the time has come: until then somebody may join.
			const [first] = this.waiting.values();
			if (!due && !first?.[0]?.request.prepare) return;
			const entry = this.takeTurn(() => true);
			if (!entry) return;
			this.putNext(entry);
		}
		// A turn is not lost because those at the front still prepare.
		if (!due || this.next.some(({ state }) => state === 'ready')) return;
		const ready = this.takeTurn(({ request }) => !request.prepare);
		if (ready) this.putNext(ready);
	}

	/** Takes the first request that fits of the first run that has one; the run goes to the end. */
	private takeTurn(fits: (entry: QueuedRequest) => boolean): QueuedRequest | undefined {
		for (const [run, entries] of this.waiting) {
			const entry = entries.find(fits);
			if (!entry) continue;
			this.waiting.delete(run);
			const left = entries.filter((other) => other !== entry);
			if (left.length > 0) this.waiting.set(run, left);
			return entry;
		}
		return undefined;
	}

	private putNext(entry: QueuedRequest): void {
		entry.turn = this.turns++;
		this.next.push(entry);
		if (entry.request.prepare) void this.prepare(entry, entry.request.prepare);
		else entry.state = 'ready';
	}

	private async prepare(entry: QueuedRequest, prepare: () => Promise<void>): Promise<void> {
		entry.state = 'preparing';
		const startedAt = this.clock.now();
		entry.preparesSince = startedAt;
		const preparing = prepare();
		try {
			await preparing;
			this.prepareMs = this.clock.now() - startedAt;
			entry.state = 'ready';
			if (entry.stopped) entry.end({ kind: 'rateLimited' });
		} catch {
			this.remove(entry);
			entry.end(preparing.then(() => ({ kind: 'rateLimited' as const })));
		}
		this.changed();
	}

	/** One try, and what the answer teaches. */
	private async send(entry: QueuedRequest, now: number): Promise<void> {
		this.remove(entry);
		entry.state = 'sent';
		this.underWay.add(entry);
		this.interval = whenSent(this.interval, now);
		const { refusals } = this;
		const sending = entry.request.send();
		let submission: Submission | undefined;
		try {
			submission = await sending;
		} catch {
			// The entry rejects with it, below.
		}
		this.underWay.delete(entry);
		const at = this.clock.now();
		const late = refusals !== this.refusals;
		if (submission?.kind === 'rateLimited') {
			if (!late) {
				this.refusals += 1;
				this.interval = whenRefused(this.interval, at, submission.retryAfterMs, this.random);
			}
			entry.retryAfterMs = submission.retryAfterMs;
			entry.state = 'ready';
			if (entry.stopped) entry.end(submission);
			else this.next = [...this.next, entry].sort((a, b) => a.turn - b.turn);
		} else {
			if (submission) {
				this.interval = whenAccepted(this.interval, at, late);
				this.acceptedAt = at;
			}
			entry.end(sending);
		}
		this.changed();
	}

	/** Ends the wait of those for whom nothing can be accepted before their patience is spent. */
	private endImpatient(now: number): void {
		const { state, nextAt } = this.interval;
		if (state === 'open' || nextAt <= now) return;
		for (const entry of [...this.next, ...[...this.waiting.values()].flat()]) {
			const quietSince = Math.max(entry.joinedAt, this.acceptedAt);
			if (nextAt - quietSince <= entry.patienceMs || entry.state === 'preparing') continue;
			entry.onSpent?.(this.placeOf(entry, now));
			this.remove(entry);
			entry.end({ kind: 'rateLimited', retryAfterMs: entry.retryAfterMs });
		}
	}

	/** Tells those who wait for the rate limit, once. */
	private tellWaiting(now: number): void {
		if (this.interval.state === 'open') return;
		for (const entry of [...this.next, ...[...this.waiting.values()].flat()]) {
			if (entry.told) continue;
			entry.told = true;
			entry.onWait?.(this.placeOf(entry, now));
		}
	}

	private placeOf(entry: QueuedRequest, now: number): Place {
		const before = this.inOrder();
		before.splice(before.indexOf(entry));
		const runs = new Set(before.map(({ run }) => run));
		runs.delete(entry.run);
		const untilNext = Math.max(0, this.interval.nextAt - now);
		return {
			runs: runs.size,
			requests: before.length,
			expectedMs: untilNext + before.length * intervalMs(this.interval),
			quietMs: now - Math.max(entry.joinedAt, this.acceptedAt),
		};
	}

	/** All that wait, in the order in which they leave if nobody joins. */
	private inOrder(): QueuedRequest[] {
		const lists = [...this.waiting.values()];
		const longest = Math.max(0, ...lists.map(({ length }) => length));
		const turns = Array.from({ length: longest }, (_, turn) =>
			lists.flatMap((entries) => entries[turn] ?? []),
		);
		return [...this.next, ...turns.flat()];
	}

	private remove(entry: QueuedRequest): void {
		this.next = this.next.filter((other) => other !== entry);
		const left = (this.waiting.get(entry.run) ?? []).filter((other) => other !== entry);
		if (left.length > 0) this.waiting.set(entry.run, left);
		else this.waiting.delete(entry.run);
	}
}

/** How soon an entry will have prepared for so long that others may, in ms; `Infinity` when it does not prepare. */
const slowIn = ({ state, preparesSince }: QueuedRequest, now: number) =>
	state === 'preparing' ? preparesSince + SLOW_PREPARATION_MS - now : Infinity;
