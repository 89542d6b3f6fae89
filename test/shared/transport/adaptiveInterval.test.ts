import {
	isStale,
	openPace,
	RATE_WINDOW,
	whenAccepted,
	whenRefused,
	whenSent,
	type Pace,
} from '../../../nodes/shared/transport/adaptiveInterval';

const NOW = 1_700_000_000_000;
const acceptedAt = (pace: Pace, ...times: number[]) =>
	times.reduce((before, at) => whenAccepted(before, NOW + at), pace);

it('nothing waits before the first refusal', () => {
	const pace = whenSent(acceptedAt(openPace('createVideo'), 0, 100), NOW + 200);
	expect(pace.gapMs).toBeUndefined();
	expect(pace.nextAt).toBeLessThanOrEqual(NOW);
});

it('two videos and then a refusal mean one every half minute, and a little more', () => {
	const pace = whenRefused(acceptedAt(openPace('createVideo'), 0, 0), NOW);
	expect(pace.gapMs).toBeGreaterThan(30_000);
	expect(pace.gapMs).toBeLessThan(33_000);
	expect(pace.nextAt).toBe(NOW + pace.gapMs!);
});

it('what other workflows used up before does not make the pace slower than the documented one', () => {
	for (const used of [[], [0]]) {
		const pace = whenRefused(acceptedAt(openPace('createVideo'), ...used), NOW);
		expect(pace.gapMs).toBeLessThan(33_000);
	}
});

it('a larger plan is seen from what it accepted', () => {
	const many = Array.from({ length: 20 }, (_, index) => index * 100);
	const pace = whenRefused(acceptedAt(openPace('createVideo'), ...many), NOW + 2_000);
	expect(pace.gapMs).toBeGreaterThan(3_000);
	expect(pace.gapMs).toBeLessThan(3_500);
});

it('a bucket without a documented limit waits a minute when nothing was accepted before', () => {
	const pace = whenRefused(openPace('generateSpeech'), NOW);
	expect(pace.nextAt - NOW).toBeGreaterThanOrEqual(RATE_WINDOW.ms);
});

it('"Retry-After" says when to try again, but is not trusted twice when it was too short', () => {
	const first = whenRefused(openPace('createVideo'), NOW, 1_000);
	expect(first.nextAt).toBe(NOW + 1_000);
	const second = whenRefused(first, NOW + 1_000, 1_000);
	expect(second.nextAt - NOW).toBeGreaterThan(60_000);
});

it('a shorter gap is tried after a while, and given up for good when it is refused', () => {
	let pace = whenRefused(openPace('createVideo'), NOW);
	const held = pace.gapMs!;
	pace = acceptedAt(pace, 1, 2, 3, 4);
	expect(pace.gapMs).toBeLessThan(held);
	pace = whenRefused(pace, NOW + 5);
	expect(pace.gapMs).toBe(held);
	pace = acceptedAt(pace, 6, 7, 8, 9, 10, 11, 12, 13);
	expect(pace.gapMs).toBe(held);
});

it('a request that left late lets the next one follow sooner, by no more than one gap', () => {
	const pace = { ...whenRefused(openPace('createVideo'), NOW), gapMs: 1_000, nextAt: NOW };
	expect(whenSent(pace, NOW + 400).nextAt).toBe(NOW + 1_000);
	expect(whenSent(pace, NOW + 60_000).nextAt).toBe(NOW + 60_000);
});

it('what was learned is forgotten a minute after it was last used', () => {
	const pace = whenRefused(openPace('createVideo'), NOW);
	expect(isStale(pace, pace.nextAt + RATE_WINDOW.ms)).toBe(false);
	expect(isStale(pace, pace.nextAt + RATE_WINDOW.ms + 1)).toBe(true);
});
