import type { IExecuteFunctions, NodeApiError } from 'n8n-workflow';

import { isFinal } from '../api/objects';
import type { TextOverlay, Video } from '../api/objects';
import type { Clock } from '../async/clock';
import { systemClock } from '../async/clock';
import { cancelSignal } from '../n8n/cancellation';
import { ownError } from '../transport/errors';
import { accountOf } from './account';
import type { Remaining } from './estimate';
import type { Job, JobSource } from './jobSource';
import { textOverlaySource, videoSource } from './jobSource';
import type { JobWatch, Waiting } from './jobWatch';
import type { FailedRead, OpenJob, PollTiming } from './pollSchedule';
import { MAX_FAILED_READS, MAX_UNKNOWN_READS, nextReadAt } from './pollSchedule';

/**
 * How the wait for one job ended.
 *
 * - `read`: the job is final (or, with `until: 'read'`, in whatever state it was found).
 * - `unknown`: the API does not know the ID, three times in a row; `job` is set when it did before.
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
	/** Pause after the first read, in ms. */
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

/** Waits for videos as {@link waitForJobs} does, with all executions of the account. */
export async function waitForVideos(
	ctx: IExecuteFunctions,
	ids: Iterable<string>,
	options: Omit<WaitOptions<Video>, 'signal'>,
): Promise<Map<string, JobEnd<Video>>> {
	const { videos } = await accountOf(ctx);
	const signal = cancelSignal(ctx);
	return await waitForJobs(videos, ids, videoSource(ctx), { ...options, signal });
}

/** Waits for text overlays as {@link waitForJobs} does, with all executions of the account. */
export async function waitForTextOverlays(
	ctx: IExecuteFunctions,
	ids: Iterable<string>,
	options: Omit<WaitOptions<TextOverlay>, 'signal'>,
): Promise<Map<string, JobEnd<TextOverlay>>> {
	const { textOverlays } = await accountOf(ctx);
	const signal = cancelSignal(ctx);
	return await waitForJobs(textOverlays, ids, textOverlaySource(ctx), { ...options, signal });
}

/**
 * Waits for many jobs together, so that all of them take as long as the slowest, and shares its reads
 * with all others who wait at the same watch. IDs that are given twice are read once. The result holds
 * an end for every ID, in the order given.
 *
 * Throws only what is not an answer of the API, such as an unusable credential.
 */
export async function waitForJobs<J extends Job>(
	watch: JobWatch<J>,
	ids: Iterable<string>,
	source: JobSource<J>,
	options: WaitOptions<J>,
): Promise<Map<string, JobEnd<J>>> {
	const wait = new Wait(watch, ids, source, options);
	return await wait.run();
}

/** One job of one wait; failed reads are counted here, since each execution has its own. */
interface WaitedJob<J extends Job> extends OpenJob {
	job?: J;
	lastError?: NodeApiError;
}

/** One execution's wait: the jobs still open, and the ends of the others. */
class Wait<J extends Job> implements Waiting<J> {
	readonly clock: Clock;
	private readonly order: string[];
	private readonly open = new Map<string, WaitedJob<J>>();
	private readonly ends = new Map<string, JobEnd<J>>();
	private readonly timing: PollTiming;
	private readonly startMs: number;
	private readonly leaving = new AbortController();
	private sleeping = new AbortController();
	private wantedAtMs?: number;
	private readAtDeadline = false;
	private callbackError?: Error;

	constructor(
		private readonly watch: JobWatch<J>,
		ids: Iterable<string>,
		readonly source: JobSource<J>,
		private readonly options: WaitOptions<J>,
	) {
		this.order = [...new Set(ids)];
		this.clock = options.clock ?? systemClock;
		this.startMs = this.watch.now(this.clock);
		this.timing = { ...options, deadlineMs: this.startMs + options.timeoutMs };
		for (const id of this.order)
			this.open.set(id, {
				failedReads: 0,
				unknownReads: 0,
				rateLimited: false,
				unsureSinceMs: this.startMs,
			});
		if (this.open.size === 0) this.leaving.abort();
	}

	async run(): Promise<Map<string, JobEnd<J>>> {
		const { signal } = this.options;
		const stop = () => this.stop();
		signal?.addEventListener('abort', stop, { once: true });
		if (signal?.aborted) stop();
		this.watch.join(this);
		try {
			while (!this.left.aborted) {
				const now = this.watch.now(this.clock);
				const { deadlineMs } = this.timing;
				const timeIsOver = now >= deadlineMs;
				if (timeIsOver && (this.readAtDeadline || this.watch.silentUntilMs > now)) break;
				const dueMs = this.watch.nextRoundAtMs();
				if (now >= dueMs) await this.watch.read(this);
				else await this.sleepUntil(timeIsOver ? dueMs : Math.min(dueMs, deadlineMs));
			}
		} finally {
			this.watch.leave(this);
			this.leaving.abort();
			signal?.removeEventListener('abort', stop);
		}
		if (this.callbackError) return await Promise.reject(this.callbackError);
		return new Map(
			this.order.map((id): [string, JobEnd<J>] => {
				const { job, lastError } = this.open.get(id) ?? {};
				return [id, this.ends.get(id) ?? { kind: 'open', job, error: lastError }];
			}),
		);
	}

	get left(): AbortSignal {
		return this.leaving.signal;
	}

	get openIds(): string[] {
		return [...this.open.keys()];
	}

	get nextReadAtMs(): number {
		return (this.wantedAtMs ??= nextReadAt([...this.open.values()], this.timing, this.startMs));
	}

	seen(job: J, atMs: number, remaining: Remaining | undefined): void {
		const open = this.open.get(job.id);
		if (!open || this.left.aborted) return;
		// Where an estimate is lost, the pauses grow anew.
		const wasSure = open.remaining !== undefined;
		Object.assign(open, { job, triedAtMs: atMs, failedReads: 0, unknownReads: 0, remaining });
		open.rateLimited = false;
		open.lastError = undefined;
		if (remaining === undefined && wasSure) open.unsureSinceMs = atMs;
		this.wantedAtMs = undefined;
		if (this.options.until === 'read' || isFinal(job)) this.end(job.id, { kind: 'read', job });
	}

	failed(ids: Iterable<string>, failure: FailedRead, error: NodeApiError, atMs: number): void {
		const own = ownError(this.source.node, error);
		const isForAll = failure === 'refused' || failure === 'rateLimited';
		// A read that others made out of turn is no failed read of this execution.
		const wasDue = this.nextReadAtMs <= atMs;
		this.wantedAtMs = undefined;
		for (const id of isForAll ? this.openIds : ids) {
			const open = this.open.get(id);
			if (!open || this.left.aborted) continue;
			const { job } = open;
			if (failure === 'refused') this.end(id, { kind: 'unreadable', error: own, job });
			else if (failure === 'rejected') this.end(id, { kind: 'unreadable', error: own, job });
			else if (failure === 'rateLimited' || wasDue) {
				open.lastError = own;
				open.triedAtMs = atMs;
				open.rateLimited = failure === 'rateLimited';
				if (failure === 'unknown') open.unknownReads += 1;
				if (failure === 'passing') open.failedReads += 1;
				if (open.unknownReads >= MAX_UNKNOWN_READS)
					this.end(id, { kind: 'unknown', error: own, job });
				else if (open.failedReads >= MAX_FAILED_READS)
					this.end(id, { kind: 'unreadable', error: own, job });
			}
		}
	}

	wake(readUntilMs: number): void {
		if (readUntilMs >= this.timing.deadlineMs) this.readAtDeadline = true;
		this.sleeping.abort();
	}

	private async sleepUntil(ms: number): Promise<void> {
		this.sleeping = new AbortController();
		await this.clock.sleep(ms - this.watch.now(this.clock), this.sleeping.signal);
	}

	private stop(): void {
		this.leaving.abort();
		this.sleeping.abort();
	}

	private end(id: string, end: JobEnd<J>): void {
		if (!this.open.delete(id)) return;
		this.watch.drop(this, id);
		this.ends.set(id, end);
		try {
			if (this.options.onEnd?.(id, end) === 'stop') this.stop();
		} catch (error) {
			// It may be another execution whose read brought the news.
			this.callbackError = error as Error;
			this.stop();
		}
		if (this.open.size === 0) this.stop();
	}
}
