import type { IExecuteFunctions, INodeProperties } from 'n8n-workflow';

import type { RunRateLimiter } from '../account/runRateLimiter';
import { duration, rateLimiterFor } from '../account/runRateLimiter';
import { optionNumber } from '../n8n/parameters';

/** Reads the options `concurrency` and `rateLimitPatience` and opens the limiter of the run. */
export function runOptions(ctx: IExecuteFunctions): {
	concurrency: number;
	limiter: RunRateLimiter;
} {
	const concurrency = optionNumber(ctx, 'concurrency', {
		label: 'Items at the Same Time',
		min: 1,
		max: 20,
		otherwise: 3,
	});
	const patienceMinutes = optionNumber(ctx, 'rateLimitPatience', {
		label: 'Rate Limit Patience (Minutes)',
		min: 0,
		max: 100_000,
		otherwise: 60,
	});
	return { concurrency, limiter: rateLimiterFor(ctx, patienceMinutes * 60_000) };
}

/** Tells at the node, once it is done, that items had to wait. */
export function hintWaited(ctx: IExecuteFunctions, limiter: RunRateLimiter): void {
	const waitedMs = limiter.waitedMs();
	if (waitedMs < 1_000) return;
	ctx.addExecutionHints({
		message: `Mirage's rate limit made this node wait ${duration(waitedMs)} in all. Nothing was lost or sent twice.`,
		location: 'outputPane',
		type: 'info',
	});
}

/** Option: how many items are under way together. Default 3. */
export const concurrencyOption: INodeProperties = {
	displayName: 'Items at the Same Time',
	name: 'concurrency',
	type: 'number',
	typeOptions: { minValue: 1, maxValue: 20 },
	default: 3,
	description: 'How many items to send to Mirage at the same time',
};

/** Option: how long nothing of the account may be accepted before waiting ends. Default 60 minutes. */
export const rateLimitPatienceOption: INodeProperties = {
	displayName: 'Rate Limit Patience (Minutes)',
	name: 'rateLimitPatience',
	type: 'number',
	typeOptions: { minValue: 0 },
	default: 60,
	description:
		'How long to go on waiting while Mirage accepts nothing at all of this account. A queue that moves is waited out to its end, however long that takes. Items that are left when the time is over end with an error and are not billed.',
};
