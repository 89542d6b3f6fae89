import type { Submission } from '../transport/retry';

export type { Submission };

/**
 * The provider counts requests per minute (its rate limit page, April 2026). An object, so that tests can
 * shrink the minute together with the server's.
 */
export const RATE_WINDOW = { ms: 60_000 };

/**
 * What has a token bucket of its own (same page). Speech and text overlays have no documented figure.
 */
export type Bucket = 'createVideo' | 'addCaptions' | 'createTextOverlay' | 'generateSpeech';

/** Requests a minute that the provider documents, and the size of the bucket (same page). */
export const DOCUMENTED: Partial<Record<Bucket, number>> = { createVideo: 2, addCaptions: 100 };

/** A POST that waits for its turn. */
export interface LimitedRequest {
	/**
	 * Makes what the request needs and what costs money or bandwidth. Called once, when the request is next
	 * in its queue. What it throws ends the wait.
	 */
	prepare?: () => Promise<void>;
	/** Sends. Called anew for every try. */
	send(): Promise<Submission>;
}

/** What every POST that starts something goes through. The account implements it. */
export interface RateLimiter {
	/**
	 * Waits for the turn, prepares and sends, until the answer is something else than 429 or patience is
	 * spent: then the 429 comes back. Throws what `prepare` and `send` throw, and when the execution was
	 * stopped.
	 */
	pass(bucket: Bucket, request: LimitedRequest): Promise<Submission>;
	/** What to tell with the error of a 429 that came back. */
	note(): string;
}
