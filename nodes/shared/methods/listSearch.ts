import type { ILoadOptionsFunctions, INodeListSearchResult } from 'n8n-workflow';

import { listCaptionTemplates, listVideos, MAX_PAGE } from '../api/endpoints';
import type { Video } from '../api/objects';
import { isCaptioned } from '../api/objects';

/** A person waits for the list to open: give up sooner than a workflow would. */
const PATIENCE = { tries: 2, patienceMs: 10_000 };
/** Pages that a search reads before it shows what it has; "load more" goes on from there. */
const SEARCH_PAGES = 5;

/** "2 min ago" and the like, for a time in s since 1970. */
export function ageOf(createdAt: number, now: number): string {
	const seconds = Math.max(0, Math.floor(now / 1_000) - createdAt);
	const [size, unit] =
		seconds < 60
			? [1, 's']
			: seconds < 3_600
				? [60, 'min']
				: seconds < 86_400
					? [3_600, 'h']
					: [86_400, 'd'];
	return `${Math.floor(seconds / size)} ${unit} ago`;
}

/** How a video reads in the list: what it is, its state, its age and its ID. */
function videoLabel(video: Video, now: number): string {
	const kind = isCaptioned(video) ? 'Captioned' : 'Generated';
	const state = video.status.charAt(0) + video.status.slice(1).toLowerCase();
	return `${kind}, ${state}, ${ageOf(video.created_at, now)} (${video.id})`;
}

/** List search for videos, newest first, a page at a time. The filter looks into all that is shown. */
export async function searchVideos(
	this: ILoadOptionsFunctions,
	filter?: string,
	paginationToken?: string,
): Promise<INodeListSearchResult> {
	const now = Date.now();
	return await search(filter, paginationToken, async (after) => {
		const videos = await listVideos(this, { after }, PATIENCE);
		return {
			entries: videos.map((video) => ({ name: videoLabel(video, now), value: video.id })),
			next: videos.length === MAX_PAGE ? videos.at(-1)?.id : undefined,
		};
	});
}

/** List search for caption templates; a preview opens from the entry. */
export async function searchCaptionTemplates(
	this: ILoadOptionsFunctions,
	filter?: string,
	paginationToken?: string,
): Promise<INodeListSearchResult> {
	return await search(filter, paginationToken, async (after) => {
		const { templates, hasMore } = await listCaptionTemplates(this, { after }, PATIENCE);
		return {
			entries: templates.map(({ id, name, preview_url: preview }) => ({
				name,
				value: id,
				...(preview ? { url: preview } : {}),
			})),
			next: hasMore ? templates.at(-1)?.id : undefined,
		};
	});
}

interface ListEntry {
	name: string;
	value: string;
	url?: string;
}

/** Reads pages until one has entries that match, or {@link SEARCH_PAGES} were read. */
async function search(
	filter: string | undefined,
	from: string | undefined,
	page: (after?: string) => Promise<{ entries: ListEntry[]; next?: string }>,
): Promise<INodeListSearchResult> {
	const words = filter?.trim().toLowerCase() ?? '';
	let after = from;
	for (let read = 1; ; read++) {
		const { entries, next } = await page(after);
		const results = entries.filter(({ name, value }) =>
			`${name} ${value}`.toLowerCase().includes(words),
		);
		if (results.length > 0 || !next || read === SEARCH_PAGES)
			return { results, ...(next ? { paginationToken: next } : {}) };
		after = next;
	}
}
