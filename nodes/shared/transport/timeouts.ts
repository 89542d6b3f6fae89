/**
 * How long servers may take, and how much they may send. An object, so that tests can shrink it.
 *
 * `…IdleMs` is silence on the connection, `…TotalMs` the whole exchange. An upload may be silent for long
 * because the server checks the files before it answers; speech because the answer begins only when it
 * is made.
 */
export const LIMITS = {
	jsonIdleMs: 60_000,
	jsonTotalMs: 300_000,
	/** Largest JSON body that is read, in bytes. A page of 100 videos has about 50 kB. */
	jsonBytes: 10_000_000,
	uploadIdleMs: 300_000,
	uploadTotalMs: 3_600_000,
	speechIdleMs: 600_000,
	speechTotalMs: 1_800_000,
	fileIdleMs: 60_000,
	fileTotalMs: 3_600_000,
	/** How long a read waits out a rate limit in all. Reads have a bucket of their own at the provider. */
	readPatienceMs: 300_000,
	/** First pause before a read, or a POST that did not leave, is tried again, in ms; it doubles. */
	firstPauseMs: 500,
};
