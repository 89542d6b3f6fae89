import type { KnownJobs } from '../api/lostJob';

/** IDs that are remembered: ten pages of the list in which a lost job is looked for. */
const MAX_IDS = 1_000;

/** Makes a set of the IDs of jobs that were started last. */
export function createRecentJobs(): KnownJobs {
	const ids = new Set<string>();
	return {
		has: (id) => ids.has(id),
		add(id) {
			ids.add(id);
			for (const oldest of ids) if (ids.size > MAX_IDS) ids.delete(oldest);
		},
	};
}
