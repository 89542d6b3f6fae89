import { MAX_PAGE } from '../shared/api/endpoints';

/** Where to start and when to stop. */
export interface ListRequest<T> {
	/** Most entries wanted. */
	limit: number;
	/** ID to start after. */
	after?: string;
	/** Entries that count; the others are passed over. */
	matches?: (entry: T) => boolean;
}

/**
 * Yields the entries of a list, page after page, one request for up to {@link MAX_PAGE} entries.
 * Entries that moved over a page's border while it was read are given once: only the IDs of the page
 * before are remembered, so memory does not grow with the list.
 */
export async function* eachEntry<T extends { id: string }>(
	request: ListRequest<T>,
	page: (after: string | undefined, limit: number) => Promise<{ entries: T[]; hasMore: boolean }>,
): AsyncGenerator<T> {
	const { limit, matches } = request;
	let after = request.after;
	let before = new Set<string>();
	for (let left = limit; left > 0;) {
		const size = matches ? MAX_PAGE : Math.min(MAX_PAGE, left);
		const { entries, hasMore } = await page(after, size);
		for (const entry of entries) {
			if (before.has(entry.id) || (matches && !matches(entry))) continue;
			yield entry;
			left -= 1;
			if (left === 0) return;
		}
		const last = entries.at(-1)?.id;
		// A page that ends where the one before ended would be asked for for ever.
		if (!hasMore || last === undefined || last === after) return;
		before = new Set(entries.map(({ id }) => id));
		after = last;
	}
}
