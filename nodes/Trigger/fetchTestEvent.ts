import type { INodeExecutionData, IPollFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { listVideos, MAX_PAGE } from '../shared/api/endpoints';
import { downloadVideo } from '../shared/files/download';
import { itemOf, triggerParameters } from './triggerParameters';

/** Pages of 100 that are looked through for a matching video. */
const MAX_PAGES = 10;

/**
 * What "Fetch test event" in the editor shows: the newest video that matches, whether or not it has
 * fired. Neither reads nor changes what the trigger remembers. Throws `NodeOperationError` when nothing
 * matches, `NodeApiError` when the list or the file cannot be read.
 */
export async function fetchTestEvent(ctx: IPollFunctions): Promise<INodeExecutionData[][]> {
	const parameters = triggerParameters(ctx);
	let looked = 0;
	let after: string | undefined;
	for (let pages = 0; pages < MAX_PAGES; pages++) {
		const videos = await listVideos(ctx, { after });
		const match = videos.find(parameters.wanted);
		if (match) {
			const file = parameters.needsFile(match) ? await downloadVideo(ctx, match.id) : undefined;
			return [[itemOf(match, parameters, file)]];
		}
		looked += videos.length;
		after = videos.at(-1)?.id;
		if (videos.length < MAX_PAGE) break;
	}
	throw new NodeOperationError(ctx.getNode(), 'No video matches the chosen events and source', {
		description:
			looked === 0
				? 'The account has no videos yet. Create one, wait until it has finished, then fetch the test event again.'
				: `None of the ${looked} newest videos is ${parameters.events} and of the chosen source. Wait until one is, or change the choice, then fetch the test event again.`,
		level: 'warning',
	});
}
