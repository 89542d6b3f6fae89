import type { IDataObject, NodeApiError } from 'n8n-workflow';
import { Workflow } from 'n8n-workflow';
import { readFileSync } from 'node:fs';

import { systemClock } from '../../nodes/shared/async/clock';
import { MEDIA } from '../harness/emulator/media';
import {
	startEmulator,
	type ApiVideo,
	type Emulator,
	type EmulatorOptions,
} from '../harness/emulator/emulator';
import { StoredCredential } from '../harness/engine/credentials';
import { logLines, n8nRelease } from '../harness/engine/n8n';
import {
	poll,
	runWorkflow,
	type PollOptions,
	type PollResult,
	type Scheduling,
} from '../harness/engine/engine';
import { core } from '../harness/engine/n8n';
import { nodeTypes } from '../harness/engine/node-types';

const generated = readFileSync(MEDIA.generated);
const START_S = 1_767_225_600;

let emulator: Emulator;
let clock: { now: number };

beforeEach(() => {
	clock = { now: START_S * 1_000 };
	jest.spyOn(systemClock, 'now').mockImplementation(() => clock.now);
	jest.spyOn(systemClock, 'sleep').mockImplementation(async (ms, signal) => {
		// Pauses between tries pass at once; the end of a poll's time must not.
		if (ms <= 10_000) clock.now += ms;
		else await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
	});
});
afterEach(async () => {
	jest.restoreAllMocks();
	await emulator.close();
});

const start = async (options: EmulatorOptions = {}) =>
	(emulator = await startEmulator({ now: () => clock.now, ...options }));

/** How n8n runs the polls of the suite below. */
let scheduling: Scheduling = 'memory';

let workflows = 0;
const newWorkflowId = () => `workflow-${(workflows += 1)}`;

/** An active workflow: polls are handed what n8n's memory, by its scheduler what its database holds. */
class Active {
	memory: IDataObject = {};
	saved: IDataObject = {};
	workflowId = newWorkflowId();

	constructor(private readonly parameters: PollOptions['parameters'] = {}) {}

	/** The static data that n8n gives the next poll. */
	get handedOut(): IDataObject {
		return scheduling === 'memory' ? this.memory : this.saved;
	}

	async poll(options: Partial<PollOptions> = {}): Promise<PollResult> {
		const result = await poll({
			baseUrl: emulator.url,
			apiKey: emulator.apiKey,
			parameters: this.parameters,
			staticData: this.handedOut,
			workflowId: this.workflowId,
			scheduling,
			...options,
		});
		this.memory = result.staticData;
		const savesAll = (options.scheduling ?? scheduling) === 'cursors';
		if (result.items || (savesAll && !result.error)) this.saved = result.staticData;
		return result;
	}

	/** n8n polls once; from memory it saves afterwards, by its scheduler only when there are items. */
	async activate(): Promise<PollResult> {
		const result = await this.poll({ activation: 'activate', scheduling: 'memory' });
		if (scheduling === 'memory') this.saved = result.staticData;
		return result;
	}

	/** The process ends, and another one knows only what was saved. */
	restart(): void {
		this.memory = this.saved;
		this.workflowId = newWorkflowId();
	}
}

async function activated(parameters?: PollOptions['parameters']): Promise<Active> {
	const workflow = new Active(parameters);
	const { items, error } = await workflow.activate();
	expect({ items, error }).toEqual({ items: null, error: undefined });
	emulator.requests.length = 0;
	return workflow;
}

function pass(seconds: number): number {
	clock.now += seconds * 1_000;
	return Math.floor(clock.now / 1_000);
}

const ids = ({ items, error }: PollResult) => {
	if (error) throw error;
	return items?.map(({ json }) => json.id) ?? [];
};
const seed = (...videos: Partial<ApiVideo>[]) => emulator.seedVideos(videos);
const lists = () => emulator.requests.filter(({ route }) => route === 'GET /v1/videos');

describe.each<Scheduling>(['memory', 'scheduler', 'cursors'])('polls by %s', (mode) => {
	beforeEach(() => void (scheduling = mode));
	afterEach(() => void (scheduling = 'memory'));

	describe('which videos fire', () => {
		test('history does not fire at activation, what renders then does once it has finished', async () => {
			await start();
			seed({ id: 'old' }, { id: 'rendering', status: 'PROCESSING' });
			const workflow = await activated();
			pass(60);
			emulator.setOutcome('rendering', { status: 'COMPLETE' });
			const result = await workflow.poll();
			expect(ids(result)).toEqual(['rendering']);
			expect(result.items![0]!.json).toMatchObject({ status: 'COMPLETE', progress: 100 });
			expect(result.items![0]!.binary).toBeUndefined();
			expect(ids(await workflow.poll())).toEqual([]);
		});

		test('an idle poll costs one request, with 100,000 videos in the history', async () => {
			await start();
			emulator.seedVideos(
				Array.from({ length: 100_000 }, (_, index) => ({ created_at: START_S - 30 * index })),
			);
			const workflow = await activated();
			for (let polls = 0; polls < 3; polls++) {
				pass(60);
				expect(ids(await workflow.poll())).toEqual([]);
			}
			expect(emulator.requests.map(({ path }) => path)).toEqual(
				Array(3).fill('/v1/videos?limit=100&order=desc'),
			);
		});

		test('nothing fires twice and nothing is missed when a restart brings older state back', async () => {
			await start();
			seed({ id: 'a', status: 'PROCESSING' });
			const workflow = await activated();
			// By its scheduler, n8n does not save before the first item.
			seed({ id: 'first', created_at: pass(60) });
			expect(ids(await workflow.poll())).toEqual(['first']);
			seed({ id: 'b', status: 'PROCESSING', created_at: pass(60) });
			expect(ids(await workflow.poll())).toEqual([]);
			if (mode !== 'cursors') expect(workflow.memory).not.toEqual(workflow.saved);
			workflow.restart();
			emulator.setOutcome('b', { status: 'COMPLETE' });
			expect(ids(await workflow.poll())).toEqual(['b']);
			emulator.setOutcome('a', { status: 'COMPLETE' });
			workflow.restart();
			expect(ids(await workflow.poll({ activation: 'init' }))).toEqual(['a']);
			workflow.restart();
			expect(ids(await workflow.poll())).toEqual([]);
		});

		test('more than a page of completions between two polls all fire, oldest first', async () => {
			await start();
			seed({ id: 'old' });
			const workflow = await activated();
			const made = Array.from({ length: 350 }, (_, index) => {
				const second = pass(1);
				return { id: `video_${index}`, created_at: second, completed_at: second };
			});
			emulator.seedVideos(made);
			expect(ids(await workflow.poll())).toEqual(made.map(({ id }) => id));
			expect(lists()).toHaveLength(4);
		});

		test('events and source choose what fires', async () => {
			await start();
			const all = await activated({ events: ['failed', 'cancelled'] });
			const captioned = await activated({ source: 'captioned' });
			const made = await activated({ source: 'generated' });
			seed(
				{ id: 'generated' },
				{ id: 'captioned', caption_template_id: 'ctpl_1' },
				{ id: 'failed', status: 'FAILED', error: { code: 'bad_audio', message: 'Too quiet' } },
				{ id: 'cancelled', status: 'CANCELLED' },
				{ id: 'rendering', status: 'PROCESSING' },
				{ id: 'tomorrow', status: 'SOMETHING_NEW' },
			);
			expect(ids(await all.poll()).sort()).toEqual(['cancelled', 'failed']);
			expect(ids(await captioned.poll())).toEqual(['captioned']);
			expect(ids(await made.poll())).toEqual(['generated']);
		});

		test('no chosen event is said, not silently waited for', async () => {
			await start();
			const { error } = await new Active({ events: [] }).poll();
			expect(error?.message).toBe('Start When holds no event that this trigger knows');
		});

		test('a page that fails half-way neither loses nor repeats a video', async () => {
			await start();
			seed({ id: 'old' });
			const workflow = await activated();
			const made = Array.from({ length: 250 }, (_, index) => ({
				id: `video_${index}`,
				created_at: pass(1),
			}));
			emulator.seedVideos(made);
			emulator.fault({
				route: 'GET /v1/videos',
				after: 1,
				times: 2,
				fault: { kind: 'status', status: 500 },
			});
			const fired = [...ids(await workflow.poll()), ...ids(await workflow.poll())];
			fired.push(...ids(await workflow.poll()));
			expect(fired).toHaveLength(250);
			expect(new Set(fired)).toEqual(new Set(made.map(({ id }) => id)));
		});

		test('two polls at once, as when one takes longer than the interval, fire a video once', async () => {
			await start();
			const workflow = await activated();
			seed({ id: 'a' });
			emulator.fault({ route: 'GET /v1/videos', fault: { kind: 'delay', ms: 150 } });
			const node = { name: 'Mirage Trigger', type: 'n8n-nodes-mirage.mirageTrigger' };
			const shared = sharedPolls(workflow.memory, node);
			const results = await Promise.all([shared(), shared()]);
			expect(results.flatMap((items) => items?.[0] ?? [])).toHaveLength(1);
			expect(lists()).toHaveLength(1);
			expect(await shared()).toBeNull();
		});
	});

	/** Polls of one activation: they share the context and the static data in n8n's memory. */
	function sharedPolls(memory: IDataObject, { name, type }: { name: string; type: string }) {
		const node = {
			id: 'trigger',
			name,
			type,
			typeVersion: 1,
			position: [0, 0] as [number, number],
			parameters: {},
			credentials: { mirageApi: { id: 'mirage-account', name: 'Mirage account' } },
		};
		const workflow = new Workflow({
			id: 'workflow',
			nodes: [node],
			connections: {},
			active: true,
			nodeTypes,
			staticData: { [`node:${name}`]: JSON.parse(JSON.stringify(memory)) as IDataObject },
		});
		const credentialsHelper = new StoredCredential({
			apiKey: emulator.apiKey,
			baseUrl: emulator.url,
		});
		const context = new core.PollContext(
			workflow,
			workflow.getNode(name)!,
			{ credentialsHelper, variables: {} } as never,
			'trigger',
			'update',
		);
		return async () => {
			await workflow.expression.acquireIsolate();
			try {
				return await nodeTypes.getByNameAndVersion(type).poll!.call(context);
			} finally {
				await workflow.expression.releaseIsolate();
			}
		};
	}

	describe('errors', () => {
		test.each([401, 403, 429, 500])(
			'status %s reaches n8n, so that it can back off',
			async (status) => {
				await start();
				const workflow = await activated();
				const before = workflow.handedOut;
				emulator.fault({ times: Infinity, fault: { kind: 'status', status } });
				const { error, items, staticData } = await workflow.poll();
				expect((error as NodeApiError).httpCode).toBe(String(status));
				expect(items).toBeNull();
				expect(staticData).toEqual(before);
				emulator.clearFaults();
				seed({ id: 'a' });
				expect(ids(await workflow.poll())).toEqual(['a']);
			},
		);

		test('a first poll that fails half-way is no activation: jobs it did not see would be lost', async () => {
			await start();
			emulator.seedVideos(
				Array.from({ length: 150 }, (_, index) => ({
					id: `v${index}`,
					created_at: START_S - index,
				})),
			);
			seed({ id: 'deep', status: 'PROCESSING', created_at: START_S - 200 });
			emulator.fault({
				route: 'GET /v1/videos',
				after: 1,
				times: 2,
				fault: { kind: 'status', status: 500 },
			});
			const workflow = new Active();
			const failed = await workflow.poll({ activation: 'activate' });
			expect((failed.error as NodeApiError).httpCode).toBe('500');
			expect(failed.staticData).toEqual({});
			await workflow.activate();
			emulator.setOutcome('deep', { status: 'COMPLETE' });
			expect(ids(await workflow.poll())).toEqual(['deep']);
		});
	});

	describe('download', () => {
		const parameters = { downloadVideo: true, outputField: 'clip' };

		test('the file is in the item, and a failed video comes without one', async () => {
			await start();
			const workflow = await activated({ ...parameters, events: ['completed', 'failed'] });
			seed({ id: 'a' }, { id: 'b', status: 'FAILED' });
			const result = await workflow.poll({ binaryMode: 'filesystem' });
			expect(ids(result).sort()).toEqual(['a', 'b']);
			const [done, failed] = ['a', 'b'].map((id) =>
				result.items!.find(({ json }) => json.id === id),
			);
			expect(await result.file(done, 'clip')).toEqual(generated);
			expect(done!.binary!.clip).toMatchObject({ mimeType: 'video/mp4', fileName: 'a.mp4' });
			expect(failed!.binary).toBeUndefined();
		});

		test('a download that fails holds back no other video and comes with the next poll', async () => {
			await start();
			const workflow = await activated(parameters);
			seed({ id: 'a', created_at: START_S }, { id: 'b', created_at: START_S + 1 });
			emulator.fault({
				route: 'GET /v1/videos/{video_id}/content',
				times: 1,
				fault: { kind: 'status', status: 403 },
			});
			const first = await workflow.poll();
			expect(first.items).toHaveLength(1);
			expect(logLines().join('\n')).not.toContain(emulator.apiKey);
			workflow.restart();
			const second = await workflow.poll();
			expect([...ids(first), ...ids(second)].sort()).toEqual(['a', 'b']);
			expect(await second.file(second.items![0], 'clip')).toEqual(generated);
			expect(ids(await workflow.poll())).toEqual([]);
		});

		test('a download that always fails ends: the item comes without the file and says why', async () => {
			await start();
			const workflow = await activated(parameters);
			seed({ id: 'a' });
			emulator.fault({
				route: 'GET /v1/videos/{video_id}/content',
				times: Infinity,
				fault: { kind: 'status', status: 403 },
			});
			for (let polls = 0; polls < 4; polls++) expect(ids(await workflow.poll())).toEqual([]);
			const last = await workflow.poll();
			expect(ids(last)).toEqual(['a']);
			expect(last.items![0]!.binary).toBeUndefined();
			expect(last.items![0]!.json.download_error).toContain('download video "a"');
			emulator.clearFaults();
			expect(ids(await workflow.poll())).toEqual([]);
		});

		test('more files than one poll takes come with the next polls', async () => {
			await start();
			const workflow = await activated(parameters);
			const made = Array.from({ length: 60 }, (_, index) => ({
				id: `v${index}`,
				created_at: pass(1),
			}));
			emulator.seedVideos(made);
			const sizes: number[] = [];
			const fired: unknown[] = [];
			for (let polls = 0; polls < 4; polls++) {
				const result = await workflow.poll({ binaryMode: 'filesystem' });
				sizes.push(result.items?.length ?? 0);
				fired.push(...ids(result));
				workflow.restart();
			}
			expect(sizes).toEqual([25, 25, 10, 0]);
			expect(new Set(fired)).toEqual(new Set(made.map(({ id }) => id)));
		});

		test('a file that hangs does not hold the other items until n8n gives the poll up', async () => {
			await start();
			const workflow = await activated(parameters);
			seed({ id: 'a' }, { id: 'b' });
			emulator.fault({ route: 'content', times: 1, fault: { kind: 'hang' } });
			jest.mocked(systemClock.sleep).mockImplementation(async (ms, signal) => {
				const share = ms > 10_000 ? 1_500 : 0;
				await new Promise<void>((resolve) => {
					setTimeout(resolve, share);
					signal?.addEventListener('abort', () => resolve());
				});
			});
			const first = await workflow.poll({ binaryMode: 'filesystem' });
			expect(first.items).toHaveLength(1);
			const second = await workflow.poll({ binaryMode: 'filesystem' });
			expect([...ids(first), ...ids(second)].sort()).toEqual(['a', 'b']);
		});
	});

	test(`the time that n8n gives a poll ends the reading (${n8nRelease})`, async () => {
		await start();
		seed({ id: 'old' });
		const workflow = await activated();
		const made = Array.from({ length: 450 }, (_, index) => ({
			id: `v${index}`,
			created_at: pass(1),
		}));
		emulator.seedVideos(made);
		// 13 % of the poll's time for a page: half of it is for reading.
		const budgetMs = mode === 'memory' ? 300_000 : 36_000;
		emulator.requests.push = function (...entries) {
			clock.now += budgetMs * 0.13;
			return Array.prototype.push.apply(this, entries);
		};
		const first = ids(await workflow.poll());
		expect(lists()).toHaveLength(4);
		const rest = [...ids(await workflow.poll()), ...ids(await workflow.poll())];
		expect(new Set([...first, ...rest])).toEqual(new Set(made.map(({ id }) => id)));
		expect(first.length + rest.length).toBe(450);
	});
});

describe('n8n repeats a poll, or hands out state that is too old', () => {
	/** Three polls' worth of finished videos, and the state from before them. */
	async function overdue(scheduling: Scheduling) {
		await start();
		seed({ id: 'old' });
		const workflowId = newWorkflowId();
		const pollOnce = async (staticData: IDataObject, options: Partial<PollOptions> = {}) =>
			await poll({
				baseUrl: emulator.url,
				apiKey: emulator.apiKey,
				workflowId,
				scheduling,
				staticData,
				...options,
			});
		const { staticData } = await pollOnce({}, { scheduling: 'memory' });
		emulator.seedVideos(
			Array.from({ length: 104 }, (_, index) => ({ id: `v${index}`, created_at: pass(1) })),
		);
		return { before: staticData, pollOnce };
	}

	test.each<Scheduling>(['memory', 'scheduler', 'cursors'])(
		'polls side by side, each with a copy of its own, fire each video once (%s)',
		async (scheduling) => {
			const { before, pollOnce } = await overdue(scheduling);
			const results = await Promise.all([pollOnce(before), pollOnce(before), pollOnce(before)]);
			const fired = results.flatMap(ids);
			expect(fired).toHaveLength(104);
			expect(new Set(fired).size).toBe(104);
		},
	);

	test.each<Scheduling>(['scheduler', 'cursors'])(
		'a poll whose copy was read before the last one was saved fires nothing again (%s)',
		async (scheduling) => {
			const { before, pollOnce } = await overdue(scheduling);
			expect(ids(await pollOnce(before))).toHaveLength(104);
			clock.now += 1_000;
			expect(ids(await pollOnce(before))).toEqual([]);
			seed({ id: 'new', created_at: pass(1) });
			expect(ids(await pollOnce(before))).toEqual(['new']);
		},
	);

	test('another trigger of the workflow that wrote an older copy back makes nothing fire again', async () => {
		const { before, pollOnce } = await overdue('scheduler');
		expect(ids(await pollOnce(before))).toHaveLength(104);
		pass(86_400);
		expect(ids(await pollOnce(before))).toEqual([]);
	});

	test('state that another n8n process has saved since is the newer one', async () => {
		const { before, pollOnce } = await overdue('scheduler');
		const elsewhere = await pollOnce(before, { workflowId: newWorkflowId() });
		expect(ids(elsewhere)).toHaveLength(104);
		expect(ids(await pollOnce(elsewhere.staticData))).toEqual([]);
	});

	test('videos whose execution n8n could not save fire again (durable cursors)', async () => {
		const { before, pollOnce } = await overdue('cursors');
		expect(ids(await pollOnce(before))).toHaveLength(104);
		pass(60);
		expect(ids(await pollOnce(before))).toHaveLength(104);
	});

	test('videos of a poll that n8n dropped, because the workflow was switched off, fire after it is on', async () => {
		const { before, pollOnce } = await overdue('scheduler');
		expect(ids(await pollOnce(before))).toHaveLength(104);
		const again = await pollOnce(before, { scheduling: 'memory', activation: 'activate' });
		expect(ids(again)).toHaveLength(104);
	});

	test('a poll of the former version of the workflow, which n8n drops, takes nothing with it', async () => {
		const { before, pollOnce } = await overdue('memory');
		const [former, next] = await Promise.all([
			pollOnce(before),
			pollOnce(before, { activation: 'update' }),
		]);
		expect([ids(former).length, ids(next).length]).toEqual([0, 104]);
	});

	test('a poll that is over its time is void, since n8n has given it up', async () => {
		const { before, pollOnce } = await overdue('scheduler');
		emulator.requests.push = function (...entries) {
			clock.now += 40_000;
			return Array.prototype.push.apply(this, entries);
		};
		expect(ids(await pollOnce(before))).toEqual([]);
		emulator.requests.push = Array.prototype.push;
		expect(ids(await pollOnce(before))).toHaveLength(104);
	});

	test('more triggers that poll at the same moment than are remembered miss nothing', async () => {
		await start();
		seed({ id: 'old' });
		const options = { baseUrl: emulator.url, apiKey: emulator.apiKey };
		const all = Array.from({ length: 210 }, () => ({ workflowId: newWorkflowId() }));
		const { staticData } = await poll({ ...options, ...all[0]!, staticData: {} });
		seed({ id: 'new', created_at: pass(1) });
		const results = await Promise.all(
			all.map(async (own) => await poll({ ...options, ...own, staticData })),
		);
		expect(results.filter((result) => ids(result).join() !== 'new')).toHaveLength(0);
	});

	test('a renamed node starts afresh, as its static data does', async () => {
		const { before, pollOnce } = await overdue('scheduler');
		expect(ids(await pollOnce(before))).toHaveLength(104);
		expect(ids(await pollOnce({}, { nodeName: 'Other name' }))).toEqual([]);
	});
});

describe('accounts', () => {
	const history = (count: number, prefix = 'old') =>
		Array.from({ length: count }, (_, index) => ({
			id: `${prefix}${index}`,
			created_at: START_S - 10 * index,
		}));

	test.each<Scheduling>(['memory', 'scheduler', 'cursors'])(
		'from the emulator to the real API in the same credential replays no history (%s)',
		async (mode) => {
			await start();
			emulator.seedVideos(history(30, 'emulated'));
			const workflow = await activated();
			seed({ id: 'emulated', created_at: pass(60) });
			scheduling = mode;
			expect(ids(await workflow.poll())).toEqual(['emulated']);

			const real = await startEmulator({ now: () => clock.now, apiKey: 'mira_real_key' });
			try {
				real.seedVideos(history(250));
				const options = { baseUrl: real.url, apiKey: real.apiKey };
				const fired: unknown[] = [];
				for (let polls = 0; polls < 3; polls++) fired.push(...ids(await workflow.poll(options)));
				expect(fired).toEqual([]);
				real.seedVideos([{ id: 'made', created_at: pass(60) }]);
				expect(ids(await workflow.poll(options))).toEqual(['made']);
			} finally {
				scheduling = 'memory';
				await real.close();
			}
		},
	);

	test('a rotated key of the same account changes nothing, however much was made meanwhile', async () => {
		await start({ apiKey: 'mira_old' });
		emulator.seedVideos(history(250));
		const workflow = await activated();
		const { url } = emulator;
		const made = Array.from({ length: 700 }, (_, index) => ({
			id: `v${index}`,
			created_at: pass(1),
		}));
		const rotated = await startEmulator({ now: () => clock.now, apiKey: 'mira_new' });
		try {
			rotated.seedVideos([...history(250), ...made]);
			expect(rotated.url).not.toBe(url);
			const options = { baseUrl: rotated.url, apiKey: rotated.apiKey };
			expect(ids(await workflow.poll(options))).toEqual(made.map(({ id }) => id));
			expect(ids(await workflow.poll(options))).toEqual([]);
		} finally {
			await rotated.close();
		}
	});

	/** State of an earlier version, which named the credential instead of the account. */
	const versionOne = (state: IDataObject): IDataObject => {
		const completions = { ...(state.completions as IDataObject) };
		delete completions.firings;
		Object.assign(completions, { version: 1, account: 'mirage-account', crowded: false });
		return { completions };
	};

	test('state of version 1 neither replays nor loses', async () => {
		await start();
		emulator.seedVideos([...history(250), { id: 'rendering', status: 'PROCESSING' }]);
		const workflow = await activated();
		workflow.memory = versionOne(workflow.memory);
		emulator.setOutcome('rendering', { status: 'COMPLETE' });
		seed({ id: 'made', created_at: pass(60) });
		expect(ids(await workflow.poll()).sort()).toEqual(['made', 'rendering']);
		expect(ids(await workflow.poll())).toEqual([]);
	});

	test('state of version 1 from an empty account loses nothing', async () => {
		await start();
		const workflow = await activated();
		workflow.memory = versionOne(workflow.memory);
		seed({ id: 'made', created_at: pass(60) });
		expect(ids(await workflow.poll())).toEqual(['made']);
	});
});

describe('times of the API', () => {
	/** What the list answers from now on, newest first. */
	const answer = (...videos: IDataObject[]) => {
		emulator.clearFaults();
		const body = videos.map((video) => ({ status: 'COMPLETE', completed_at: null, ...video }));
		const fault = { kind: 'status' as const, status: 200, body };
		emulator.fault({ route: 'GET /v1/videos', times: Infinity, fault });
	};

	test.each([
		['numeric text', (seconds: number) => String(seconds)],
		['an ISO date', (seconds: number) => new Date(seconds * 1_000).toISOString()],
	])('%s is read, and the item holds Unix seconds', async (_, written) => {
		await start();
		const old = { id: 'old', created_at: written(START_S) };
		answer(old);
		const workflow = await activated();
		answer({ id: 'made', created_at: written(START_S + 60) }, old);
		const result = await workflow.poll();
		expect(ids(result)).toEqual(['made']);
		expect(result.items![0]!.json.created_at).toBe(START_S + 60);
		expect(ids(await workflow.poll())).toEqual([]);
	});

	test('a video without a time fires like the others, and the log names it', async () => {
		await start();
		const old = { id: 'old', created_at: START_S };
		answer(old);
		const workflow = await activated();
		answer({ id: 'odd', created_at: 'soon' }, { id: 'made', created_at: START_S + 60 }, old);
		expect(ids(await workflow.poll()).sort()).toEqual(['made', 'odd']);
		expect(logLines().join('\n')).toContain('no readable created_at in odd');
		expect(ids(await workflow.poll())).toEqual([]);
	});

	test('no time at all is an error, and not a trigger that says nothing', async () => {
		await start();
		answer({ id: 'a' }, { id: 'b', created_at: 'soon' });
		const { error } = await new Active().poll();
		expect(`${error?.message} ${(error as NodeApiError).description}`).toContain(
			'No video has a time of creation that can be read',
		);
	});
});

describe('fetch test event', () => {
	const test_ = async (parameters: PollOptions['parameters'] = {}, staticData: IDataObject = {}) =>
		await poll({
			baseUrl: emulator.url,
			apiKey: emulator.apiKey,
			mode: 'manual',
			parameters,
			staticData,
		});

	test('the newest matching video is shown with its file, and the state is untouched', async () => {
		await start();
		const workflow = await activated();
		seed(
			{ id: 'older', created_at: START_S - 5 },
			{ id: 'newest', created_at: START_S - 1 },
			{ id: 'rendering', created_at: START_S, status: 'PROCESSING' },
		);
		const result = await test_({ downloadVideo: true }, workflow.memory);
		expect(ids(result)).toEqual(['newest']);
		expect(await result.file(result.items![0], 'data')).toEqual(generated);
		expect(result.staticData).toEqual(workflow.memory);
		expect(ids(await workflow.poll()).sort()).toEqual(['newest', 'older']);
	});

	test('before the first activation it leaves nothing behind either', async () => {
		await start();
		seed({ id: 'a' });
		const { staticData, items } = await test_();
		expect(items).toHaveLength(1);
		expect(staticData).toEqual({});
	});

	test('in the editor, no match is a run that succeeds with an empty output', async () => {
		await start();
		const { status, error, runData } = await runWorkflow({
			nodes: [{ type: 'mirageTrigger' }],
			mode: 'manual',
			baseUrl: emulator.url,
			apiKey: emulator.apiKey,
		});
		expect({ status, error }).toEqual({ status: 'success', error: undefined });
		expect(runData.mirageTrigger![0]!.data!.main).toEqual([[]]);
	});

	test.each([0, 3])(
		'no match among %s videos is an empty output and a line in the log, not a red error',
		async (count) => {
			await start();
			emulator.seedVideos(Array.from({ length: count }, () => ({})));
			const { error, items } = await test_({ events: ['failed'] });
			expect({ error, items }).toEqual({ error: undefined, items: [] });
			expect(logLines().join('\n')).toContain(
				`none of the ${count} newest videos is failed and of the chosen source`,
			);
		},
	);
});
