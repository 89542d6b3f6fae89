import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';

import type { WaitOptions } from '../shared/account/waitForJobs';
import type { Video } from '../shared/api/objects';
import type { ItemPlan } from '../shared/items/runItems';
import { locatorId, requiredText } from '../shared/n8n/parameters';
import { finishedVideos } from '../shared/videos/finishedVideos';
import type { VideoItem } from '../shared/videos/judge';

/** How long a single status check may wait out a rate limit, in minutes. */
export const CHECK_MINUTES = 5;

/** A single status check; its pauses, in ms, are those between tries when the rate is limited. */
export const CHECK_ONCE = {
	pollIntervalMs: 1_000,
	maxPollIntervalMs: 10_000,
	timeoutMs: CHECK_MINUTES * 60_000,
	until: 'read',
} as const;

/** How the node runs: `plan` reads the video of each item and waits for all of them together. */
export function videosOf(
	ctx: IExecuteFunctions,
	rules: Omit<WaitOptions<Video>, 'signal' | 'onEnd'> & {
		waitMinutes: number;
		everyStateIsFine?: boolean;
	},
) {
	const items = new Map<number, VideoItem>();
	const videos = finishedVideos(ctx, rules);
	const plan: ItemPlan<VideoItem> = {
		concurrency: 20,
		async check(itemIndex) {
			const onFailed = ctx.getNodeParameter('options.onFailed', itemIndex, 'error');
			const item = {
				itemIndex,
				videoId: locatorId(ctx, 'videoId', 'Video', itemIndex),
				...(ctx.getNodeParameter('downloadVideo', itemIndex) === true
					? { fileField: requiredText(ctx, 'outputField', 'Put Output File in Field', itemIndex) }
					: {}),
				failedIsError: !rules.everyStateIsFine && onFailed !== 'continue',
				waitMinutes: rules.waitMinutes,
			};
			items.set(itemIndex, item);
			return item;
		},
		run: async (item) => videos.follow(item),
		onFail: (itemIndex): IDataObject => {
			const item = items.get(itemIndex);
			return item ? { id: item.videoId } : {};
		},
		summary: videos.summary,
	};

	return { ...videos, plan };
}
