/** How pauses between tries grow. */
export interface Backoff {
	/** Longest first pause, in ms. */
	firstMs: number;
	/** Longest pause of all, in ms. Default: none. */
	maxMs?: number;
}

/**
 * Pause before a try is repeated, in ms, with full jitter: any time between 0 and a ceiling that doubles
 * with every try, so that those who were turned away together do not come back together.
 *
 * @param tries tries that have failed already, 1 or more
 * @example `firstMs: 500` gives ceilings of 500, 1000, 2000, 4000 ms
 */
export function backoffMs(
	tries: number,
	{ firstMs, maxMs = Infinity }: Backoff,
	random: () => number = Math.random,
): number {
	return Math.ceil(random() * Math.min(firstMs * 2 ** (tries - 1), maxMs));
}
