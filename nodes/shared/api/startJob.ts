import { systemClock } from '../async/clock';
import type { MirageContext } from '../n8n/cancellation';
import { cancelSignal } from '../n8n/cancellation';
import { apiError } from '../transport/errors';
import type { ApiFailure, Attempt } from '../transport/failures';
import type { Answer, ApiRequest } from '../transport/networkErrors';
import { readJson } from '../transport/readJson';
import { submit } from '../transport/retry';
import type { Parse } from './answers';
import { NO_ID } from './answers';
import type { Bucket, RateLimiter } from './buckets';
import type { KnownJobs, LostJobSearch } from './lostJob';
import { candidatesAmong, candidatesNote, LIST_UNREADABLE, NO_LIST } from './lostJob';

/** A POST, and what to say of each of its ends. */
interface Start {
	attempt: Attempt;
	/** Makes what `build` needs, once, when it is the request's turn. */
	prepare?: () => Promise<void>;
	/** Makes the request anew for every try. */
	build: () => Omit<ApiRequest, 'method'>;
	/** More about a request that may have been accepted. */
	uncertain: (sentAt: number) => Promise<Partial<Attempt>>;
	/** More about a request that was refused, where that can be found out. */
	refusal?: (failure: ApiFailure) => Promise<Partial<Attempt>>;
}

/**
 * Sends a POST when the limiter says that it is its turn, until it is accepted. Gives the answer, and the
 * time of the request in ms since 1970. Throws `NodeApiError` for every other end.
 */
export async function submitInTurn(
	ctx: MirageContext,
	limiter: RateLimiter,
	bucket: Bucket,
	{ attempt, prepare, build, uncertain, refusal }: Start,
): Promise<{ answer: Answer; sentAt: number }> {
	const send = async () => await submit(ctx, build);
	const submission = await limiter.pass(bucket, { prepare, send });
	const node = ctx.getNode();
	switch (submission.kind) {
		case 'accepted':
			return submission;
		case 'rateLimited': {
			const { retryAfterMs } = submission;
			const failure: ApiFailure = { kind: 'http', status: 429, retryAfterMs };
			throw apiError(node, failure, { ...attempt, note: limiter.note() });
		}
		case 'rejected': {
			const { failure } = submission;
			throw apiError(node, failure, { ...attempt, ...(await refusal?.(failure)) });
		}
		case 'uncertain':
			throw apiError(
				node,
				submission.failure,
				await uncertainAttempt(ctx, attempt, submission.sentAt, uncertain),
			);
	}
}

/** A job to start. */
interface JobStart<T> {
	bucket: Bucket;
	doing: string;
	parse: Parse<T>;
	prepare?: Start['prepare'];
	build: Start['build'];
	refusal?: Start['refusal'];
	/** Jobs that are no candidates; the new one is added. */
	known?: KnownJobs;
	/** How to look for a job whose answer was lost. Missing where the API has no list. */
	lost?: LostJobSearch;
}

/**
 * Starts a job and reads its object; a job that may exist is looked for, so that it is not lost. A stop of
 * the execution after the job was accepted does not keep it from being returned.
 */
export async function startJob<T extends { id: string }>(
	ctx: MirageContext,
	limiter: RateLimiter,
	{ bucket, doing, parse, prepare, build, refusal, known, lost }: JobStart<T>,
): Promise<T> {
	const attempt: Attempt = { doing, sends: 'files' };
	const uncertain = async (sentAt: number) => ({
		note: lost ? await lookFor(lost, sentAt, known, timeZoneOf(ctx)) : NO_LIST,
	});
	const { answer, sentAt } = await submitInTurn(ctx, limiter, bucket, {
		attempt,
		prepare,
		build,
		uncertain,
		refusal,
	});
	const body = await readJson(answer);
	const job = 'value' in body ? parse(body.value) : undefined;
	if (job) {
		known?.add(job.id);
		return job;
	}
	if (cancelSignal(ctx)?.aborted)
		ctx.logger.warn(
			`The execution was stopped while Mirage answered. It accepted a job whose ID did not arrive: could not ${doing}.`,
		);
	const failure: ApiFailure =
		'failure' in body ? body.failure : { kind: 'unreadable', reason: NO_ID };
	throw apiError(ctx.getNode(), failure, await uncertainAttempt(ctx, attempt, sentAt, uncertain));
}

async function uncertainAttempt(
	ctx: MirageContext,
	attempt: Attempt,
	sentAt: number,
	more: Start['uncertain'],
): Promise<Attempt> {
	const timeZone = timeZoneOf(ctx);
	return { ...attempt, mayHaveStartedAt: sentAt, timeZone, ...(await more(sentAt)) };
}

/** Says which videos could be the lost one. Never rejects: the person needs the other error. */
async function lookFor(
	{ list, matches }: LostJobSearch,
	sentAt: number,
	known: KnownJobs | undefined,
	timeZone: string | undefined,
): Promise<string> {
	try {
		const page = await list();
		const now = systemClock.now();
		const candidates = candidatesAmong(page, { sentAt, now }, known ?? new Set<string>());
		return candidatesNote(candidates.filter(matches), timeZone);
	} catch {
		return LIST_UNREADABLE;
	}
}

function timeZoneOf(ctx: MirageContext): string | undefined {
	return ctx.getTimezone?.();
}
