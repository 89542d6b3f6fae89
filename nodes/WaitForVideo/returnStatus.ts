import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';

import { runItems } from '../shared/items/runItems';
import { CHECK_MINUTES, CHECK_ONCE, videosOf } from './videoItems';

/** Checks once; every state is a result. */
export async function returnStatus(ctx: IExecuteFunctions): Promise<INodeExecutionData[]> {
	const videos = videosOf(ctx, {
		...CHECK_ONCE,
		waitMinutes: CHECK_MINUTES,
		everyStateIsFine: true,
	});
	return await runItems(ctx, videos.plan);
}
