import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { MEDIA } from '../../harness/emulator/media';
import { exampleScript, importExample, LAST_NODE, MP4_FIELD, readExample } from '../example';
import type { N8nVersion } from '../install';
import type { N8nServerOptions } from '../server';
import { figure } from './figures';
import {
	API_KEY,
	failureOf,
	fileHash,
	filesHolding,
	itemsOf,
	openStage,
	sha256,
	type Stage,
} from './stage';
import { chain, waitForVideo } from './workflows';

type Store = NonNullable<N8nServerOptions['binaryMode']>;

const MATRIX: Array<[N8nVersion, Store]> = [
	['2.41.1', 'filesystem'],
	['2.41.1', 'database'],
	['2.41.1', 'default'],
	['1.123.81', 'filesystem'],
	['1.123.81', 'default'],
];

for (const [version, store] of MATRIX) {
	test(`n8n ${version}, binary data in ${store}`, { timeout: 5 * 60_000 }, async (t) => {
		const stage = await openStage(version, { server: { binaryMode: store } });
		t.after(stage.close);
		const startedAt = Date.now();
		const executions: string[] = [];

		await t.test('the example turns a script and a portrait into a captioned MP4', async () => {
			executions.push(await runExample(stage));
		});
		const exampleMs = Date.now() - startedAt;
		await t.test('files go to Mirage and come back byte for byte', async () => {
			executions.push(await sendEveryFile(stage));
		});
		await t.test('files are where this store keeps them', async () => {
			const kept = (await readdir(stage.folder, { recursive: true, withFileTypes: true })).filter(
				(entry) => entry.isFile() && /binaryData|storage/.test(entry.parentPath),
			);
			const packed = JSON.stringify(await stage.server.rest('GET', `/executions/${executions[0]}`));
			if (store === 'filesystem') assert.ok(kept.length > 0, 'no file was written');
			else assert.equal(kept.length, 0);
			assert.equal(
				packed.includes(`${store === 'filesystem' ? 'filesystem-v2' : store}:`),
				store !== 'default',
			);
		});
		await t.test('the API key is in nothing that n8n stores, logs or shows', async () => {
			for (const id of executions) {
				const shown = JSON.stringify(await stage.server.rest('GET', `/executions/${id}`));
				assert.ok(!shown.includes(API_KEY), `execution ${id} holds the key`);
			}
			await stage.server.stop();
			assert.deepEqual(await filesHolding(stage.folder, API_KEY), []);
			// The search itself finds what is there: the ID of a video is in the database.
			const known = stage.emulator.videos()[0]!.id;
			assert.ok((await filesHolding(join(stage.folder, '.n8n'), known)).length > 0);
		});
		figure('The pipeline on n8n 1 and 2', {
			n8n: version,
			'binary data': store,
			'example run (s)': (exampleMs / 1000).toFixed(1),
			'jobs started': String(stage.emulator.videos().length + stage.emulator.overlays().length),
		});
	});
}

/** The example as users import it; its videos render in half a second. */
async function runExample({ server, emulator, credential, portraitUrl }: Stage): Promise<string> {
	const [template] = await captionTemplates(emulator.url);
	const script = exampleScript(await readExample());
	const workflow = await importExample(
		server,
		{ script, portraitUrl, voiceId: 'demo-voice', captionTemplate: template! },
		credential,
	);
	const executionId = await server.runWorkflow(workflow.id);
	const execution = await server.waitForExecution(executionId);
	assert.equal(execution.status, 'success', failureOf(execution));
	assert.equal(
		await fileHash(server, itemsOf(execution, LAST_NODE)[0], MP4_FIELD),
		await sha256(MEDIA.captioned),
	);
	assert.deepEqual(
		emulator.videos().map(({ kind, status }) => [kind, status]),
		[
			['generated', 'COMPLETE'],
			['captioned', 'COMPLETE'],
		],
	);
	assert.deepEqual(uploaded(emulator.requests, 'POST /v1/videos'), [
		['image_reference', await sha256(MEDIA.portraitJpeg)],
		['audio_reference', await fileHash(server, itemsOf(execution, 'Text to Speech')[0], 'audio')],
	]);
	return executionId;
}

/** Every way a file can go: downloaded by n8n, kept in its store, uploaded from it, and back. */
async function sendEveryFile({
	server,
	emulator,
	credential,
	portraitUrl,
}: Stage): Promise<string> {
	emulator.requests.length = 0;
	const [template] = await captionTemplates(emulator.url);
	const workflow = await server.importWorkflow(
		chain(
			'Every file',
			[
				{
					name: 'Portrait',
					type: 'n8n-nodes-base.httpRequest',
					typeVersion: 4.2,
					parameters: {
						url: portraitUrl,
						options: {
							response: { response: { responseFormat: 'file', outputPropertyName: 'data' } },
						},
					},
				},
				{
					name: 'Text to Speech',
					type: 'mirageTextToSpeech',
					parameters: { voiceId: 'demo-voice', text: 'One file after the other.' },
				},
				{ name: 'Create Video', type: 'mirageCreateVideo' },
				waitForVideo({ downloadVideo: true }),
				{
					name: 'Add Captions',
					type: 'mirageAddCaptions',
					parameters: {
						videoSource: 'binary',
						captionTemplateId: { __rl: true, mode: 'id', value: template!.id },
					},
				},
				waitForVideo({ downloadVideo: true }, 'Captioned'),
				{
					name: 'Text Overlay',
					type: 'mirageMetaTextOverlay',
					parameters: {
						operation: 'create',
						videoSource: 'binary',
						texts: { values: [{ text: 'First' }, { text: 'Second' }] },
					},
				},
			],
			credential,
		),
	);
	const executionId = await server.runWorkflow(workflow.id);
	const execution = await server.waitForExecution(executionId);
	assert.equal(execution.status, 'success', failureOf(execution));
	const portrait = await sha256(MEDIA.portraitJpeg);
	const generated = await sha256(MEDIA.generated);
	const captioned = await sha256(MEDIA.captioned);
	assert.deepEqual(uploaded(emulator.requests, 'POST /v1/videos'), [
		['image_reference', portrait],
		['audio_reference', await fileHash(server, itemsOf(execution, 'Text to Speech')[0], 'audio')],
	]);
	assert.deepEqual(
		uploaded(emulator.requests, 'POST /v1/videos/captions').map(([, hash]) => hash),
		[generated],
	);
	assert.deepEqual(
		uploaded(emulator.requests, 'POST /v1/meta/text_overlays').map(([, hash]) => hash),
		[captioned],
	);
	const overlays = itemsOf(execution, 'Text Overlay');
	assert.equal(overlays.length, 2);
	for (const item of overlays) {
		assert.equal(await fileHash(server, item, 'data'), await sha256(MEDIA.overlay));
	}
	return executionId;
}

async function captionTemplates(url: string): Promise<Array<{ id: string; name: string }>> {
	const response = await fetch(`${url}/v1/videos/captions/templates`, {
		headers: { 'x-api-key': API_KEY },
	});
	return ((await response.json()) as { data: Array<{ id: string; name: string }> }).data;
}

/** Field name and SHA-256 of each file that arrived at a route. */
function uploaded(requests: Stage['emulator']['requests'], route: string): Array<[string, string]> {
	return requests
		.filter((request) => request.route === route)
		.flatMap(({ files = [] }) =>
			files.map(({ field, sha256 }): [string, string] => [field, sha256]),
		);
}
