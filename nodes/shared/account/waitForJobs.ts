import { NodeApiError } from 'n8n-workflow';

import type { Clock } from '../async/clock';
import { systemClock } from '../async/clock';
import { httpStatusOf, retryAfterMsOf } from '../transport/errors';
import { isFinal } from '../api/objects';
import type { JobStatus } from '../api/objects';
import type { FailedRead, PageRead, WatchedJob } from './pollSchedule';
import {
	judgeFailedRead,
	listable,
	MAX_FAILED_READS,
	nextRound,
	ROUNDS_WITHOUT_LIST,
	wantsNextPage,
} from './pollSchedule';

/** What videos and text overlays have in common. */
export interface Job {
	id: string;
	status: JobStatus;
	/** Unix seconds. */
	created_at: number;
}

/** Where the state of jobs comes from. Each call is one try: failed reads are tolerated here. */
export interface JobSource<J extends Job> {
	read(id: string): Promise<J>;
	/** One page of 100, newest first, strictly after a job. Left out where the API has no list. */
	list?(after: string | undefined): Promise<J[]>;
}

/**
 * How the wait for one job ended.
 *
 * - `read`: the job is final (or, with `until: 'read'`, in whatever state it was found).
 * - `unknown`: the API does not know the ID; `job` is set when it did before.
 * - `unreadable`: its state cannot be read: the API refuses, or five reads in a row failed.
 * - `open`: the time is over, or the wait was stopped; `job` is its last known state.
 */
export type JobEnd<J extends Job> =
	| { kind: 'read'; job: J }
	| { kind: 'unknown'; error: NodeApiError; job?: J }
	| { kind: 'unreadable'; error: NodeApiError; job?: J }
	| { kind: 'open'; error?: NodeApiError; job?: J };

/** How to wait. */
export interface WaitOptions<J extends Job> {
	/** Pause after the first round, in ms. */
	pollIntervalMs: number;
	/** The pause grows to this, in ms. */
	maxPollIntervalMs: number;
	/** How long to wait in all, in ms. */
	timeoutMs: number;
	/** `final` waits for COMPLETE, FAILED or CANCELLED; `read` only until each job was read once. */
	until?: 'final' | 'read';
	/** Stops the wait; jobs that have not ended are then `open`. */
	signal?: AbortSignal;
	/** Called once for every job that is known to have ended, as soon as it is; `stop` ends the wait. */
	onEnd?: (id: string, end: JobEnd<J>) => 'stop' | void;
	/** Default: the machine's. */
	clock?: Clock;
}

/** Single reads on their way at the same time. */
const CONCURRENT_READS = 5;

interface OpenJob<J extends Job> extends WatchedJob {
	id: string;
	job?: J;
	/** Last round in which it was read; those left out by a rate limit come first in the next. */
	readInRound: number;
	failedReads: number;
	lastError?: NodeApiError;
}

/**
 * Waits for many jobs together, so that all of them take as long as the slowest. IDs that are given
 * twice are read once. The result holds an end for every ID, in the order given.
 *
 * Throws only what is not an answer of the API, such as an unusable credential.
 */
export async function waitForJobs<J extends Job>(
	ids: Iterable<string>,
	source: JobSource<J>,
	options: WaitOptions<J>,
): Promise<Map<string, JobEnd<J>>> {
	const watch = new Watch(ids, source, options);
	return await watch.run();
}

/** One wait: the jobs still open, and the ends of the others. */
class Watch<J extends Job> {
	private readonly order: string[];
	private readonly open = new Map<string, OpenJob<J>>();
	private readonly ends = new Map<string, JobEnd<J>>();
	private readonly clock: Clock;
	private round = 0;
	private stopped = false;
	private rateLimited = false;
	private retryAfterMs = 0;

	constructor(
		ids: Iterable<string>,
		private readonly source: JobSource<J>,
		private readonly options: WaitOptions<J>,
	) {
		this.order = [...new Set(ids)];
		this.clock = options.clock ?? systemClock;
		for (const id of this.order)
			this.open.set(id, { id, listFromRound: 0, readInRound: -1, failedReads: 0 });
	}

	async run(): Promise<Map<string, JobEnd<J>>> {
		const { pollIntervalMs, maxPollIntervalMs, timeoutMs, signal } = this.options;
		const timing = {
			pollIntervalMs,
			maxPollIntervalMs,
			deadlineMs: this.clock.now() + timeoutMs,
		};
		for (; ; this.round++) {
			this.rateLimited = false;
			this.retryAfterMs = 0;
			await this.readAll();
			if (this.open.size === 0 || this.over) break;
			const { round, rateLimited, retryAfterMs } = this;
			const next = nextRound(timing, { round, nowMs: this.clock.now(), rateLimited, retryAfterMs });
			if (next.pauseMs > 0) await this.clock.sleep(next.pauseMs, signal);
			if (!next.look || this.over) break;
		}
		const ends = this.order.map((id): [string, JobEnd<J>] => {
			const entry = this.open.get(id);
			return [
				id,
				entry ? { kind: 'open', job: entry.job, error: entry.lastError } : this.ends.get(id)!,
			];
		});
		return new Map(ends);
	}

	private get over(): boolean {
		return this.stopped || this.options.signal?.aborted === true;
	}

	/** One round: the list where it is worth it, single reads for the rest. */
	private async readAll(): Promise<void> {
		const listed = await this.readList();
		if (!listed) return;
		const rest = [...this.open.values()]
			.filter(({ readInRound }) => readInRound < this.round)
			.sort((a, b) => a.readInRound - b.readInRound);
		const readNext = async (): Promise<void> => {
			for (let entry = rest.shift(); entry; entry = rest.shift()) {
				if (this.over || this.rateLimited) return;
				if (!this.open.has(entry.id)) continue;
				await this.readOne(entry);
			}
		};
		await Promise.all(Array.from({ length: CONCURRENT_READS }, readNext));
	}

	/** Reads pages of the list. False when single reads make no sense in this round. */
	private async readList(): Promise<boolean> {
		const { list } = this.source;
		if (!list) return true;
		const missing = new Map(
			listable([...this.open.values()], this.round).map((entry) => [entry.id, entry]),
		);
		if (missing.size === 0) return true;
		const pages: PageRead[] = [];
		for (let after: string | undefined; wantsNextPage([...missing.values()], pages);) {
			const page = await this.attempt(async () => await list.call(this.source, after));
			if (!page) return false;
			if ('error' in page) {
				const meaning = this.note(page.error);
				if (meaning === 'rateLimited' || meaning === 'refused') return false;
				this.leaveList(missing.values());
				if (meaning !== 'passing') return true;
				for (const entry of missing.values()) this.failed(entry, page.error);
				return false;
			}
			let found = 0;
			for (const job of page.value) {
				const entry = missing.get(job.id);
				if (!entry) continue;
				found += 1;
				missing.delete(job.id);
				this.seen(entry, job);
				if (this.over) return false;
			}
			const last = page.value.at(-1);
			pages.push({ size: page.value.length, found, oldest: last?.created_at ?? 0 });
			after = last?.id;
		}
		this.leaveList(missing.values());
		return true;
	}

	private async readOne(entry: OpenJob<J>): Promise<void> {
		const result = await this.attempt(async () => await this.source.read(entry.id));
		if (!result || this.over) return;
		if ('value' in result) {
			this.seen(entry, result.value);
			return;
		}
		const { error } = result;
		const meaning = this.note(error);
		if (meaning === 'rateLimited') entry.lastError = error;
		else if (meaning === 'unknown') this.end(entry, { kind: 'unknown', error, job: entry.job });
		else if (meaning === 'rejected') this.end(entry, { kind: 'unreadable', error, job: entry.job });
		else if (meaning === 'passing') this.failed(entry, error);
	}

	/** One request; `undefined` once the wait is stopped, also when the request never ends. */
	private async attempt<T>(
		request: () => Promise<T>,
	): Promise<{ value: T } | { error: NodeApiError } | undefined> {
		const { signal } = this.options;
		if (this.over) return undefined;
		let onAbort = () => {};
		const aborted = new Promise<undefined>((resolve) => {
			onAbort = () => resolve(undefined);
			signal?.addEventListener('abort', onAbort, { once: true });
		});
		const answer = request().then(
			(value) => ({ value }),
			(error: unknown) => ({ error }),
		);
		const result = await Promise.race([answer, aborted]);
		signal?.removeEventListener('abort', onAbort);
		if (!result || signal?.aborted) return undefined;
		if ('value' in result) return result;
		if (result.error instanceof NodeApiError) return { error: result.error };
		this.stopped = true;
		throw result.error;
	}

	/** Takes what a failed read says about all jobs. */
	private note(error: NodeApiError): FailedRead {
		const meaning = judgeFailedRead(httpStatusOf(error));
		if (meaning === 'refused')
			for (const entry of [...this.open.values()])
				this.end(entry, { kind: 'unreadable', error, job: entry.job });
		if (meaning === 'rateLimited') {
			this.rateLimited = true;
			this.retryAfterMs = Math.max(this.retryAfterMs, retryAfterMsOf(error) ?? 0);
		}
		return meaning;
	}

	private leaveList(entries: Iterable<OpenJob<J>>): void {
		for (const entry of entries) entry.listFromRound = this.round + 1 + ROUNDS_WITHOUT_LIST;
	}

	private seen(entry: OpenJob<J>, job: J): void {
		entry.job = job;
		entry.createdAt = job.created_at;
		entry.readInRound = this.round;
		entry.failedReads = 0;
		entry.lastError = undefined;
		if (this.options.until === 'read' || isFinal(job)) this.end(entry, { kind: 'read', job });
	}

	private failed(entry: OpenJob<J>, error: NodeApiError): void {
		entry.readInRound = this.round;
		entry.failedReads += 1;
		entry.lastError = error;
		if (entry.failedReads >= MAX_FAILED_READS)
			this.end(entry, { kind: 'unreadable', error, job: entry.job });
	}

	private end(entry: OpenJob<J>, end: JobEnd<J>): void {
		if (!this.open.delete(entry.id)) return;
		this.ends.set(entry.id, end);
		if (this.options.onEnd?.(entry.id, end) === 'stop') this.stopped = true;
	}
}
