import type { IDataObject } from 'n8n-workflow';

import { startEmulator, type Emulator, type EmulatorOptions } from '../harness/emulator/emulator';
import { runWorkflow, START, type RunOptions } from '../harness/engine/engine';
import { type InputItem } from '../harness/engine/built-in-nodes';
import { runNode } from '../harness/engine/oneNode';
import { startFileServer, whole } from '../harness/engine/fileServer';
import { readableError, shownError } from '../harness/engine/forPeople';
import {
	fileOf,
	landscape,
	media,
	portrait,
	sha256,
	stores,
	upright,
} from '../harness/engine/inputs';

let mirage: Emulator;
const start = async (options: EmulatorOptions = {}) => {
	await mirage?.close();
	mirage = await startEmulator({ renderMs: 0, ...options });
};
beforeEach(async () => await start());
afterEach(async () => await mirage.close());

const NODE = 'mirageMetaTextOverlay';
const overlay = async (
	parameters: IDataObject,
	input: InputItem[] = [{ files: { data: upright() } }],
	options: Partial<RunOptions> = {},
	settings = {},
) => {
	const given = (parameters.options ?? {}) as IDataObject;
	const quick = { pollInterval: 0.05, maxPollInterval: 0.1, ...given };
	return await runNode(mirage, NODE, { ...parameters, options: quick }, input, options, settings);
};
const texts = (...values: Array<string | IDataObject>) => ({
	texts: { values: values.map((each) => (typeof each === 'string' ? { text: each } : each)) },
});
const posts = () => mirage.requests.filter(({ method }) => method === 'POST');
const reads = () =>
	mirage.requests.filter(({ path }) => path.startsWith('/v1/meta/text_overlays/'));

describe.each(stores)('Meta Text Overlay with files in $binaryMode, $binaryLayout', (store) => {
	it('gives one item for every text, in their order, each with its own file', async () => {
		await start({ renderMs: 300 });
		const run = await overlay(texts('One', 'Two', 'Three', 'Four'), undefined, store);
		expect(run.error?.message).toBeUndefined();
		const { id } = mirage.overlays()[0]!;
		const items = run.outputs();
		expect(items.map(({ json }) => [json.id, json.index, json.text, json.status])).toEqual([
			[id, 0, 'One', 'COMPLETE'],
			[id, 1, 'Two', 'COMPLETE'],
			[id, 2, 'Three', 'COMPLETE'],
			[id, 3, 'Four', 'COMPLETE'],
		]);
		for (const [index, item] of items.entries()) {
			expect(item.pairedItem).toEqual({ item: 0 });
			expect(sha256(await run.file(item, 'data'))).toBe(sha256(media('overlay')));
			expect(run.binary(item, 'data')).toMatchObject({
				fileName: `${id}-${index + 1}.mp4`,
				mimeType: 'video/mp4',
			});
		}
		expect(posts()).toHaveLength(1);
		expect(posts()[0]!.files).toMatchObject([
			{ field: 'video', mimeType: 'video/mp4', sha256: sha256(media('generated')) },
		]);
	});

	it('takes an expression that yields the file itself', async () => {
		const videoField =
			store.binaryLayout === 'combined'
				? '={{ $json._files.clip }}'
				: `={{ $('${START}').item.binary.clip }}`;
		const input = [{ files: { clip: fileOf(media('clipMov')) } }];
		const run = await overlay({ ...texts('One'), videoField }, input, store);
		expect(run.error?.message).toBeUndefined();
		expect(posts()[0]!.files).toMatchObject([
			{ mimeType: 'video/quicktime', sha256: sha256(media('clipMov')) },
		]);
	});
});

describe('the style of each text', () => {
	it('stays with its text, and what is left blank stays blank', async () => {
		await overlay(
			texts(
				{ text: 'Plain', font: '', size: 0, color: '' },
				{ text: 'Big', font: '', size: 72, color: '' },
				{ text: 'Red', font: 'Montserrat', size: 0, color: '#ff0000' },
			),
		);
		expect(posts()[0]!.fields).toEqual({
			texts: ['Plain', 'Big', 'Red'],
			fonts: ['', '', 'Montserrat'],
			sizes: ['', '72', ''],
			colors: ['', '', '#ff0000'],
		});
		expect(mirage.overlays()[0]!.texts).toEqual([
			{ text: 'Plain', font: null, size: null, color: null },
			{ text: 'Big', font: null, size: 72, color: null },
			{ text: 'Red', font: 'Montserrat', size: null, color: '#ff0000' },
		]);
	});

	it('may be a number', async () => {
		await overlay(texts('={{ 50 }}'));
		expect(posts()[0]!.fields).toMatchObject({ texts: ['50'] });
	});

	it('may come from the item', async () => {
		await overlay(texts({ text: '={{ $json.hook }}', size: '={{ $json.px }}' }), [
			{ json: { hook: 'Nur heute – 50 % 🎉', px: 48 }, files: { data: upright() } },
		]);
		expect(posts()[0]!.fields).toMatchObject({ texts: ['Nur heute – 50 % 🎉'], sizes: ['48'] });
	});
});

it('a video of any shape from a URL is taken', async () => {
	const files = await startFileServer({ '/wide': whole(media('landscape')) });
	const run = await overlay({ ...texts('A'), videoSource: 'url', videoUrl: `${files.url}/wide` }, [
		{},
	]);
	await files.close();
	expect(run.error?.message).toBeUndefined();
	expect(posts()[0]!.files).toMatchObject([{ sha256: sha256(media('landscape')) }]);
});

it('without files, the items hold the addresses', async () => {
	const run = await overlay({ ...texts('One', 'Two'), downloadVideos: false });
	expect(run.outputs().map(({ json }) => json.video_url)).toEqual([
		expect.stringMatching(/^http/),
		expect.stringMatching(/^http/),
	]);
	expect(run.outputs().every(({ binary }) => !binary)).toBe(true);
	expect(mirage.requests.filter(({ server }) => server === 'content')).toEqual([]);
});

it('without waiting, the job comes out as it is, to be read later', async () => {
	await start({ renderMs: 60_000 });
	const run = await overlay({ ...texts('One'), waitForCompletion: false });
	expect(run.outputs()).toMatchObject([
		{ json: { id: mirage.overlays()[0]!.id, status: 'QUEUED' }, pairedItem: { item: 0 } },
	]);
	expect(reads()).toEqual([]);
});

it('the files go into the field that is asked for', async () => {
	const run = await overlay({ ...texts('One'), outputField: 'variant' });
	expect(run.binary(run.outputs()[0], 'variant').mimeType).toBe('video/mp4');
});

it('jobs of several items are waited for together, and the order of items and texts is kept', async () => {
	await start({ renderMs: ({ index }) => (index === 0 ? 500 : 0) });
	const input = ['a', 'b', 'c'].map((name) => ({ json: { name }, files: { data: upright() } }));
	const run = await overlay(texts('={{ $json.name }} 1', '={{ $json.name }} 2'), input);
	expect(run.outputs().map(({ json, pairedItem }) => [json.text, pairedItem])).toEqual(
		['a', 'b', 'c'].flatMap((name, item) => [
			[`${name} 1`, { item }],
			[`${name} 2`, { item }],
		]),
	);
});

describe('get', () => {
	const get = { operation: 'get' };

	it('gives the texts of a job that was started before, by the ID on the item', async () => {
		const started = await overlay({ ...texts('One', 'Two'), waitForCompletion: false });
		const { id } = started.outputs()[0]!.json;
		const run = await overlay(get, [{ json: { id } as IDataObject }]);
		expect(run.outputs().map(({ json }) => [json.id, json.text])).toEqual([
			[id, 'One'],
			[id, 'Two'],
		]);
		expect(sha256(await run.file(run.outputs()[1], 'data'))).toBe(sha256(media('overlay')));
		expect(posts()).toHaveLength(1);
	});

	it('without waiting gives the job as it stands', async () => {
		await start({ renderMs: 60_000 });
		const started = await overlay({ ...texts('One'), waitForCompletion: false });
		const { id } = started.outputs()[0]!.json;
		const run = await overlay({ ...get, waitForCompletion: false }, [
			{ json: { id } as IDataObject },
		]);
		expect(run.outputs()).toMatchObject([{ json: { id, status: 'QUEUED' } }]);
	});

	it('an ID that does not exist is told at once', async () => {
		const run = await overlay(get, [{ json: { id: 'nothing' } }]);
		expect(readableError(run, mirage.apiKey)).toMatch(/"nothing": it does not exist/);
	});

	it('no ID is told before anything is asked', async () => {
		const run = await overlay(get, [{}]);
		expect(readableError(run, mirage.apiKey)).toMatch(/^Overlay ID is empty \[item 0\]/);
		expect(mirage.requests).toEqual([]);
	});
});

describe('a mistake is told before anything is uploaded', () => {
	it.each<[string, IDataObject, InputItem, RegExp]>([
		[
			'no text',
			{ texts: { values: [] } },
			{ files: { data: upright() } },
			/^Texts: there is no text/,
		],
		[
			'an empty text among others',
			texts('A', '={{ $json.x }}'),
			{ files: { data: upright() } },
			/^Text 2 is empty \[item 0\]/,
		],
		[
			'an object as text',
			texts('A', '={{ $json.x }}'),
			{ json: { x: { title: 'Hook' } }, files: { data: upright() } },
			/^Text 2 is an object, and must be a text \[item 0\]/,
		],
		[
			'a list as text',
			texts('={{ ["a", "b"] }}'),
			{ files: { data: upright() } },
			/^Text 1 is a list, and must be a text/,
		],
		[
			'a boolean as text',
			texts('={{ $json.x }}'),
			{ json: { x: true }, files: { data: upright() } },
			/^Text 1 is the boolean true, and must be a text/,
		],
		[
			'a size in words',
			texts({ text: 'A', size: '={{ "big" }}' }),
			{ files: { data: upright() } },
			/^Text 1: the size must be a whole number/,
		],
		[
			'a color by name',
			texts('A', { text: 'B', color: 'red' }),
			{ files: { data: upright() } },
			/^Text 2: the color must look like #FFFFFF/,
		],
		['no file', texts('A'), {}, /^Video: the item has no binary field "data"/],
		['a picture', texts('A'), { files: { data: portrait() } }, /^Video: the file is a JPEG/],
		[
			'an empty file',
			texts('A'),
			{ files: { data: fileOf(Buffer.alloc(0)) } },
			/^Video: the file is empty/,
		],
		[
			'an address that cannot be reached',
			{ ...texts('A'), videoSource: 'url', videoUrl: 'http://127.0.0.1:9/v.mp4' },
			{},
			/^Video: the URL could not be reached/,
		],
		[
			'no output field',
			{ ...texts('A'), outputField: '={{ "" }}' },
			{ files: { data: landscape() } },
			/^Put Output File in Field is empty/,
		],
	])('%s', async (_, parameters, item, pattern) => {
		const run = await overlay(parameters, [item]);
		expect(readableError(run, mirage.apiKey)).toMatch(pattern);
		expect(mirage.requests).toEqual([]);
	});
});

it('an empty text is marked in the panel, and does not even start', async () => {
	await expect(overlay({})).rejects.toThrow(/issues/);
	expect(mirage.requests).toEqual([]);
});

it('more than four texts do not even start', async () => {
	await expect(overlay(texts('1', '2', '3', '4', '5'))).rejects.toThrow(/issues/);
	expect(mirage.requests).toEqual([]);
});

describe('a text that failed', () => {
	const error = { code: 'text_too_long', message: 'The text does not fit' };
	const second = { status: 'COMPLETE', results: [{ index: 1, status: 'FAILED' as const, error }] };

	it('ends the run with its number, its reason, and the job to read the others from', async () => {
		mirage.nextOutcome(second);
		const run = await overlay(texts('One', 'Two', 'Three'));
		const told = readableError(run, mirage.apiKey);
		expect(told).toMatch(/^Text 2 \("Two"\) of text overlay .* failed: The text does not fit/);
		expect(told).toContain(mirage.overlays()[0]!.id);
	});

	it('is an error for itself alone with "Continue", beside the job ID', async () => {
		mirage.nextOutcome(second);
		const run = await overlay(
			texts('One', 'Two', 'Three'),
			undefined,
			{},
			{
				onError: 'continueRegularOutput',
			},
		);
		const { id } = mirage.overlays()[0]!;
		expect(run.outputs()).toMatchObject([
			{ json: { id, index: 0, status: 'COMPLETE' }, binary: { data: {} } },
			{ json: { id, index: 1, error: expect.stringContaining('does not fit') } },
			{ json: { id, index: 2, status: 'COMPLETE' }, binary: { data: {} } },
		]);
		expect(run.outputs()[1]!.binary).toBeUndefined();
	});

	it('leaves through the error output with the job ID', async () => {
		mirage.nextOutcome(second);
		const run = await overlay(
			texts('One', 'Two', 'Three'),
			undefined,
			{},
			{
				onError: 'continueErrorOutput',
			},
		);
		const { id } = mirage.overlays()[0]!;
		expect(run.outputs(NODE, 0).map(({ json }) => json.index)).toEqual([0, 2]);
		expect(run.outputs(NODE, 1)).toMatchObject([
			{ json: { id, index: 1, text: 'Two', error: expect.stringContaining('does not fit') } },
		]);
	});
});

describe('a job that failed', () => {
	it.each([
		['FAILED', /failed: The texts could not be rendered/],
		['CANCELLED', /was cancelled/],
	])('as %s is told with its ID', async (status, pattern) => {
		mirage.nextOutcome({ status });
		const told = shownError(await overlay(texts('One')));
		expect(told).toMatch(pattern);
		expect(told).toContain(mirage.overlays()[0]!.id);
	});

	it('is the error of its item alone with "Continue", with its ID in both outputs', async () => {
		for (const onError of ['continueRegularOutput', 'continueErrorOutput']) {
			await start();
			mirage.nextOutcome({ status: 'FAILED' });
			const input = [{ files: { data: upright() } }, { files: { data: upright() } }];
			const run = await overlay(
				{ ...texts('One'), options: { concurrency: 1 } },
				input,
				{},
				{
					onError,
				},
			);
			const [failed, good] = mirage.overlays();
			const error = expect.stringContaining('failed');
			if (onError === 'continueErrorOutput') {
				expect(run.outputs(NODE, 0)).toMatchObject([{ json: { id: good!.id } }]);
				expect(run.outputs(NODE, 1)).toMatchObject([{ json: { id: failed!.id, error } }]);
			} else
				expect(run.outputs()).toMatchObject([
					{ json: { id: failed!.id, error }, pairedItem: { item: 0 } },
					{ json: { id: good!.id }, pairedItem: { item: 1 } },
				]);
		}
	});

	it('that ended before all texts were rendered gives those, and says that some are missing', async () => {
		const body = (id: string, result: object[]) => ({
			id,
			status: 'CANCELLED',
			created_at: 1,
			results: result,
		});
		const done = { index: 0, text: 'One', status: 'COMPLETE', video_url: null };
		mirage.fault({
			route: 'GET /v1/meta/text_overlays/{text_overlay_id}',
			fault: { kind: 'status', status: 200, body: body('job_1', [done]) },
		});
		const run = await overlay(
			{ operation: 'get', downloadVideos: false },
			[{ json: { id: 'job_1' } }],
			{},
			{
				onError: 'continueRegularOutput',
			},
		);
		expect(run.outputs().map(({ json }) => json)).toMatchObject([
			{ id: 'job_1', text: 'One', status: 'COMPLETE' },
			{ id: 'job_1', error: expect.stringContaining('ended as CANCELLED after 1 of its texts') },
		]);
	});

	it.each([5e9, -1])('told at the place %s is in the output all the same', async (index) => {
		const results = [{ index, text: 'One', status: 'COMPLETE', video_url: null }];
		const body = { id: 'job_1', status: 'COMPLETE', created_at: 1, results };
		mirage.fault({
			route: 'GET /v1/meta/text_overlays/{text_overlay_id}',
			fault: { kind: 'status', status: 200, body },
		});
		const parameters = { operation: 'get', downloadVideos: false };
		const run = await overlay(parameters, [{ json: { id: 'job_1' } }]);
		expect(run.error?.message).toBeUndefined();
		expect(run.outputs().map(({ json }) => json.text)).toEqual(['One']);
	});

	it('without a result is not passed over', async () => {
		mirage.fault({
			route: 'GET /v1/meta/text_overlays/{text_overlay_id}',
			fault: {
				kind: 'status',
				status: 200,
				body: { id: 'job_1', status: 'COMPLETE', created_at: 1, results: [] },
			},
		});
		const run = await overlay({ operation: 'get' }, [{ json: { id: 'job_1' } }]);
		expect(shownError(run)).toMatch(/"job_1" is complete, but Mirage gave no results/);
	});
});

describe('an answer of another shape does not lose the job', () => {
	const answers: Array<[string, object, RegExp]> = [
		[
			'FAILED with null for results',
			{ status: 'FAILED', results: null },
			/failed: Mirage gave no reason/,
		],
		[
			'FAILED with null in the results',
			{ status: 'FAILED', results: [null] },
			/failed: Mirage gave no reason/,
		],
		['COMPLETE with null for results', { status: 'COMPLETE', results: null }, /gave no results/],
		[
			'COMPLETE with one result for two texts',
			{
				status: 'COMPLETE',
				results: [{ index: 0, text: 'One', status: 'COMPLETE', video_url: null }],
			},
			/Text 2 \("Two"\) of text overlay ".+" is missing in the answer of Mirage/,
		],
		[
			'CANCELLED with one result for two texts',
			{
				status: 'CANCELLED',
				results: [{ index: 1, text: 'Two', status: 'COMPLETE', video_url: null }],
			},
			/Text 1 \("One"\) of text overlay ".+" was not rendered: the job ended as CANCELLED/,
		],
	];
	const answered = async (answer: object, settings = {}) => {
		const fault = {
			kind: 'status' as const,
			status: 200,
			body: { id: 'job_x', created_at: 1, ...answer },
		};
		mirage.fault({ route: 'GET /v1/meta/text_overlays/{text_overlay_id}', times: 1, fault });
		return await overlay(
			{ ...texts('One', 'Two'), downloadVideos: false },
			undefined,
			{},
			settings,
		);
	};

	it.each(answers)('%s ends the run with its ID', async (_, answer, pattern) => {
		const told = shownError(await answered(answer));
		expect(told).toMatch(pattern);
		expect(told).toContain(mirage.overlays()[0]!.id);
		expect(posts()).toHaveLength(1);
	});

	it.each(answers)(
		'%s is an error item with its ID with "Continue"',
		async (_, answer, pattern) => {
			const run = await answered(answer, { onError: 'continueRegularOutput' });
			const { id } = mirage.overlays()[0]!;
			const items = run.outputs().map(({ json }) => json);
			expect(items.filter(({ error }) => error !== undefined)).toMatchObject([
				{ id, error: expect.stringMatching(pattern) },
			]);
			expect(items.every((json) => json.id === id)).toBe(true);
			expect(posts()).toHaveLength(1);
		},
	);
});

describe('a job that was started is named whatever happens while it is waited for', () => {
	it.each([
		['the key is refused', { kind: 'status' as const, status: 401 }],
		['Mirage does not know it', { kind: 'status' as const, status: 404 }],
		['Mirage has a problem', { kind: 'status' as const, status: 500 }],
		['a proxy answers', { kind: 'status' as const, status: 200, body: '<html>Log in</html>' }],
	])('%s', async (_, fault) => {
		const route = 'GET /v1/meta/text_overlays/{text_overlay_id}';
		mirage.fault({ route, times: Infinity, fault });
		const told = readableError(await overlay(texts('One')), mirage.apiKey);
		expect(told).toContain(mirage.overlays()[0]!.id);

		const run = await overlay(texts('Two'), undefined, {}, { onError: 'continueRegularOutput' });
		expect(run.outputs()).toMatchObject([
			{ json: { id: mirage.overlays()[1]!.id, error: expect.any(String) } },
		]);
		expect(posts()).toHaveLength(2);
	});
});

it('a job that takes too long is told with its ID, and what to do', async () => {
	await start({ renderMs: 60_000 });
	const run = await overlay({ ...texts('One'), options: { timeout: 0.005 } });
	const told = readableError(run, mirage.apiKey);
	expect(told).toContain(mirage.overlays()[0]!.id);
	expect(told).toMatch(/not finished after 0\.005 minutes[^]*operation "Get"/);
});

it('an agent can start one', async () => {
	const files = await startFileServer({ '/v': whole(media('generated')) });
	const run = await runWorkflow({
		baseUrl: mirage.url,
		apiKey: mirage.apiKey,
		nodes: [
			{ type: 'toolCaller', parameters: { arguments: '{"hook": "Only today"}' } },
			{
				type: `${NODE}Tool`,
				parameters: {
					videoSource: 'url',
					videoUrl: `${files.url}/v`,
					waitForCompletion: false,
					...texts(`={{ $fromAI('hook', 'Words to write') }}`),
				} as never,
			},
		],
		connections: {
			[START]: { main: [[{ node: 'toolCaller', type: 'main', index: 0 }]] },
			[`${NODE}Tool`]: { ai_tool: [[{ node: 'toolCaller', type: 'ai_tool', index: 0 }]] },
		},
	});
	await files.close();
	expect(run.outputs('toolCaller')[0]!.json.answer).toContain(mirage.overlays()[0]!.id);
	expect(posts()[0]!.fields!.texts).toEqual(['Only today']);
});

describe('the files of a job', () => {
	it('are fetched side by side, three at a time in an account, after one read of the job', async () => {
		let arrived = 0;
		await start({
			onRequest: ({ server }) => {
				if (server === 'content')
					arrived ||= mirage.requests.filter((each) => each.server === 'content').length;
			},
		});
		mirage.fault({ route: 'content', times: 4, fault: { kind: 'delay', ms: 200 } });
		const run = await overlay(texts('One', 'Two', 'Three', 'Four'));
		expect(run.error?.message).toBeUndefined();
		expect(run.outputs().map(({ json }) => json.text)).toEqual(['One', 'Two', 'Three', 'Four']);
		expect(arrived).toBe(3);
		expect(reads()).toHaveLength(1);
	});

	it('are fetched from an address that is read anew when the first has expired', async () => {
		mirage.fault({ route: 'content', times: 1, fault: { kind: 'status', status: 403 } });
		const run = await overlay(texts('One', 'Two'));
		expect(run.error?.message).toBeUndefined();
		for (const item of run.outputs())
			expect(sha256(await run.file(item, 'data'))).toBe(sha256(media('overlay')));
		expect(reads()).toHaveLength(2);
	});

	it('are not fetched for a node that fails for another text', async () => {
		mirage.nextOutcome({ status: 'COMPLETE', results: [{ index: 1, status: 'FAILED' }] });
		const run = await overlay(texts('One', 'Two'));
		expect(shownError(run)).toContain('Text 2');
		expect(mirage.requests.filter(({ server }) => server === 'content')).toEqual([]);
	});
});
