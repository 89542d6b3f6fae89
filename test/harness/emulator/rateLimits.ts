import type { Clock } from './jobs';
import type { RateLimitedFeature, RateLimits as RateLimitOptions } from './types';

/**
 * Requests a minute of each bucket. Documented (provider's page on rate limits, April 2026): video
 * generation 2, captions 100. No figure is documented for the others; they get that of captions.
 */
export const REQUESTS_PER_MINUTE: Readonly<Record<RateLimitedFeature, number>> = {
	createVideo: 2,
	submitCaptions: 100,
	submitOverlay: 100,
	readStatus: 100,
	readOverlay: 100,
};

interface Bucket {
	tokens: number;
	/** When `tokens` was right, in milliseconds. */
	at: number;
}

/** The account's token buckets: each holds a minute's worth of requests and refills evenly. */
export class RateLimits {
	private readonly buckets = new Map<RateLimitedFeature, Bucket>();
	private readonly speed: number;
	private readonly perMinute: Record<RateLimitedFeature, number>;

	/** Throws RangeError for a speed that is not above 0. */
	constructor(
		private readonly now: Clock,
		options: RateLimitOptions,
	) {
		const scaled = typeof options === 'object' ? options : undefined;
		this.speed = options === 'off' ? Infinity : (scaled?.speed ?? 1);
		this.perMinute = { ...REQUESTS_PER_MINUTE, ...scaled?.perMinute };
		if (!(this.speed > 0)) throw new RangeError('The speed of the rate limits must be above 0');
	}

	/** Takes a token. Returns 0 when there was one, else the milliseconds until there is. */
	take(feature: RateLimitedFeature): number {
		if (this.speed === Infinity) return 0;
		const capacity = this.perMinute[feature];
		const tokensPerMs = (capacity * this.speed) / 60_000;
		const now = this.now();
		const bucket = this.buckets.get(feature) ?? { tokens: capacity, at: now };
		this.buckets.set(feature, bucket);
		const gained = Math.max(0, now - bucket.at) * tokensPerMs;
		bucket.tokens = Math.min(capacity, bucket.tokens + gained);
		bucket.at = now;
		// Rounding must not refuse a request that comes exactly when its token is due.
		if (bucket.tokens >= 1 - 1e-9) {
			bucket.tokens = Math.max(0, bucket.tokens - 1);
			return 0;
		}
		return Math.ceil((1 - bucket.tokens) / tokensPerMs);
	}
}
