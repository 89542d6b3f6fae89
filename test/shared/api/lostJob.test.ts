import { candidatesAmong, candidatesNote } from '../../../nodes/shared/api/lostJob';
import type { Video } from '../../../nodes/shared/api/objects';

const video = (id: string, createdAt: number, more: Partial<Video> = {}): Video => ({
	id,
	status: 'PROCESSING',
	created_at: createdAt,
	...more,
});
const ids = (videos: Video[]) => videos.map(({ id }) => id);

/** Noon by the server. n8n's clock is an hour ahead; the request was sent 4 s before the list came. */
const NOON_S = 1_767_268_800;
const sent = { sentAt: (NOON_S + 3_600 - 4) * 1_000, now: (NOON_S + 3_600) * 1_000 };
const servedAt = NOON_S * 1_000;

test('only what was created from the moment of sending on is named, by the clock of the server', () => {
	const videos = [
		video('last', NOON_S - 1),
		video('first', NOON_S - 4),
		video('rounded', NOON_S - 5),
		video('before', NOON_S - 6),
	];
	expect(ids(candidatesAmong({ videos, servedAt }, sent, new Set()))).toEqual([
		'rounded',
		'first',
		'last',
	]);
});

test('a job that somebody was given is not the lost one', () => {
	const videos = [video('mine', NOON_S), video('other', NOON_S)];
	expect(ids(candidatesAmong({ videos, servedAt }, sent, new Set(['other'])))).toEqual(['mine']);
});

test('a server that tells no time may be two minutes off, and a job may tell none', () => {
	const videos = [
		video('old', sent.sentAt / 1_000 - 130),
		video('near', sent.sentAt / 1_000 - 100),
		video('timeless', undefined as unknown as number),
	];
	expect(ids(candidatesAmong({ videos }, sent, new Set()))).toEqual(['near', 'timeless']);
});

test('each candidate is named with its state and its time in the zone of the workflow', () => {
	const videos = [
		video('a', NOON_S, { progress: 40 }),
		video('b', NOON_S + 61, { status: 'COMPLETE', progress: 100 }),
	];
	expect(candidatesNote(videos, 'Asia/Tokyo')).toContain(
		'a (PROCESSING, 40 %, created at 21:00:00); b (COMPLETE, created at 21:01:01). Look',
	);
	const many = Array.from({ length: 8 }, (_, index) => video(`v${index}`, NOON_S));
	expect(candidatesNote(many)).toContain('; and 3 more. Look');
});
