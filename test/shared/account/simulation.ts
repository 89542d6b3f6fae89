/** Executions, processes and a server with a token bucket, on one virtual clock: no network, no waiting. */
import { BucketLimiter } from '../../../nodes/shared/account/rateLimiter';
import type { Bucket } from '../../../nodes/shared/api/buckets';
import { createPool } from '../../../nodes/shared/async/pool';
import type { Submission } from '../../../nodes/shared/transport/retry';
import { seededRandom, SimulatedClock } from './simulatedClock';

/** An execution: a run of a node over items. */
export interface Execution {
	/** When it starts, in ms. */
	at: number;
	/** Default 1. */
	items?: number;
	/** Items under way at a time. Default 3. */
	concurrency?: number;
	/** The n8n process that it runs in. Default 0. */
	process?: number;
	/** When a person stops it, in ms. */
	stopAt?: number;
}

export interface Scenario {
	executions: Execution[];
	/** Tokens a minute that the server gives. Default 2. */
	perMinute?: number;
	/** Most tokens that the server keeps. Default `perMinute`. */
	capacity?: number;
	/** Tokens at the start. Default `capacity`. */
	tokens?: number;
	bucket?: Bucket;
	/** Whether the server says `Retry-After`, in whole seconds. */
	retryAfter?: boolean;
	/** How long an upload takes, in ms, from chance. Default 200 to 400. */
	uploadMs?: (random: number) => number;
	/** How long speech takes that is made before each upload, in ms. Default: none is made. */
	speechMs?: number;
	patienceMs?: number;
	/** Share of accepted requests whose answer is lost. */
	lost?: number;
	seed?: number;
}

/** What became of one item. */
export interface ItemEnd {
	execution: number;
	joinedAt: number;
	endedAt: number;
	kind: Submission['kind'] | 'lost';
}

export interface Figures {
	/** Requests that the server saw, and those it refused. */
	sent: number;
	refused: number;
	/** Items that the server took and that were told so, or that their answer was lost. */
	accepted: number;
	lost: number;
	/** Items that ended without being accepted. */
	failed: number;
	tookMs: number;
	/** Shortest time in which the server could have given all that tokens, in ms. */
	idealMs: number;
	/** Speeches made. */
	speeches: number;
	/** Tokens that the server gave out. */
	tokensTaken: number;
	ends: ItemEnd[];
	/** Pairs of items of different executions of one process that were accepted in another order than they came. */
	outOfOrder: number;
}

/** Plays a scenario to its end. */
export async function simulate(scenario: Scenario): Promise<Figures> {
	const {
		executions,
		perMinute = 2,
		capacity = perMinute,
		bucket = 'createVideo',
		retryAfter = false,
		uploadMs = (chance: number) => 200 + 200 * chance,
		patienceMs = 3_600_000,
		lost = 0,
		seed = 1,
	} = scenario;
	const clock = new SimulatedClock();
	const random = seededRandom(seed);
	const limiters = new Map<number, BucketLimiter>();
	let tokens = scenario.tokens ?? capacity;
	let filledAt = 0;
	const figures = { sent: 0, refused: 0, speeches: 0, tokensTaken: 0 };
	const ends: ItemEnd[] = [];

	const send = async (): Promise<Submission> => {
		await clock.sleep(uploadMs(random()));
		const now = clock.now();
		tokens = Math.min(capacity, tokens + ((now - filledAt) * perMinute) / 60_000);
		filledAt = now;
		figures.sent += 1;
		if (tokens < 1 - 1e-9) {
			figures.refused += 1;
			const waitMs = ((1 - tokens) * 60_000) / perMinute;
			return {
				kind: 'rateLimited',
				retryAfterMs: retryAfter ? Math.ceil(waitMs / 1_000) * 1_000 : undefined,
			};
		}
		tokens -= 1;
		figures.tokensTaken += 1;
		await clock.sleep(50);
		if (random() < lost)
			return { kind: 'uncertain', failure: { kind: 'unreadable', reason: '' }, sentAt: now };
		return { kind: 'accepted', sentAt: now, answer: {} as never };
	};

	const runs = executions.map(async (execution, index) => {
		const { at, items = 1, concurrency = 3, process = 0, stopAt } = execution;
		await clock.sleep(at);
		const limiter =
			limiters.get(process) ??
			new BucketLimiter(bucket, { clock, random: seededRandom(seed * 31 + process) });
		limiters.set(process, limiter);
		let stopped = false;
		if (stopAt !== undefined)
			void clock.sleep(stopAt - at).then(() => {
				stopped = true;
				limiter.stop(run);
			});
		const pool = createPool(concurrency);
		const run = {};
		const prepare =
			scenario.speechMs === undefined
				? undefined
				: async () => {
						figures.speeches += 1;
						await clock.sleep(scenario.speechMs!);
					};
		const one = async () => {
			if (stopped) return;
			const joinedAt = clock.now();
			const { kind } = await limiter.pass({ prepare, send }, { run, patienceMs });
			ends.push({ execution: index, joinedAt, endedAt: clock.now(), kind });
		};
		await Promise.all(Array.from({ length: items }, async () => await pool(one)));
	});
	await clock.until(Promise.all(runs));

	const served = ends.filter(({ kind }) => kind === 'accepted' || kind === 'uncertain');
	const arrivals = executions
		.flatMap(({ at, items = 1 }) => Array<number>(items).fill(at))
		.sort((a, b) => a - b);
	return {
		...figures,
		accepted: ends.filter(({ kind }) => kind === 'accepted').length,
		lost: ends.filter(({ kind }) => kind === 'uncertain').length,
		failed: ends.filter(({ kind }) => kind === 'rateLimited').length,
		tookMs: Math.max(...ends.map(({ endedAt }) => endedAt)),
		idealMs: idealMs(arrivals, perMinute, capacity, scenario.tokens ?? capacity),
		ends,
		outOfOrder: inversions(served, executions),
	};
}

/** When a bucket that is used without a pause gives the last of its tokens to those who came, in ms. */
function idealMs(arrivals: number[], perMinute: number, capacity: number, start: number): number {
	const tokenMs = 60_000 / perMinute;
	let tokens = start;
	let at = 0;
	for (const arrival of arrivals) {
		const from = Math.max(at, arrival);
		tokens = Math.min(capacity, tokens + (from - at) / tokenMs);
		const wait = Math.max(0, 1 - tokens) * tokenMs;
		at = from + wait;
		tokens = tokens + wait / tokenMs - 1;
	}
	return at;
}

function inversions(served: ItemEnd[], executions: Execution[]): number {
	let count = 0;
	for (const [i, a] of served.entries())
		for (const b of served.slice(i + 1))
			if (
				a.execution !== b.execution &&
				(executions[a.execution]!.process ?? 0) === (executions[b.execution]!.process ?? 0) &&
				a.joinedAt > b.joinedAt
			)
				count += 1;
	return count;
}
