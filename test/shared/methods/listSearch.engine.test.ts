import { startEmulator, type ApiVideo, type Emulator } from '../../harness/emulator/emulator';
import { listSearch } from '../../harness/engine/engine';

let mirage: Emulator;
beforeEach(async () => {
	mirage = await startEmulator({ templates: 250 });
});
afterEach(async () => await mirage.close());

const pick = async (
	method: 'searchVideos' | 'searchCaptionTemplates',
	filter?: string,
	paginationToken?: string,
	account: { apiKey?: string; baseUrl?: string } = {},
	node = 'mirageList',
) =>
	await listSearch({
		node,
		method,
		filter,
		paginationToken,
		baseUrl: mirage.url,
		apiKey: mirage.apiKey,
		...account,
	});
const now = () => Math.floor(Date.now() / 1_000);
const seed = (videos: Array<Partial<ApiVideo>>) => mirage.seedVideos(videos);
const many = (count: number) =>
	seed(Array.from({ length: count }, (_, at) => ({ id: `video_${at}`, created_at: 1_000 + at })));

describe('the list of videos', () => {
	it('says of each what it is, how it stands, how old it is, and its ID', async () => {
		seed([
			{ id: 'video_d', created_at: now() - 3 * 86_400 - 60 },
			{ id: 'video_c', created_at: now() - 7_300, status: 'FAILED' },
			{ id: 'video_b', created_at: now() - 130, caption_template_id: 'ctpl_1', model: null },
			{ id: 'video_a', created_at: now() - 5, status: 'PROCESSING' },
		]);
		const { results, paginationToken } = await pick('searchVideos');
		expect(results).toEqual([
			{
				name: expect.stringMatching(/^Generated, Processing, \d s ago \(video_a\)$/),
				value: 'video_a',
			},
			{ name: 'Captioned, Complete, 2 min ago (video_b)', value: 'video_b' },
			{ name: 'Generated, Failed, 2 h ago (video_c)', value: 'video_c' },
			{ name: 'Generated, Complete, 3 d ago (video_d)', value: 'video_d' },
		]);
		expect(paginationToken).toBeUndefined();
	});

	it('loads a page at a time, without a video twice or left out', async () => {
		many(250);
		const values: unknown[] = [];
		let token: string | undefined;
		do {
			const page = await pick('searchVideos', undefined, token);
			values.push(...page.results.map(({ value }) => value));
			token = page.paginationToken as string | undefined;
		} while (token);
		expect(values).toEqual(Array.from({ length: 250 }, (_, at) => `video_${249 - at}`));
		expect(mirage.requests).toHaveLength(3);
	});

	it('finds a video by a part of its ID, also pages away, in any case', async () => {
		many(350);
		const { results } = await pick('searchVideos', ' VIDEO_42 ');
		expect(results.map(({ value }) => value)).toEqual(['video_42']);
	});

	it('finds videos by their status and by what they are', async () => {
		seed([
			{ id: 'video_a', status: 'FAILED' },
			{ id: 'video_b', caption_template_id: 'ctpl_1' },
		]);
		const found = async (filter: string) =>
			(await pick('searchVideos', filter)).results.map(({ value }) => value);
		expect(await found('failed')).toEqual(['video_a']);
		expect(await found('captioned')).toEqual(['video_b']);
	});

	it('gives up a search after some pages, and goes on when more is asked for', async () => {
		many(1_000);
		const first = await pick('searchVideos', 'video_7)');
		expect(first.results).toEqual([]);
		expect(mirage.requests).toHaveLength(5);
		const second = await pick('searchVideos', 'video_7)', first.paginationToken as string);
		expect(second.results.map(({ value }) => value)).toEqual(['video_7']);
	});
});

describe('the list of caption templates', () => {
	it('gives name, ID and a link to the preview', async () => {
		const { results, paginationToken } = await pick('searchCaptionTemplates');
		expect(results).toHaveLength(100);
		expect(results[0]).toEqual({
			name: expect.stringMatching(/\w/),
			value: expect.stringMatching(/^ctpl_/),
			url: expect.stringMatching(/^http.*\.mp4$/),
		});
		const next = await pick('searchCaptionTemplates', undefined, paginationToken as string);
		expect(next.results[0]!.value).not.toBe(results[0]!.value);
	});

	it('a template without a preview has no link', async () => {
		const data = [{ id: 'ctpl_1', name: 'Plain', preview_url: null, created_at: 1 }];
		mirage.fault({ fault: { kind: 'status', status: 200, body: { data, has_more: false } } });
		expect((await pick('searchCaptionTemplates')).results).toEqual([
			{ name: 'Plain', value: 'ctpl_1' },
		]);
	});

	it('finds a template by a part of its name', async () => {
		const [first] = (await pick('searchCaptionTemplates')).results;
		const { results } = await pick('searchCaptionTemplates', first!.name.toUpperCase());
		expect(results.map(({ value }) => value)).toContain(first!.value);
	});
});

it.each([
	['mirageList', 'searchVideos'],
	['mirageList', 'searchCaptionTemplates'],
	['mirageAddCaptions', 'searchVideos'],
	['mirageAddCaptions', 'searchCaptionTemplates'],
	['mirageWaitForVideo', 'searchVideos'],
] as const)('%s has the list of %s', async (node, method) => {
	seed([{ id: 'video_a' }]);
	expect((await pick(method, undefined, undefined, {}, node)).results.length).toBeGreaterThan(0);
});

describe('what keeps the list from opening is told', () => {
	it('a wrong key, and the key is not shown', async () => {
		const failed = pick('searchVideos', '', undefined, { apiKey: 'mira_wrong_key' });
		await expect(failed).rejects.toMatchObject({
			message: 'Mirage did not accept the API key',
			description: expect.stringContaining('Open the Mirage API credential'),
		});
		const error = await failed.catch((thrown: unknown) => thrown as Error);
		expect(JSON.stringify(error)).not.toContain('mira_wrong_key');
	});

	it('a server that is not there', async () => {
		await expect(
			pick('searchCaptionTemplates', '', undefined, { baseUrl: 'http://127.0.0.1:9' }),
		).rejects.toThrow(/could not list caption templates: the server refused the connection/);
	});

	it('a Base URL with a path', async () => {
		await expect(
			pick('searchVideos', '', undefined, { baseUrl: `${mirage.url}/v1` }),
		).rejects.toThrow(/must not have a path/);
		expect(mirage.requests).toEqual([]);
	});

	it('a page that is no list', async () => {
		mirage.fault({ times: 9, fault: { kind: 'html', status: 200 } });
		await expect(pick('searchVideos')).rejects.toThrow(/its answer could not be read/);
	});
});
