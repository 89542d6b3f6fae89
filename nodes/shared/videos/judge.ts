import type { IBinaryData } from 'n8n-workflow';

import type { JobEnd } from '../account/waitForJobs';
import type { Video } from '../api/objects';
import { isFinal, reasonOf } from '../api/objects';
import type { ErrorWords, NodeError } from '../items/runErrors';

/** What an item asks for. */
export interface VideoItem {
	itemIndex: number;
	videoId: string;
	/** Binary field for the file; missing when none is wanted. */
	fileField?: string;
	/** Whether FAILED and CANCELLED are errors. */
	failedIsError: boolean;
	/** How long the node waits for it. */
	waitMinutes: number;
}

/** The downloaded file of a finished video, or why there is none. */
export type VideoFile = { file: IBinaryData } | { error: NodeError };

/** What keeps an item from being output, in words for the person at the canvas. */
export interface Problem {
	message: string;
	description?: string;
	/** The error behind it. */
	cause?: NodeError;
}

/** What is wrong with the item, if anything, now that the wait for its video ended. `file` is its download. */
export function judge(
	{ itemIndex, videoId, failedIsError, waitMinutes }: VideoItem,
	end: JobEnd<Video>,
	file?: VideoFile,
): Problem | undefined {
	const video = `Video "${videoId}"`;
	const item = `[item ${itemIndex}]`;
	if (end.kind === 'unknown')
		return end.job
			? { message: `${video} does not exist any more ${item}`, cause: end.error }
			: {
					message: `There is no video with the ID "${videoId}" ${item}`,
					description:
						'Check where "Video" of this item comes from, and that the credential belongs to the account that made the video.',
					cause: end.error,
				};
	if (end.kind === 'unreadable')
		return {
			message: `The state of video "${videoId}" could not be read: ${end.error.message}`,
			description: end.error.description ?? undefined,
			cause: end.error,
		};
	if (end.kind === 'open')
		return {
			message: `${video} was not finished after waiting ${minutes(waitMinutes)} (${stateOf(end)})`,
			description:
				'It keeps rendering at Mirage. Run this node again to go on waiting, which costs nothing, or raise "Timeout (Minutes)".',
			cause: end.job ? undefined : end.error,
		};
	if (file && 'error' in file)
		return {
			message: `${video} is complete, but its file could not be downloaded: ${file.error.message}`,
			description: file.error.description ?? undefined,
			cause: file.error,
		};
	const { status, error } = end.job;
	if (!failedIsError || !isFinal(end.job) || status === 'COMPLETE') return undefined;
	const reason = error ? `: ${reasonOf(error)}` : '';
	return status === 'CANCELLED'
		? { message: `${video} was cancelled${reason} ${item}` }
		: { message: `${video} failed${reason || ': Mirage gave no reason'} ${item}` };
}

const minutes = (count: number) => `${count} minute${count === 1 ? '' : 's'}`;

/** A state in a few words: `PROCESSING, 40 %`, `FAILED: No face in the picture (face_not_found)`. */
function stateOf(end: JobEnd<Video>): string {
	if (end.kind === 'unknown') return 'does not exist';
	if (!end.job) return 'state not known';
	const { status, progress, error } = end.job;
	if (error) return `${status}: ${reasonOf(error)}`;
	return isFinal(end.job) || typeof progress !== 'number' ? status : `${status}, ${progress} %`;
}

/** How many messages the headline of an error tells in full. */
const TOLD_IN_FULL = 5;

/** One error for the whole run: every problem, and how all videos stand, so that none is lost. */
export function summaryOf(
	errors: NodeError[],
	ends: ReadonlyMap<string, JobEnd<Video>>,
): ErrorWords {
	const told = [...new Set(errors.map(({ message }) => message))];
	const more = told.length - TOLD_IN_FULL;
	const states = [...ends].map(([id, end]) => `${id}: ${stateOf(end)}`);
	const lines =
		states.length > 1
			? [
					'How the videos stand:',
					...states,
					'Nothing is billed for running this node again with the same IDs. To go on with the videos that are fine, set "On Error" to "Continue" in the settings of this node.',
				]
			: [];
	return {
		message:
			told.slice(0, TOLD_IN_FULL).join('; ') +
			(more > 0 ? `; and ${more} more, listed in the details` : ''),
		description: [errors[0]?.description, ...lines].filter(Boolean).join('\n'),
	};
}
