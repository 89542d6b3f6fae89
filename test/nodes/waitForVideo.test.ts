import type { IConnections, INodeParameters, IDataObject } from 'n8n-workflow';
import { readFileSync } from 'node:fs';

import { systemClock } from '../../nodes/shared/async/clock';
import { MEDIA } from '../harness/emulator/media';
import {
	startEmulator,
	type ApiVideo,
	type Emulator,
	type EmulatorOptions,
} from '../harness/emulator/emulator';
import { n8nRelease } from '../harness/engine/n8n';
import {
	resumeWorkflow,
	runWorkflow,
	START,
	type RunOptions,
	type RunResult,
} from '../harness/engine/engine';
import { type BinaryMode } from '../harness/engine/binary-store';

const WAIT = 'mirageWaitForVideo';
const generated = readFileSync(MEDIA.generated);

let emulator: Emulator;
const start = async (options: EmulatorOptions = {}) => (emulator = await startEmulator(options));
afterEach(async () => {
	jest.restoreAllMocks();
	await emulator.close();
});

/** Videos that exist already, all in one state unless given otherwise. */
function seed(count: number, status = 'COMPLETE', rest: Partial<ApiVideo> = {}): string[] {
	const ids = Array.from({ length: count }, (_, index) => `video_${status.toLowerCase()}_${index}`);
	emulator.seedVideos(ids.map((id) => ({ id, status, ...rest })));
	return ids;
}

/** Starts jobs that render by the emulator's clock. */
async function startJobs(count: number): Promise<string[]> {
	emulator.seedVideos([{ id: 'video_source', created_at: 1_700_000_000 }]);
	const headers = { 'x-api-key': emulator.apiKey };
	for (let index = 0; index < count; index++) {
		const body = new FormData();
		body.append('caption_template_id', await templateId(headers));
		body.append('video_id', 'video_source');
		const answer = await fetch(`${emulator.url}/v1/videos/captions`, {
			method: 'POST',
			headers,
			body,
		});
		if (!answer.ok) throw new Error(await answer.text());
	}
	emulator.requests.length = 0;
	return emulator.videos().map(({ id }) => id);
}

let template: string | undefined;
async function templateId(headers: Record<string, string>): Promise<string> {
	const list = async () => {
		const answer = await fetch(`${emulator.url}/v1/videos/captions/templates`, { headers });
		return ((await answer.json()) as { data: Array<{ id: string }> }).data[0]!.id;
	};
	return (template ??= await list());
}

/** The shortest time after which a silent connection is given up, in ms. */
const SILENCE_MS = 60_000;

/** One clock for the nodes and the emulator, which only pauses between status checks move. */
async function startWithHandClock(options: EmulatorOptions = {}) {
	const clock = { now: 1_750_000_000_000 };
	jest.spyOn(systemClock, 'now').mockImplementation(() => clock.now);
	jest.spyOn(systemClock, 'sleep').mockImplementation(async (ms, signal) => {
		if (ms < SILENCE_MS) clock.now += ms;
		else await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
	});
	await start({ now: () => clock.now, ...options });
	return clock;
}

const items = (ids: string[]) => ids.map((id) => ({ json: { id } }));
const ids = (run: RunResult, node = WAIT, output = 0, runIndex?: number) =>
	run.outputs(node, output, runIndex).map(({ json }) => json.id);
const reads = () => emulator.requests.filter(({ route }) => route.startsWith('GET /v1/videos'));
const statusReads = () => reads().filter(({ route }) => !route.endsWith('/content'));
const fast = { pollInterval: 0.05, maxPollInterval: 0.2 };

async function wait(
	input: RunOptions['input'],
	parameters: INodeParameters = {},
	rest: Partial<RunOptions> & { settings?: IDataObject } = {},
) {
	const { settings, ...options } = rest;
	return await runWorkflow({
		baseUrl: emulator.url,
		apiKey: emulator.apiKey,
		input,
		nodes: [{ type: WAIT, parameters, settings }],
		...options,
	});
}

/** What an error says to the person: headline and details. */
const said = (run: RunResult) => `${run.error?.message}\n${run.error?.description}`;

describe('keep waiting', () => {
	test('a video of the node before is waited for and downloaded without typing anything', async () => {
		await start({ renderMs: 300 });
		const [id] = await startJobs(1);
		const run = await wait(
			[{ json: { id }, files: { portrait: { content: Buffer.from('face') } } }],
			{ options: fast },
		);

		expect(said(run)).toBe('undefined\nundefined');
		const [item] = run.outputs();
		expect(item!.json).toMatchObject({ id, status: 'COMPLETE', progress: 100 });
		expect(item!.pairedItem).toEqual({ item: 0 });
		expect(await run.file(item, 'data')).toEqual(readFileSync(MEDIA.captioned));
		expect(run.binary(item, 'data')).toMatchObject({
			mimeType: 'video/mp4',
			fileName: `${id}.mp4`,
		});
		expect(await run.file(item, 'portrait')).toEqual(Buffer.from('face'));
	});

	test('items keep their order and their link to the input, whichever video is finished first', async () => {
		const clock = await startWithHandClock({ renderMs: ({ index }) => (12 - index) * 10_000 });
		const started = clock.now;
		const jobs = await startJobs(12);
		const run = await wait(items(jobs), { downloadVideo: false });

		expect(ids(run)).toEqual(jobs);
		expect(run.outputs().map(({ pairedItem }) => pairedItem)).toEqual(
			jobs.map((_, item) => ({ item })),
		);
		expect(clock.now - started).toBeLessThanOrEqual(120_000 + 30_000);
	});

	test('100 staggered videos are done within one longest pause of the slowest, at one request a round', async () => {
		const clock = await startWithHandClock({ renderMs: ({ index }) => (index + 1) * 6_000 });
		const started = clock.now;
		const jobs = await startJobs(100);
		const run = await wait(items(jobs), { downloadVideo: false });

		expect(ids(run)).toEqual(jobs);
		const late = clock.now - started - 600_000;
		expect(late).toBeLessThanOrEqual(30_000);
		const rounds = new Set(statusReads().map(({ at }) => at)).size;
		expect(statusReads().length).toBeLessThanOrEqual(rounds + 2);
		expect(rounds).toBeLessThanOrEqual(25);
	});

	test('100 videos are waited for together in real time', async () => {
		await start({ renderMs: ({ index }) => 300 + index * 7 });
		const jobs = await startJobs(100);
		const before = Date.now();
		const run = await wait(items(jobs), { downloadVideo: false, options: fast });

		expect(ids(run)).toEqual(jobs);
		expect(Date.now() - before).toBeLessThan(1_000 + 200 + 1_500);
	});

	test('finished videos are downloaded while others still render', async () => {
		await startWithHandClock({ renderMs: ({ index }) => (index === 0 ? 1_000 : 600_000) });
		const jobs = await startJobs(2);
		const run = await wait(items(jobs));

		expect(ids(run)).toEqual(jobs);
		const routes = emulator.requests.map(({ route }) => route);
		expect(routes.indexOf('content')).toBeLessThan(routes.lastIndexOf('GET /v1/videos/{video_id}'));
	});

	test('two items with the same video read and download it once', async () => {
		await start();
		const [id] = seed(1);
		const run = await wait(items([id!, id!]));

		expect(await run.file(run.outputs()[0], 'data')).toEqual(generated);
		expect(await run.file(run.outputs()[1], 'data')).toEqual(generated);
		expect(emulator.requests.map(({ server }) => server)).toEqual(['api', 'api', 'content']);
	});

	const stores: Array<{ binaryMode: BinaryMode; binaryLayout: 'separate' | 'combined' }> = [
		{ binaryMode: 'memory', binaryLayout: 'separate' },
		{ binaryMode: 'filesystem', binaryLayout: 'separate' },
		...(n8nRelease === '1.123'
			? []
			: [{ binaryMode: 'filesystem' as const, binaryLayout: 'combined' as const }]),
	];
	test.each(stores)(
		'the file arrives in the field that was named ($binaryMode, $binaryLayout)',
		async (store) => {
			await start();
			const [id] = seed(1);
			const run = await wait(
				[{ json: { id }, files: { portrait: { content: Buffer.from('face') } } }],
				{ outputField: 'movie' },
				store,
			);

			const [item] = run.outputs();
			expect(await run.file(item, 'movie')).toEqual(generated);
			expect(await run.file(item, 'portrait')).toEqual(Buffer.from('face'));
			expect(item!.json.status).toBe('COMPLETE');
		},
	);

	test('a video that failed does not lose the others: the error names how each of them stands', async () => {
		await start();
		const [good] = seed(1);
		emulator.seedVideos([
			{
				id: 'video_bad',
				status: 'FAILED',
				error: { code: 'face_not_found', message: 'No face in the picture' },
			},
			{ id: 'video_gone', status: 'CANCELLED' },
		]);
		const run = await wait(items([good!, 'video_bad', 'video_gone']));

		expect(run.status).toBe('error');
		expect(run.error!.message).toContain('No face in the picture (face_not_found)');
		expect(run.error!.message).toContain('"video_gone" was cancelled');
		expect(run.error!.description).toContain(`${good}: COMPLETE`);
		expect(run.error!.description).toContain('video_bad: FAILED');
	});

	test('once the run is going to fail, no more videos are downloaded into the store', async () => {
		await start();
		const videos = seed(20);
		emulator.seedVideos([{ id: 'video_first', status: 'FAILED', created_at: 4_000_000_000 }]);
		const run = await wait(items(['video_first', ...videos]));

		expect(run.status).toBe('error');
		expect(emulator.requests.filter(({ server }) => server === 'content')).toEqual([]);
	});

	test('on request failed and cancelled videos go on, with status and reason and without a file', async () => {
		await start();
		const error = { code: 'face_not_found', message: 'No face in the picture' };
		emulator.seedVideos([
			{ id: 'video_bad', status: 'FAILED', error },
			{ id: 'video_gone', status: 'CANCELLED' },
		]);
		const run = await wait(items(['video_bad', 'video_gone']), {
			options: { onFailed: 'continue' },
		});

		expect(run.outputs().map(({ json }) => json)).toMatchObject([
			{ id: 'video_bad', status: 'FAILED', error },
			{ id: 'video_gone', status: 'CANCELLED' },
		]);
		expect(run.outputs().every(({ binary }) => !binary)).toBe(true);
	});

	test('with continue on fail each item stands alone and keeps its video ID', async () => {
		await start();
		const [good] = seed(1);
		emulator.seedVideos([{ id: 'video_bad', status: 'FAILED' }]);
		const run = await wait(
			[...items(['video_bad', good!, 'video_typo']), { json: {} }],
			{},
			{ settings: { onError: 'continueRegularOutput' } },
		);

		expect(run.status).toBe('success');
		expect(run.outputs().map(({ json }) => json)).toMatchObject([
			{ id: 'video_bad', error: expect.stringContaining('failed') },
			{ id: good, status: 'COMPLETE' },
			{ id: 'video_typo', error: expect.stringContaining('no video with the ID "video_typo"') },
			{ error: expect.stringContaining('Video is empty') },
		]);
		expect(await run.file(run.outputs()[1], 'data')).toEqual(generated);
		expect(run.outputs().map(({ pairedItem }) => pairedItem)).toEqual(
			[0, 1, 2, 3].map((item) => ({ item })),
		);
	});

	test('failed items leave by the error output with the ID they came with', async () => {
		await start();
		const [good] = seed(1);
		const run = await wait(
			[{ json: { video: 'video_typo', row: 7 } }, { json: { video: good } }],
			{ videoId: { mode: 'id', value: '={{ $json.video }}' } },
			{ settings: { onError: 'continueErrorOutput' } },
		);

		expect(ids(run, WAIT, 0)).toEqual([good]);
		expect(run.outputs(WAIT, 1).map(({ json }) => json)).toMatchObject([
			{ id: 'video_typo', row: 7, error: expect.stringContaining('video_typo') },
		]);
	});

	test('an unknown ID is an error at once that names the item, although others still render', async () => {
		await start();
		const rendering = seed(2, 'PROCESSING');
		const before = Date.now();
		const run = await wait(items([...rendering, 'video_typo']));

		expect(Date.now() - before).toBeLessThan(4_000);
		expect(run.error!.message).toContain('no video with the ID "video_typo" [item 2]');
		expect(run.error).toMatchObject({ httpCode: '404', context: { itemIndex: 2 } });
	});

	test('an item without an ID is an error before anything is asked', async () => {
		await start();
		const run = await wait([{ json: { id: 'video_a' } }, { json: {} }]);

		expect(run.error!.message).toContain('Video is empty [item 1]');
		expect(emulator.requests).toEqual([]);
	});

	test.each([
		['an object', { id: 'video_a' }],
		['a list', ['video_a']],
		['the boolean true', true],
	])('an ID that is %s is called what it is, before anything is asked', async (kind, video) => {
		await start();
		const run = await wait([{ json: { video } }], {
			videoId: { mode: 'id', value: '={{ $json.video }}' },
		});

		expect(run.error!.message).toBe(`Video is ${kind}, and must be a text [item 0]`);
		expect(emulator.requests).toEqual([]);
	});

	test('a timeout names every video still open, with its last status and progress', async () => {
		await startWithHandClock({ renderMs: ({ index }) => (index + 1) * 600_000 });
		const jobs = await startJobs(4);
		const run = await wait(items(jobs), { options: { timeout: 25 }, downloadVideo: false });

		expect(run.error!.message).toContain('after waiting 25 minutes');
		expect(run.error!.message).toContain(`"${jobs[2]}" was not finished`);
		expect(run.error!.message).toContain('PROCESSING, 83 %');
		expect(run.error!.message).toContain('PROCESSING, 62 %');
		expect(run.error!.message).not.toContain(jobs[0]);
		expect(run.error!.description).toContain(`${jobs[0]}: COMPLETE`);
	});

	test('stopping the execution ends the wait within a second', async () => {
		await start();
		const run = await wait(
			items(seed(5, 'PROCESSING')),
			{ options: { pollInterval: 30 } },
			{ cancelAfterMs: 300 },
		);

		expect(run.status).toBe('canceled');
		expect(run.stoppedAfterMs).toBeLessThan(1_000);
		const sent = emulator.requests.length;
		await new Promise((resolve) => setTimeout(resolve, 1_200));
		expect(emulator.requests).toHaveLength(sent);
	});

	test('stopping the execution ends the wait within a second, also when the API hangs', async () => {
		await start();
		emulator.fault({ times: Infinity, fault: { kind: 'hang' } });
		const run = await wait(items(seed(5, 'PROCESSING')), { options: fast }, { cancelAfterMs: 300 });

		expect(run.status).toBe('canceled');
		expect(run.stoppedAfterMs).toBeLessThan(1_000);
	});

	test('a stopped execution does not wait for the downloads of another one', async () => {
		await start();
		const videos = seed(4);
		emulator.fault({ route: 'content', times: 3, fault: { kind: 'hang' } });
		const other = wait(items(videos.slice(0, 3)), {}, { cancelAfterMs: 2_500 });
		const downloads = () => emulator.requests.filter(({ server }) => server === 'content');
		while (downloads().length < 3) await new Promise((resolve) => setImmediate(resolve));
		const run = await wait(items(videos.slice(3)), {}, { cancelAfterMs: 300 });

		expect(run.status).toBe('canceled');
		expect(run.stoppedAfterMs).toBeLessThan(1_000);
		expect((await other).status).toBe('canceled');
	});

	test('an outage and a rate limit in between lose nothing', async () => {
		const clock = await startWithHandClock({ renderMs: 60_000 });
		const jobs = await startJobs(4);
		const started = clock.now;
		emulator.fault({ times: 1, fault: { kind: 'status', status: 429, retryAfter: 41 } });
		emulator.fault({ times: 2, fault: { kind: 'status', status: 503 } });
		const run = await wait(items(jobs), { downloadVideo: false });

		expect(ids(run)).toEqual(jobs);
		expect(reads()[1]!.at - started).toBe(41_000);
	});

	test('a key that is refused is told at once, with the status', async () => {
		await start();
		const run = await wait(items(seed(3, 'PROCESSING')), {}, { apiKey: 'mira_wrong' });

		expect(run.error).toMatchObject({ httpCode: '401' });
		expect(emulator.requests).toHaveLength(1);
	});

	test('"Retry On Fail" does not run the node again for videos that are fine', async () => {
		await start();
		const run = await wait(
			items(seed(1)),
			{},
			{ settings: { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 } },
		);

		expect(run.status).toBe('success');
		expect(statusReads()).toHaveLength(1);
	});

	test('an option that makes no sense is named', async () => {
		await start();
		const run = await wait(items(seed(1)), { options: { pollInterval: 0 } });

		expect(run.error!.message).toBe('Poll Interval (Seconds) must be a number from 0.05 to 86400');
		expect(emulator.requests).toEqual([]);
	});
});

describe('return status', () => {
	const status = { whileProcessing: 'returnStatus' };

	test('checks once: finished videos come with their file, others with their state', async () => {
		await start();
		const rendering = seed(3, 'PROCESSING', { progress: 40 });
		const [done] = seed(1);
		const [failed] = seed(1, 'FAILED');
		const run = await wait(items([...rendering, done!, failed!]), status);

		expect(run.outputs().map(({ json }) => json.status)).toEqual([
			'PROCESSING',
			'PROCESSING',
			'PROCESSING',
			'COMPLETE',
			'FAILED',
		]);
		expect(run.outputs()[0]!.json.progress).toBe(40);
		expect(run.outputs().map(({ binary }) => Boolean(binary))).toEqual([
			false,
			false,
			false,
			true,
			false,
		]);
		expect(statusReads()).toHaveLength(1);
	});

	test('an agent can ask for the state of a video', async () => {
		await start();
		const [id] = seed(1, 'PROCESSING');
		const run = await runWorkflow({
			baseUrl: emulator.url,
			apiKey: emulator.apiKey,
			nodes: [
				{ type: 'toolCaller' },
				{
					name: 'Tool',
					type: `${WAIT}Tool`,
					parameters: { ...status, downloadVideo: false, videoId: { mode: 'id', value: id! } },
				},
			],
			connections: {
				[START]: { main: [[{ node: 'toolCaller', type: 'main', index: 0 }]] },
				Tool: { ai_tool: [[{ node: 'toolCaller', type: 'ai_tool', index: 0 }]] },
			},
		});

		expect(String(run.outputs('toolCaller')[0]!.json.answer)).toContain('PROCESSING');
	});
});

describe('suspend', () => {
	const to = (node: string) => ({ node, type: 'main' as const, index: 0 });
	const suspend = { whileProcessing: 'suspend' };
	const looped: IConnections = {
		[START]: { main: [[to(WAIT)]] },
		[WAIT]: { main: [[to(WAIT)], [to('after')]] },
	};

	/** The node wired as its notice says, with a node behind "Finished" at the given height. */
	async function suspending(
		videoIds: string[],
		rest: {
			parameters?: INodeParameters;
			connections?: IConnections;
			afterY?: number;
			settings?: IDataObject;
			options?: Partial<RunOptions>;
		} = {},
	) {
		return await runWorkflow({
			baseUrl: emulator.url,
			apiKey: emulator.apiKey,
			binaryMode: 'filesystem',
			input: items(videoIds),
			nodes: [
				{
					type: WAIT,
					parameters: { ...suspend, ...rest.parameters },
					settings: { position: [200, 0], ...rest.settings },
				},
				{
					name: 'after',
					type: 'set',
					parameters: { json: `={{ { id: $json.id, from: $('${START}').item.json.id } }}` },
					settings: { position: [400, rest.afterY ?? 0] },
				},
			],
			connections: rest.connections ?? looped,
			...rest.options,
		});
	}

	test('the execution is stored while videos render, goes on after a restart, and delivers the files', async () => {
		const clock = await startWithHandClock({ renderMs: 150_000 });
		const jobs = await startJobs(3);
		const first = await suspending(jobs);
		expect(first.status).toBe('waiting');
		expect(first.waitTill!.getTime() - clock.now).toBe(60_000);
		expect(statusReads()).toHaveLength(1);

		clock.now += 60_000;
		const second = await resumeWorkflow(first);
		expect(second.status).toBe('waiting');
		expect(ids(second, 'after')).toEqual([]);

		clock.now += 100_000;
		const third = await resumeWorkflow(second);
		expect(third.error).toBeUndefined();
		expect(third.status).toBe('success');
		expect(third.outputs('after').map(({ json }) => json)).toEqual(
			jobs.map((id) => ({ id, from: id })),
		);
		const files = await Promise.all(
			third.outputs(WAIT, 1).map(async (item) => await third.file(item, 'data')),
		);
		expect(files).toEqual(jobs.map(() => readFileSync(MEDIA.captioned)));
		expect(statusReads()).toHaveLength(3);
		expect(third.outputs(WAIT, 0)).toEqual([]);
	});

	test('finished videos leave at once by "Finished"', async () => {
		await start();
		const done = seed(2);
		const run = await suspending(done);

		expect(run.status).toBe('success');
		expect(ids(run, 'after')).toEqual(done);
	});

	test.each([
		['nothing is connected', []],
		['only "Finished" is connected', [[], [to('after')]]],
		['"Rendering" leads away', [[to('after')], []]],
		['the two dots are swapped', [[to('after')], [to(WAIT)]]],
	])('when %s, an error says which dots to connect, before anything is stored', async (_, main) => {
		await start();
		const run = await suspending(seed(1, 'PROCESSING'), {
			connections: { [START]: { main: [[to(WAIT)]] }, [WAIT]: { main } },
		});

		expect(run.status).toBe('error');
		expect(run.error!.message).toContain('Connect the "Rendering" output');
		expect(run.error!.description).toContain('Drag from the dot labelled "Rendering"');
		expect(emulator.requests).toEqual([]);
	});

	describe('a node that bills', () => {
		const paying = {
			create: { type: 'mirageCreateVideo' },
			captions: {
				type: 'mirageAddCaptions',
				parameters: { captionTemplateId: { mode: 'id', value: 'ctpl_a' } },
			},
			speech: { type: 'mirageTextToSpeech', parameters: { voiceId: 'v', text: 'Hello' } },
			overlay: {
				type: 'mirageMetaTextOverlay',
				parameters: { texts: { values: [{ text: 'Hook' }] } },
			},
			reading: { type: 'mirageMetaTextOverlay', parameters: { operation: 'get' } },
			off: { type: 'mirageCreateVideo', settings: { disabled: true } },
		};

		/** A run in which "Rendering" leads to the given nodes, one after the other. */
		async function leadingTo(path: Array<keyof typeof paying | 'pass'>, backTo: string[]) {
			const nodes = path.map((name) =>
				name === 'pass'
					? { name, type: 'set', parameters: { json: '={{ $json }}' } }
					: { name, ...paying[name] },
			);
			const main: IConnections = {
				[START]: { main: [[to(WAIT)]] },
				[WAIT]: { main: [[to(path[0]!)], []] },
			};
			path.forEach((name, place) => {
				const next = path[place + 1];
				main[name] = { main: [next ? [to(next)] : backTo.map(to)] };
			});
			return await runWorkflow({
				baseUrl: emulator.url,
				apiKey: emulator.apiKey,
				binaryMode: 'filesystem',
				input: items(seed(2, 'PROCESSING')),
				nodes: [{ type: WAIT, parameters: suspend }, ...nodes],
				connections: main,
			});
		}

		test.each([
			['create', ['create'], [WAIT]],
			['captions', ['captions'], [WAIT]],
			['speech', ['pass', 'speech'], [WAIT]],
			['overlay', ['overlay', 'pass'], [WAIT]],
			['create', ['pass', 'create'], [WAIT]],
		] as const)('is not run at every status check: %s on the way %j', async (name, path, back) => {
			await start();
			const run = await leadingTo([...path], [...back]);

			expect(run.status).toBe('error');
			expect(run.error!.message).toBe(
				`"${name}" would run, and be billed, at every status check of "${WAIT}"`,
			);
			expect(run.error!.description).toContain(
				`Connect "Rendering" to the dot on the left side of "${WAIT}" itself`,
			);
			expect(run.waitTill).toBeUndefined();
			expect(emulator.requests).toEqual([]);
		});

		test('is not run at every status check beside the way back either', async () => {
			await start();
			const run = await runWorkflow({
				baseUrl: emulator.url,
				apiKey: emulator.apiKey,
				input: items(seed(1, 'PROCESSING')),
				nodes: [
					{ type: WAIT, parameters: suspend },
					{ name: 'create', ...paying.create },
				],
				connections: {
					[START]: { main: [[to(WAIT)]] },
					[WAIT]: { main: [[to(WAIT), to('create')], []] },
				},
			});

			expect(run.error!.message).toContain('"create" would run, and be billed');
			expect(emulator.requests).toEqual([]);
		});

		test.each([[['reading']], [['off']]] as const)(
			'may be on the way back when it bills nothing: %j',
			async (path) => {
				await start();
				const run = await leadingTo([...path], [WAIT]);

				expect(run.error).toBeUndefined();
				expect(run.status).toBe('waiting');
			},
		);
	});

	test('wrong wiring names the video that is paid already, and the node to pin', async () => {
		await start();
		emulator.seedVideos([{ id: 'video_source' }]);
		const headers = { 'x-api-key': emulator.apiKey };
		const captionTemplateId = { mode: 'id', value: await templateId(headers) };
		const run = await runWorkflow({
			baseUrl: emulator.url,
			apiKey: emulator.apiKey,
			input: items(['video_source']),
			nodes: [
				{ name: 'captions', type: 'mirageAddCaptions', parameters: { captionTemplateId } },
				{ type: WAIT, parameters: suspend },
			],
			connections: {
				[START]: { main: [[to('captions')]] },
				captions: { main: [[to(WAIT)]] },
			},
		});

		const started = emulator.videos().find(({ id }) => id !== 'video_source')!;
		expect(run.error!.message).toContain('Connect the "Rendering" output');
		expect(run.error!.description).toContain(`Started in this run, and billed: ${started.id}.`);
		expect(run.error!.description).toContain('pin the output of "captions"');
	});

	test('a "Finished" that leads back to the node is refused instead of running for ever', async () => {
		await start();
		const run = await suspending(seed(1), {
			connections: {
				[START]: { main: [[to(WAIT)]] },
				[WAIT]: { main: [[to(WAIT)], [to(WAIT)]] },
			},
		});

		expect(run.error!.message).toContain('Disconnect the "Finished" output');
		expect(emulator.requests).toEqual([]);
	});

	test('the way back may lead over other nodes', async () => {
		const clock = await startWithHandClock({ renderMs: 30_000 });
		const jobs = await startJobs(1);
		const first = await suspending(jobs, {
			connections: {
				[START]: { main: [[to(WAIT)]] },
				[WAIT]: { main: [[to('after')], []] },
				after: { main: [[to(WAIT)]] },
			},
		});
		expect(first.status).toBe('waiting');
		clock.now += 60_000;
		const done = await resumeWorkflow(first);

		expect(done.status).toBe('success');
		expect(ids(done, WAIT, 1)).toEqual(jobs);
	});

	test('all items leave together, also when some finish long before', async () => {
		const clock = await startWithHandClock({ renderMs: ({ index }) => index * 100_000 });
		const jobs = await startJobs(3);
		let run = await suspending(jobs);
		for (let checks = 0; run.status === 'waiting'; checks++) {
			expect(checks).toBeLessThan(6);
			expect(run.runData.after).toBeUndefined();
			clock.now = run.waitTill!.getTime();
			run = await resumeWorkflow(run);
		}

		expect(ids(run, 'after')).toEqual(jobs);
		expect(run.runData.after).toHaveLength(1);
	});

	test.each([
		['above the node, at once', -200, ['0', '1', '2']],
		['at its height, at the end', 0, ['2', '1', '0']],
	])(
		'on request items leave as they finish: the next node runs, when %s',
		async (_, afterY, order) => {
			const clock = await startWithHandClock({ renderMs: ({ index }) => index * 100_000 });
			const jobs = await startJobs(3);
			let run = await suspending(jobs, {
				afterY,
				parameters: { options: { releaseFinished: true } },
			});
			const delivered: number[] = [];
			for (let checks = 0; run.status === 'waiting'; checks++) {
				expect(checks).toBeLessThan(8);
				delivered.push(run.runData.after?.length ?? 0);
				clock.now = run.waitTill!.getTime();
				run = await resumeWorkflow(run);
			}

			expect(run.status).toBe('success');
			expect(run.runData.after).toHaveLength(3);
			const all = [0, 1, 2].flatMap((runIndex) => run.outputs('after', 0, runIndex));
			expect(all.map(({ json }) => json)).toEqual(
				order.map((index) => ({ id: jobs[Number(index)], from: jobs[Number(index)] })),
			);
			expect(delivered[0]).toBe(afterY < 0 ? 1 : 0);
			const hinted = run.hints.some(({ message }) => message.includes('Move that node above'));
			expect(hinted).toBe(afterY >= 0);
		},
	);

	test('an item whose file cannot be downloaded stays with the others and is tried again', async () => {
		const clock = await startWithHandClock({ renderMs: ({ index }) => index * 100_000 });
		const jobs = await startJobs(2);
		emulator.fault({ route: 'content', times: 4, fault: { kind: 'status', status: 500 } });
		const first = await suspending(jobs, { parameters: { options: { releaseFinished: true } } });
		expect(first.status).toBe('waiting');
		clock.now += 100_000;
		const run = await resumeWorkflow(first);

		expect(run.status).toBe('success');
		expect(ids(run, 'after')).toEqual(jobs);
	});

	test('in the older execution order items leave as they finish, too', async () => {
		const clock = await startWithHandClock({ renderMs: ({ index }) => index * 100_000 });
		const jobs = await startJobs(3);
		let run = await suspending(jobs, {
			parameters: { options: { releaseFinished: true } },
			options: { workflowSettings: { executionOrder: 'v0' } },
		});
		while (run.status === 'waiting') {
			clock.now = run.waitTill!.getTime();
			run = await resumeWorkflow(run);
		}

		const all = run.runData.after!.flatMap((_, index) => run.outputs('after', 0, index));
		expect(all.map(({ json }) => json.id)).toEqual(jobs);
	});

	test('the time is over counted from the first status check, not from the last one', async () => {
		const clock = await startWithHandClock({ renderMs: 10_000_000 });
		const jobs = await startJobs(1);
		let run = await suspending(jobs, { parameters: { options: { timeout: 2.5 } } });
		const started = clock.now;
		for (let checks = 0; run.status === 'waiting'; checks++) {
			expect(checks).toBeLessThan(4);
			clock.now = run.waitTill!.getTime();
			run = await resumeWorkflow(run);
		}

		expect(clock.now - started).toBe(150_000);
		expect(run.error!.message).toContain(
			`"${jobs[0]}" was not finished after waiting 2.5 minutes (PROCESSING`,
		);
	});

	test('when the time is over, every video that still renders is named', async () => {
		const clock = await startWithHandClock({ renderMs: 10_000_000 });
		const jobs = await startJobs(3);
		let run = await suspending(jobs, { parameters: { options: { timeout: 1 } } });
		clock.now = run.waitTill!.getTime();
		run = await resumeWorkflow(run);

		expect(run.status).toBe('error');
		for (const id of jobs) expect(run.error!.message).toContain(`"${id}" was not finished`);
	});

	test('a video that failed keeps no file from the videos that leave before it', async () => {
		const clock = await startWithHandClock({
			renderMs: ({ index }) => (index === 2 ? 100_000 : 0),
		});
		emulator.nextOutcome({ status: 'FAILED', error: { code: 'bad', message: 'Too dark' } });
		const jobs = await startJobs(3);
		let run = await suspending(jobs, {
			afterY: -200,
			parameters: { options: { releaseFinished: true } },
		});
		expect(run.status).toBe('waiting');
		while (run.status === 'waiting') {
			clock.now = run.waitTill!.getTime();
			run = await resumeWorkflow(run);
		}

		expect(run.error!.message).toContain('Too dark (bad)');
		const left = run.runData[WAIT]!.flatMap((_, index) => run.outputs(WAIT, 1, index));
		expect(left.map(({ json }) => json.id)).toEqual([jobs[1]]);
		expect(await run.file(left[0], 'data')).toEqual(readFileSync(MEDIA.captioned));
	});

	test.each([
		['an hour ahead of', 3_600_000],
		['an hour behind', -3_600_000],
	])(
		'a clock of n8n that is %s that of Mirage neither ends nor prolongs the wait',
		async (_, by) => {
			const clock = await startWithHandClock({ renderMs: 150_000, now: () => clock.now - by });
			const jobs = await startJobs(1);
			let run = await suspending(jobs, { parameters: { options: { timeout: 10 } } });
			const started = clock.now;
			while (run.status === 'waiting') {
				clock.now = run.waitTill!.getTime();
				run = await resumeWorkflow(run);
			}

			expect(run.error).toBeUndefined();
			expect(ids(run, 'after')).toEqual(jobs);
			expect(clock.now - started).toBe(180_000);
		},
	);

	test('a failed video is told once the others have ended, and their state with it', async () => {
		const clock = await startWithHandClock({ renderMs: ({ index }) => index * 100_000 });
		emulator.nextOutcome({ status: 'FAILED', error: { code: 'bad', message: 'Too dark' } });
		const jobs = await startJobs(2);
		const first = await suspending(jobs);
		expect(first.status).toBe('waiting');

		clock.now += 100_000;
		const run = await resumeWorkflow(first);
		expect(run.error!.message).toContain('Too dark (bad)');
		expect(run.error!.description).toContain(`${jobs[1]}: COMPLETE`);
	});

	test('with continue on fail, failed and finished items leave together', async () => {
		const clock = await startWithHandClock({ renderMs: ({ index }) => index * 100_000 });
		emulator.nextOutcome({ status: 'FAILED', error: { code: 'bad', message: 'Too dark' } });
		const jobs = await startJobs(2);
		const settings = { onError: 'continueRegularOutput' };
		const first = await suspending([...jobs, 'video_typo'], { settings });
		expect(first.status).toBe('waiting');

		clock.now += 100_000;
		const run = await resumeWorkflow(first);
		expect(run.outputs(WAIT, 1).map(({ json }) => json)).toMatchObject([
			{ id: jobs[0], error: expect.stringContaining('Too dark') },
			{ id: jobs[1], status: 'COMPLETE' },
			{ id: 'video_typo', error: expect.stringContaining('no video') },
		]);
	});

	test('an unknown ID is an error at once, before anything is stored', async () => {
		await start();
		const run = await suspending([...seed(1, 'PROCESSING'), 'video_typo']);

		expect(run.status).toBe('error');
		expect(run.error!.message).toContain('"video_typo" [item 1]');
	});
});
