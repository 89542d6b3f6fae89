/**
 * The provider counts requests per minute (its rate limit page, April 2026). An object, so that tests can
 * shrink the minute together with the server's.
 */
export const RATE_WINDOW = { ms: 60_000 };

/**
 * What has a limit of its own (same page). Speech and text overlays have no documented figure.
 */
export type Bucket = 'createVideo' | 'addCaptions' | 'createTextOverlay' | 'generateSpeech';

/** Requests a minute that the provider documents (same page). */
const DOCUMENTED: Partial<Record<Bucket, number>> = { createVideo: 2, addCaptions: 100 };

/** Share that is added to a gap, so that a request which travels faster than the one before is not early. */
const MARGIN = 1.04;
/** Requests accepted in a row before a shorter gap is tried, and what the gap is then multiplied by. */
const STREAK = 4;
const SHORTER = 0.75;
/** What the gap is multiplied by when a gap that used to hold is refused once, and twice in a row. */
const LONGER = 1.05;
const MUCH_LONGER = 2;

/** What is known about the server's rate limit. Plain data: it survives in n8n's node context. */
export interface Pace {
	/** Requests a minute that the provider documents. */
	documented?: number;
	/** When requests were accepted within the last two windows, ms since 1970, oldest first. */
	accepted: number[];
	/** Gap between two requests, in ms; `undefined` while the server has refused none. */
	gapMs?: number;
	/** The gap that held until a shorter one was tried, and the longest one that was refused, in ms. */
	heldMs: number;
	refusedMs: number;
	/** Refusals since the last acceptance, and acceptances since the last refusal or change of the gap. */
	refusals: number;
	streak: number;
	/** When the next request may leave, ms since 1970. */
	nextAt: number;
}

/** Nothing known: requests leave as they come. */
export function openPace(bucket?: Bucket): Pace {
	return {
		documented: bucket && DOCUMENTED[bucket],
		accepted: [],
		heldMs: 0,
		refusedMs: 0,
		refusals: 0,
		streak: 0,
		nextAt: 0,
	};
}

/** Whether a pace kept from an earlier run still says something; after a window without use it does not. */
export function isStale(pace: Pace, now: number): boolean {
	return now > Math.max(pace.nextAt, pace.accepted.at(-1) ?? 0) + RATE_WINDOW.ms;
}

/**
 * A request leaves. The next one follows a gap after the time this one was due: what is lost by leaving
 * late is made up for, since the server saves up what is not used, but no more than one gap.
 */
export function whenSent(pace: Pace, now: number): Pace {
	if (pace.gapMs === undefined) return pace;
	return { ...pace, nextAt: Math.max(pace.nextAt, now - pace.gapMs) + pace.gapMs };
}

/**
 * The server took a request. A gap that holds for a while is made shorter, but not down to a refused one.
 *
 * @param news `late`: the request left before the last refusal, so it says nothing about the gap, but
 * took a token that the next one counted on. `mayHurry`: whether a shorter gap may be tried.
 */
export function whenAccepted(
	pace: Pace,
	now: number,
	news: { late?: boolean; mayHurry?: boolean } = {},
): Pace {
	const { late = false, mayHurry = true } = news;
	const accepted = [...pace.accepted.filter((at) => at > now - 2 * RATE_WINDOW.ms), now];
	if (pace.gapMs === undefined) return { ...pace, accepted };
	if (late) return { ...pace, accepted, nextAt: Math.max(pace.nextAt, now + pace.gapMs) };
	const shorterMs = pace.gapMs * SHORTER;
	const hurry = mayHurry && pace.streak + 1 >= STREAK && shorterMs > pace.refusedMs;
	return {
		...pace,
		accepted,
		refusals: 0,
		streak: hurry ? 0 : pace.streak + 1,
		...(hurry ? { gapMs: shorterMs, heldMs: pace.gapMs } : {}),
	};
}

/**
 * The server refused a request with 429. The first refusal tells the gap, as {@link firstGapMs} says. A
 * later one goes back to the gap that held before; a second in a row doubles it, so that no file is
 * uploaded again and again only to be refused.
 */
export function whenRefused(pace: Pace, now: number, retryAfterMs?: number): Pace {
	const refusals = pace.refusals + 1;
	const { gapMs: old } = pace;
	const gapMs =
		old === undefined
			? firstGapMs(pace, now)
			: refusals > 1
				? Math.min(old * MUCH_LONGER, Math.max(old, RATE_WINDOW.ms))
				: Math.max(pace.heldMs, old * LONGER);
	// A `Retry-After` that was too short once is not trusted twice.
	const pauseMs = refusals === 1 ? (retryAfterMs ?? gapMs) : Math.max(retryAfterMs ?? 0, gapMs);
	return {
		...pace,
		gapMs,
		heldMs: gapMs,
		refusedMs: Math.max(pace.refusedMs, old ?? 0),
		refusals,
		streak: 0,
		nextAt: now + pauseMs,
	};
}

/**
 * The gap after the first refusal, in ms. A token bucket that was full at the first of `n` accepted
 * requests, and is empty after `t` ms, gives `n` tokens in a window and `t` ms. Where the account was
 * used shortly before, that is too slow, so a documented limit counts when it is faster.
 */
function firstGapMs({ accepted, documented }: Pace, now: number): number {
	const recent = accepted.filter((at) => at > now - RATE_WINDOW.ms);
	const seenMs = recent.length > 0 ? (RATE_WINDOW.ms + now - recent[0]!) / recent.length : Infinity;
	const documentedMs = documented === undefined ? Infinity : RATE_WINDOW.ms / documented;
	return MARGIN * Math.min(seenMs, documentedMs, RATE_WINDOW.ms);
}
