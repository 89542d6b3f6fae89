import type { Backoff } from '../async/backoff';
import { backoffMs } from '../async/backoff';
import type { Bucket } from '../api/buckets';
import { DOCUMENTED, RATE_WINDOW } from '../api/buckets';

/**
 * What this process knows about one token bucket of the server, and when the next request may leave. Pure:
 * time and chance are handed in. All times are ms of a clock that never goes back.
 *
 * ```text
 *           429               accepted
 *   open ────────▶ probing ───────────────▶ paced
 *    ▲               ▲  │ 429: wait longer    │
 *    │               │  └──────────┘          │
 *    │               └────────────────────────┤ 429: slower
 *    └────────────────────────────────────────┘ a window without use
 * ```
 *
 * - `open`: nothing was refused. Requests leave as they come: one or three at first, and with every one
 *   that is accepted one more beside it. Beyond the documented number they try singly.
 * - `probing`: the server refused. After a pause one request tries alone.
 * - `paced`: requests leave an interval apart. Each that is accepted makes the interval a little shorter.
 *
 * Example, two videos a minute, ten executions at once: at 0 s one leaves and is accepted (open), the
 * second at 1 s too. The third, at 2 s, gets 429: this process itself used up the bucket, so the interval
 * is 30 s, and one request probes at 33 s, when a token and a little more must be there. It is accepted: the
 * others follow 30.5 s apart (paced). After some 40 the interval has become 29.8 s, one is refused, and
 * goes again 15 s later.
 *
 * Between processes only the server speaks. A 429 while this process took less than the limit allows means
 * that others use the account. Then it takes half the rate, later three quarters, and adds small steps: processes that all
 * do so share the limit evenly (additive increase, multiplicative decrease).
 */
export interface Interval {
	readonly state: 'open' | 'probing' | 'paced';
	/** Requests a window that the provider documents. */
	readonly documented?: number;
	/** When requests were accepted within the last window, oldest first. */
	readonly accepted: readonly number[];
	/** Interval at which the limit itself gives tokens, in ms: documented, seen or learned. */
	readonly baseMs?: number;
	/** Share of that rate which this process takes. Above 1 it tries whether the limit is higher. */
	readonly rate: number;
	/** Tokens at `levelAt` if nobody else uses the account, and that time. */
	readonly level: number;
	readonly levelAt: number;
	/** Refusals that others must have caused, as far as they are not outweighed by acceptances. */
	readonly others: number;
	/** Requests accepted since the last refusal, and refused since the last acceptance. */
	readonly streak: number;
	readonly refusals: number;
	/** When the first of those refusals came, and when the last request left. */
	readonly refusedAt: number;
	readonly sentAt: number;
	/** When the next request may leave. */
	readonly nextAt: number;
}

/** Share of the limit that a process takes which has the account for itself. */
const FULL = 0.985;
/** Part of a token that is waited for beyond the one that is needed: requests travel at different speeds. */
const SPARE = 0.15;
/** What a refused request is expected to have found in the bucket, in tokens. */
const FOUND = 0.65;
/** A refusal with more than this in the bucket, as far as this process knows, was caused by others. */
const OWN_USE = 1.6;
/** What the rate is multiplied by when others use the account: at first, and from then on. */
const FIRST_DECREASE = 0.5;
const DECREASE = 0.75;
/**
 * What the rate grows by with each acceptance: a fifth of what is missing while one refusal is all that
 * speaks against it; a hundredth, and more after a series, while others use the account; and beyond the
 * limit, this times the acceptances since the last refusal.
 */
const RECOVERY = 0.2;
const STEP = 0.01;
const CREEP = 0.0001;
/** Lowest rate: who comes back from a busy time must not wait longer than this asks for. */
const LEAST_RATE = 0.2;
/** Longest pause in which nobody tries, in ms. */
const LONGEST_PAUSE_MS = 3_600_000;
/** Requests that leave together at first where no small number is documented. */
const MOST_AT_FIRST = 3;
/** Requests beyond the documented number that are tried together, at most. */
const MOST_BEYOND = 4;

/** Pauses where no limit is documented: up to 1, 2, 4, 8 … s, or from the learned interval on, and up to a window. */
const unknownLimit = (learnedMs = RATE_WINDOW.ms / 60): Backoff => ({
	firstMs: learnedMs,
	maxMs: RATE_WINDOW.ms,
});

/** Nothing known yet. */
export function openInterval(bucket: Bucket, now: number): Interval {
	const documented = DOCUMENTED[bucket];
	return {
		state: 'open',
		documented,
		accepted: [],
		rate: FULL,
		level: documented ?? 1,
		levelAt: now,
		others: 0,
		streak: 0,
		refusals: 0,
		refusedAt: 0,
		sentAt: now,
		nextAt: now,
	};
}

/** The interval between two requests, in ms; 0 while none is known. */
export function intervalMs({ baseMs = 0, rate }: Interval): number {
	return baseMs / rate;
}

/**
 * Whether what is known has faded: for a window nothing left, so the server's bucket has filled up again. A
 * pause of more than an hour is tried once an hour: a wrong `Retry-After` would block the account for good.
 */
export function isStale({ nextAt, sentAt }: Interval, now: number): boolean {
	return now > Math.max(Math.min(nextAt, sentAt + LONGEST_PAUSE_MS), sentAt) + RATE_WINDOW.ms;
}

/** How many more requests may be under way now, apart from {@link Interval.nextAt}. */
export function placesLeft(interval: Interval, now: number, underWay: number): number {
	if (interval.state === 'probing') return 1 - underWay;
	if (interval.state === 'paced') return 1;
	const { documented = Infinity, accepted } = interval;
	const count = recent(accepted, now).length;
	const atFirst = documented < 30 ? 1 : MOST_AT_FIRST;
	if (count + underWay < documented)
		return Math.min(atFirst + count - underWay, documented - count - underWay);
	return Math.min(1 + Math.max(0, count - documented), MOST_BEYOND) - underWay;
}

/**
 * A request leaves. The next one follows an interval after the time this one was due: what is lost by
 * leaving late is made up for, since the server saves up what is not used, but no more than one interval.
 */
export function whenSent(interval: Interval, now: number): Interval {
	const ms = intervalMs(interval);
	return { ...interval, sentAt: now, nextAt: Math.max(interval.nextAt, now - ms) + ms };
}

/**
 * The server took a request.
 *
 * @param late the request left before the last refusal: it says nothing about the interval, but took a
 * token that the next one counted on
 */
export function whenAccepted(interval: Interval, now: number, late = false): Interval {
	const accepted = [...recent(interval.accepted, now), now];
	const level = Math.max(levelAt(interval, now) - 1, -1);
	const next: Interval = { ...interval, accepted, level, levelAt: now };
	if (interval.state === 'open') return next;
	if (late) return { ...next, nextAt: Math.max(interval.nextAt, now + intervalMs(interval)) };
	const baseMs = interval.baseMs ?? Math.max(now - interval.refusedAt, 1);
	const streak = interval.streak + 1;
	const rate = interval.rate + growth(interval, streak);
	const others = streak % 8 === 0 ? Math.max(0, interval.others - 1) : interval.others;
	return {
		...next,
		state: 'paced',
		baseMs,
		rate,
		others,
		streak,
		refusals: 0,
		nextAt: Math.max(interval.nextAt, interval.sentAt + baseMs / rate),
	};
}

/** What an acceptance adds to the rate. */
function growth({ rate, others }: Interval, streak: number): number {
	if (rate >= FULL) return CREEP * streak;
	const step = others <= 1 ? (FULL - rate) * RECOVERY : STEP * (1 + (streak / 6) ** 2);
	return Math.min(step, FULL - rate);
}

/**
 * The server refused a request with 429.
 *
 * @param retryAfterMs what the server says. It is obeyed, and where it was too short, not trusted alone twice
 * @param random gives numbers from 0 to 1, for pauses with full jitter
 */
export function whenRefused(
	interval: Interval,
	now: number,
	retryAfterMs: number | undefined,
	random: () => number = Math.random,
): Interval {
	const refusals = interval.refusals + 1;
	const level = levelAt(interval, now);
	const next: Interval = {
		...interval,
		state: 'probing',
		refusals,
		refusedAt: refusals === 1 ? now : interval.refusedAt,
		streak: 0,
		level: Math.min(level, FOUND),
		levelAt: now,
	};
	const rates =
		interval.documented === undefined
			? undocumented(interval, now, retryAfterMs)
			: documentedRate(interval, now, level);
	const { baseMs } = rates;
	const ownUse = interval.documented !== undefined && rates.others === interval.others;
	let pauseMs: number;
	if (baseMs === undefined || interval.documented === undefined)
		pauseMs = backoffMs(refusals, unknownLimit(interval.baseMs), random);
	else if (ownUse && refusals === 1) pauseMs = (1 + SPARE - next.level) * baseMs;
	else
		pauseMs = Math.min(baseMs * 2 ** (refusals - 1), 4 * RATE_WINDOW.ms) * (0.5 + 1.5 * random());
	if (retryAfterMs !== undefined)
		pauseMs = refusals === 1 && retryAfterMs > 0 ? retryAfterMs : Math.max(retryAfterMs, pauseMs);
	return { ...next, ...rates, nextAt: now + pauseMs };
}

type Rates = Pick<Interval, 'baseMs' | 'rate' | 'others'>;

/** What a refusal says where a limit is documented: whether this process used it up, or others did. */
function documentedRate(interval: Interval, now: number, level: number): Rates {
	const { state, documented = 1, accepted, rate, others } = interval;
	// A plan with a higher limit is seen from what was accepted: a bucket that holds a window's worth, full at the
	// first of n requests and empty after t ms, gives n tokens in a window and t ms.
	const seen = recent(accepted, now);
	const seenMs = seen.length > 0 ? (RATE_WINDOW.ms + now - seen[0]!) / seen.length : Infinity;
	const baseMs = interval.baseMs ?? Math.min(RATE_WINDOW.ms / documented, seenMs);
	if (level < (state === 'open' ? 1 : OWN_USE) && rate >= FULL)
		return { baseMs, rate: FULL, others };
	const factor = state === 'open' ? FIRST_DECREASE : DECREASE;
	return { baseMs, rate: Math.max(Math.min(rate, FULL) * factor, LEAST_RATE), others: others + 1 };
}

/** What a refusal says where no limit is documented: `Retry-After`, or nothing but that it was too soon. */
function undocumented(interval: Interval, now: number, retryAfterMs?: number): Rates {
	const { accepted, baseMs, others, streak, refusals } = interval;
	// 0 tells no interval, and a pause for a used-up day is none between two requests.
	const told = retryAfterMs
		? Math.min(retryAfterMs + now - (accepted.at(-1) ?? now), RATE_WINDOW.ms)
		: undefined;
	if (baseMs === undefined) return { baseMs: told, rate: FULL, others };
	const longer = retryAfterMs || refusals > 0 ? 1 : streak > 8 ? 1.05 : 1.4;
	return { baseMs: Math.min(baseMs * longer, RATE_WINDOW.ms), rate: FULL, others };
}

/** Tokens in the bucket if nobody else uses the account. */
function levelAt({ documented, baseMs, level, levelAt: at }: Interval, now: number): number {
	const tokenMs = baseMs ?? RATE_WINDOW.ms / (documented ?? 1);
	const capacity = documented === undefined ? 1 : Math.max(1, RATE_WINDOW.ms / tokenMs);
	return Math.min(capacity, level + (now - at) / tokenMs);
}

function recent(times: readonly number[], now: number): number[] {
	return times.filter((at) => at > now - RATE_WINDOW.ms);
}
