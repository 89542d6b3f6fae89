import type { IExecuteFunctions, ILoadOptionsFunctions, IPollFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

/** Where a node's code runs: an execution, a poll of the trigger, or a picker in the editor. */
export type MirageContext = IExecuteFunctions | IPollFunctions | ILoadOptionsFunctions;

/** The signal that aborts when a person stops the execution. Polls and pickers have none. */
export function cancelSignal(ctx: MirageContext): AbortSignal | undefined {
	return 'getExecutionCancelSignal' in ctx ? ctx.getExecutionCancelSignal() : undefined;
}

/**
 * Throws `NodeOperationError` once the execution was stopped. n8n takes an error for a stop only when
 * its message says "canceled".
 */
export function throwIfCancelled(ctx: MirageContext): void {
	if (cancelSignal(ctx)?.aborted)
		throw new NodeOperationError(ctx.getNode(), 'The execution was canceled', {
			description: 'Jobs that were already started keep rendering at Mirage.',
			level: 'info',
		});
}
