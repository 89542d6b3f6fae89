import type { IExecuteFunctions } from 'n8n-workflow';

import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { Clock } from '../async/clock';
import { systemClock } from '../async/clock';
import type { Bucket, Pace } from './adaptiveInterval';
import { isStale, openPace, whenAccepted, whenRefused, whenSent } from './adaptiveInterval';
import type { Submission } from './retry';

/**
 * The limiter that all items of a run go through before they start something.
 *
 * Open until the first 429. Then everything waits, one request tries again alone, and once it is
 * accepted the others follow at the pace that the server accepts. Each bucket of the provider has a pace
 * of its own.
 */
export interface RateLimiter {
	/**
	 * Sends until the answer is something else than 429, or patience is spent: then the 429 comes back.
	 * Throws what `send` throws, and when the execution was stopped.
	 */
	pass(bucket: Bucket, send: () => Promise<Submission>): Promise<Submission>;
	/** What to tell with the error once patience is spent. */
	note(): string;
	/** How long requests had to wait in all (ms), and whether patience is spent. */
	readonly waited: { ms: number; spent: boolean };
}

/** What a limiter needs from outside. */
export interface RateLimiterRules {
	/** How long rate limits are waited out in all, in ms. */
	patienceMs: number;
	/** What earlier runs of the node in this execution learned. It is kept up to date here. */
	paces?: Partial<Record<Bucket, Pace>>;
	/** Called when a wait begins, with its length in ms. */
	onWait?: (ms: number) => void;
	signal?: AbortSignal;
	clock?: Clock;
}

/** Makes a limiter from plain rules. */
export function createRateLimiter(rules: RateLimiterRules): RateLimiter {
	const { patienceMs, paces = {}, onWait, signal, clock = systemClock } = rules;
	const waited = { ms: 0, spent: false };
	const lanes = new Map<Bucket, ReturnType<typeof createLane>>();

	/** Waits; `false` when patience does not last that long. */
	const wait = async (ms: number) => {
		if (waited.ms + ms > patienceMs) waited.spent = true;
		if (waited.spent) return false;
		waited.ms += ms;
		onWait?.(ms);
		await clock.sleep(ms, signal);
		return true;
	};

	return {
		waited,
		async pass(bucket, send) {
			let lane = lanes.get(bucket);
			if (!lane) {
				const known = paces[bucket];
				const pace = known && !isStale(known, clock.now()) ? known : openPace(bucket);
				const learn = (next: Pace) => {
					paces[bucket] = next;
				};
				lane = createLane({ pace, learn, wait, over: () => waited.spent, signal, clock });
				lanes.set(bucket, lane);
			}
			return await lane(send);
		},
		note() {
			const minutes = Math.round(waited.ms / 6_000) / 10;
			return `The node waited ${minutes} minutes for the rate limit in all; the option "Rate Limit Patience" allows ${patienceMs / 60_000}. Raise it to wait longer.`;
		},
	};
}

/** One bucket's way through the limiter. */
function createLane(rules: {
	pace: Pace;
	learn: (pace: Pace) => void;
	wait: (ms: number) => Promise<boolean>;
	over: () => boolean;
	signal?: AbortSignal;
	clock: Clock;
}) {
	const { wait, over, signal, clock } = rules;
	const refused: Submission = { kind: 'rateLimited' };
	let { pace } = rules;
	/** Those who wait to leave, first one first. They are told whether they may. */
	const line: Array<(mayLeave: boolean) => void> = [];
	let moving = false;
	let underWay = 0;
	// Before anything is known, no more leave together than the documented limit takes. Each one that is
	// accepted lets one more go along, so a larger plan is soon used in full.
	let together = pace.documented ?? Infinity;
	/** Those who were refused and are not accepted yet. */
	let again = 0;
	/** Counts refusals that taught something: requests that left before one are late news. */
	let lesson = 0;
	let announce = () => {};
	let answered = new Promise<void>((resolve) => (announce = resolve));

	const learn = (next: Pace) => {
		pace = next;
		rules.learn(pace);
	};
	const mustHoldBack = () =>
		pace.gapMs === undefined ? underWay >= together : pace.refusals > 0 && underWay > 0;

	/** Waits until the next request may leave; `false` when none ever may. */
	const opens = async () => {
		for (;;) {
			if (signal?.aborted || over()) return false;
			const ms = pace.nextAt - clock.now();
			if (mustHoldBack()) await answered;
			else if (ms <= 0) return true;
			else if (!(await wait(ms))) return false;
		}
	};

	const move = async () => {
		if (moving) return;
		moving = true;
		while (line.length > 0) {
			const mayLeave = await opens();
			if (mayLeave) {
				underWay += 1;
				learn(whenSent(pace, clock.now()));
			}
			line.shift()!(mayLeave);
		}
		moving = false;
	};

	/** One try, and what the answer teaches. */
	const attempt = async (send: () => Promise<Submission>) => {
		const lessonBefore = lesson;
		try {
			const submission = await send();
			const late = lessonBefore !== lesson;
			if (submission.kind !== 'rateLimited') {
				together += 1;
				learn(whenAccepted(pace, clock.now(), { late, mayHurry: again === 0 }));
			} else if (!late) {
				lesson += 1;
				learn(whenRefused(pace, clock.now(), submission.retryAfterMs));
			}
			return submission;
		} finally {
			underWay -= 1;
			announce();
			answered = new Promise<void>((resolve) => (announce = resolve));
		}
	};

	return async (send: () => Promise<Submission>): Promise<Submission> => {
		// RULE: nothing is uploaded only to be refused twice in a row. Who was refused goes first the next
		// time, and no shorter gap is tried on it.
		let wasRefused = false;
		try {
			for (;;) {
				const turn = new Promise<boolean>((resolve) => {
					if (wasRefused) line.unshift(resolve);
					else line.push(resolve);
				});
				void move();
				if (!(await turn)) return refused;
				const submission = await attempt(send);
				if (submission.kind !== 'rateLimited') return submission;
				if (!wasRefused) again += 1;
				wasRefused = true;
			}
		} finally {
			if (wasRefused) again -= 1;
		}
	};
}

/** What the limiter keeps while an execution goes on. */
interface RateLimiterMemory {
	paces?: Partial<Record<Bucket, Pace>>;
}

/**
 * The limiter of a node's run. What it learns stays in the node's context, so that a loop, which runs the
 * node again for every batch, keeps the pace.
 */
export function rateLimiterFor(ctx: IExecuteFunctions, patienceMs: number): RateLimiter {
	const memory = ctx.getContext('node') as RateLimiterMemory;
	memory.paces ??= {};
	const limiter = createRateLimiter({
		patienceMs,
		paces: memory.paces,
		signal: cancelSignal(ctx),
		onWait: (ms) => {
			const message = `Mirage's rate limit is reached. Waiting ${Math.ceil(ms / 1_000)} s before the next item is sent.`;
			ctx.logger.info(message, { node: ctx.getNode().name });
			ctx.sendMessageToUI(message);
		},
	});
	return {
		waited: limiter.waited,
		note: () => limiter.note(),
		async pass(bucket, send) {
			const submission = await limiter.pass(bucket, send);
			throwIfCancelled(ctx);
			return submission;
		},
	};
}
