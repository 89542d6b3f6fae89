import Ajv from 'ajv/dist/2020';
import fastGlob from 'fast-glob';
import type { IDataObject, INodeExecutionData } from 'n8n-workflow';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { startEmulator, type Emulator } from '../../harness/emulator/emulator';
import { n8nRelease } from '../../harness/engine/n8n';
import { poll, runWorkflow } from '../../harness/engine/engine';
import { byId } from '../../harness/engine/oneNode';
import { portrait, upright, voice } from '../../harness/engine/inputs';

const NODES = join(__dirname, '../../../nodes');

interface OutputSchema {
	type: string;
	properties: Record<string, object>;
	version: number;
}

/** Where n8n looks for the preview of an operation (`n8n-core`, `output-schema-resolver.js`, of 2.41). */
const pathOf = (folder: string, operation: string[]) =>
	join(NODES, folder, '__schema__', ['v1.0.0', ...operation].join('/') + '.json');
const schemaOf = (folder: string, operation: string[]) =>
	JSON.parse(readFileSync(pathOf(folder, operation), 'utf8')) as OutputSchema;

let mirage: Emulator;
let template: string;
beforeAll(async () => {
	mirage = await startEmulator({ renderMs: 0 });
	const error = { code: 'no_face', message: 'No face was found' };
	mirage.seedVideos([
		{ id: 'video_done' },
		{ id: 'video_open', status: 'PROCESSING', completed_at: null, progress: 40 },
		{ id: 'video_failed', status: 'FAILED', completed_at: null, error },
	]);
	const answer = await fetch(`${mirage.url}/v1/videos/captions/templates?limit=1`, {
		headers: { 'x-api-key': mirage.apiKey },
	});
	template = ((await answer.json()) as { data: [{ id: string }] }).data[0].id;
});
afterAll(async () => await mirage.close());

const items = async (type: string, parameters: IDataObject, ids = ['video_done']) => {
	const run = await runWorkflow({
		baseUrl: mirage.url,
		apiKey: mirage.apiKey,
		nodes: [{ type, parameters: parameters as never }],
		input: ids.map((id) => ({
			json: { id },
			files: { image: portrait(), audio: voice(), data: upright() },
		})),
	});
	expect(run.error?.message).toBeUndefined();
	return run.outputs();
};
const overlay = async (parameters: IDataObject) =>
	await items('mirageMetaTextOverlay', {
		options: { pollInterval: 1, maxPollInterval: 1 },
		...parameters,
	});
const all = ['video_done', 'video_open', 'video_failed'];

/** What a node added to the fields of its items. */
const addedTo = (output: INodeExecutionData[]): INodeExecutionData[] =>
	output.map(({ json: { id, ...json } }) => {
		expect(id).toBe('video_done');
		return { json };
	});

/** Every node and operation, and how to get real output of it. */
const operations: Array<[string, string[], () => Promise<INodeExecutionData[]>]> = [
	[
		'CreateVideo',
		['create'],
		async () => await items('mirageCreateVideo', { imageField: 'image' }),
	],
	[
		'CreateVideo',
		['estimate'],
		async () =>
			addedTo(await items('mirageCreateVideo', { operation: 'estimate', imageField: 'image' })),
	],
	[
		'AddCaptions',
		['estimate'],
		async () =>
			addedTo(
				await items('mirageAddCaptions', {
					operation: 'estimate',
					videoSource: 'binary',
					captionTemplateId: byId(template),
				}),
			),
	],
	[
		'AddCaptions',
		['create'],
		async () => await items('mirageAddCaptions', { captionTemplateId: byId(template) }),
	],
	[
		'TextToSpeech',
		[],
		async () => await items('mirageTextToSpeech', { voiceId: 'voice-1', text: 'Hello' }),
	],
	[
		'MetaTextOverlay',
		['create'],
		async () => await overlay({ texts: { values: [{ text: 'One' }, { text: 'Two' }] } }),
	],
	[
		'MetaTextOverlay',
		['get'],
		async () => await overlay({ operation: 'get', overlayId: mirage.overlays()[0]!.id }),
	],
	['List', ['video', 'getMany'], async () => await items('mirageList', {})],
	[
		'List',
		['video', 'get'],
		async () =>
			await items('mirageList', { operation: 'get', videoId: byId('={{ $json.id }}') }, all),
	],
	[
		'List',
		['video', 'download'],
		async () => await items('mirageList', { operation: 'download', videoId: byId('video_done') }),
	],
	[
		'List',
		['captionTemplate', 'getMany'],
		async () => await items('mirageList', { resource: 'captionTemplate' }),
	],
	[
		'List',
		['captionTemplate', 'get'],
		async () =>
			await items('mirageList', {
				resource: 'captionTemplate',
				operation: 'get',
				captionTemplateId: byId(template),
			}),
	],
	['WaitForVideo', [], async () => await items('mirageWaitForVideo', { downloadVideo: false })],
	[
		'Trigger',
		[],
		async () =>
			(await poll({ baseUrl: mirage.url, apiKey: mirage.apiKey, mode: 'manual' })).items ?? [],
	],
];

/** Nodes that add a file and pass the item's JSON through have no fields of their own. */
const onlyAddAFile = ['TextToSpeech/', 'List/video/download'];
/** Fields that are only there when something went wrong. */
const notAlways = ['error'];

it.each(operations)('the preview of %s %j shows what comes out', async (folder, operation, run) => {
	const output = await run();
	expect(output.length).toBeGreaterThan(0);
	const { properties, ...rest } = schemaOf(folder, operation);
	expect(rest).toEqual({ type: 'object', version: 1 });
	if (onlyAddAFile.includes(`${folder}/${operation.join('/')}`)) {
		expect(properties).toEqual({});
		expect(output[0]!.json).toEqual({ id: 'video_done' });
		return;
	}
	const check = new Ajv({ allowUnionTypes: true }).compile({
		type: 'object',
		properties,
		additionalProperties: false,
		required: Object.keys(properties).filter((name) => !notAlways.includes(name)),
	});
	for (const { json } of output)
		expect([json, check(json), check.errors]).toEqual([json, true, null]);
});

it('no preview is left over, and none is missing', () => {
	const there = fastGlob.sync('*/__schema__/**/*.json', { cwd: NODES, absolute: true });
	expect(there.sort()).toEqual(
		operations.map(([folder, operation]) => pathOf(folder, operation)).sort(),
	);
});

// n8n 1 joins the same path in its server, which the engine is without.
if (n8nRelease !== '1.123')
	it('n8n itself finds every preview', () => {
		const { resolveOutputSchemaPath } = globalThis.n8nRequire<{
			resolveOutputSchemaPath: (ref: object) => string | undefined;
		}>('./nodes-loader/output-schema-resolver.js');
		for (const [folder, operation] of operations) {
			const [resource, name] = operation.length === 2 ? operation : [undefined, operation[0]];
			const path = resolveOutputSchemaPath({
				nodeDir: join(NODES, folder),
				version: 1,
				resource,
				operation: name,
			});
			expect(path).toBe(pathOf(folder, operation));
			expect(existsSync(path!)).toBe(true);
		}
	});
