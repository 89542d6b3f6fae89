import type { IExecuteFunctions } from 'n8n-workflow';

import type { Gate } from './gate';
import { gateFor } from './gate';
import { optionNumber } from './parameters';

/** Reads the options `concurrency` and `rateLimitPatience` and opens the gate of the run. */
export function runOptions(ctx: IExecuteFunctions): { concurrency: number; gate: Gate } {
	const concurrency = optionNumber(ctx, 'concurrency', 0, {
		label: 'Concurrency',
		min: 1,
		max: 20,
		otherwise: 3,
	});
	const patienceMinutes = optionNumber(ctx, 'rateLimitPatience', 0, {
		label: 'Rate Limit Patience',
		min: 0,
		max: 100_000,
		otherwise: 60,
	});
	return { concurrency, gate: gateFor(ctx, patienceMinutes * 60_000) };
}

/** Tells at the node, once it is done, that items had to wait. */
export function hintWaited(ctx: IExecuteFunctions, gate: Gate): void {
	if (gate.waited.ms < 1_000) return;
	ctx.addExecutionHints({
		message: `Mirage's rate limit made this node wait ${Math.round(gate.waited.ms / 1_000)} s in all. Nothing was lost or sent twice.`,
		location: 'outputPane',
		type: 'info',
	});
}
