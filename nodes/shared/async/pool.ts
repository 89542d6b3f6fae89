/** Runs work when a place is free, first come first served. Gives what the work gives. */
export type Pool = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Makes a pool with `places` places, like the package p-limit. Work that was handed in is always begun:
 * what may be left out looks for itself whether it is still wanted.
 *
 * ```ts
 * const pool = createPool(3);
 * await Promise.all(ids.map((id) => pool(async () => await download(id))));
 * ```
 */
export function createPool(places: number): Pool {
	const queue: Array<() => void> = [];
	let busy = 0;
	return async (work) => {
		if (busy < places) busy += 1;
		else await new Promise<void>((resolve) => queue.push(resolve));
		try {
			return await work();
		} finally {
			// The place goes to the next in the queue at once, so nobody who comes now can take it.
			const next = queue.shift();
			if (next) next();
			else busy -= 1;
		}
	};
}
