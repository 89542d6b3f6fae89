import type { INodeExecutionData, IPollFunctions } from 'n8n-workflow';

import { listVideos, MAX_PAGE } from '../shared/api/endpoints';
import { downloadVideo } from '../shared/files/download';
import { triggerItem, triggerParameters } from './triggerParameters';

/** Pages of 100 that are searched for a matching video. */
const MAX_PAGES = 10;

/**
 * What "Fetch test event" in the editor shows: the newest video that matches, whether or not it has
 * fired, or an empty output, which the panel's hint explains. Neither reads nor changes what the trigger
 * remembers. Throws `NodeApiError` when the list or the file cannot be read.
 */
export async function fetchTestEvent(ctx: IPollFunctions): Promise<INodeExecutionData[][]> {
	const parameters = triggerParameters(ctx);
	let searched = 0;
	let after: string | undefined;
	for (let pages = 0; pages < MAX_PAGES; pages++) {
		const videos = await listVideos(ctx, { after });
		const match = videos.find(parameters.matches);
		if (match) {
			const file = parameters.needsFile(match) ? await downloadVideo(ctx, match.id) : undefined;
			return [[triggerItem(match, parameters, file)]];
		}
		searched += videos.length;
		after = videos.at(-1)?.id;
		if (videos.length < MAX_PAGE) break;
	}
	ctx.logger.info(
		`${ctx.getNode().name}: none of the ${searched} newest videos is ${parameters.events} and of the chosen source`,
	);
	return [[]];
}
