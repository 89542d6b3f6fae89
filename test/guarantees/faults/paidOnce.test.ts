import dns from 'node:dns';

import { localTime } from '../../../nodes/shared/n8n/localTime';
import type { Emulator } from '../../harness/emulator/emulator';
import { START, type NodeSpec, type RunResult } from '../../harness/engine/engine';
import {
	aTemplate,
	item,
	items,
	POSTS,
	requestsTo,
	RETRY,
	retryExecution,
	run,
	SHORT_LIMITS,
	startAccount,
	toldBy,
	withLimits,
} from './cases';

const VIDEOS = 'POST /v1/videos';
const CAPTIONS = 'POST /v1/videos/captions';
const SPEECH = 'POST /v1/audio/text-to-speech/{voice_id}';

const createVideo = (settings: NodeSpec['settings'] = {}, parameters = {}): NodeSpec => ({
	type: 'mirageCreateVideo',
	parameters: { imageField: 'image', options: { concurrency: 1 }, ...parameters },
	settings,
});

let mirage: Emulator;
beforeEach(async () => {
	mirage = await startAccount();
});
afterEach(async () => {
	await mirage.close();
});

describe('a request that certainly did not arrive is sent again', () => {
	it('after a refused connection, and ends in one job', async () => {
		const longPauses = jest.spyOn(Math, 'random').mockReturnValue(0.99);
		const port = Number(new URL(mirage.url).port);
		await mirage.close();
		const running = run(mirage, createVideo(), items(1));
		await new Promise((resolve) => setTimeout(resolve, 250));
		mirage = await startAccount({ port });
		const result = await running;
		expect(toldBy(result)).toBe('');
		expect(mirage.videos().map(({ id }) => id)).toEqual([result.outputs()[0]!.json.id]);
		longPauses.mockRestore();
	});

	it('after a host name that was not found at first, and ends in one job', async () => {
		const lookup = dns.lookup;
		let asked = 0;
		const spy = jest.spyOn(dns, 'lookup').mockImplementation(((
			host: string,
			...rest: unknown[]
		) => {
			const callback = rest.at(-1) as (error: Error | null, ...found: unknown[]) => void;
			if (host !== 'mirage.local') return (lookup as (...all: unknown[]) => void)(host, ...rest);
			asked += 1;
			if (asked === 1) {
				const missing = { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: host };
				callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), missing));
			} else callback(null, [{ address: '127.0.0.1', family: 4 }]);
		}) as never);
		try {
			const url = mirage.url.replace('127.0.0.1', 'mirage.local');
			const result = await run({ ...mirage, url }, createVideo(), items(1));
			expect(toldBy(result)).toBe('');
			expect(mirage.videos()).toHaveLength(1);
			expect(asked).toBeGreaterThan(1);
		} finally {
			spy.mockRestore();
		}
	});
});

describe('a request that may have been accepted', () => {
	withLimits(SHORT_LIMITS);

	it('is not sent again; the error says when it was sent and names the video that appeared', async () => {
		mirage.fault({ route: VIDEOS, fault: { kind: 'resetAfterBody', accepted: true } });
		const before = localTime(Date.now(), 'America/New_York');
		const told = toldBy(await run(mirage, createVideo(), items(1)));
		expect(requestsTo(mirage, VIDEOS)).toHaveLength(1);
		const [, sentAt] = /sent at (\d\d:\d\d:\d\d) and/.exec(told)!;
		expect([before, localTime(Date.now(), 'America/New_York')]).toContain(sentAt);
		expect(told).toContain(`could be this one: ${mirage.videos()[0]!.id} (`);
	});

	it('names no video that is known to be another item’s, nor one that was there before', async () => {
		mirage.fault({ route: VIDEOS, after: 2, fault: { kind: 'statusAfterAccept', status: 500 } });
		const told = toldBy(await run(mirage, createVideo(), items(4)));
		const ids = mirage.videos().map(({ id }) => id);
		expect(ids).toHaveLength(3);
		expect(told).toContain(`could be this one: ${ids[2]} (`);
		expect(told).toContain(`item 0 → ${ids[0]}; item 1 → ${ids[1]}.`);
		expect(told).toContain('Not started: item 3.');
		expect(told).not.toContain('video_source');
	});

	it('names no job of items that were under way together and have their answer', async () => {
		mirage.fault({ route: VIDEOS, fault: { kind: 'hang', accepted: true } });
		const node = createVideo({}, { options: { concurrency: 3 } });
		const told = toldBy(await run(mirage, node, items(2)));
		const lost = mirage.requests.find(({ fault }) => fault === 'hang')!.accepted;
		expect(told).toContain(`could be this one: ${lost} (`);
	});

	it('names no video of another execution, nor one from just before the request was sent', async () => {
		mirage.seedVideos([{ id: 'just_before', created_at: Math.floor(Date.now() / 1_000) - 5 }]);
		mirage.fault({
			route: VIDEOS,
			after: 1,
			fault: { kind: 'resetAfterBody', accepted: true },
		});
		const other = await run(mirage, createVideo(), items(1));
		const told = toldBy(await run(mirage, createVideo(), items(1)));
		const [otherId, lostId] = mirage.videos().map(({ id }) => id);
		expect(other.outputs()[0]!.json.id).toBe(otherId);
		expect(told).toMatch(
			new RegExp(
				`could be this one: ${lostId} \\(\\w+(, \\d+ %)?, created at [\\d:]{8}\\)\\. Look`,
			),
		);
		expect(told).not.toContain(otherId);
		expect(told).not.toContain('just_before');
	});

	it('says that nothing has appeared when nothing has', async () => {
		mirage.fault({ route: VIDEOS, fault: { kind: 'resetAfterBody', accepted: false } });
		const told = toldBy(await run(mirage, createVideo(), items(1)));
		expect(told).toContain('No video that could be this one has appeared in the list yet.');
	});

	it('names captions only of the same video and template', async () => {
		const template = await aTemplate(mirage);
		const input = [item({ template })];
		mirage.seedVideos([
			{ id: 'captions_of_another', source_video_id: 'other', caption_template_id: template },
			{ id: 'other_template', source_video_id: 'video_source', caption_template_id: 'ctpl_other' },
			{ id: 'just_a_video' },
		]);
		mirage.fault({ route: CAPTIONS, fault: { kind: 'garbage' } });
		const told = toldBy(await run(mirage, POSTS[CAPTIONS]!, input));
		expect(told).toContain(`could be this one: ${mirage.videos()[0]!.id} (`);
	});

	it('tells of every item that it happened to', async () => {
		mirage.fault({ route: VIDEOS, times: 2, fault: { kind: 'hang', accepted: true } });
		const node = createVideo({}, { options: { concurrency: 2 } });
		const told = toldBy(await run(mirage, node, items(3)));
		expect(told).toContain('Item 1 failed too');
		for (const { id } of mirage.videos()) expect(told).toContain(id);
		expect(told).toContain('Not started: item 2.');
	});

	it.each(Object.keys(POSTS))('is not sent again by "Retry On Fail" either: %s', async (route) => {
		const input = [item({ template: await aTemplate(mirage) })];
		mirage.fault({ route, fault: { kind: 'resetAfterBody', accepted: true } });
		const result = await run(mirage, { ...POSTS[route]!, settings: RETRY }, input);
		expect(result.status).toBe('error');
		expect(toldBy(result)).toContain('may still have accepted');
		expect(requestsTo(mirage, route)).toHaveLength(1);
	});
});

describe('"Retry On Fail" runs the node again', () => {
	it('and does not start again what was accepted', async () => {
		mirage.fault({ route: VIDEOS, after: 1, fault: { kind: 'status', status: 422 } });
		const result = await run(mirage, createVideo(RETRY), items(3));
		expect(toldBy(result)).toBe('');
		expect(mirage.videos().map(({ id }) => id)).toEqual(
			result.outputs().map(({ json }) => json.id),
		);
		expect(mirage.videos()).toHaveLength(3);
	});

	it('and takes what was accepted, where a text is another one in every try', async () => {
		mirage.fault({ route: SPEECH, after: 1, fault: { kind: 'status', status: 422 } });
		const node = {
			...POSTS[SPEECH]!,
			parameters: {
				voiceId: 'voice_1',
				text: '={{ "Number " + Math.random() }}',
				options: { concurrency: 1 },
			},
			settings: RETRY,
		};
		const result = await run(mirage, node, items(2));
		expect(toldBy(result)).toBe('');
		expect(mirage.requests.filter(({ accepted }) => accepted)).toHaveLength(2);
	});

	it('also when the first item of the output holds an error of its own', async () => {
		const node = { ...POSTS[SPEECH]!, settings: RETRY };
		const result = await run(mirage, node, [item({ error: 'of an earlier node' }), item()]);
		expect(result.outputs()).toHaveLength(2);
		expect(requestsTo(mirage, SPEECH)).toHaveLength(2);
	});

	it('and fetches a file without a stated length again, without starting its video again', async () => {
		const { createServer } = await import('node:http');
		const portrait = item().files!.image!.content as Buffer;
		const server = createServer((_, response) => {
			response.writeHead(200, { 'transfer-encoding': 'chunked' });
			response.end(portrait);
		}).listen(0, '127.0.0.1');
		await new Promise((resolve) => server.once('listening', resolve));
		const { port } = server.address() as { port: number };
		mirage.fault({ route: VIDEOS, after: 1, fault: { kind: 'status', status: 422 } });
		const node = createVideo(RETRY, {
			imageSource: 'url',
			imageUrl: `http://127.0.0.1:${port}/portrait`,
		});
		const result = await run(mirage, node, items(2), { binaryMode: 'filesystem' });
		server.close();
		expect(toldBy(result)).toBe('');
		expect(mirage.videos()).toHaveLength(2);
	});
});

it('every round of a loop starts its own video, although items and settings are the same', async () => {
	const result = await run(mirage, createVideo(), items(1), {
		nodes: [{ type: 'rounds', parameters: { rounds: 3 } }, createVideo(RETRY)],
		connections: {
			[START]: { main: [[{ node: 'rounds', type: 'main', index: 0 }]] },
			rounds: { main: [[], [{ node: 'mirageCreateVideo', type: 'main', index: 0 }]] },
			mirageCreateVideo: { main: [[{ node: 'rounds', type: 'main', index: 0 }]] },
		},
	});
	expect(toldBy(result)).toBe('');
	expect(mirage.videos()).toHaveLength(3);
	const ids = [0, 1, 2].map((round) => result.outputs('mirageCreateVideo', 0, round)[0]!.json.id);
	expect(ids).toEqual(mirage.videos().map(({ id }) => id));
});

describe('"Retry" of a failed execution', () => {
	it('starts what was not started, and nothing twice', async () => {
		mirage.fault({ route: VIDEOS, after: 1, fault: { kind: 'status', status: 402 } });
		const failed = await run(mirage, createVideo(), items(3));
		expect(failed.status).toBe('error');
		expect(mirage.videos()).toHaveLength(1);
		const result = await retryExecution(failed, 'retry-1');
		expect(toldBy(result)).toBe('');
		expect(result.outputs().map(({ json }) => json.id)).toEqual(
			mirage.videos().map(({ id }) => id),
		);
		expect(mirage.videos()).toHaveLength(3);
	});

	it.each([
		['starts a video for another portrait of the same length and the same ends', true, 3],
		['starts none for the same portrait', false, 2],
	])('in memory mode, %s', async (_, isOther, videos) => {
		const [first] = items(1);
		const content = Buffer.from(first!.files!.image!.content as Buffer);
		if (isOther) content[Math.floor(content.length / 2)]! ^= 1;
		const files = { ...first!.files, other: { ...first!.files!.image!, content } };
		mirage.fault({ route: VIDEOS, after: 1, fault: { kind: 'status', status: 402 } });
		const imageField = `={{ $execution.id === 'retry-4' ? 'other' : 'image' }}`;
		const failed = await run(mirage, createVideo({}, { imageField }), [{ files }, { files }]);
		expect(mirage.videos()).toHaveLength(1);
		const result = await retryExecution(failed, 'retry-4');
		expect(toldBy(result)).toBe('');
		expect(mirage.videos()).toHaveLength(videos);
	});

	it('sends an item again that may have been accepted: a person has read that, and decided', async () => {
		mirage.fault({ route: VIDEOS, after: 1, fault: { kind: 'status', status: 500 } });
		const failed = await run(mirage, createVideo(RETRY), items(2));
		expect(toldBy(failed)).toContain('may still have accepted');
		const result = await retryExecution(failed, 'retry-2');
		expect(toldBy(result)).toBe('');
		expect(mirage.videos()).toHaveLength(2);
	});
});

describe('the record of what was paid, in memory mode', () => {
	const contextOf = ({ fullRun }: RunResult) =>
		JSON.stringify(fullRun.data.executionData!.contextData);
	const LONGEST = 3_000;

	it.each([
		['Text to Speech', POSTS[SPEECH]!],
		['Create Video', createVideo({}, { audioSource: 'text', voiceId: 'voice_1', text: 'Hello' })],
	])('holds no speech when %s has done its work', async (_, node) => {
		const result = await run(mirage, node, items(3));
		expect(toldBy(result)).toBe('');
		expect(mirage.requests.filter(({ accepted }) => accepted?.startsWith('speech'))).toHaveLength(
			3,
		);
		expect(contextOf(result).length).toBeLessThan(LONGEST);
	});

	it('holds the speech of a failed run until its video is accepted, and no longer', async () => {
		mirage.fault({ route: VIDEOS, after: 1, fault: { kind: 'status', status: 402 } });
		const node = createVideo({}, { audioSource: 'text', voiceId: 'voice_1', text: 'Hello' });
		const failed = await run(mirage, node, items(2));
		expect(failed.status).toBe('error');
		const [first, second] = contextOf(failed).split(/(?=RIFF|UklGR)/);
		expect(first!.length).toBeLessThan(LONGEST);
		expect(second!.length).toBeGreaterThan(LONGEST);
		const result = await retryExecution(failed, 'retry-3');
		expect(toldBy(result)).toBe('');
		expect(requestsTo(mirage, SPEECH)).toHaveLength(2);
		expect(contextOf(result).length).toBeLessThan(LONGEST);
	});
});

describe('"Retry On Fail" of the node that runs a sub-workflow', () => {
	const PARENT: NodeSpec = { type: 'executeWorkflow', settings: RETRY };

	it('runs it as a new execution: what it had accepted is paid again, and each run names its jobs', async () => {
		mirage.fault({ route: VIDEOS, after: 1, fault: { kind: 'status', status: 422 } });
		const options = { nodes: [PARENT], subWorkflow: [createVideo()] };
		const result = await run(mirage, PARENT, items(2), options);
		expect(toldBy(result)).toBe('');
		const [first, second, ...more] = result.subRuns;
		expect(more).toEqual([]);
		const [lost, ...kept] = mirage.videos().map(({ id }) => id);
		expect(toldBy(first!)).toContain(`item 0 → ${lost}`);
		expect(second!.outputs().map(({ json }) => json.id)).toEqual(kept);
		expect(kept).toHaveLength(2);
	});

	it('pays nothing again with "Retry On Fail" on the paid node itself', async () => {
		mirage.fault({ route: VIDEOS, after: 1, fault: { kind: 'status', status: 422 } });
		const options = { nodes: [PARENT], subWorkflow: [createVideo(RETRY)] };
		const result = await run(mirage, PARENT, items(2), options);
		expect(toldBy(result)).toBe('');
		expect(mirage.videos()).toHaveLength(2);
	});
});
