import { systemClock } from '../../../nodes/shared/async/clock';
import { startEmulator, type Emulator } from '../../harness/emulator/emulator';
import { runWorkflow, type RunResult } from '../../harness/engine/engine';
import { VirtualClock } from './virtualClock';

/** Pauses of this length and more are time limits of requests, which no test waits for, in ms. */
const REQUEST_LIMIT_MS = 60_000;

let emulator: Emulator;
let clock: VirtualClock;
afterEach(async () => {
	jest.restoreAllMocks();
	await emulator.close();
});

/** Videos that take 5 to 40 s, in no order, and the clock by which nodes and emulator live. */
async function startVideos(count: number): Promise<Map<string, number>> {
	clock = new VirtualClock(1_750_000_000_400);
	jest.spyOn(systemClock, 'now').mockImplementation(() => clock.now());
	jest
		.spyOn(systemClock, 'sleep')
		.mockImplementation(async (ms, signal) =>
			ms < REQUEST_LIMIT_MS
				? await clock.sleep(ms, signal)
				: await new Promise((resolve) => signal?.addEventListener('abort', () => resolve())),
		);
	const renderMs = (index: number) => 5_000 + (35_000 * ((index * 37) % count)) / (count - 1);
	emulator = await startEmulator({
		now: () => clock.now(),
		renderMs: ({ index }) => renderMs(index),
	});
	emulator.seedVideos([{ id: 'video_source', created_at: 1_700_000_000 }]);
	const headers = { 'x-api-key': emulator.apiKey };
	const templates = await fetch(`${emulator.url}/v1/videos/captions/templates`, { headers });
	const { data } = (await templates.json()) as { data: Array<{ id: string }> };
	for (let index = 0; index < count; index++) {
		const body = new FormData();
		body.append('caption_template_id', data[0]!.id);
		body.append('video_id', 'video_source');
		const url = `${emulator.url}/v1/videos/captions`;
		expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(200);
	}
	emulator.requests.length = 0;
	return new Map(
		emulator.videos().map(({ id }, index) => [id, clock.now() + renderMs(index)] as const),
	);
}

const waitFor = async (ids: string[], cancelSignal?: AbortSignal): Promise<RunResult> =>
	await runWorkflow({
		baseUrl: emulator.url,
		apiKey: emulator.apiKey,
		input: ids.map((id) => ({ json: { id } })),
		nodes: [{ type: 'mirageWaitForVideo', parameters: { downloadVideo: false } }],
		cancelSignal,
	});

/** Runs an execution for each list of IDs, and tells when each ended. */
async function sideBySide(lists: string[][], cancelSignals: AbortSignal[] = []) {
	let running = lists.length;
	clock.expectSleepers(running);
	return await Promise.all(
		lists.map(async (ids, index) => {
			const run = await waitFor(ids, cancelSignals[index]);
			clock.expectSleepers((running -= 1));
			return { run, ids, endedAt: clock.now() };
		}),
	);
}

test('60 executions that wait for a video each share at most 30 reads, and none is late', async () => {
	const ends = await startVideos(60);
	const runs = await sideBySide([...ends.keys()].map((id) => [id]));

	expect(runs.map(({ run }) => run.outputs()[0]?.json.status)).toEqual(Array(60).fill('COMPLETE'));
	const late = runs.map(({ ids, endedAt }) => endedAt - ends.get(ids[0]!)!).sort((a, b) => a - b);
	const figures = { reads: emulator.requests.length, median: late[30]!, worst: late.at(-1)! };
	if (process.env.FIGURES) process.stdout.write(`${JSON.stringify(figures)}\n`);
	expect(figures.reads).toBeLessThanOrEqual(30);
	expect(figures.median).toBeLessThanOrEqual(1_500);
	expect(figures.worst).toBeLessThanOrEqual(5_000);
});

test('one run with 60 videos needs about 12 reads, and ends with the slowest', async () => {
	const ends = await startVideos(60);
	const [one] = await sideBySide([[...ends.keys()]]);

	expect(one!.run.status).toBe('success');
	if (process.env.FIGURES) process.stdout.write(`${emulator.requests.length} reads\n`);
	expect(emulator.requests.length).toBeLessThanOrEqual(12);
	expect(one!.endedAt - Math.max(...ends.values())).toBeLessThanOrEqual(1_500);
});

test('when the execution that reads is stopped, the others still get their videos', async () => {
	const ends = await startVideos(6);
	const stop = new AbortController();
	emulator.fault({ fault: { kind: 'hang' } });
	const waiting = sideBySide(
		[...ends.keys()].map((id) => [id]),
		[stop.signal],
	);
	while (emulator.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
	stop.abort();
	const runs = await waiting;

	expect(runs.map(({ run }) => run.status)).toEqual(['canceled', ...Array(5).fill('success')]);
	for (const { ids, endedAt } of runs.slice(1))
		expect(endedAt - ends.get(ids[0]!)!).toBeLessThanOrEqual(5_000);
});

test('a key that is refused is told to every execution, after one read', async () => {
	await startVideos(4);
	emulator.fault({ times: Infinity, fault: { kind: 'status', status: 401 } });
	const runs = await sideBySide([['video_a'], ['video_b'], ['video_c'], ['video_d']]);

	expect(runs.map(({ run }) => run.error)).toMatchObject(Array(4).fill({ httpCode: '401' }));
	expect(emulator.requests).toHaveLength(1);
});
