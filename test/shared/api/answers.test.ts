import { unixSeconds } from '../../../nodes/shared/api/answers';

test.each([
	[1_767_225_600, 1_767_225_600],
	[1_767_225_600.9, 1_767_225_600],
	['1767225600', 1_767_225_600],
	['2026-01-01T00:00:00Z', 1_767_225_600],
	['2026-01-01T01:00:00.250+01:00', 1_767_225_600],
	['2026-01-01T00:00:00', 1_767_225_600],
	['2026-01-01', 1_767_225_600],
])('the time %p is understood, so that a video has its place in time', (value, seconds) => {
	expect(unixSeconds(value)).toBe(seconds);
});

test.each([undefined, null, '', ' ', 'yesterday', NaN, Infinity, {}, [], true])(
	'%p is no time, and is not taken for one',
	(value) => expect(unixSeconds(value)).toBeUndefined(),
);
