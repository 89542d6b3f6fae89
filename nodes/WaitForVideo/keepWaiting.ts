import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';

import { pollPauses, timeoutMinutes } from '../shared/descriptions/waitOptions';
import { LOOK_MS, LOOK_PAUSES, Run, minutes } from './videoWait';

/** Waits until all videos have ended; files are downloaded while others still render. */
export async function keepWaiting(ctx: IExecuteFunctions): Promise<INodeExecutionData[]> {
	const run = new Run(ctx);
	const timeout = timeoutMinutes(ctx);
	const ends = await run.watch({
		...pollPauses(ctx),
		timeoutMs: timeout * 60_000,
	});
	return run.outputOf(await run.results(ends, `after waiting ${minutes(timeout)}`), ends);
}

/** Looks once; every state is a result. */
export async function returnStatus(ctx: IExecuteFunctions): Promise<INodeExecutionData[]> {
	const run = new Run(ctx, { everyStateIsFine: true });
	const ends = await run.watch({ ...LOOK_PAUSES, timeoutMs: LOOK_MS, until: 'read' });
	return run.outputOf(await run.results(ends, `within ${LOOK_MS / 60_000} minutes`), ends);
}
