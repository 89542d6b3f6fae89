import fastGlob from 'fast-glob';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type {
	IDataObject,
	INode,
	INodeExecutionData,
	INodeParameters,
	INodeProperties,
	INodeTypeDescription,
} from 'n8n-workflow';

import { MEDIA } from '../../harness/emulator/media';
import {
	startEmulator,
	type Emulator,
	type EmulatorOptions,
} from '../../harness/emulator/emulator';
import {
	poll,
	resumeWorkflow,
	runWorkflow,
	START,
	type NodeSpec,
	type RunResult,
} from '../../harness/engine/engine';
import { registerNode } from '../../harness/engine/node-types';
import { type InputItem } from '../../harness/engine/built-in-nodes';
import { describeStored, PACKAGE } from './node-descriptions';
import { problemsIn, type WorkflowFile } from './workflow-check';

const FOLDER = join(__dirname, '..', '..', '..', 'examples');
const files = fastGlob.sync('*.json', { cwd: FOLDER }).sort();
const read = (file: string) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as WorkflowFile;

/** n8n's own nodes in the examples, with versions that n8n 1 and 2 both have (1.123 and 2.41). */
const OTHER_NODES: Record<string, number> = {
	'n8n-nodes-base.manualTrigger': 1,
	'n8n-nodes-base.webhook': 2,
	'n8n-nodes-base.removeDuplicates': 2,
	'n8n-nodes-base.scheduleTrigger': 1.2,
	'n8n-nodes-base.hubspotTrigger': 1,
	'n8n-nodes-base.hubspot': 2.2,
	'n8n-nodes-base.googleSheets': 4.5,
	'n8n-nodes-base.googleDrive': 3,
	'n8n-nodes-base.youTube': 1,
	'n8n-nodes-base.emailSend': 2.1,
	'n8n-nodes-base.set': 3.4,
	'n8n-nodes-base.filter': 2.2,
	'n8n-nodes-base.limit': 1,
	'n8n-nodes-base.noOp': 1,
	'@n8n/n8n-nodes-langchain.chatTrigger': 1.3,
	'@n8n/n8n-nodes-langchain.agent': 2.2,
	'@n8n/n8n-nodes-langchain.lmChatOpenAi': 1.2,
	'@n8n/n8n-nodes-langchain.memoryBufferWindow': 1.3,
};

/** Descriptions for the check: of this package's nodes in full, of the others type and version. */
const describeIn = (workflow: WorkflowFile) => (type: string) => {
	const own = describeStored(type);
	if (own || !(type in OTHER_NODES)) return own;
	const names = workflow.nodes
		.filter((node) => node.type === type)
		.flatMap(({ parameters }) => Object.keys(parameters));
	return {
		version: OTHER_NODES[type],
		outputs: ['main'],
		properties: [...new Set(names)].map((name) => anyValue(name)),
	} as Partial<INodeTypeDescription> as INodeTypeDescription;
};

/** A parameter that takes whatever the workflow holds; n8n itself evaluates the rules of a filter. */
const anyValue = (name: string): INodeProperties => ({
	displayName: name,
	name,
	type: name === 'conditions' ? 'filter' : 'string',
	default: '',
});

describe('what a stranger imports', () => {
	test.each(files)('%s opens without red parameters, missing nodes or private data', (file) => {
		const workflow = read(file);
		expect(problemsIn(workflow, describeIn(workflow))).toEqual([]);
	});

	test('the folder holds the pipelines that its page lists', () => {
		const page = readFileSync(join(FOLDER, 'README.md'), 'utf8');
		const listed = [...page.matchAll(/\]\(([\w-]+\.json)\)/g)].map(([, file]) => file);
		expect([...new Set(listed)].sort()).toEqual(files);
	});

	const broken: Array<[string, (workflow: WorkflowFile) => void, string]> = [
		[
			'a parameter that does not exist',
			({ nodes }) => (mirageNode(nodes, 'CreateVideo').parameters.imageLink = 'x'),
			'there is no parameter "imageLink"',
		],
		[
			'a parameter that the panel hides',
			({ nodes }) => (mirageNode(nodes, 'CreateVideo').parameters.audioUrl = 'x'),
			'"audioUrl" is hidden',
		],
		[
			'a choice that does not exist',
			({ nodes }) => (mirageNode(nodes, 'CreateVideo').parameters.imageSource = 'file'),
			'no choice "file"',
		],
		[
			'an option that does not exist',
			({ nodes }) => (mirageNode(nodes, 'WaitForVideo').parameters.options = { patience: 1 }),
			'there is no parameter "options.patience"',
		],
		[
			'an ID that lost its picker',
			({ nodes }) => (mirageNode(nodes, 'WaitForVideo').parameters.videoId = 'video_1'),
			'"videoId" is no resource locator',
		],
		[
			'a required field left empty',
			({ nodes }) => (mirageNode(nodes, 'CreateVideo').parameters.text = ''),
			'"text" is required',
		],
		[
			'a node that does not exist',
			({ nodes }) => (mirageNode(nodes, 'CreateVideo').type = `${PACKAGE}.mirageMakeVideo`),
			'there is no node type',
		],
		[
			'a version that n8n 1 does not have',
			({ nodes }) => (nodes.find(({ type }) => type.endsWith('.set'))!.typeVersion = 3.5),
			'has no version 3.5',
		],
		[
			'a credential',
			({ nodes }) =>
				(mirageNode(nodes, 'CreateVideo').credentials = { mirageApi: { id: '1', name: 'Mine' } }),
			'names a credential',
		],
		[
			'an address of a machine',
			({ nodes }) => (nodes[0]!.parameters.content = '# See http://192.168.0.7/x'),
			'192.168.0.7',
		],
		[
			'a connection to nowhere',
			({ connections }) => (connections.Start!.main![0]![0]!.node = 'Gone'),
			'"Gone", which does not exist',
		],
		[
			'an output that does not exist',
			({ connections }) =>
				connections.Start!.main!.push([{ node: 'Create Video', type: 'main', index: 0 }]),
			'there is no output 2',
		],
		[
			'a step without a note',
			({ nodes }) => (mirageNode(nodes, 'CreateVideo').position = [5_000, 5_000]),
			'no note explains it',
		],
	];
	test.each(broken)('the check notices %s', (_, spoil, problem) => {
		const workflow = read('suspend-while-rendering.json');
		spoil(workflow);
		expect(problemsIn(workflow, describeIn(workflow)).join('\n')).toContain(problem);
	});
});

const mirageNode = (nodes: INode[], name: string) =>
	nodes.find(({ type }) => type === `${PACKAGE}.mirage${name}`)!;

/** A call of a service that is not Mirage: the parameters of one item, expressions resolved. */
interface Call {
	node: string;
	parameters: IDataObject;
	item: INodeExecutionData;
}

/** What a service answers for one item: the JSON of its output items. */
type Answers = Record<string, (call: Call) => IDataObject[]>;

/** What Remove Duplicates has seen, over all executions of a test. */
const seenValues = new Set<string>();
beforeEach(() => seenValues.clear());

/** Makes a stand-in for a node of another package; it takes the parameters of that very node. */
function standIn(node: INode, answers: Answers, calls: Call[]): string {
	const { name } = node;
	class StandIn {
		description = {
			displayName: name,
			name: `standIn${node.id}`,
			group: ['transform'],
			version: 1,
			description: '',
			defaults: { name },
			inputs: ['main'],
			outputs: ['main'],
			properties: Object.keys(node.parameters).map(anyValue),
		} as INodeTypeDescription;

		async execute(this: import('n8n-workflow').IExecuteFunctions) {
			const output: INodeExecutionData[] = [];
			const items = this.getInputData();
			for (const [index, item] of items.entries()) {
				const parameters: IDataObject = {};
				for (const key of Object.keys(node.parameters))
					parameters[key] = this.getNodeParameter(key, index, undefined, {
						extractValue: true,
					}) as IDataObject;
				const pairedItem = { item: index };
				switch (node.type) {
					case 'n8n-nodes-base.filter':
						if (parameters.conditions) output.push({ ...item, pairedItem });
						break;
					case 'n8n-nodes-base.limit':
						if (index < Number(parameters.maxItems)) output.push({ ...item, pairedItem });
						break;
					case 'n8n-nodes-base.removeDuplicates': {
						const value = String(parameters.dedupeValue);
						if (!seenValues.has(value)) output.push({ ...item, pairedItem });
						seenValues.add(value);
						break;
					}
					case 'n8n-nodes-base.noOp':
						output.push({ ...item, pairedItem });
						break;
					case 'n8n-nodes-base.set': {
						const { assignments } = parameters.assignments as {
							assignments: Array<{ name: string; value: string }>;
						};
						const json = Object.fromEntries(assignments.map((field) => [field.name, field.value]));
						output.push({ json, pairedItem });
						break;
					}
					default: {
						const call = { node: name, parameters, item };
						calls.push(call);
						const answer = answers[name];
						if (!answer) throw new Error(`The test has no answer for "${name}"`);
						output.push(...answer(call).map((json) => ({ json, pairedItem })));
					}
				}
				if (node.executeOnce) break;
			}
			return [output];
		}
	}
	return registerNode(StandIn as never);
}

let mirage: Emulator;
/** What the test has started and nobody has closed. */
const started: Emulator[] = [];
let portraits: Server;
let portraitUrl: string;
let now = Date.now();

beforeAll(async () => {
	portraits = createServer((_, response) => response.end(readFileSync(MEDIA.portraitJpeg)));
	await new Promise<void>((resolve) => portraits.listen(0, '127.0.0.1', resolve));
	portraitUrl = `http://127.0.0.1:${(portraits.address() as AddressInfo).port}/portrait.jpg`;
});
afterAll(() => void portraits.close());
afterEach(async () => await started.pop()?.close());

async function startMirage(options: EmulatorOptions = {}): Promise<void> {
	now = Date.now();
	mirage = await startEmulator({ now: () => now, renderMs: 0, ...options });
	started.push(mirage);
}

const account = () => ({ baseUrl: mirage.url, apiKey: mirage.apiKey });

/** What a person fills in after importing, by node and parameter. */
type FilledIn = Record<string, INodeParameters>;

/**
 * Runs an example from what its trigger gives, with stand-ins for all services but Mirage. Fails the
 * test when the execution does.
 */
async function runExample(
	file: string,
	input: IDataObject[],
	answers: Answers,
	filledIn: FilledIn = {},
): Promise<{ run: RunResult; calls: Call[] }> {
	const workflow = read(file);
	const calls: Call[] = [];
	const isTrigger = ({ type }: INode) => /(trigger|\.webhook)$/i.test(type);
	const trigger = workflow.nodes.find(isTrigger)!;
	const steps = workflow.nodes.filter(
		(node) => node !== trigger && !node.type.endsWith('.stickyNote'),
	);
	const nodes = steps.map(({ name, type, parameters, ...node }): NodeSpec => {
		const values = { ...parameters, ...filledIn[name] };
		const own = type.startsWith(`${PACKAGE}.`);
		const { onError, retryOnFail, maxTries, executeOnce } = node;
		return {
			name,
			type: own
				? type.slice(PACKAGE.length + 1)
				: standIn({ ...node, name, type, parameters: values }, answers, calls),
			parameters: values,
			settings: { onError, retryOnFail, maxTries, executeOnce },
		};
	});
	const { [trigger.name]: fromTrigger, ...connections } = workflow.connections;
	const run = await runWorkflow({
		...account(),
		binaryMode: 'filesystem',
		input: input.map((json): InputItem => ({ json })),
		nodes,
		connections: { ...connections, [START]: fromTrigger! },
	});
	return { run, calls };
}

/** Headline and details of the error that ended a run, empty for none. */
const said = ({ error }: RunResult) => [error?.message, error?.description].filter(Boolean);

describe('what an imported workflow does, with stand-ins for all services but Mirage', () => {
	test('rows of a spreadsheet: new rows get a video and a link, a bad row its problem, a done row nothing', async () => {
		await startMirage();
		const row = (row_number: number, rest: IDataObject) => ({
			row_number,
			name: `Person ${row_number}`,
			text: `Hello number ${row_number}.`,
			portraitUrl,
			voiceId: 'my-voice',
			video: '',
			...rest,
		});
		const { run, calls } = await runExample('spreadsheet-rows-to-talking-heads.json', [{}], {
			'Read Rows': () => [
				row(2, { video: 'https://example.com/done' }),
				row(3, {}),
				row(4, { portraitUrl: 'http://127.0.0.1:1/missing.jpg' }),
				row(5, {}),
			],
			'Upload to Drive': ({ parameters }) => [
				{ webViewLink: `https://example.com/${String(parameters.name)}` },
			],
			'Write Link into Row': ({ item }) => [item.json],
			'Write Problem into Row': ({ item }) => [item.json],
		});
		expect(said(run)).toEqual([]);
		expect(mirage.videos()).toHaveLength(2);
		const written = (node: string) =>
			calls.filter((call) => call.node === node).map(({ parameters }) => valuesOf(parameters));
		expect(written('Write Link into Row')).toEqual([
			{ row_number: 3, video: 'https://example.com/Person 3.mp4', problem: '' },
			{ row_number: 5, video: 'https://example.com/Person 5.mp4', problem: '' },
		]);
		expect(written('Write Problem into Row')).toEqual([
			{ row_number: 4, problem: expect.stringContaining('Image: the URL could not be reached') },
		]);
		const [upload] = calls.filter(({ node }) => node === 'Upload to Drive');
		expect(await run.file(upload!.item, 'data')).toEqual(readFileSync(MEDIA.generated));
	});

	const thankYou: Answers = {
		'Get Deal': ({ parameters }) => [
			{ dealId: parameters.dealId, associations: { associatedVids: [51] } },
		],
		'Get Contact': () => [
			{ properties: { email: { value: 'ada@example.com' }, firstname: { value: 'Ada' } } },
		],
		'Send E-Mail': ({ item }) => [item.json],
	};

	test('a deal that is won: its contact gets a video by mail, other deals get none', async () => {
		await startMirage();
		const { run, calls } = await runExample(
			'deal-won-to-thank-you-video.json',
			[
				{ dealId: 1, propertyName: 'dealstage', propertyValue: 'contractsent' },
				{ dealId: 2, propertyName: 'dealstage', propertyValue: 'closedwon' },
			],
			thankYou,
			withPortrait('deal-won-to-thank-you-video.json', 'Portrait and Voice'),
		);
		expect(said(run)).toEqual([]);
		expect(calls.map(({ node }) => node)).toEqual(['Get Deal', 'Get Contact', 'Send E-Mail']);
		expect(calls[0]!.parameters.dealId).toMatchObject({ value: 2 });
		expect(calls[1]!.parameters.contactId).toMatchObject({ value: 51 });
		expect(calls[2]!.parameters).toMatchObject({
			toEmail: 'ada@example.com',
			subject: 'A short video for you, Ada',
		});
		const { attachments } = calls[2]!.parameters.options as { attachments: string };
		expect(await run.file(calls[2]!.item, attachments)).toEqual(readFileSync(MEDIA.generated));
		const [speech] = mirage.requests.filter(({ accepted }) => accepted?.startsWith('speech'));
		expect(speech!.json).toMatchObject({ text: expect.stringContaining('Hi Ada!') });
	});

	test('the scheduled post: one post becomes one video and four variants, and its row is marked once', async () => {
		await startMirage();
		const post = (row_number: number, posted: string) => ({
			row_number,
			posted,
			script: 'Today only.',
			portraitUrl,
			voiceId: 'my-voice',
			hook1: 'One',
			hook2: 'Two',
			hook3: 'Three',
			hook4: 'Four',
		});
		const { run, calls } = await runExample('scheduled-post-in-four-variants.json', [{}], {
			'Read Posts': () => [post(2, '2026-01-01'), post(3, ''), post(4, '')],
			'Upload to Drive': ({ item }) => [item.json],
			'Mark as Posted': ({ item }) => [item.json],
		});
		expect(said(run)).toEqual([]);
		expect(mirage.videos()).toHaveLength(1);
		const [overlay, ...more] = mirage.overlays();
		expect(more).toEqual([]);
		expect(overlay!.texts.map(({ text, color }) => [text, color])).toEqual([
			['One', '#FFFFFF'],
			['Two', '#FFFFFF'],
			['Three', '#FFD60A'],
			['Four', '#FFD60A'],
		]);
		const uploads = calls.filter(({ node }) => node === 'Upload to Drive');
		expect(uploads.map(({ parameters }) => parameters.name)).toEqual(
			[1, 2, 3, 4].map((count) =>
				expect.stringMatching(`^\\d{4}-\\d\\d-\\d\\d variant ${count}.mp4$`),
			),
		);
		for (const { item } of uploads)
			expect(await run.file(item, 'data')).toEqual(readFileSync(MEDIA.overlay));
		const marked = calls.filter(({ node }) => node === 'Mark as Posted');
		expect(marked.map(({ parameters }) => valuesOf(parameters).row_number)).toEqual([3]);
	});

	test('a finished video: it is captioned and published once, and its captions do not start it again', async () => {
		const file = 'caption-and-publish-finished-videos.json';
		await startMirage();
		const { parameters } = mirageNode(read(file).nodes, 'Trigger');
		const ask = async (staticData?: IDataObject) => {
			const result = await poll({ ...account(), parameters, staticData });
			if (result.error) throw result.error;
			return result;
		};
		const first = await ask();
		now += 60_000;
		mirage.seedVideos([{ id: 'video_new', created_at: Math.floor(now / 1_000) }]);
		const second = await ask(first.staticData);
		expect(second.items!.map(({ json }) => json.id)).toEqual(['video_new']);

		const templates = await fetch(`${mirage.url}/v1/videos/captions/templates`, {
			headers: { 'x-api-key': mirage.apiKey },
		});
		const { data } = (await templates.json()) as { data: Array<{ id: string }> };
		const { run, calls } = await runExample(
			file,
			second.items!.map(({ json }) => json),
			{ 'Upload to YouTube': ({ item }) => [item.json] },
			{ 'Add Captions': { captionTemplateId: { __rl: true, mode: 'list', value: data[0]!.id } } },
		);
		expect(said(run)).toEqual([]);
		const [upload, ...more] = calls;
		expect(more).toEqual([]);
		expect(upload!.parameters.title).toMatch(/^Video of \d{4}-\d\d-\d\d$/);
		expect(await run.file(upload!.item, 'data')).toEqual(readFileSync(MEDIA.captioned));
		expect(mirage.videos()).toMatchObject([{ source_video_id: 'video_new' }]);

		now += 60_000;
		expect((await ask(second.staticData)).items).toBeNull();
	});

	test('the suspend loop: the execution sleeps until the video is finished, and then goes on', async () => {
		const file = 'suspend-while-rendering.json';
		await startMirage({ renderMs: 150_000 });
		const { run: asleep } = await runExample(file, [{}], {}, withPortrait(file));
		expect(said(asleep)).toEqual([]);
		expect(asleep.status).toBe('waiting');
		const stillAsleep = await resumeWorkflow(asleep);
		expect(stillAsleep.status).toBe('waiting');
		now += 150_000;
		const awake = await resumeWorkflow(stillAsleep);
		expect(said(awake)).toEqual([]);
		expect(awake.status).toBe('success');
		const [item] = awake.outputs('Your Next Node');
		expect(await awake.file(item, 'data')).toEqual(readFileSync(MEDIA.generated));
		expect(mirage.videos()).toHaveLength(1);
	});

	test('the webhook: a row that is delivered twice gets one video', async () => {
		await startMirage();
		const deliver = async (id: string) => {
			const body = { id, portraitUrl, voiceId: 'my-voice', text: `Hello ${id}.` };
			const { run } = await runExample('webhook-paid-once.json', [{ body }], {});
			expect(said(run)).toEqual([]);
			return run;
		};
		const first = await deliver('deal-1');
		const [item] = first.outputs('Your Next Node');
		expect(await first.file(item, 'data')).toEqual(readFileSync(MEDIA.generated));

		await deliver('deal-1');
		expect(mirage.videos()).toHaveLength(1);
		await deliver('deal-2');
		expect(mirage.videos()).toHaveLength(2);
	});

	test('the snippet: pasted behind Create Video, the execution sleeps until the video is finished', async () => {
		await startMirage({ renderMs: 150_000 });
		const { nodes, connections } = read('suspend-snippet.json');
		const wait = nodes.find(({ type }) => type.startsWith(PACKAGE))!;
		const spec = ({ name, type, parameters }: INode): NodeSpec => ({
			name,
			type: type.slice(PACKAGE.length + 1),
			parameters,
		});
		mirage.seedVideos([{ id: 'video_1', status: 'PROCESSING' }]);
		const asleep = await runWorkflow({
			...account(),
			input: [{ json: { id: 'video_1' } }],
			nodes: [spec(wait)],
			connections: { ...connections, [START]: { main: [[to(wait.name)]] } },
		});
		expect(said(asleep)).toEqual([]);
		expect(asleep.status).toBe('waiting');
		mirage.setOutcome('video_1', { status: 'COMPLETE' });
		now += 150_000;
		const awake = await resumeWorkflow(asleep);
		expect(said(awake)).toEqual([]);
		expect(awake.outputs(wait.name, 1)[0]!.json).toMatchObject({ id: 'video_1' });
	});

	test('script and portrait: one portrait and a script become a captioned MP4', async () => {
		const file = 'script-and-portrait-to-captioned-mp4.json';
		await startMirage();
		const { run } = await runExample(
			file,
			[{}],
			{},
			{
				...withPortrait(file),
				'Add Captions': {
					captionTemplateId: { __rl: true, mode: 'id', value: await firstTemplate() },
				},
			},
		);
		expect(said(run)).toEqual([]);
		const [item] = run.outputs('Captioned MP4');
		expect(await run.file(item, 'data')).toEqual(readFileSync(MEDIA.captioned));
	});
});

describe("the agent's tools", () => {
	const file = 'agent-with-mirage-tools.json';
	const tools = read(file).nodes.filter(({ type }) => type.startsWith(`${PACKAGE}.`));

	/** Calls one tool of the example as the agent does, with what the model fills in. */
	async function call(name: string, toolArguments: INodeParameters) {
		const tool = tools.find((node) => node.name === name)!;
		const run = await runWorkflow({
			...account(),
			nodes: [
				{ type: 'toolCaller', name: 'Agent', parameters: { arguments: toolArguments } },
				{ type: tool.type.slice(PACKAGE.length + 1), name, parameters: tool.parameters },
			],
			connections: {
				[START]: { main: [[{ node: 'Agent', type: 'main', index: 0 }]] },
				[name]: { ai_tool: [[{ node: 'Agent', type: 'ai_tool', index: 0 }]] },
			},
		});
		expect(said(run)).toEqual([]);
		const { description, answer } = run.outputs('Agent')[0]!.json;
		return { description: String(description), answer: String(answer) };
	}

	test('from a portrait to a captioned video, with what each tool answers', async () => {
		await startMirage();
		const created = await call('Create Video Tool', { portraitUrl, text: 'Hello there.' });
		expect(created.description).toContain('Paid');
		const [video] = mirage.videos();
		expect(created.answer).toContain(video!.id);

		const status = await call('Video Status', { videoId: video!.id });
		expect(status.answer).toContain('COMPLETE');
		const styles = await call('Caption Styles', {});
		const templateId = /ctpl_\w+/.exec(styles.answer)![0];
		await call('Add Captions Tool', { videoId: video!.id, captionTemplateId: templateId });
		expect(mirage.videos()).toMatchObject([
			{ kind: 'generated' },
			{ kind: 'captioned', source_video_id: video!.id, caption_template_id: templateId },
		]);
		const recent = await call('Recent Videos', {});
		for (const { id } of mirage.videos()) expect(recent.answer).toContain(id);
	});

	test('every tool is wired to the agent and says what it costs', () => {
		const { connections, nodes } = read(file);
		const agent = nodes.find(({ type }) => type.endsWith('.agent'))!.name;
		for (const { name, parameters } of tools) {
			expect(connections[name]!.ai_tool![0]![0]!.node).toBe(agent);
			expect(parameters.toolDescription).toMatch(/\b(Paid|Free)\./);
		}
	});
});

const to = (node: string) => ({ node, type: 'main' as const, index: 0 });

/** Columns that a Google Sheets node writes. */
const valuesOf = ({ columns }: IDataObject) => (columns as { value: IDataObject }).value;

/** The address of a real portrait in the field that the example leaves to the person. */
function withPortrait(file: string, name = 'Script and Portrait'): FilledIn {
	const { parameters } = read(file).nodes.find((node) => node.name === name)!;
	const { assignments } = (parameters.assignments ?? {}) as {
		assignments: Array<{ name: string; value: string }>;
	};
	return {
		[name]: {
			assignments: {
				assignments: assignments.map((field) =>
					field.name === 'portraitUrl' ? { ...field, value: portraitUrl } : field,
				),
			},
		},
	};
}

async function firstTemplate(): Promise<string> {
	const answer = await fetch(`${mirage.url}/v1/videos/captions/templates`, {
		headers: { 'x-api-key': mirage.apiKey },
	});
	return ((await answer.json()) as { data: Array<{ id: string }> }).data[0]!.id;
}
