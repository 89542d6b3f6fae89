import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { MEDIA } from '../../harness/emulator/media';
import { type Emulator } from '../../harness/emulator/emulator';
import type { NodeSpec } from '../../harness/engine/engine';
import { GETS, item, POSTS, requestsTo, run, startAccount, toldBy, withLimits } from './cases';

withLimits({ firstPauseMs: 2, fileIdleMs: 400, uploadIdleMs: 2_000 });

const RENDERED = readFileSync(MEDIA.generated);
const PORTRAIT = readFileSync(MEDIA.portraitJpeg);
const DOWNLOAD = GETS.content!;
const CREATE: NodeSpec = POSTS['POST /v1/videos']!;
const GO_ON = { onError: 'continueRegularOutput' } as const;

let mirage: Emulator;
let server: Server | undefined;
beforeEach(async () => {
	mirage = await startAccount();
});
afterEach(async () => {
	server?.closeAllConnections();
	server?.close();
	server = undefined;
	await mirage.close();
});

const serve = async (answer: RequestListener) => {
	server = createServer(answer).listen(0, '127.0.0.1');
	await new Promise((resolve) => server!.once('listening', resolve));
	return `http://127.0.0.1:${(server.address() as AddressInfo).port}/portrait.jpg`;
};

describe('one of ten items has no portrait', () => {
	const input = () => Array.from({ length: 10 }, (_, index) => (index === 6 ? {} : item()));

	it('nothing is started, and the error says which', async () => {
		const result = await run(mirage, CREATE, input());
		expect(result.error!.message).toBe('Image: the item has no binary field "image" [item 6]');
		expect(mirage.requests).toEqual([]);
	});

	it('with "Continue" the other nine are started', async () => {
		const result = await run(mirage, { ...CREATE, settings: GO_ON }, input());
		expect(mirage.videos()).toHaveLength(9);
		expect(result.outputs()).toHaveLength(10);
		expect(result.outputs()[6]!.json.error).toContain('no binary field "image"');
		expect(result.outputs().map(({ pairedItem }) => pairedItem)).toEqual(
			Array.from({ length: 10 }, (_, index) => ({ item: index })),
		);
	});
});

describe('a download', () => {
	it.each([
		['that is cut off', { kind: 'truncate', bytes: 5_000 } as const],
		['whose address has expired', { kind: 'expired' } as const],
		['that is reset', { kind: 'resetAfterBody', accepted: false } as const],
		['that falls silent', { kind: 'hang' } as const],
		['that is a page instead', { kind: 'html' } as const],
	])('%s is fetched again, from an address asked for anew', async (_, fault) => {
		mirage.fault({ route: 'content', times: 2, fault });
		const result = await run(mirage, DOWNLOAD, [item()]);
		expect(toldBy(result)).toBe('');
		expect(await result.file(result.outputs()[0], 'data')).toEqual(RENDERED);
		const addresses = requestsTo(mirage, 'content').map(({ path }) => path);
		expect(addresses).toHaveLength(3);
		expect(requestsTo(mirage, 'GET /v1/videos/{video_id}/content')).toHaveLength(3);
	});

	it.each(['memory', 'filesystem'] as const)(
		'that is never whole gives no file, with files in %s',
		async (binaryMode) => {
			mirage.fault({
				route: 'content',
				times: Infinity,
				fault: { kind: 'truncate', bytes: 9_000 },
			});
			const node = { ...DOWNLOAD, settings: GO_ON };
			const result = await run(mirage, node, [item()], { binaryMode });
			const [output] = result.outputs();
			expect(output!.binary?.data).toBeUndefined();
			expect(output!.json.error).toContain('its answer could not be read');
			expect(output!.json.details).toContain('The video is still at Mirage');
		},
	);

	it('whose length nobody states is measured by its container', async () => {
		let count = 0;
		const url = await serve((_, response) => {
			count += 1;
			response.writeHead(200, { 'content-type': 'video/mp4', 'transfer-encoding': 'chunked' });
			response.end(count < 3 ? RENDERED.subarray(0, RENDERED.length - 100) : RENDERED);
		});
		mirage.fault({
			route: 'GET /v1/videos/{video_id}/content',
			times: Infinity,
			fault: { kind: 'status', status: 302, headers: { location: url } },
		});
		const result = await run(mirage, DOWNLOAD, [item()]);
		expect(await result.file(result.outputs()[0], 'data')).toEqual(RENDERED);
		expect(count).toBe(3);
	});
});

it('speech that is cut off gives no file, says that it was billed, and is not made again', async () => {
	const route = 'POST /v1/audio/text-to-speech/{voice_id}';
	mirage.fault({ route, fault: { kind: 'truncate', bytes: 1_000 } });
	const settings = { ...GO_ON, retryOnFail: true, maxTries: 3, waitBetweenTries: 1 };
	const result = await run(mirage, { ...POSTS[route]!, settings }, [item()]);
	const [output] = result.outputs();
	expect(output!.binary?.audio).toBeUndefined();
	expect(output!.json.error).toContain('could not generate speech');
	expect(output!.json.details).toContain('cut short');
	expect(output!.json.details).toContain('may still have accepted it and billed it');
	expect(requestsTo(mirage, route)).toHaveLength(1);
});

describe('a file behind a URL', () => {
	const fromUrl = (url: string): NodeSpec => ({
		...CREATE,
		parameters: { imageSource: 'url', imageUrl: url },
	});

	it('that breaks off while it is uploaded starts nothing, and the error says so', async () => {
		const url = await serve((request, response) => {
			const { range } = request.headers;
			const head = { 'content-type': 'image/jpeg', 'content-length': PORTRAIT.length };
			response.writeHead(200, head);
			if (range) response.end(PORTRAIT);
			else {
				response.write(PORTRAIT.subarray(0, 2_000));
				setTimeout(() => response.destroy(), 50);
			}
		});
		const result = await run(mirage, fromUrl(url), [item()]);
		expect(result.error!.message).toBe(
			'Image: the file behind the URL broke off while it was sent [item 0]',
		);
		expect(toldBy(result)).toContain('Nothing was started');
		expect(mirage.videos()).toEqual([]);
	});

	it('that shrinks between check and upload starts nothing', async () => {
		const url = await serve((request, response) => {
			const bytes = request.headers.range ? PORTRAIT : PORTRAIT.subarray(0, 3_000);
			response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
		});
		const result = await run(mirage, fromUrl(url), [item()]);
		expect(result.error!.message).toContain('changed while it was sent');
		expect(mirage.videos()).toEqual([]);
	});
});
