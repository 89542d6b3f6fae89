import {
	parseCaptionTemplate,
	parseTextOverlay,
	parseVideo,
	unixSeconds,
} from '../../../nodes/shared/api/answers';
import { isFinal, jsonOf } from '../../../nodes/shared/api/objects';

test.each([
	[1_767_225_600, 1_767_225_600],
	[1_767_225_600.9, 1_767_225_600],
	[1_767_225_600_000, 1_767_225_600],
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

test.each([null, undefined, '', 5, {}])('status %p means that the job goes on', (status) => {
	const video = parseVideo({ id: 'v', status })!;
	expect(video.status).toBe('UNKNOWN');
	expect(isFinal(video)).toBe(false);
});

test.each([
	['No face found', { code: 'unknown', message: 'No face found' }],
	[{ message: 'No face' }, { code: 'unknown', message: 'No face' }],
	[
		{ code: 'x', message: 'y', hint: 'z' },
		{ code: 'x', message: 'y', hint: 'z' },
	],
	[{ code: 5 }, { code: 'unknown', message: '{"code":5}' }],
	[null, null],
	['', null],
])('the error %p of a job says why it failed', (error, read) => {
	expect(parseVideo({ id: 'v', status: 'FAILED', error })!.error).toEqual(read);
});

test.each([null, undefined, 'none', {}, [null], ['text']])(
	'an overlay with the results %p keeps its ID and has none',
	(results) => {
		expect(parseTextOverlay({ id: 'o', status: 'FAILED', results })).toMatchObject({
			id: 'o',
			results: [],
		});
	},
);

test('what an overlay tells of one text is kept, and completed where it is missing', () => {
	const results = [null, { text: 'Sale', status: 'COMPLETE', video_url: 'https://x', extra: 1 }];
	expect(parseTextOverlay({ id: 'o', results })!.results).toEqual([
		{ index: 1, text: 'Sale', status: 'COMPLETE', video_url: 'https://x', extra: 1, error: null },
	]);
});

test('fields that no type names go through, and the older name of the ID is understood', () => {
	const video = parseVideo({ video_id: 'v', status: 'QUEUED', fps: 30, tags: ['a'] })!;
	expect(jsonOf(video)).toEqual({
		id: 'v',
		video_id: 'v',
		status: 'QUEUED',
		fps: 30,
		tags: ['a'],
	});
	expect(parseCaptionTemplate({ id: 't' })!.name).toBe('t');
});
