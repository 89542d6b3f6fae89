import { NodeApiError } from 'n8n-workflow';

import type { Clock } from '../async/clock';
import { createPool } from '../async/pool';
import { untilAborted } from '../async/untilAborted';
import { isFinal } from '../api/objects';
import { httpStatusOf, mayPassIfRepeated, retryAfterMsOf } from '../transport/errors';
import type { ProgressRecord, Remaining, RenderTime } from './estimate';
import {
	NO_PROGRESS,
	remainingByOthers,
	remainingByProgress,
	withProgress,
	withRenderTimes,
} from './estimate';
import type { Job, JobSource, OnServerTime } from './jobSource';
import type { FailedRead, PageRead, WatchedJob } from './pollSchedule';
import {
	judgeFailedRead,
	listable,
	ROUNDS_WITHOUT_LIST,
	spacingFor,
	wantsNextPage,
} from './pollSchedule';

/** An execution that waits, as the watch sees it. */
export interface Waiting<J extends Job> {
	readonly source: JobSource<J>;
	readonly clock: Clock;
	/** Aborts when it was stopped, or has all it waited for. */
	readonly left: AbortSignal;
	/** IDs that it still waits for. */
	readonly openIds: Iterable<string>;
	/** When it wants its next read, in ms since 1970. */
	readonly nextReadAtMs: number;
	/** A job as a read found it, with how much longer it renders. */
	seen(job: J, atMs: number, remaining: Remaining | undefined): void;
	/** A read of `ids` failed. */
	failed(ids: Iterable<string>, failure: FailedRead, error: NodeApiError, atMs: number): void;
	/** A round is over that read all that was due until then, in ms since 1970; or a reader has left. */
	wake(readUntilMs: number): void;
}

/** Single reads on their way at the same time. */
const CONCURRENT_READS = 5;

/** A round that takes longer than this holds nobody else up, in ms. */
const SLOW_ROUND_MS = 10_000;

/** Longest silence that a server's `Retry-After` is believed, in ms: a wrong one would silence everybody for good. */
const LONGEST_SILENCE_MS = 3_600_000;

/** Answers whose time is kept to know the server's clock. */
const SERVER_TIMES = 8;

interface SharedJob<J extends Job> extends WatchedJob {
	id: string;
	waits: Set<Waiting<J>>;
	/** Last round in which it was read; those left out by a rate limit come first in the next. */
	readInRound: number;
	progress: ProgressRecord;
	/** When its end was expected at the latest, in ms since 1970. */
	promisedMs?: number;
}

/** Reads that one execution does for everybody. */
interface Round<J extends Job> {
	reader: Waiting<J>;
	startedMs: number;
	number: number;
}

/**
 * All executions of this process that wait for jobs of one account and kind share one watch: a page of
 * the list, or a read of one job, serves everybody.
 *
 * States: *idle*, nobody waits and nothing but render times is kept; *pausing* until the execution that
 * wants it soonest wants a read; *reading*, a round in the name of one execution, its reader. There is no
 * task of its own: every execution that waits sleeps until the next read is due, and the first to wake is
 * the reader. So when a reader is stopped, ends or fails, the others, who were woken, find the watch
 * pausing and a read due, and one of them takes over.
 *
 * ```text
 * A waits for v1              idle → reading (A) → pausing
 * B waits for v2              pausing → reading (B), which brings A news of v1 too
 * B is stopped while it reads reading → pausing → reading (A)
 * v1 and v2 have ended        idle
 * ```
 */
export class JobWatch<J extends Job> {
	private readonly waits = new Set<Waiting<J>>();
	private readonly jobs = new Map<string, SharedJob<J>>();
	private readonly renderTimes = new Map<string, readonly RenderTime[]>();
	/** How far the server's clock is ahead of this one at least, by the last answers, in ms. */
	private serverAheadMs: number[] = [];
	private round?: Round<J>;
	private rounds = 0;
	private lastRoundMs = -Infinity;
	/** Until when the server asked for silence, in ms since 1970. */
	silentUntilMs = -Infinity;
	private latestMs = -Infinity;
	/** How far this machine's clock was set back since somebody waits, in ms. */
	private setBackMs = 0;

	/** The time of a clock, but never earlier than before: a clock that is set back holds nobody up. */
	now(clock: Clock): number {
		const shown = clock.now() + this.setBackMs;
		if (shown < this.latestMs) this.setBackMs += this.latestMs - shown;
		this.latestMs = Math.max(shown, this.latestMs);
		return this.latestMs;
	}

	/** Whether anybody waits. */
	get isBusy(): boolean {
		return this.waits.size > 0;
	}

	/** Adds an execution with all it waits for. */
	join(wait: Waiting<J>): void {
		this.waits.add(wait);
		for (const id of wait.openIds) {
			const job = this.jobs.get(id) ?? {
				id,
				waits: new Set(),
				listFromRound: 0,
				readInRound: -1,
				progress: NO_PROGRESS,
			};
			job.waits.add(wait);
			this.jobs.set(id, job);
		}
	}

	/** Forgets that an execution waits for a job, and the job when nobody else does. */
	drop(wait: Waiting<J>, id: string): void {
		const job = this.jobs.get(id);
		if (job?.waits.delete(wait) && job.waits.size === 0) this.jobs.delete(id);
	}

	/** Forgets an execution. A round in its name is over: another may read. */
	leave(wait: Waiting<J>): void {
		this.waits.delete(wait);
		for (const id of wait.openIds) this.drop(wait, id);
		if (this.round?.reader === wait) this.round = undefined;
		if (this.waits.size === 0) {
			this.lastRoundMs = -Infinity;
			this.silentUntilMs = -Infinity;
			this.serverAheadMs = [];
		} else this.wakeAll(-Infinity);
	}

	/** When somebody should read, in ms since 1970: while a round is under way, when it has taken too long. */
	nextRoundAtMs(): number {
		if (this.round) return this.round.startedMs + SLOW_ROUND_MS;
		const soonest = Math.min(...[...this.waits].map(({ nextReadAtMs }) => nextReadAtMs));
		return Math.max(soonest, this.soonestMs);
	}

	/** Before this no round begins, whoever wants one. */
	private get soonestMs(): number {
		return Math.max(this.lastRoundMs + spacingFor(this.waits.size), this.silentUntilMs);
	}

	/**
	 * One round of reads in the name of `reader`: the list where it is worth it, single reads for the rest
	 * of what is due. Everybody is told what it found. Rejects with what is no answer of the API.
	 */
	async read(reader: Waiting<J>): Promise<void> {
		const round = { reader, startedMs: this.now(reader.clock), number: this.rounds++ };
		this.round = round;
		this.lastRoundMs = round.startedMs;
		const dueUntilMs = round.startedMs + spacingFor(this.waits.size);
		try {
			const due = this.dueAt(dueUntilMs);
			const listed = await this.readList(round, due);
			if (listed) await this.readSingly(round, due);
		} finally {
			if (this.round === round) this.round = undefined;
			this.wakeAll(dueUntilMs);
		}
	}

	private wakeAll(readUntilMs: number): void {
		for (const wait of this.waits) wait.wake(readUntilMs);
	}

	/** Jobs of all executions that want a read by then. */
	private dueAt(ms: number): Array<SharedJob<J>> {
		const waits = new Set([...this.waits].filter(({ nextReadAtMs }) => nextReadAtMs <= ms));
		return [...this.jobs.values()].filter((job) => [...job.waits].some((wait) => waits.has(wait)));
	}

	/** Reads pages of the list. False when single reads make no sense in this round. */
	private async readList(round: Round<J>, due: Array<SharedJob<J>>): Promise<boolean> {
		const { list } = round.reader.source;
		if (!list) return true;
		const recent = new Set(listable([...this.jobs.values()], round.number));
		const missing = new Map(due.filter((job) => recent.has(job)).map((job) => [job.id, job]));
		if (missing.size === 0) return true;
		const pages: PageRead[] = [];
		for (let after: string | undefined; wantsNextPage([...missing.values()], pages);) {
			const page = await this.request(round, async ({ source }) =>
				source.list!(after, this.onServerTime(round)),
			);
			if (!page) return false;
			if ('error' in page) {
				const failure = judgeFailedRead(httpStatusOf(page.error));
				const isAboutList = failure === 'unknown' || failure === 'rejected';
				if (isAboutList || failure === 'passing') this.leaveList(missing.values(), round);
				if (isAboutList) return true;
				this.tellFailed(round, [...missing.keys()], failure, page.error);
				return false;
			}
			const found = page.value.filter(({ id }) => missing.delete(id)).length;
			this.tellSeen(round, page.value);
			const last = page.value.at(-1);
			pages.push({ size: page.value.length, found, oldest: last?.created_at ?? 0 });
			after = last?.id;
		}
		this.leaveList(missing.values(), round);
		return true;
	}

	/** Reads what is due and was not on the list, those of the reader last: with them it may end. */
	private async readSingly(round: Round<J>, due: Array<SharedJob<J>>): Promise<void> {
		const isReaders = (job: SharedJob<J>) => Number(job.waits.has(round.reader));
		const rest = due
			.filter(({ readInRound }) => readInRound < round.number)
			.sort((a, b) => isReaders(a) - isReaders(b) || a.readInRound - b.readInRound);
		const pool = createPool(CONCURRENT_READS);
		let goOn = true;
		const readOne = async ({ id }: SharedJob<J>): Promise<void> => {
			if (!goOn || !this.jobs.has(id)) return;
			const result = await this.request(round, async ({ source }) =>
				source.read(id, this.onServerTime(round)),
			);
			if (!result) goOn = false;
			else if ('value' in result) this.tellSeen(round, [{ ...result.value, id }]);
			else {
				const failure = judgeFailedRead(httpStatusOf(result.error));
				if (failure === 'rateLimited' || failure === 'refused') goOn = false;
				this.tellFailed(round, [id], failure, result.error);
			}
		};
		await Promise.all(rest.map((job) => pool(async () => await readOne(job))));
	}

	/**
	 * One request; `undefined` once its reader has left, also when the request never ends. What is no
	 * answer of the API is the reader's own: it ends its wait and nobody else's.
	 */
	private async request<T>(
		{ reader }: Round<J>,
		send: (reader: Waiting<J>) => Promise<T>,
	): Promise<{ value: T } | { error: NodeApiError } | undefined> {
		if (reader.left.aborted) return undefined;
		const answer = send(reader).then(
			(value) => ({ value }),
			async (error: Error) => {
				if (reader.left.aborted) return undefined;
				if (!(error instanceof NodeApiError)) return await Promise.reject(error);
				// Nothing came from the API and never will: n8n or the credential did not let it out.
				if (httpStatusOf(error) !== undefined || mayPassIfRepeated(error)) return { error };
				reader.failed(reader.openIds, 'refused', error, this.now(reader.clock));
				return undefined;
			},
		);
		return await untilAborted(answer, reader.left);
	}

	private tellSeen({ reader, number }: Round<J>, page: J[]): void {
		const now = this.now(reader.clock);
		const kindOf = (job: J) => reader.source.kindOf?.(job) ?? '';
		for (const job of page) {
			const { id, completed_at: completedAt, created_at: createdAt } = job;
			if (job.status !== 'COMPLETE' || !completedAt || !(completedAt >= createdAt)) continue;
			const renderTime = { id, completedAt, renderMs: (completedAt - createdAt) * 1_000 };
			const kind = kindOf(job);
			const known = this.renderTimes.get(kind) ?? [];
			this.renderTimes.set(kind, withRenderTimes(known, [renderTime]));
		}
		for (const job of page) {
			const shared = this.jobs.get(job.id);
			if (!shared) continue;
			shared.createdAt = job.created_at;
			shared.readInRound = number;
			let remaining: Remaining | undefined;
			if (!isFinal(job)) {
				const age = this.ageOf(job, now);
				shared.progress = withProgress(shared.progress, job.progress, now, shared.promisedMs);
				remaining =
					remainingByProgress(shared.progress, age) ??
					remainingByOthers(this.renderTimes.get(kindOf(job)) ?? [], age);
				shared.promisedMs = remaining && now + remaining.latestMs;
			}
			for (const wait of [...shared.waits]) wait.seen(job, now, remaining);
		}
	}

	private tellFailed(
		{ reader, number }: Round<J>,
		ids: string[],
		failure: FailedRead,
		error: NodeApiError,
	): void {
		const now = this.now(reader.clock);
		for (const id of ids) {
			const job = this.jobs.get(id);
			if (job && failure !== 'rateLimited') job.readInRound = number;
		}
		if (failure === 'rateLimited') {
			const silenceMs = Math.min(retryAfterMsOf(error) ?? 0, LONGEST_SILENCE_MS);
			this.silentUntilMs = Math.max(this.silentUntilMs, now + silenceMs);
		}
		for (const wait of [...this.waits]) wait.failed(ids, failure, error, now);
	}

	private leaveList(jobs: Iterable<SharedJob<J>>, round: Round<J>): void {
		for (const job of jobs) job.listFromRound = round.number + 1 + ROUNDS_WITHOUT_LIST;
	}

	private onServerTime({ reader }: Round<J>): OnServerTime {
		return (serverMs) => {
			if (!Number.isFinite(serverMs)) return;
			const ahead = serverMs - this.now(reader.clock);
			this.serverAheadMs = [...this.serverAheadMs, ahead].slice(-SERVER_TIMES);
		};
	}

	/**
	 * How long ago a job was created by the server's clock, in ms; `undefined` when the server tells no
	 * time. `Date` headers are whole seconds, rounded down, so the latest of some is the nearest.
	 */
	private ageOf({ created_at: createdAt }: J, now: number): number | undefined {
		if (this.serverAheadMs.length === 0 || !Number.isFinite(createdAt)) return undefined;
		return Math.max(0, now + Math.max(...this.serverAheadMs) - createdAt * 1_000);
	}
}
