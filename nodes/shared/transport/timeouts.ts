/**
 * Limits of the transport: how long servers may take, how much they may send, and how requests are
 * repeated. An object, so that tests can shrink it.
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
	/** How long an answer that has begun is still heard after the execution was stopped, in ms. */
	afterStopMs: 5_000,
	/** How long one read waits out rate limits. Reads have a bucket of their own at the provider. */
	readPatienceMs: 300_000,
	/** Longest first pause before a read, or a POST that did not leave, is tried again, in ms; it doubles. */
	firstPauseMs: 500,
};
