import type { ApiFailure, Attempt } from '../transport/failures';
import type { Video } from './objects';

/** What the request for captions named. */
type CaptionsSource = { templateId: string; videoId?: string };

/**
 * Finds out why captions for a video of the account were refused: the API's answer does not say that the
 * video still renders. `getVideo` rejects for a video that cannot be read; then there is nothing to add.
 */
export async function captionsRefusal(
	failure: ApiFailure,
	input: CaptionsSource | { templateId: string; video: unknown },
	getVideo: (id: string) => Promise<Video>,
): Promise<Partial<Attempt>> {
	const template = { thing: 'caption template', id: input.templateId } as const;
	if (failure.kind !== 'http' || !('videoId' in input) || input.videoId === undefined)
		return { named: [template] };
	const { videoId: id } = input;
	if (![400, 404, 409, 422, 425].includes(failure.status)) return {};
	const video = await getVideo(id).catch(() => undefined);
	if (failure.status === 404)
		return { named: video ? [template] : [template, { thing: 'video', id }] };
	if (!video || video.status === 'COMPLETE') return {};
	if (video.status === 'FAILED' || video.status === 'CANCELLED')
		return {
			reason: `video "${id}" ended as ${video.status}, so there is nothing to caption`,
			advice: 'Create the video again, then add captions to the new one.',
		};
	return {
		reason: `video "${id}" is still rendering (${video.status})`,
		advice:
			'Put a Mirage Wait for Video node between the node that starts the video and this one. The video keeps rendering: to go on with it now, run from that node with the same ID.',
	};
}
