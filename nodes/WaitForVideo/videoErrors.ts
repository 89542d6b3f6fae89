import type { JobEnd } from '../shared/account/waitForJobs';
import type { Video } from '../shared/api/objects';
import { isFinal } from '../shared/api/objects';
import type { FinishedFile } from './downloadQueue';

/** What keeps an item from being output, in words for the person at the canvas. */
export interface Problem {
	itemIndex: number;
	/** Missing when the item names no usable ID. */
	videoId?: string;
	message: string;
	description?: string;
	/** The error behind it. */
	cause?: Error;
}

/** What an item asks for. */
export interface WantedVideo {
	itemIndex: number;
	videoId: string;
	/** Binary field for the file; missing when none is wanted. */
	fileField?: string;
	/** Whether FAILED and CANCELLED are errors. */
	failedIsError: boolean;
}

/** A state in a few words: `PROCESSING, 40 %`, `FAILED (code: message)`. */
export function stateOf(video: Video | undefined): string {
	if (!video) return 'state not known';
	const { status, progress, error } = video;
	if (error) return `${status} (${error.code}: ${error.message})`;
	return isFinal(video) || typeof progress !== 'number' ? status : `${status}, ${progress} %`;
}

/** What is wrong with a video that has ended, if anything. `time` says which time was over. */
export function problemWith(
	{ itemIndex, videoId, failedIsError }: WantedVideo,
	end: JobEnd<Video>,
	time: string,
): Problem | undefined {
	const problem = (message: string, description?: string, cause?: Error): Problem => ({
		itemIndex,
		videoId,
		message,
		description,
		cause,
	});
	switch (end.kind) {
		case 'unknown':
			return end.job
				? problem(`Video "${videoId}" does not exist any more [item ${itemIndex}]`)
				: problem(
						`There is no video with the ID "${videoId}" [item ${itemIndex}]`,
						'Check where "Video" of this item comes from, and that the credential belongs to the account that made the video.',
						end.error,
					);
		case 'unreadable':
			return problem(
				`The state of video "${videoId}" could not be read: ${end.error.message}`,
				end.error.description ?? undefined,
				end.error,
			);
		case 'open':
			return problem(
				`Video "${videoId}" was not finished ${time} (${stateOf(end.job)})`,
				'It keeps rendering at Mirage. Run this node again to go on waiting, which costs nothing, or raise "Timeout (Minutes)".',
				end.job ? undefined : end.error,
			);
		case 'read':
			if (!failedIsError || end.job.status === 'COMPLETE') return undefined;
			if (end.job.status === 'CANCELLED')
				return problem(`Video "${videoId}" was cancelled${reasonOf(end.job)}`);
			return isFinal(end.job)
				? problem(`Video "${videoId}" failed${reasonOf(end.job) || ': Mirage gave no reason'}`)
				: undefined;
	}
}

/** What is wrong with the file of a finished video, if anything. */
export function problemWithFile(
	{ itemIndex, videoId }: WantedVideo,
	file: FinishedFile | undefined,
): Problem | undefined {
	if (!file || 'file' in file) return undefined;
	const { error } = file;
	return {
		itemIndex,
		videoId,
		message: `Video "${videoId}" is complete, but its file could not be downloaded: ${error.message}`,
		description: (error as { description?: string }).description,
		cause: error,
	};
}

function reasonOf({ error }: Video): string {
	return error ? `: ${error.message} (${error.code})` : '';
}

/** How many problems the headline of an error tells in full. */
const TOLD_IN_FULL = 5;

/** One error for the whole run: every problem, and how all videos stand, so that none is lost. */
export function summaryOf(
	problems: Problem[],
	ends: ReadonlyMap<string, JobEnd<Video>>,
): { message: string; description: string } {
	const told = [...new Set(problems.map(({ message }) => message))];
	const more = told.length - TOLD_IN_FULL;
	const states = [...ends].map(([id, end]) => `${id}: ${endOf(end)}`);
	const lines = [
		problems[0]?.description,
		...(states.length > 1 ? ['How the videos stand:', ...states] : []),
		...(states.length > 1
			? [
					'Nothing is billed for running this node again with the same IDs. To go on with the videos that are fine, set "On Error" to "Continue" in the settings of this node.',
				]
			: []),
	];
	return {
		message:
			told.slice(0, TOLD_IN_FULL).join('; ') +
			(more > 0 ? `; and ${more} more, listed in the details` : ''),
		description: lines.filter(Boolean).join('\n'),
	};
}

function endOf(end: JobEnd<Video>): string {
	if (end.kind === 'unknown') return 'does not exist';
	return stateOf(end.job);
}
