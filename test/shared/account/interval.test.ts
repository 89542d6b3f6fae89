import {
	intervalMs,
	isStale,
	openInterval,
	placesLeft,
	whenAccepted,
	whenRefused,
	whenSent,
	type Interval,
} from '../../../nodes/shared/account/interval';
import { RATE_WINDOW } from '../../../nodes/shared/api/buckets';

const NOW = 5_000_000;
const half = () => 0.5;
const opened = (bucket: Parameters<typeof openInterval>[0] = 'createVideo') =>
	openInterval(bucket, NOW);
const acceptedAt = (interval: Interval, ...times: number[]) =>
	times.reduce((before, at) => whenAccepted(whenSent(before, NOW + at), NOW + at), interval);
const usedUp = () => whenRefused(acceptedAt(opened(), 0, 100), NOW + 200, undefined, half);

it('nothing waits before the first refusal', () => {
	const open = acceptedAt(opened(), 0, 100);
	expect(open.state).toBe('open');
	expect(intervalMs(open)).toBe(0);
	expect(open.nextAt).toBeLessThanOrEqual(NOW + 100);
});

it('a first video tries alone, a second follows, and beyond the documented number they try singly', () => {
	const open = opened();
	expect(placesLeft(open, NOW, 0)).toBe(1);
	expect(placesLeft(open, NOW, 1)).toBe(0);
	expect(placesLeft(acceptedAt(open, 0), NOW, 0)).toBe(1);
	expect(placesLeft(acceptedAt(open, 0, 0), NOW, 0)).toBe(1);
	expect(placesLeft(acceptedAt(open, 0, 0), NOW, 1)).toBe(0);
});

it('captions and speech are sent side by side from the start', () => {
	expect(placesLeft(opened('addCaptions'), NOW, 0)).toBe(3);
	expect(placesLeft(acceptedAt(opened('generateSpeech'), 0, 0), NOW, 0)).toBe(5);
});

it('two videos and then a refusal mean one every half minute, tried by one alone', () => {
	const probing = usedUp();
	expect(probing.state).toBe('probing');
	expect(intervalMs(probing)).toBeGreaterThanOrEqual(30_000);
	expect(intervalMs(probing)).toBeLessThan(31_000);
	expect(probing.nextAt - NOW).toBeGreaterThan(30_000);
	expect(probing.nextAt - NOW).toBeLessThan(36_000);
	expect(placesLeft(probing, NOW, 1)).toBe(0);
	const paced = acceptedAt(probing, 35_000);
	expect(paced.state).toBe('paced');
	expect(paced.nextAt - NOW).toBeGreaterThan(64_000);
});

it('a refusal that others caused halves the rate, and it comes back when none follows', () => {
	const first = whenRefused(opened(), NOW, undefined, half);
	expect(intervalMs(first)).toBeGreaterThan(60_000);
	const later = Array.from({ length: 12 }).reduce<Interval>(
		(interval, _, index) => acceptedAt(interval, (index + 2) * 60_000),
		first,
	);
	expect(intervalMs(later)).toBeLessThan(32_000);
});

it('refusals that others cause again and again make the rate small, but never stop it', () => {
	let interval = opened();
	for (let at = 0; at < 50; at++)
		interval = whenRefused(interval, interval.nextAt, undefined, half);
	expect(intervalMs(interval)).toBeLessThan(20 * 60_000);
});

it('a larger plan is seen from what it accepted', () => {
	const many = Array.from({ length: 20 }, (_, index) => index * 100);
	const probing = whenRefused(acceptedAt(opened(), ...many), NOW + 2_000, undefined, half);
	expect(intervalMs(probing)).toBeGreaterThan(3_000);
	expect(intervalMs(probing)).toBeLessThan(3_500);
});

it('a bucket without a documented limit is tried again after a second, then two, then four, never after a minute at once', () => {
	const most = () => 1;
	const first = whenRefused(opened('generateSpeech'), NOW, undefined, most);
	expect(first.nextAt - NOW).toBe(1_000);
	const second = whenRefused(first, first.nextAt, undefined, most);
	expect(second.nextAt - first.nextAt).toBe(2_000);
	const third = whenRefused(second, second.nextAt, undefined, most);
	expect(third.nextAt - second.nextAt).toBe(4_000);
});

it('"Retry-After" says when to try again, but is not trusted twice when it was too short', () => {
	const first = whenRefused(opened(), NOW, 1_000, half);
	expect(first.nextAt).toBe(NOW + 1_000);
	const second = whenRefused(first, NOW + 1_000, 1_000, half);
	expect(second.nextAt - NOW).toBeGreaterThan(30_000);
});

it('a request that left late lets the next one follow sooner, by no more than one interval', () => {
	const paced = { ...usedUp(), baseMs: 1_000, rate: 1, nextAt: NOW };
	expect(whenSent(paced, NOW + 400).nextAt).toBe(NOW + 1_000);
	expect(whenSent(paced, NOW + 60_000).nextAt).toBe(NOW + 60_000);
});

it('what was learned is forgotten a minute after it was last used', () => {
	const probing = usedUp();
	expect(isStale(probing, probing.nextAt + RATE_WINDOW.ms)).toBe(false);
	expect(isStale(probing, probing.nextAt + RATE_WINDOW.ms + 1)).toBe(true);
});
