import type { IExecuteFunctions } from 'n8n-workflow';

import type { RateLimiter, Submission } from '../api/buckets';
import { steadyClock } from '../async/clock';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { Account } from './account';
import { accountOf, limiterOf } from './account';
import type { BucketLimiter, Place } from './rateLimiter';

/** The rate limiters of the account, as one run of a node uses them. */
export interface RunRateLimiter extends RateLimiter {
	/** How long at least one item of the run waited for the rate limit so far, in ms. */
	waitedMs(): number;
}

/** Waits are logged at most this often by one run, in ms. */
const LOG_EVERY_MS = 60_000;

/** Opens the account's rate limiters for a run of a node. `patienceMs`: the option *Rate Limit Patience*. */
export function rateLimiterFor(ctx: IExecuteFunctions, patienceMs: number): RunRateLimiter {
	const run = {};
	const signal = cancelSignal(ctx);
	const used = new Set<BucketLimiter>();
	const stop = () => used.forEach((limiter) => limiter.stop(run));
	let account: Promise<Account> | undefined;
	let passing = 0;
	let note = '';
	let waiting = 0;
	let since = 0;
	let waitedMs = 0;
	let loggedAt = -Infinity;

	const log = (place: Place) => {
		const now = steadyClock.now();
		if (now < loggedAt + LOG_EVERY_MS) return;
		loggedAt = now;
		ctx.logger.info(`Waiting for Mirage's rate limit. ${placeText(place)}`, {
			node: ctx.getNode().name,
		});
	};

	return {
		waitedMs: () => waitedMs + (waiting > 0 ? steadyClock.now() - since : 0),
		note: () => note,
		async pass(bucket, request) {
			account ??= accountOf(ctx);
			const limiter = limiterOf(await account, bucket);
			throwIfCancelled(ctx);
			used.add(limiter);
			// One listener for all items: a signal warns of more than ten.
			if (passing++ === 0) signal?.addEventListener('abort', stop);
			let waits = false;
			const onWait = (place: Place) => {
				log(place);
				waits = true;
				if (waiting++ === 0) since = steadyClock.now();
			};
			const onSpent = (place: Place) => {
				note = [
					`Mirage accepted nothing of this account for ${duration(place.quietMs)}, and the option "Rate Limit Patience" allows ${patienceMs / 60_000} minutes of that.`,
					place.runs > 0 && placeText(place),
					'The item was not sent and is not billed. Run it again later, or raise the option.',
				]
					.filter(Boolean)
					.join(' ');
			};
			let submission: Submission;
			try {
				submission = await limiter.pass(request, { run, patienceMs, onWait, onSpent });
			} finally {
				if (--passing === 0) signal?.removeEventListener('abort', stop);
				if (waits && --waiting === 0) waitedMs += steadyClock.now() - since;
			}
			// What was accepted is told and recorded first, also when the execution was stopped meanwhile.
			if (submission.kind === 'rateLimited') throwIfCancelled(ctx);
			return submission;
		},
	};
}

/** "37 executions are ahead of this one; about 19 minutes." */
export function placeText({ runs, expectedMs }: Place): string {
	const ahead =
		runs === 0
			? 'No other execution is ahead of this one'
			: `${runs} ${runs === 1 ? 'execution is' : 'executions are'} ahead of this one`;
	return `${ahead}; about ${duration(expectedMs)}.`;
}

/** A length of time in words, rounded: "12 seconds", "19 minutes", "2.5 hours". */
export function duration(ms: number): string {
	const seconds = Math.ceil(ms / 1_000);
	if (seconds < 90) return `${seconds} ${seconds === 1 ? 'second' : 'seconds'}`;
	const minutes = Math.round(seconds / 60);
	return minutes < 90 ? `${minutes} minutes` : `${Math.round(minutes / 6) / 10} hours`;
}
