import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Emulator } from '../../harness/emulator/emulator';
import type { NodeSpec } from '../../harness/engine/engine';
import {
	item,
	items,
	POSTS,
	requestsTo,
	run,
	SHORT_LIMITS,
	startAccount,
	withLimits,
} from './cases';

withLimits(SHORT_LIMITS);

const VIDEOS = 'POST /v1/videos';
const CREATE = POSTS[VIDEOS]!;
const readVideo = (id: string): NodeSpec => ({
	type: 'mirageList',
	parameters: {
		resource: 'video',
		operation: 'get',
		videoId: { __rl: true, mode: 'id', value: id },
	},
});

let mirage: Emulator;
beforeEach(async () => {
	mirage = await startAccount();
});
afterEach(async () => {
	await mirage.close();
});

/** What n8n stores and shows of the error of a run. */
async function shown(node: NodeSpec, at: Pick<Emulator, 'url' | 'apiKey'> = mirage) {
	const result = await run(at, node, items(1));
	const { message, description = '', name } = result.error!;
	expect(['NodeApiError', 'NodeOperationError']).toContain(name);
	const stored = (JSON.parse(result.stored) as { data: string }).data;
	expect(stored.includes(JSON.stringify(message))).toBe(true);
	return {
		message,
		description: description ?? '',
		httpCode: (result.error as { httpCode?: string }).httpCode,
		itemIndex: (result.error as { context?: { itemIndex?: number } }).context?.itemIndex,
	};
}

const status = (code: number, body?: unknown) =>
	mirage.fault({ route: VIDEOS, fault: { kind: 'status', status: code, body } });

it('a wrong key: where to correct it', async () => {
	const error = await shown(CREATE, { ...mirage, apiKey: 'mira_wrong' });
	expect(error.message).toBe('Mirage did not accept the API key');
	expect(error.description).toContain('Open the Mirage API credential');
	expect(error.httpCode).toBe('401');
});

it.each([
	[402, /wants a payment/, /balance/],
	[403, /does not allow this key/, /plan/],
	[413, /the file is too large/, /smaller file/],
	[415, /does not take this kind of file/, /kind of file/],
	[418, /could not create the video/, /parameters/],
])('status %i: what to do', async (code, message, description) => {
	status(code);
	const error = await shown(CREATE);
	expect(error.message).toMatch(message);
	expect(error.description).toMatch(description);
	expect(error.itemIndex).toBe(0);
});

const SPEECH = 'POST /v1/audio/text-to-speech/{voice_id}';

it('a text that is too long is not called a file', async () => {
	mirage.fault({ route: SPEECH, fault: { kind: 'status', status: 413 } });
	const error = await shown(POSTS[SPEECH]!);
	expect(error.message).toBe('Mirage could not generate speech: the text is too long');
	expect(error.description).toBe(
		[
			'Mirage says: Status 413 was asked for',
			'Nothing was started.',
			'Shorten the text, or split it into several items.',
		].join('\n'),
	);
});

it('a voice that does not exist: which one, and where voices come from', async () => {
	mirage.fault({ route: SPEECH, fault: { kind: 'status', status: 404 } });
	const error = await shown(POSTS[SPEECH]!);
	expect(error.message).toBe(
		'Mirage could not generate speech: the voice "voice_1" does not exist',
	);
	expect(error.description).toContain('https://platform.mirage.app');
	expect(error.description).not.toContain('organisation');
});

it.each([401, 402, 403])('status %i: where to go', async (code) => {
	status(code);
	expect((await shown(CREATE)).description).toContain('https://platform.mirage.app');
});

it('an ID that does not exist: which one', async () => {
	const error = await shown(readVideo('video_gone'));
	expect(error.message).toBe('Mirage could not read video "video_gone": it does not exist');
	expect(error.description).toContain('Check the ID');
});

it('an ID that holds the name of a network error is shown as it is', async () => {
	const error = await shown(readVideo('video_ECONNREFUSED'));
	expect(error.message).toContain('"video_ECONNREFUSED": it does not exist');
});

it('422: the parameter as the panel calls it, and the API’s reason', async () => {
	status(422, {
		detail: [
			{
				loc: ['body', 'audio_reference'],
				msg: 'Audio is longer than 5 minutes',
				type: 'value_error',
			},
			{ loc: ['body', 'texts', 1], msg: 'too long', type: 'value_error' },
		],
	});
	const error = await shown(CREATE);
	expect(error.message).toBe(
		'Mirage could not create the video: Audio: Audio is longer than 5 minutes; Texts 2: too long',
	);
});

it('5xx to a read: the service, not the user', async () => {
	mirage.fault({ times: Infinity, fault: { kind: 'status', status: 503 } });
	const error = await shown(readVideo('video_source'));
	expect(error.message).toContain('the service has a problem');
	expect(error.description).toContain('Try again later');
	expect(requestsTo(mirage, 'GET /v1/videos/{video_id}')).toHaveLength(3);
});

it('429 to a read that does not end', async () => {
	mirage.fault({ times: Infinity, fault: { kind: 'status', status: 429, retryAfter: 0 } });
	const error = await shown(readVideo('video_source'));
	expect(error.message).toContain('too many requests');
	expect(mirage.requests.length).toBeLessThan(10);
});

it('faults of several kinds share one patience: a read is sent three times at most', async () => {
	for (const fault of [
		{ kind: 'html' } as const,
		{ kind: 'status', status: 503 } as const,
		{ kind: 'garbage' } as const,
	])
		mirage.fault({ fault });
	const error = await shown(readVideo('video_source'));
	expect(error.message).toContain('its answer could not be read');
	expect(mirage.requests).toHaveLength(3);
});

it.each([
	['HTML', { kind: 'html' } as const],
	['broken JSON', { kind: 'garbage' } as const],
])('%s for an answer', async (_, fault) => {
	mirage.fault({ times: Infinity, fault });
	const error = await shown(readVideo('video_source'));
	expect(error.message).toContain('its answer could not be read');
	expect(error.description).toContain('something else than JSON');
	expect(mirage.requests).toHaveLength(3);
});

it('a host that does not exist: the Base URL, and that nothing was sent', async () => {
	const error = await shown(CREATE, { ...mirage, url: 'https://mirage.invalid' });
	expect(error.message).toBe('n8n could not create the video: the host name was not found');
	expect(error.description).toContain('Check the Base URL');
	expect(error.description).not.toContain('may still have accepted');
});

it('a port where nothing listens', async () => {
	await mirage.close();
	const error = await shown(CREATE);
	expect(error.message).toBe('n8n could not create the video: the server refused the connection');
	expect(error.description).not.toContain('may still have accepted');
});

it('a certificate that nobody vouches for: nothing was sent', async () => {
	const folder = mkdtempSync(join(tmpdir(), 'mirage-tls-'));
	const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
	execFileSync(
		'openssl',
		[
			'req',
			'-x509',
			'-newkey',
			'rsa:2048',
			'-nodes',
			'-days',
			'1',
			'-subj',
			'/CN=localhost',
		].concat(['-keyout', key, '-out', cert]),
		{ stdio: 'ignore' },
	);
	let asked = 0;
	const server = createTlsServer(
		{ key: readFileSync(key), cert: readFileSync(cert) },
		() => (asked += 1),
	).listen(0, '127.0.0.1');
	await new Promise((resolve) => server.once('listening', resolve));
	try {
		const { port } = server.address() as AddressInfo;
		const error = await shown(CREATE, { ...mirage, url: `https://localhost:${port}` });
		expect(error.message).toContain('the secure connection could not be made');
		expect(error.description).not.toContain('may still have accepted');
		expect(asked).toBe(0);
	} finally {
		server.close();
		rmSync(folder, { recursive: true });
	}
});

it('an unusable Base URL is told before anything is sent', async () => {
	const error = await shown(CREATE, { ...mirage, url: `${mirage.url}/v1` });
	expect(error.message).toContain('must not have a path');
});

it('each item says for itself what failed when the others go on', async () => {
	mirage.fault({
		route: VIDEOS,
		after: 1,
		fault: { kind: 'status', status: 422, body: { detail: 'No face found' } },
	});
	const result = await run(
		mirage,
		{
			...CREATE,
			settings: { onError: 'continueRegularOutput' },
			parameters: { ...CREATE.parameters, options: { concurrency: 1 } },
		},
		[item(), item(), item()],
	);
	expect(result.outputs().map(({ json }) => json.error ?? null)).toEqual([
		null,
		'Mirage could not create the video: No face found',
		null,
	]);
});
