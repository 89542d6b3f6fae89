import { localTime } from '../n8n/localTime';
import type { Video } from './objects';
import { isFinal } from './objects';

/** Jobs that somebody was given already: they are not the lost one. */
export interface KnownJobs {
	has(id: string): boolean;
	add(id: string): void;
}

/** Where a job is looked for whose answer was lost. */
export interface LostJobSearch {
	/** The newest videos, and the server's own time of the answer, in ms since 1970. */
	list(): Promise<{ videos: Video[]; servedAt?: number }>;
	/** Whether a video was made from the same kind of request. */
	matches(video: Video): boolean;
}

/** Where the server tells no time, its clock and n8n's may differ by this much, in s. */
const CLOCK_SKEW_S = 120;

/** Most candidates that an error names. */
const MAX_NAMED = 5;

const BEFORE = 'Look at the list of videos before you run this item again.';

/**
 * Videos that could be the one whose answer was lost: created from the moment of sending on, by the
 * server's own clock, and given to nobody else. The one created first after that moment comes first.
 *
 * @param sentAt by n8n's clock, as `now`; ms since 1970
 * @example sent 4 s ago by n8n's clock, `Date: 12:00:10` → what was created at 12:00:06 or later. Both
 * of the server's times are whole seconds, so one more second counts.
 */
export function candidatesAmong(
	{ videos, servedAt }: { videos: Video[]; servedAt?: number },
	{ sentAt, now }: { sentAt: number; now: number },
	known: Pick<KnownJobs, 'has'>,
): Video[] {
	const sinceS =
		servedAt === undefined
			? Math.floor(sentAt / 1_000) - CLOCK_SKEW_S
			: Math.floor((servedAt - (now - sentAt)) / 1_000) - 1;
	return videos
		.filter((video) => !(video.created_at < sinceS) && !known.has(video.id))
		.reverse()
		.sort((a, b) => (a.created_at ?? Infinity) - (b.created_at ?? Infinity));
}

/** Says which videos could be the lost one, without claiming more than is known. */
export function candidatesNote(candidates: Video[], timeZone?: string): string {
	if (candidates.length === 0)
		return `No video that could be this one has appeared in the list yet. ${BEFORE}`;
	const named = candidates.slice(0, MAX_NAMED).map((video) => {
		const { id, status, progress, created_at: createdAt } = video;
		const state =
			isFinal(video) || typeof progress !== 'number' ? status : `${status}, ${progress} %`;
		const time = createdAt ? `, created at ${localTime(createdAt * 1_000, timeZone)}` : '';
		return `${id} (${state}${time})`;
	});
	const more = candidates.length - named.length;
	return `Videos that appeared since and could be this one: ${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}. ${BEFORE}`;
}

/** What to say where the list of videos cannot be read. */
export const LIST_UNREADABLE = `The list of videos could not be read to look for it. ${BEFORE}`;

/** What to say where the API has no list of such jobs. */
export const NO_LIST =
	'The API has no list of text overlays to look for it in. Running this item again may bill it twice.';
