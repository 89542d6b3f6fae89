import type { IDataObject } from 'n8n-workflow';

import { Client } from '../../harness/emulator/client';
import { startEmulator, type Emulator } from '../../harness/emulator/emulator';
import type { InputItem } from '../../harness/engine/built-in-nodes';
import { byId, runNode } from '../../harness/engine/oneNode';
import { portrait, upright, voice } from '../../harness/engine/inputs';
import api from './mirage-api.json';
import { startJudge, type Judge } from './judge';

let mirage: Emulator;
let judge: Judge;
beforeEach(async () => {
	mirage = await startEmulator({ renderMs: 0 });
	mirage.seedVideos([{ id: 'video_source', status: 'COMPLETE' }]);
	judge = await startJudge(mirage.url);
});
afterEach(async () => {
	await judge.close();
	await mirage.close();
});

/** Runs a node against the judge; its items. */
async function run(type: string, parameters: IDataObject, input: InputItem = {}) {
	const result = await runNode({ ...mirage, url: judge.url }, type, parameters, [input]);
	expect({ problems: judge.problems, error: result.error?.message }).toEqual({ problems: [] });
	return result.outputs().map(({ json }) => json);
}

test('another reader of the description finds nothing wrong with any operation, or its answer', async () => {
	const [template] = await run('mirageList', { resource: 'captionTemplate' });
	const captionTemplateId = byId(String(template!.id));
	const get = { resource: 'captionTemplate', operation: 'get', captionTemplateId };
	await run('mirageList', get);
	await run('mirageList', { limit: 1 });
	await run('mirageList', { operation: 'get', videoId: byId('video_source') });
	await run('mirageCreateVideo', {}, { files: { data: portrait(), audio: voice() } });
	await run('mirageAddCaptions', { captionTemplateId }, { json: { id: 'video_source' } });
	await run(
		'mirageAddCaptions',
		{ captionTemplateId, videoSource: 'binary' },
		{ files: { data: upright() } },
	);
	await run('mirageWaitForVideo', {}, { json: { id: 'video_source' } });
	await run('mirageTextToSpeech', { voiceId: 'my-voice', text: 'Hello' });
	for (const values of [[{ text: 'One' }], [{ text: 'One', size: 48 }, { text: 'Two' }]])
		await run('mirageMetaTextOverlay', { texts: { values } }, { files: { data: upright() } });

	const described = Object.entries(api.paths).flatMap(([path, methods]) =>
		Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
	);
	expect([...judge.operations].sort()).toEqual(described.sort());
});

test('the emulator refuses as it is described', async () => {
	const client = new Client({ url: judge.url, apiKey: 'mira_wrong' });
	expect((await client.get('/v1/videos')).status).toBe(401);
	const known = new Client({ url: judge.url, apiKey: mirage.apiKey });
	expect((await known.get('/v1/videos/video_unknown')).status).toBe(404);
	expect((await known.addCaptions('ctpl_1', { video_id: 'video_unknown' })).status).toBe(404);
	mirage.fault({
		fault: { kind: 'status', status: 429, body: { error: { type: 'limit', message: 'Wait.' } } },
	});
	expect((await known.get('/v1/videos/video_source')).status).toBe(429);
	expect(judge.problems).toEqual([]);
});

describe('it notices', () => {
	const ask = async (asking: (client: Client) => Promise<unknown>) => {
		await asking(new Client({ url: judge.url, apiKey: mirage.apiKey }));
		return judge.problems.join('\n');
	};

	test.each<[string, (client: Client) => Promise<unknown>, string]>([
		[
			'a page that is too long',
			async (client) => await client.get('/v1/videos?limit=101'),
			'<= 100',
		],
		['a query of its own', async (client) => await client.get('/v1/videos?page=2'), 'page'],
		['an address of its own', async (client) => await client.get('/v1/avatars'), 'not found'],
		[
			'a form without speech',
			async (client) => await client.createVideo({ audio_reference: undefined }),
			'audio_reference',
		],
		[
			'a field that the API does not know',
			async (client) => await client.createVideo({ avatar: 'ada' }),
			'additional properties',
		],
		[
			'both a video and its ID',
			async (client) => await client.addCaptions('c', { video_id: 'v', video: 'x' }),
			'exactly one schema',
		],
		[
			'speech of another model',
			async (client) => {
				return await client.postJson('/v1/audio/text-to-speech/v', { text: 'Hi', model: 'other' });
			},
			'constant',
		],
	])('%s', async (_, asking, problem) => {
		expect(await ask(asking)).toContain(problem);
		expect(mirage.requests).toEqual([]);
	});

	test('a request without a key', async () => {
		await fetch(`${judge.url}/v1/videos`);
		expect(judge.problems.join()).toContain("'x-api-key' header required");
	});

	test('an answer without its ID', async () => {
		mirage.fault({ fault: { kind: 'status', status: 200, body: { status: 'COMPLETE' } } });
		expect(await ask(async (client) => await client.get('/v1/videos/v'))).toContain('answer: ');
	});

	test('a status that is not described', async () => {
		mirage.fault({ fault: { kind: 'status', status: 418, body: {} } });
		expect(await ask(async (client) => await client.get('/v1/videos/v'))).toContain('418');
	});
});
