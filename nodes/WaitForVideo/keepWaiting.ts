import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';

import { pollPauses, timeoutMinutes } from '../shared/descriptions/waitOptions';
import { runItems } from '../shared/items/runItems';
import { videosOf } from './videoItems';

/** Waits in this run until all videos have ended; files are downloaded while others still render. */
export async function keepWaiting(ctx: IExecuteFunctions): Promise<INodeExecutionData[]> {
	const waitMinutes = timeoutMinutes(ctx);
	const timeoutMs = waitMinutes * 60_000;
	const videos = videosOf(ctx, { ...pollPauses(ctx), timeoutMs, waitMinutes });
	return await runItems(ctx, videos.plan);
}
