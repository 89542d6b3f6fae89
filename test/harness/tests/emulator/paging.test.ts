import { Client, stoppedClock } from '../../emulator/client';
import { type Emulator, startEmulator } from '../../emulator/emulator';
import type { ApiCaptionTemplate, ApiVideo } from '../../emulator/types';

const clock = stoppedClock();
const NOW_SECONDS = clock.now() / 1000;
let emulator: Emulator;
let client: Client;

beforeEach(async () => {
	emulator = await startEmulator({ now: clock.now, templates: 250 });
	client = new Client(emulator);
});
afterEach(() => emulator.close());

const page = async (query: string) => (await client.get<ApiVideo[]>(`/v1/videos?${query}`)).json();

async function walk(order: 'asc' | 'desc', limit: number): Promise<string[]> {
	const ids: string[] = [];
	for (;;) {
		const after = ids.length > 0 ? `&after=${ids.at(-1)}` : '';
		const videos = await page(`order=${order}&limit=${limit}${after}`);
		ids.push(...videos.map((video) => video.id));
		if (videos.length < limit) return ids;
	}
}

it('walks every video once in either order, also those of one second', async () => {
	const ids = Array.from({ length: 345 }, (_, index) => `video_${index}`);
	const seeds = ids.map((id, index) => ({ id, created_at: NOW_SECONDS - 1000 + (index >> 2) }));
	emulator.seedVideos([...seeds].reverse());
	const ascending = await walk('asc', 100);
	expect(new Set(ascending)).toEqual(new Set(ids));
	expect(ascending).toHaveLength(ids.length);
	const seconds = ascending.map((id) => Number(id.slice(6)) >> 2);
	expect(seconds).toEqual([...seconds].sort((a, b) => a - b));
	expect(await walk('desc', 7)).toEqual([...ascending].reverse());
});

it('answers a bare array, newest first, 20 unless told otherwise', async () => {
	emulator.seedVideos(
		Array.from({ length: 30 }, (_, index) => ({ id: `v${index}`, created_at: index })),
	);
	const videos = (await client.get<ApiVideo[]>('/v1/videos')).json();
	expect(videos.map((video) => video.id)).toEqual(
		Array.from({ length: 20 }, (_, index) => `v${29 - index}`),
	);
	expect((await page('after=v0')).map(({ id }) => id)).toEqual([]);
	expect((await page('after=v2')).map(({ id }) => id)).toEqual(['v1', 'v0']);
	expect((await page('order=asc&after=v27')).map(({ id }) => id)).toEqual(['v28', 'v29']);
});

it('keeps a cursor steady while new videos arrive and old ones go', async () => {
	emulator.seedVideos(['a', 'b', 'c', 'd'].map((id, index) => ({ id, created_at: index })));
	expect((await page('limit=2')).map(({ id }) => id)).toEqual(['d', 'c']);
	await client.createVideo();
	emulator.deleteVideo('d');
	expect((await page('limit=2&after=c')).map(({ id }) => id)).toEqual(['b', 'a']);
	emulator.deleteVideo('c');
	expect((await client.get('/v1/videos?after=c')).status).toBe(404);
	expect((await client.get('/v1/videos/c')).status).toBe(404);
});

it('serves any page of 100,000 videos without walking them', async () => {
	const seeds = Array.from({ length: 100_000 }, (_, index) => ({
		id: `video_${index}`,
		created_at: index,
	}));
	const started = performance.now();
	emulator.seedVideos(seeds);
	expect(performance.now() - started).toBeLessThan(3_000);
	const deep = await page('limit=100&after=video_50000');
	expect(deep.map(({ id }) => id)).toEqual(
		Array.from({ length: 100 }, (_, index) => `video_${49_999 - index}`),
	);
	const read = performance.now();
	for (let i = 0; i < 50; i++) await page(`limit=1&after=video_${i * 1_600 + 1}`);
	expect(performance.now() - read).toBeLessThan(1_000);
	expect(emulator.videos()).toEqual([]);
});

it('keeps the given fields of a seeded video and completes the rest', async () => {
	emulator.seedVideos([
		{ id: 'given', created_at: 5, completed_at: 9, caption_template_id: 'ctpl_x' },
		{ id: 'running', status: 'PROCESSING', progress: 40 },
	]);
	expect((await client.get('/v1/videos/given')).json()).toMatchObject({
		video_id: 'given',
		status: 'COMPLETE',
		created_at: 5,
		completed_at: 9,
		progress: 100,
		model: null,
		caption_template_id: 'ctpl_x',
	});
	expect((await client.get('/v1/videos/running')).json()).toMatchObject({
		status: 'PROCESSING',
		created_at: NOW_SECONDS,
		completed_at: null,
		progress: 40,
		model: 'mirage-video-1-latest',
	});
	emulator.seedVideos([{ id: 'given', created_at: 6 }]);
	expect((await page('order=asc')).map(({ id, created_at }) => [id, created_at])).toEqual([
		['given', 6],
		['running', NOW_SECONDS],
	]);
});

it('pages templates with has_more', async () => {
	const seen: string[] = [];
	const sizes: number[] = [];
	let after = '';
	for (let more = true; more; after = `&after=${seen.at(-1)}`) {
		const list = (
			await client.get<{ data: ApiCaptionTemplate[]; has_more: boolean; object: string }>(
				`/v1/videos/captions/templates?limit=100${after}`,
			)
		).json();
		expect(list.object).toBe('list');
		seen.push(...list.data.map(({ id }) => id));
		sizes.push(list.data.length);
		more = list.has_more;
	}
	expect(sizes).toEqual([100, 100, 50]);
	expect(new Set(seen).size).toBe(250);
	const exact = await client.get(`/v1/videos/captions/templates?limit=50&after=${seen[199]}`);
	expect(exact.json()).toMatchObject({ has_more: false });
});
