import type { MirageContext } from '../n8n/cancellation';
import type { Bucket } from '../transport/adaptiveInterval';
import type { ApiFailure, Attempt } from '../transport/errors';
import { apiError } from '../transport/errors';
import type { Answer, ApiRequest } from '../transport/networkErrors';
import type { RateLimiter } from '../transport/rateLimiter';
import { jsonOf, submit } from '../transport/retry';
import { idOf } from './answers';

/** Clocks of n8n and the API may differ by this much when a lost job is looked for, in s. */
const CLOCK_SKEW_S = 120;

/** Sends a POST through the limiter until it is accepted; throws for every other end. */
export async function pass(
	ctx: MirageContext,
	limiter: RateLimiter,
	bucket: Bucket,
	doing: string,
	build: () => Omit<ApiRequest, 'method'>,
	explain: (failure: ApiFailure, sentAt: number) => Promise<Attempt>,
): Promise<{ answer: Answer; sentAt: number }> {
	const submission = await limiter.pass(bucket, async () => await submit(ctx, build));
	switch (submission.kind) {
		case 'accepted':
			return submission;
		case 'rateLimited':
			throw apiError(
				ctx.getNode(),
				{ status: 429, retryAfterMs: submission.retryAfterMs },
				{ doing, note: limiter.note() },
			);
		case 'rejected':
			throw apiError(ctx.getNode(), submission.failure, { doing });
		case 'uncertain':
			throw apiError(
				ctx.getNode(),
				submission.failure,
				await explain(submission.failure, submission.sentAt),
			);
	}
}

interface JobStart {
	bucket: Bucket;
	doing: string;
	build: () => Omit<ApiRequest, 'method'>;
	/** Finds jobs that appeared since a time (s since 1970) and could be the lost one. */
	candidates?: (sinceS: number) => Promise<string[]>;
}

/** Starts a job and reads its object; a job that may exist is looked for, so that it is not lost. */
export async function startJob<T extends { id: string }>(
	ctx: MirageContext,
	limiter: RateLimiter,
	{ bucket, doing, build, candidates }: JobStart,
): Promise<T> {
	const explain = async (_: ApiFailure, sentAt: number): Promise<Attempt> => ({
		doing,
		mayHaveStartedAt: sentAt,
		note: await nameCandidates(candidates, sentAt),
	});
	const { answer, sentAt } = await pass(ctx, limiter, bucket, doing, build, explain);
	const body = await jsonOf(ctx, answer);
	const job = 'json' in body ? idOf(body.json) : undefined;
	if (job) return job as T;
	const failure = 'failure' in body ? body.failure : { unreadable: 'The answer holds no ID' };
	throw apiError(ctx.getNode(), failure, await explain(failure, sentAt));
}

/** Says which jobs could be the one whose answer was lost, without claiming more than is known. */
async function nameCandidates(candidates: JobStart['candidates'], sentAt: number): Promise<string> {
	if (!candidates)
		return 'The API has no list of text overlays to look for it in. Running this item again may bill it twice.';
	const before = 'Look at the list of videos before you run this item again.';
	try {
		const ids = await candidates(Math.floor(sentAt / 1_000) - CLOCK_SKEW_S);
		return ids.length > 0
			? `Videos that appeared since and could be this one: ${ids.join(', ')}. ${before}`
			: `No video that could be this one has appeared in the list yet. ${before}`;
	} catch {
		return `The list of videos could not be read to look for it. ${before}`;
	}
}
