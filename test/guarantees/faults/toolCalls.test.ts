/** What an agent pays for that has a node of the package as its tool, in both ways that n8n calls a tool. */
import type { IDataObject } from 'n8n-workflow';

import type { Emulator } from '../../harness/emulator/emulator';
import { START, runWorkflow, type NodeSpec, type RunResult } from '../../harness/engine/engine';
import { startFileServer, whole, type FileServer } from '../../harness/engine/fileServer';
import { RETRY, retryExecution, startAccount, toldBy, withLimits } from './cases';
import { media } from '../../harness/engine/inputs';
import { byId } from '../../harness/engine/oneNode';

withLimits({ readPatienceMs: 20, firstPauseMs: 2 });

const VIDEOS = 'POST /v1/videos';
const SPEECH = 'POST /v1/audio/text-to-speech/{voice_id}';
const TOOL = 'mirageCreateVideoTool';

let mirage: Emulator;
let files: FileServer;
beforeEach(async () => {
	mirage = await startAccount();
	files = await startFileServer({
		'/portrait.png': whole(media('portraitPng')),
		'/clip.mp4': whole(media('generated')),
	});
});
afterEach(async () => {
	await mirage.close();
	await files.close();
});

const settings = { retryOnFail: true, maxTries: 5, waitBetweenTries: 1 };

const videoTool = (): NodeSpec => ({
	type: TOOL,
	parameters: {
		imageSource: 'url',
		imageUrl: `${files.url}/portrait.png`,
		audioSource: 'text',
		voiceId: 'voice_1',
		text: `={{ $fromAI('text', 'What to say', 'string') }}`,
	},
	settings,
});

const overlayTool = (): NodeSpec => ({
	type: 'mirageMetaTextOverlayTool',
	parameters: {
		videoSource: 'url',
		videoUrl: `${files.url}/clip.mp4`,
		texts: { values: [{ text: `={{ $fromAI('text', 'What to write', 'string') }}` }] },
		downloadVideos: false,
	},
	settings,
});

interface Calls {
	arguments: IDataObject[];
	/** All calls side by side. */
	together?: boolean;
	/** Each call has the tool anew, as for the items of an agent. */
	ownTools?: boolean;
	catchErrors?: boolean;
	/** Tries of the agent that fail after its calls. */
	failures?: number;
	agent?: NodeSpec['settings'];
}

/** Runs an agent of the kind over a tool. */
async function callTool(kind: string, tool: NodeSpec, { agent, ...calls }: Calls) {
	const parameters = {
		...calls,
		arguments: JSON.stringify(calls.arguments),
		...(kind === 'engineAgent' ? { tool: tool.type } : {}),
	};
	return await runWorkflow({
		baseUrl: mirage.url,
		apiKey: mirage.apiKey,
		nodes: [{ type: kind, name: 'Agent', parameters, settings: agent }, tool],
		connections: {
			[START]: { main: [[{ node: 'Agent', type: 'main', index: 0 }]] },
			[tool.type]: { ai_tool: [[{ node: 'Agent', type: 'ai_tool', index: 0 }]] },
		},
	});
}

const answersOf = (result: RunResult) =>
	(result.outputs('Agent')[0]?.json.answers ?? []) as string[];
const idsIn = (result: RunResult) =>
	answersOf(result).map((answer) => /"id":"([^"]+)"/.exec(answer.replace(/\\/g, ''))?.[1]);
const videoIds = () => mirage.videos().flatMap(({ id }) => (id === 'video_source' ? [] : [id]));
const speeches = () =>
	mirage.requests.filter(({ route, accepted }) => route === SPEECH && accepted).length;

describe.each([
	['an agent that calls its tools itself', 'toolCaller'],
	['an agent whose tools the engine runs', 'engineAgent'],
])('%s', (_, kind) => {
	it('pays one video and one speech for a call that n8n tries five times', async () => {
		mirage.fault({ route: VIDEOS, times: 3, fault: { kind: 'status', status: 422 } });
		const result = await callTool(kind, videoTool(), { arguments: [{ text: 'Hello' }] });
		expect(toldBy(result)).toBe('');
		expect(speeches()).toBe(1);
		expect(videoIds()).toEqual(idsIn(result));
	});

	it('makes a video with nothing filled in but a picture, a voice and the text', async () => {
		const { imageUrl, voiceId, text } = videoTool().parameters as IDataObject;
		const tool = { ...videoTool(), parameters: { imageUrl, voiceId, text } as never };
		const result = await callTool(kind, tool, { arguments: [{ text: 'Hello' }] });
		expect(toldBy(result)).toBe('');
		expect(videoIds()).toEqual(idsIn(result));
	});

	it('is told at once that a video still renders, without a file', async () => {
		mirage.setOutcome('video_source', { status: 'PROCESSING' });
		const tool = {
			type: 'mirageWaitForVideoTool',
			parameters: { videoId: byId('video_source') as never },
		};
		const result = await callTool(kind, tool, { arguments: [{}] });
		expect(answersOf(result)[0]).toMatch(/PROCESSING/);
	});

	it('never sends a video again that may have been accepted, whoever tries: n8n or the model', async () => {
		mirage.fault({ route: VIDEOS, fault: { kind: 'resetAfterBody', accepted: true } });
		const result = await callTool(kind, videoTool(), {
			arguments: [{ text: 'Hello' }, { text: 'Hello' }],
			catchErrors: true,
		});
		expect(videoIds()).toHaveLength(1);
		expect(speeches()).toBe(1);
		// n8n 1 ends an execution with the error of a tool that its engine runs.
		const told = [...answersOf(result), toldBy(result)].filter(Boolean);
		expect(told).toHaveLength(result.status === 'success' ? 2 : 1);
		for (const text of told) expect(text).toMatch(/may have been accepted|connection broke/);
	});

	it('pays one overlay job for a call whose job fails at Mirage, in all its tries', async () => {
		mirage.nextOutcome({ status: 'FAILED' });
		await callTool(kind, overlayTool(), { arguments: [{ text: 'Sale' }], catchErrors: true });
		expect(mirage.overlays()).toHaveLength(1);
	});

	it.each([
		['one after the other', {}],
		['side by side', { together: true }],
		['for two items of the agent', { ownTools: true }],
		['for two items of the agent side by side', { ownTools: true, together: true }],
	])('makes two videos for two calls with equal arguments %s', async (_how, how) => {
		const result = await callTool(kind, videoTool(), {
			arguments: [{ text: 'Hello' }, { text: 'Hello' }],
			...how,
		});
		expect(toldBy(result)).toBe('');
		expect(new Set(idsIn(result)).size).toBe(2);
		expect([...videoIds()].sort()).toEqual([...idsIn(result)].sort());
	});

	it('gives the same video, and says so, when "Retry On Fail" of the agent repeats its calls', async () => {
		const result = await callTool(kind, videoTool(), {
			arguments: [{ text: 'Hello' }],
			failures: 1,
			// The engine keeps the answers of its own tools, except where an agent goes on with an error.
			agent: { ...RETRY, ...(kind === 'engineAgent' ? { onError: 'continueRegularOutput' } : {}) },
		});
		expect(toldBy(result)).toBe('');
		expect(videoIds()).toHaveLength(1);
		expect(speeches()).toBe(1);
		expect(idsIn(result)).toEqual(videoIds());
		expect(answersOf(result)[0]).toContain('given again, not made and billed again');
	});

	it('makes a video for each call with other arguments, also where n8n may repeat the agent', async () => {
		const result = await callTool(kind, videoTool(), {
			arguments: [{ text: 'One' }, { text: 'Two' }, { text: 'Three' }],
			agent: RETRY,
		});
		expect(toldBy(result)).toBe('');
		expect(videoIds()).toHaveLength(3);
	});
});

it('waits for a call under way, when n8n repeats an agent whose other call failed, and pays it once', async () => {
	const calls = [{ text: 'Slow' }, { text: 'Refused' }];
	mirage.fault({ route: SPEECH, after: 1, fault: { kind: 'status', status: 422 } });
	mirage.fault({ route: SPEECH, fault: { kind: 'delay', ms: 300 } });
	const tool = { ...videoTool(), settings: {} };
	const how = { arguments: calls, together: true, agent: RETRY };
	const result = await callTool('toolCaller', tool, how);
	expect(toldBy(result)).toBe('');
	expect(speeches()).toBe(2);
	expect(videoIds()).toHaveLength(2);
});

it('"Retry" of an execution whose agent failed gives the calls the videos that they had, one each', async () => {
	const calls = { arguments: [{ text: 'Hello' }, { text: 'Hello' }] };
	const failed = await callTool('toolCaller', videoTool(), { ...calls, failures: 1 });
	expect(toldBy(failed)).toContain('The model did not answer');
	expect(videoIds()).toHaveLength(2);
	const result = await retryExecution(failed, 'retry-agent');
	expect(toldBy(result)).toBe('');
	expect(videoIds()).toHaveLength(2);
	expect([...idsIn(result)].sort()).toEqual([...videoIds()].sort());
});
