import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Emulator } from '../../harness/emulator/emulator';
import { logLines } from '../../harness/engine/n8n';
import { GETS, item, items, POSTS, run, startAccount, toldBy, withLimits } from './cases';

withLimits({
	jsonIdleMs: 200,
	jsonTotalMs: 700,
	jsonBytes: 100_000,
	uploadIdleMs: 300,
	uploadTotalMs: 700,
	speechIdleMs: 300,
	speechTotalMs: 700,
	fileIdleMs: 200,
	firstPauseMs: 2,
});

let server: Server;
const start = async (answer: RequestListener) => {
	server = createServer(answer).listen(0, '127.0.0.1');
	await new Promise((resolve) => server.once('listening', resolve));
	return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, apiKey: 'key' };
};
afterEach(() => {
	server?.closeAllConnections();
	server?.close();
});

const LIST = GETS['GET /v1/videos']!;
const timed = async <T>(work: Promise<T>): Promise<[T, number]> => {
	const startedAt = Date.now();
	return [await work, Date.now() - startedAt];
};

it('a server that never answers', async () => {
	const at = await start(() => {});
	const [result, ms] = await timed(run(at, LIST, items(1)));
	expect(toldBy(result)).toContain('the server did not answer in time');
	expect(ms).toBeLessThan(3_000);
});

it('a server that drips its answer, byte after byte', async () => {
	const at = await start((_, response) => {
		response.writeHead(200, { 'content-type': 'application/json' });
		const drip = setInterval(() => response.write('['), 50);
		response.on('close', () => clearInterval(drip));
	});
	const [result, ms] = await timed(run(at, LIST, items(1)));
	expect(toldBy(result)).toContain('did not send the whole answer in time');
	expect(ms).toBeLessThan(5_000);
});

it('a server that drips the head of its answer to an upload: the job may exist', async () => {
	const at = await start((request) => {
		request.resume();
		const { socket } = request;
		socket.write('HTTP/1.1 200 OK\r\n');
		const drip = setInterval(() => socket.write('x-drip: 1\r\n'), 50);
		socket.on('close', () => clearInterval(drip));
	});
	const [result, ms] = await timed(run(at, POSTS['POST /v1/videos']!, items(1)));
	expect(toldBy(result)).toContain('may still have accepted');
	expect(ms).toBeLessThan(8_000);
});

it('an answer that is too large is not read to its end', async () => {
	let sent = 0;
	const at = await start((_, response) => {
		response.writeHead(200, { 'content-type': 'application/json' });
		const piece = Buffer.alloc(50_000, ' ');
		const more = () => {
			while (!response.destroyed && response.write(piece)) sent += piece.length;
			sent += piece.length;
			if (!response.destroyed) response.once('drain', more);
		};
		more();
	});
	const result = await run(at, LIST, items(1));
	expect(toldBy(result)).toContain('too large');
	expect(sent).toBeLessThan(50_000_000);
});

it('redirects of a file end after five', async () => {
	let hops = 0;
	const at = await start((_, response) => {
		hops += 1;
		response.writeHead(302, { location: `/hop-${hops}` }).end();
	});
	const mirage = await startAccount();
	const node = {
		type: 'mirageCreateVideo',
		parameters: { imageSource: 'url', imageUrl: `${at.url}/portrait.jpg` },
	};
	const result = await run(mirage, node, items(1));
	await mirage.close();
	expect(toldBy(result)).toContain('the URL redirects and leads to no file');
	expect(hops).toBe(6);
});

it.each(['file:///etc/passwd', 'ftp://127.0.0.1/portrait.jpg', 'data:image/jpeg;base64,AAAA'])(
	'a redirect of a file to %s is not followed',
	async (location) => {
		const at = await start((_, response) => void response.writeHead(302, { location }).end());
		const mirage = await startAccount();
		const node = {
			type: 'mirageCreateVideo',
			parameters: { imageSource: 'url', imageUrl: `${at.url}/portrait.jpg` },
		};
		const result = await run(mirage, node, items(1));
		await mirage.close();
		expect(toldBy(result)).toContain('the URL redirects and leads to no file');
	},
);

describe('stopping the execution ends the request in flight within a second', () => {
	const closed = (mirage: Emulator) => mirage.requests.length;

	it.each(Object.entries({ ...POSTS, ...GETS }))('%s', async (route, node) => {
		withoutLimits();
		const mirage = await startAccount();
		mirage.fault({ route, times: Infinity, fault: { kind: 'hang' } });
		const input = [item({ template: 'ctpl_1', overlay: 'overlay_1' })];
		const result = await run(mirage, node, input, { cancelAfterMs: 300 });
		const before = closed(mirage);
		await new Promise((resolve) => setTimeout(resolve, 100));
		expect(closed(mirage)).toBe(before);
		await mirage.close();
		expect(result.status).toBe('canceled');
		expect(result.stoppedAfterMs).toBeLessThan(1_000);
	});

	it('and the log says of an upload under way that it may have been accepted', async () => {
		const mirage = await startAccount();
		const route = 'POST /v1/videos';
		mirage.fault({ route, fault: { kind: 'hang', accepted: true } });
		await run(mirage, POSTS[route]!, items(1), { cancelAfterMs: 150 });
		await mirage.close();
		expect(logLines().join('\n')).toContain(
			'stopped while a request to Mirage was under way (POST /v1/videos). Mirage may still have accepted it',
		);
	});
});

it('a stop while the answer of an accepted job arrives: the log names the job', async () => {
	withoutLimits();
	const mirage = await startAccount();
	const route = 'POST /v1/videos';
	mirage.fault({ route, fault: { kind: 'slow', bytesPerSecond: 600 } });
	const stop = new AbortController();
	const running = run(mirage, POSTS[route]!, items(1), { cancelSignal: stop.signal });
	while (mirage.requests[0]?.status === undefined)
		await new Promise((resolve) => setTimeout(resolve, 10));
	// The headers are on their way; the rest of the answer takes half a second more.
	await new Promise((resolve) => setTimeout(resolve, 100));
	stop.abort();
	const result = await running;
	const [job] = mirage.videos();
	await mirage.close();
	expect(result.status).toBe('canceled');
	expect(result.stoppedAfterMs).toBeGreaterThan(100);
	expect(result.stoppedAfterMs).toBeLessThan(5_000);
	expect(logLines().join('\n')).toContain(`item 0 → ${job!.id}`);
});

/** Limits long enough that only the stop ends a request. */
function withoutLimits() {
	const { LIMITS } = jest.requireActual<typeof import('../../../nodes/shared/transport/timeouts')>(
		'../../../nodes/shared/transport/timeouts',
	);
	Object.assign(LIMITS, {
		jsonIdleMs: 60_000,
		uploadIdleMs: 60_000,
		speechIdleMs: 60_000,
		fileIdleMs: 60_000,
	});
}
