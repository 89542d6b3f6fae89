import type { IDataObject } from 'n8n-workflow';

import { startEmulator, type ApiVideo, type Emulator } from '../harness/emulator/emulator';
import { runWorkflow, START, type RunOptions } from '../harness/engine/engine';
import { type InputItem } from '../harness/engine/built-in-nodes';
import { byId, runNode } from '../harness/engine/oneNode';
import { readableError } from '../harness/engine/forPeople';
import { media, portrait, sha256, stores } from '../harness/engine/inputs';

let mirage: Emulator;
beforeEach(async () => {
	mirage = await startEmulator({ templates: 250 });
});
afterEach(async () => await mirage.close());

const list = async (
	parameters: IDataObject,
	input: InputItem[] = [{}],
	options: Partial<RunOptions> = {},
	settings = {},
) => await runNode(mirage, 'mirageList', parameters, input, options, settings);
/** Videos `video_0` …, each a second younger than the one before. */
const seed = (count: number, status: (index: number) => string = () => 'COMPLETE') => {
	const videos: Partial<ApiVideo>[] = Array.from({ length: count }, (_, index) => ({
		id: `video_${index}`,
		status: status(index),
		created_at: 1_790_000_000 + index,
	}));
	mirage.seedVideos(videos);
};
const idsOf = (run: Awaited<ReturnType<typeof list>>) => run.outputs().map(({ json }) => json.id);
const numbered = (from: number, to: number) => {
	const step = from <= to ? 1 : -1;
	return Array.from({ length: Math.abs(to - from) + 1 }, (_, at) => `video_${from + at * step}`);
};

describe('videos, get many', () => {
	it('gives the 50 newest in one small request unless told otherwise', async () => {
		seed(120);
		const run = await list({});
		expect(idsOf(run)).toEqual(numbered(119, 70));
		expect(run.outputs()[0]!.pairedItem).toEqual({ item: 0 });
		expect(mirage.requests.map(({ path }) => path)).toEqual(['/v1/videos?limit=50&order=desc']);
	});

	it('returns 10,000 videos with at most one request for every 100', async () => {
		seed(10_000);
		const run = await list({ limit: 10_000 });
		expect(idsOf(run)).toEqual(numbered(9_999, 0));
		expect(mirage.requests).toHaveLength(100);
	});

	// Only an empty page tells that a full one was the last: the API does not say how many there are.
	it.each([
		[350, 4],
		[400, 5],
	])('returns all %i of them with %i requests', async (count, requests) => {
		seed(count);
		expect(idsOf(await list({ returnAll: true }))).toEqual(numbered(count - 1, 0));
		expect(mirage.requests).toHaveLength(requests);
	});

	it('asks for no more than is wanted on the last page', async () => {
		seed(300);
		await list({ limit: 130 });
		expect(
			mirage.requests.map(({ path }) => new URL(path, 'http://a').searchParams.get('limit')),
		).toEqual(['100', '30']);
	});

	it('oldest first', async () => {
		seed(5);
		expect(idsOf(await list({ options: { order: 'asc' } }))).toEqual(numbered(0, 4));
	});

	it('starts after a video, in both orders', async () => {
		seed(5);
		expect(idsOf(await list({ options: { after: 'video_2' } }))).toEqual(numbered(1, 0));
		expect(idsOf(await list({ options: { after: ' video_2 ', order: 'asc' } }))).toEqual(
			numbered(3, 4),
		);
	});

	it('only those of a status, as many as wanted, however far apart they are', async () => {
		seed(300, (index) => (index % 60 === 0 ? 'FAILED' : 'COMPLETE'));
		const run = await list({ limit: 4, options: { status: ['FAILED'] } });
		expect(idsOf(run)).toEqual(['video_240', 'video_180', 'video_120', 'video_60']);
		expect(mirage.requests).toHaveLength(3);
	});

	it('of several states; a state that is not known yet counts as processing', async () => {
		const states = ['COMPLETE', 'FAILED', 'CANCELLED', 'PROCESSING', 'QUEUED', 'SOME_NEW_STATE'];
		seed(6, (index) => states[index]!);
		const of = async (...status: string[]) => idsOf(await list({ options: { status } }));
		expect(await of('PROCESSING')).toEqual(['video_5', 'video_4', 'video_3']);
		expect(await of('CANCELLED', 'FAILED')).toEqual(['video_2', 'video_1']);
		expect(await of()).toHaveLength(6);
	});

	it('a video that moves over the border of a page is given once', async () => {
		const video = (index: number) => ({
			id: `video_${index}`,
			video_id: `video_${index}`,
			status: 'COMPLETE',
			created_at: index,
		});
		const page = (from: number, to: number) =>
			Array.from({ length: to - from + 1 }, (_, at) => video(from + at));
		for (const body of [page(0, 99), page(97, 196), page(196, 210)])
			mirage.fault({ route: 'GET /v1/videos', fault: { kind: 'status', status: 200, body } });
		expect(idsOf(await list({ returnAll: true }))).toEqual(numbered(0, 210));
	});

	it('a server that repeats the same page for ever does not hang the node', async () => {
		const body = Array.from({ length: 100 }, (_, at) => ({ id: `v${at}`, status: 'COMPLETE' }));
		mirage.fault({ times: 50, fault: { kind: 'status', status: 200, body } });
		expect(idsOf(await list({ returnAll: true }))).toHaveLength(100);
		expect(mirage.requests.length).toBeLessThan(4);
	});

	it('gives nothing, and no error, for an account without videos', async () => {
		const run = await list({ returnAll: true });
		expect(run.status).toBe('success');
		expect(run.outputs()).toEqual([]);
	});

	it('takes the ID from the older field when the new one is missing', async () => {
		const body = [{ video_id: 'video_old', status: 'COMPLETE', created_at: 1 }];
		mirage.fault({ fault: { kind: 'status', status: 200, body } });
		expect(idsOf(await list({}))).toEqual(['video_old']);
	});

	it('every item has its own list', async () => {
		seed(5);
		const run = await list({ limit: '={{ $json.count }}' }, [
			{ json: { count: 2 } },
			{ json: { count: 1 } },
		]);
		expect(idsOf(run)).toEqual(['video_4', 'video_3', 'video_4']);
		expect(run.outputs().map(({ pairedItem }) => pairedItem)).toEqual(
			[0, 0, 1].map((item) => ({ item })),
		);
	});
});

describe('caption templates', () => {
	const templates = { resource: 'captionTemplate' };

	it('get many: pages until the API says that there are no more', async () => {
		const run = await list({ ...templates, returnAll: true });
		expect(run.outputs()).toHaveLength(250);
		expect(new Set(idsOf(run)).size).toBe(250);
		expect(run.outputs()[0]!.json).toMatchObject({
			id: expect.stringMatching(/^ctpl_/),
			name: expect.any(String),
			preview_url: expect.any(String),
		});
		expect(mirage.requests).toHaveLength(3);
	});

	it('get many: no look behind a full last page, as the API says that it was the last', async () => {
		const body = {
			data: Array.from({ length: 100 }, (_, at) => ({ id: `t${at}`, name: 'x', created_at: 1 })),
			has_more: false,
		};
		mirage.fault({ fault: { kind: 'status', status: 200, body } });
		expect((await list({ ...templates, returnAll: true })).outputs()).toHaveLength(100);
		expect(mirage.requests).toHaveLength(1);
	});

	it('get many: a short page is not the end while the API says that more follow', async () => {
		const page = (ids: string[], has_more: boolean) => ({
			data: ids.map((id) => ({ id, name: id, created_at: 1 })),
			has_more,
		});
		for (const body of [page(['a', 'b'], true), page(['b', 'c'], false)])
			mirage.fault({ fault: { kind: 'status', status: 200, body } });
		expect(idsOf(await list({ ...templates, returnAll: true }))).toEqual(['a', 'b', 'c']);
	});

	it('get many: starts after a template', async () => {
		const all = idsOf(await list({ ...templates, returnAll: true }));
		const run = await list({ ...templates, limit: 3, options: { after: all[9] as string } });
		expect(idsOf(run)).toEqual(all.slice(10, 13));
	});

	it('get one, by the ID of the item or from the list', async () => {
		const [id] = idsOf(await list({ ...templates, limit: 1 })) as [string];
		for (const captionTemplateId of [
			byId('={{ $json.template }}'),
			{ __rl: true, mode: 'list', value: id, cachedResultName: 'Bold' },
		]) {
			const run = await list({ ...templates, operation: 'get', captionTemplateId }, [
				{ json: { template: id } },
			]);
			expect(run.outputs()[0]).toMatchObject({
				json: { id, name: expect.any(String) },
				pairedItem: { item: 0 },
			});
		}
	});
});

describe('one video', () => {
	const get = { operation: 'get', videoId: byId('={{ $json.id }}') };

	it('get gives the state', async () => {
		seed(3, () => 'PROCESSING');
		const run = await list(get, [{ json: { id: 'video_1' } }, { json: { id: 'video_0' } }]);
		expect(run.outputs()).toMatchObject([
			{ json: { id: 'video_1', status: 'PROCESSING' }, pairedItem: { item: 0 } },
			{ json: { id: 'video_0', status: 'PROCESSING' }, pairedItem: { item: 1 } },
		]);
	});
});

describe.each(stores)('download with files in $binaryMode, $binaryLayout', (store) => {
	const download = { operation: 'download', videoId: byId('={{ $json.id }}') };

	it('adds the file to the item, and keeps its JSON and its other files', async () => {
		seed(1);
		const run = await list(
			download,
			[{ json: { id: 'video_0', row: 7 }, files: { image: portrait() } }],
			store,
		);
		expect(run.error?.message).toBeUndefined();
		const [item] = run.outputs();
		expect(item!.json).toMatchObject({ id: 'video_0', row: 7 });
		expect(item!.pairedItem).toEqual({ item: 0 });
		expect(sha256(await run.file(item, 'data'))).toBe(sha256(media('generated')));
		expect(sha256(await run.file(item, 'image'))).toBe(sha256(media('portraitJpeg')));
		expect(run.binary(item, 'data')).toMatchObject({
			fileName: 'video_0.mp4',
			mimeType: 'video/mp4',
		});
	});

	it('puts it into the field that is asked for', async () => {
		seed(1);
		const run = await list(
			{ ...download, options: { outputField: 'video' } },
			[{ json: { id: 'video_0' } }],
			store,
		);
		expect(run.binary(run.outputs()[0], 'video').mimeType).toBe('video/mp4');
	});
});

describe('a mistake is told with the parameter and what to do', () => {
	it('a video that has no file yet', async () => {
		seed(1, () => 'PROCESSING');
		const run = await list({ operation: 'download', videoId: byId('video_0') });
		const error = readableError(run, mirage.apiKey);
		expect(error).toMatch(/^Video "video_0" has no file: it is processing \[item 0\]/);
		expect(error).toContain('Mirage Wait for Video');
		expect(mirage.requests).toHaveLength(1);
	});

	it('a video that failed, with the reason', async () => {
		const error = { code: 'bad_face', message: 'No face was found' };
		mirage.seedVideos([{ id: 'video_0', status: 'FAILED', error }]);
		const run = await list({ operation: 'download', videoId: byId('video_0') });
		expect(readableError(run, mirage.apiKey)).toContain('No face was found');
	});

	it.each<[string, IDataObject, RegExp]>([
		['get', { operation: 'get', videoId: byId('={{ $json.x }}') }, /^Video is empty \[item 0\]/],
		[
			'download',
			{ operation: 'download', videoId: byId('={{ "a b" }}') },
			/^Video is not an ID of Mirage \[item 0\]/,
		],
		[
			'get template',
			{ resource: 'captionTemplate', operation: 'get', captionTemplateId: byId('={{ $json.x }}') },
			/^Caption Template is empty/,
		],
		['get many', { limit: '={{ $json.x }}' }, /^Limit must be a whole number/],
		['get many', { limit: '={{ 0 }}' }, /^Limit must be a whole number/],
	])('%s without a usable value, before anything is asked', async (_, parameters, pattern) => {
		const run = await list(parameters);
		expect(readableError(run, mirage.apiKey)).toMatch(pattern);
		expect(mirage.requests).toEqual([]);
	});

	it.each<[string, IDataObject, RegExp]>([
		['video', { operation: 'get', videoId: byId('video_x') }, /read video "video_x": it does not/],
		[
			'template',
			{ resource: 'captionTemplate', operation: 'get', captionTemplateId: byId('ctpl_x') },
			/read caption template "ctpl_x": it does not exist/,
		],
		['cursor', { options: { after: 'video_x' } }, /Video not found/],
	])('a %s that does not exist', async (_, parameters, pattern) => {
		expect(readableError(await list(parameters), mirage.apiKey)).toMatch(pattern);
	});

	it('a wrong key', async () => {
		const run = await list({}, [{}], { apiKey: 'mira_wrong_key' });
		expect(readableError(run, 'mira_wrong_key')).toMatch(/did not accept the API key/);
	});
});

describe('with "Continue" on error', () => {
	const get = { operation: 'get', videoId: byId('={{ $json.video }}') };
	const input = [{ json: { video: 'video_0' } }, { json: { video: 'video_x' } }];

	it('the failed item says why and keeps its video ID', async () => {
		seed(1);
		const run = await list(get, input, {}, { onError: 'continueRegularOutput' });
		expect(run.outputs()).toMatchObject([
			{ json: { id: 'video_0' }, pairedItem: { item: 0 } },
			{
				json: { id: 'video_x', error: expect.stringMatching(/does not exist/) },
				pairedItem: { item: 1 },
			},
		]);
	});

	it('the failed item leaves through the error output with its video ID', async () => {
		seed(1);
		const run = await list(get, input, {}, { onError: 'continueErrorOutput' });
		expect(idsOf(run)).toEqual(['video_0']);
		expect(run.outputs('mirageList', 1).map(({ json }) => json)).toMatchObject([
			{ id: 'video_x', video: 'video_x', error: expect.stringMatching(/does not exist/) },
		]);
	});
});

it('an agent can list videos', async () => {
	seed(3);
	const run = await runWorkflow({
		baseUrl: mirage.url,
		apiKey: mirage.apiKey,
		nodes: [
			{ type: 'toolCaller', parameters: { arguments: '{"count": 2}' } },
			{
				type: 'mirageListTool',
				parameters: { limit: `={{ $fromAI('count', 'How many', 'number') }}` },
			},
		],
		connections: {
			[START]: { main: [[{ node: 'toolCaller', type: 'main', index: 0 }]] },
			mirageListTool: { ai_tool: [[{ node: 'toolCaller', type: 'ai_tool', index: 0 }]] },
		},
	});
	expect(run.outputs('toolCaller')[0]!.json.answer).toContain('video_2');
	expect(run.outputs('toolCaller')[0]!.json.answer).not.toContain('video_0');
});

it('executions side by side download at most three files of an account at a time', async () => {
	seed(4);
	const contents = () => mirage.requests.filter(({ server }) => server === 'content');
	const download = async () =>
		await list(
			{ operation: 'download', videoId: byId('={{ $json.id }}') },
			numbered(0, 3).map((id) => ({ json: { id } })),
		);
	mirage.fault({ route: 'content', times: Infinity, fault: { kind: 'delay', ms: 100 } });
	const both = Promise.all([download(), download()]);
	let most = 0;
	let over = false;
	void both.finally(() => (over = true));
	while (!over) {
		most = Math.max(most, contents().filter(({ status }) => status === undefined).length);
		await new Promise((resolve) => setImmediate(resolve));
	}
	expect((await both).map((run) => idsOf(run))).toEqual([numbered(0, 3), numbered(0, 3)]);
	expect(contents()).toHaveLength(8);
	expect(most).toBe(3);
});
