import {
	estimateCaptions,
	estimateVideo,
	inWords,
	sumOf,
} from '../../../nodes/shared/items/estimate';

test('a video is billed in whole steps of six seconds', () => {
	expect(
		[0.2, 6, 6.01, 35.9].map((seconds) => estimateVideo('mirage-avatar-x', { seconds })),
	).toEqual([
		{ billedSeconds: 6, price: 0.9, basis: 'file', model: 'mirage-avatar-x' },
		{ billedSeconds: 6, price: 0.9, basis: 'file', model: 'mirage-avatar-x' },
		{ billedSeconds: 12, price: 1.8, basis: 'file', model: 'mirage-avatar-x' },
		{ billedSeconds: 36, price: 5.4, basis: 'file', model: 'mirage-avatar-x' },
	]);
});

test('each model has its own price, and one without a known price gets none', () => {
	const seconds = 60;
	expect(estimateVideo('mirage-video-1-latest', { seconds }).price).toBe(10.5);
	expect(estimateVideo('mirage-next', { seconds })).toEqual({
		billedSeconds: 60,
		basis: 'file',
		model: 'mirage-next',
	});
});

test('a text that is still to be spoken is a guess and says so', () => {
	const text = 'Hello, and welcome to our channel! '.repeat(10);
	expect(estimateVideo('mirage-avatar-x', { text })).toMatchObject({
		billedSeconds: 24,
		basis: 'text',
	});
});

test('a length that no header tells is unknown, never a guess', () => {
	expect(estimateVideo('mirage-avatar-x', { seconds: undefined })).toEqual({
		basis: 'unknown',
		model: 'mirage-avatar-x',
	});
	expect(estimateCaptions(undefined)).toEqual({ basis: 'unknown' });
});

test('captions are billed by the started minute', () => {
	expect([0.5, 60, 60.5, 299].map((seconds) => estimateCaptions(seconds).billedMinutes)).toEqual([
		1, 1, 2, 5,
	]);
	expect(estimateCaptions(299).price).toBe(0.75);
});

test('the sum of a run names what it does not know', () => {
	const estimates = [
		...Array.from({ length: 6 }, () => estimateVideo('mirage-avatar-x', { seconds: 35 })),
		estimateVideo('mirage-avatar-x', { seconds: undefined }),
	];
	expect(sumOf(estimates)).toMatchObject({ price: 32.4, billedSeconds: 216, withoutPrice: [6] });
	expect(inWords(estimates.slice(0, 6), 'video', 'videos')).toBe(
		'6 videos, 216 s billed, about 32.40 USD at list price',
	);
	expect(inWords(estimates, 'video', 'videos')).toBe(
		'7 videos, 216 s billed, about 32.40 USD at list price, no price known for item 6',
	);
});
