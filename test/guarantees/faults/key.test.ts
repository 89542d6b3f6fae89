import type { IHttpRequestOptions } from 'n8n-workflow';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { MirageApi } from '../../../credentials/MirageApi.credentials';
import { MEDIA } from '../../harness/emulator/media';
import { type Emulator } from '../../harness/emulator/emulator';
import { logLines } from '../../harness/engine/n8n';
import { type NodeSpec, type RunResult } from '../../harness/engine/engine';
import {
	aTemplate,
	anOverlay,
	GETS,
	item,
	POSTS,
	run,
	SECRET,
	SHORT_LIMITS,
	startAccount,
	toldBy,
	withLimits,
} from './cases';

withLimits(SHORT_LIMITS);

let mirage: Emulator;
/** A host of somebody else, which notes what it is sent. */
let stranger: Server & { url: string; seen: IncomingHttpHeaders[] };
beforeEach(async () => {
	mirage = await startAccount();
	const seen: IncomingHttpHeaders[] = [];
	const server = createServer((request, response) => {
		seen.push({ ...request.headers, url: request.url });
		if (request.url === '/hop') {
			response.writeHead(302, { location: `${mirage.contentUrl}/stolen` }).end();
			return;
		}
		response.writeHead(200, { 'content-type': 'image/jpeg' });
		response.end(readFileSync(MEDIA.portraitJpeg));
	}).listen(0, '127.0.0.1');
	await new Promise((resolve) => server.once('listening', resolve));
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	stranger = Object.assign(server, { url, seen });
});
afterEach(async () => {
	stranger.closeAllConnections();
	stranger.close();
	await mirage.close();
});

/** Fails where the key is in anything that n8n keeps, shows or logs, or that another host was sent. */
function expectNoKey(result: RunResult) {
	const kept = [result.stored, result.hints, result.uiMessages, logLines(), toldBy(result)];
	const sent = [stranger.seen, mirage.requests.filter(({ server }) => server === 'content')];
	expect(JSON.stringify(kept).includes(SECRET)).toBe(false);
	expect(JSON.stringify(sent).includes(SECRET)).toBe(false);
	expect(JSON.stringify(sent)).not.toContain('x-api-key');
}

it.each(Object.entries({ ...POSTS, ...GETS }))(
	'the key does not follow a redirect to another host: %s',
	async (route, node) => {
		const json = { template: await aTemplate(mirage), overlay: await anOverlay(mirage) };
		mirage.requests.length = 0;
		mirage.fault({
			route,
			times: Infinity,
			fault: { kind: 'status', status: 302, headers: { location: `${stranger.url}/thief` } },
		});
		expectNoKey(await run(mirage, node, [item(json)]));
	},
);

it('the key does not go to the URL of a file, nor where that leads', async () => {
	const node = (url: string): NodeSpec => ({
		type: 'mirageCreateVideo',
		parameters: { imageSource: 'url', imageUrl: url },
	});
	const result = await run(mirage, node(`${stranger.url}/portrait.jpg`), [item()]);
	expect(toldBy(result)).toBe('');
	expect(stranger.seen).not.toHaveLength(0);
	expectNoKey(result);
	expectNoKey(await run(mirage, node(`${stranger.url}/hop`), [item()]));
});

it('the key does not go to the file host, also not when the node retries', async () => {
	mirage.fault({ route: 'content', times: 2, fault: { kind: 'truncate', bytes: 100 } });
	const result = await run(mirage, GETS.content!, [item()]);
	expect(mirage.requests.filter(({ server }) => server === 'content')).toHaveLength(3);
	expectNoKey(result);
});

it('a wrong key is not repeated in the error, nor one in a request that failed', async () => {
	mirage.fault({ times: Infinity, fault: { kind: 'resetAfterBody', accepted: false } });
	for (const node of [...Object.values(POSTS), ...Object.values(GETS)])
		expectNoKey(await run(mirage, node, [item({ template: 'ctpl_1', overlay: 'overlay_1' })]));
});

describe('the credential adds the key', () => {
	const { authenticate } = new MirageApi();
	const add = async (request: IHttpRequestOptions) =>
		await (authenticate as (...all: unknown[]) => Promise<IHttpRequestOptions>)(
			{ apiKey: SECRET, baseUrl: 'https://api.mirage.app' },
			request,
		);

	it('to the Base URL', async () => {
		const { headers } = await add({ url: 'https://api.mirage.app/v1/videos' });
		expect(headers).toEqual({ 'x-api-key': SECRET });
	});

	it.each([
		'https://api.mirage.app.example.com/v1/videos',
		'https://api.mirage.app@example.com/v1/videos',
		'http://api.mirage.app/v1/videos',
		'https://api.mirage.app:8443/v1/videos',
		'//example.com/v1/videos',
		'https:\\\\example.com',
	])('not to %s', async (url) => {
		await expect(add({ url })).rejects.toThrow('is only sent to https://api.mirage.app');
	});
});

const HOSTILE = [
	'../captions/templates',
	'..',
	'.',
	'%2e%2e',
	'%2e%2e%2fcaptions%2ftemplates',
	'video_1/../../v2',
	'video_1?limit=1',
	'video_1#part',
	'video_1\r\nx-injected: 1',
	'video_1\u0000',
	'video_1\u2028x',
	'..\\captions',
	'//example.com',
];

describe('an ID from data cannot change the request', () => {
	const nodes: Record<string, () => NodeSpec> = {
		'a video': () => ({
			type: 'mirageList',
			parameters: { resource: 'video', operation: 'get', videoId: locator() },
		}),
		'a template': () => ({
			type: 'mirageList',
			parameters: { resource: 'captionTemplate', operation: 'get', captionTemplateId: locator() },
		}),
		'an overlay': () => ({
			type: 'mirageMetaTextOverlay',
			parameters: { operation: 'get', overlayId: '={{ $json.id }}' },
		}),
		'a voice': () => ({
			type: 'mirageTextToSpeech',
			parameters: { voiceId: '={{ $json.id }}', text: 'Hello' },
		}),
		'a video to caption': () => ({
			type: 'mirageAddCaptions',
			parameters: {
				videoSource: 'videoId',
				videoId: locator(),
				captionTemplateId: locator('ctpl_1'),
			},
		}),
	};
	const locator = (value = '={{ $json.id }}') => ({
		__rl: true,
		mode: 'id',
		value,
	});
	const cases = Object.keys(nodes).flatMap((what) => HOSTILE.map((id) => ({ what, id })));
	it.each(cases)('$what: $id', async ({ what, id }) => {
		const result = await run(mirage, nodes[what]!(), [item({ id })]);
		expect(result.status).toBe('error');
		expect(toldBy(result)).toContain('is not an ID of Mirage');
		expect(mirage.requests).toEqual([]);
	});
});

it('the name of a file cannot put anything into the upload', async () => {
	const fileName = 'a"; name="model"\r\nx-injected: 1\r\n\r\nb.jpg';
	const { files = {} } = item();
	const named = Object.entries(files).map(([field, file]) => [field, { ...file, fileName }]);
	const input = { files: Object.fromEntries(named) as typeof files };
	const result = await run(mirage, POSTS['POST /v1/videos']!, [input]);
	expect(toldBy(result)).toBe('');
	const [request] = mirage.requests;
	expect(request!.files!.map(({ field, fileName }) => [field, fileName])).toEqual([
		['image_reference', 'image_reference.jpg'],
		['audio_reference', 'audio_reference.mp3'],
	]);
	expect(request!.fields).toEqual({ model: ['mirage-video-1-latest'] });
});

describe('a key that the server says back is neither shown, logged nor stored', () => {
	/** Keys with characters that mean something in a pattern, in an address and in JSON. */
	const KEYS = [SECRET, 'mira_a+b.c*(d)[e]$^|?\\x', 'key "with" / and % in it', 'schlüssel_öffnet'];
	/** Plain, inside a longer text, for an address, in part for an address, as JSON in a text. */
	const forms = (key: string) =>
		[
			key,
			`Invalid API key:<${key}>, see ${key}!`,
			`https://api.mirage.app/?key=${encodeURIComponent(key)}`,
			encodeURI(key).toLowerCase(),
			JSON.stringify({ given: key }),
		].join(' ');
	/** The key in any form: only its letters and digits count. */
	const bare = (text: string) => {
		let plain = text;
		for (let round = 0; round < 3; round++)
			plain = plain.replace(/(?:%[0-9a-f]{2})+/gi, (bytes) =>
				Buffer.from(bytes.replaceAll('%', ''), 'hex').toString(),
			);
		return plain.toLowerCase().replace(/[^\p{L}\d]/gu, '');
	};

	it.each(KEYS)('%s', async (key) => {
		const said = forms(key);
		const account = await startAccount();
		const bodies = [
			{ status: 401, body: { detail: said } },
			{ status: 422, body: { detail: [{ loc: ['body', said], msg: said, type: 'x' }] } },
			{ status: 500, body: { error: { type: 'x', message: said } } },
			{ status: 200, body: { id: 'video_1', status: said, error: { code: said, message: said } } },
			{ status: 200, body: { id: 'video_1', status: 'FAILED', error: said, [said]: said } },
		];
		const nodes: NodeSpec[] = [
			POSTS['POST /v1/videos']!,
			GETS['GET /v1/videos/{video_id}']!,
			{
				type: 'mirageWaitForVideo',
				parameters: {
					videoId: { __rl: true, mode: 'id', value: 'video_1' },
					whileProcessing: 'returnStatus',
				},
			},
		];
		try {
			for (const { status, body } of bodies)
				for (const node of nodes) {
					account.clearFaults();
					account.fault({ times: Infinity, fault: { kind: 'status', status, body } });
					const result = await run({ ...account, apiKey: key }, node, [item()]);
					const items = result.status === 'success' ? result.outputs() : [];
					const kept = [result.stored, result.hints, result.uiMessages, logLines(), items];
					expect(bare(JSON.stringify(kept))).not.toContain(bare(key));
				}
		} finally {
			await account.close();
		}
	});

	it('nor another key of Mirage, such as that of a proxy', async () => {
		const other = 'mira_proxy_8d3f6a1b2c';
		const detail = `The key ${other} has no plan`;
		mirage.fault({ fault: { kind: 'status', status: 402, body: { detail } } });
		const result = await run(mirage, POSTS['POST /v1/videos']!, [item()]);
		expect(toldBy(result)).toContain('Mirage says: The key [key removed] has no plan');
		expect(JSON.stringify([result.stored, logLines()])).not.toContain(other);
	});

	it('and looking for it in an answer of backslashes does not bring n8n to a halt', async () => {
		const detail = '\\'.repeat(100_000);
		mirage.fault({ fault: { kind: 'status', status: 402, body: { detail } } });
		const since = performance.now();
		const result = await run(mirage, POSTS['POST /v1/videos']!, [item()]);
		expect(result.status).not.toBe('success');
		expect(performance.now() - since).toBeLessThan(5_000);
	});

	it('nor does it travel to the host that a redirect names', async () => {
		mirage.fault({
			route: 'GET /v1/videos/{video_id}/content',
			times: Infinity,
			fault: {
				kind: 'status',
				status: 302,
				headers: { location: `${stranger.url}/file?key=${SECRET}` },
			},
		});
		const result = await run(mirage, GETS['GET /v1/videos/{video_id}/content']!, [item()]);
		expect(stranger.seen).not.toHaveLength(0);
		expectNoKey(result);
	});
});
