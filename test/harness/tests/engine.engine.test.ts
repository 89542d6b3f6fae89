import type { IDataObject, INodeExecutionData } from 'n8n-workflow';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';

import {
	listSearch,
	poll,
	resumeWorkflow,
	runWorkflow,
	START,
	testCredential,
} from '../engine/engine';
import { logLines, n8nRelease } from '../engine/n8n';
import { registerNode } from '../engine/node-types';
import { type BinaryMode } from '../engine/binary-store';
import { Echo, Flaky, Leaky, Slow, Suspender, TitleTrigger } from '../engine/test-nodes';

[Echo, Flaky, Leaky, Slow, Suspender, TitleTrigger].forEach(registerNode);

const apiKey = 'key-that-must-not-be-stored';
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');
const jsonOf = (items: INodeExecutionData[]) => items.map(({ json }) => json);

let server: Server;
let baseUrl: string;
let ready: boolean;
let titles: string[];
let queries: string[];

beforeEach(async () => {
	ready = false;
	titles = ['first', 'second'];
	queries = [];
	server = createServer((request, response) => {
		const { pathname, search, searchParams } = new URL(request.url!, 'http://localhost');
		queries.push(pathname + search);
		if (request.headers['x-api-key'] !== apiKey) return void response.writeHead(401).end('{}');
		if (pathname === '/slow') return;
		if (pathname === '/echo') {
			if (searchParams.get('title') === 'bad') return void response.writeHead(400).end('refused');
			response.setHeader('x-key-arrived', 'yes');
			return void request.pipe(response);
		}
		response.setHeader('content-type', 'application/json');
		response.end(JSON.stringify({ ready, titles }));
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
	server.close();
	server.closeAllConnections();
	if (server.listening) await once(server, 'close');
});

test('an expression is resolved for each item, and the output keeps order and paired items', async () => {
	const run = await runWorkflow({
		baseUrl,
		apiKey,
		input: [{ json: { name: 'Ada' } }, { json: { name: 'Bob' } }],
		nodes: [
			{ type: 'set', parameters: { json: '={{ { name: $json.name.toUpperCase() } }}' } },
			{ type: 'echo', parameters: { title: '={{ $json.name }}-{{ $itemIndex }}' } },
		],
	});

	expect(run.error).toBeUndefined();
	expect(run.status).toBe('success');
	expect(jsonOf(run.outputs())).toEqual([
		{ title: 'ADA-0', key: 'yes' },
		{ title: 'BOB-1', key: 'yes' },
	]);
	expect(run.outputs().map(({ pairedItem }) => pairedItem)).toEqual([{ item: 0 }, { item: 1 }]);
	expect(queries).toEqual(['/echo?title=ADA-0', '/echo?title=BOB-1']);
});

const layouts =
	n8nRelease === '1.123' ? (['separate'] as const) : (['separate', 'combined'] as const);
const stores = [
	{ binaryMode: 'memory' as BinaryMode, binaryLayout: 'separate' as const },
	...layouts.map((binaryLayout) => ({ binaryMode: 'filesystem' as BinaryMode, binaryLayout })),
];
test.each(stores)(
	'a file arrives unchanged on both ways through $binaryMode, $binaryLayout',
	async (store) => {
		const content = randomBytes(3_000_000);
		const chunks = [content.subarray(0, 1_000_000), content.subarray(1_000_000)];
		const run = await runWorkflow({
			baseUrl,
			apiKey,
			...store,
			input: [{ files: { upload: { content: Readable.from(chunks), fileName: 'in.bin' } } }],
			nodes: [
				{
					type: 'echo',
					parameters: {
						title: 'file',
						field: store.binaryLayout === 'combined' ? '_files.upload' : 'upload',
					},
				},
			],
		});

		expect(run.error).toBeUndefined();
		const [item] = run.outputs();
		expect(sha256(await run.file(item, 'answer'))).toBe(sha256(content));
		expect(run.binary(item, 'answer').fileName).toBe('file.bin');
		expect(Boolean(run.binary(item, 'answer').id)).toBe(store.binaryMode === 'filesystem');
		expect(Boolean(item!.json._files)).toBe(store.binaryLayout === 'combined');
	},
);

test('the type of a file without name and type is recognised from its content, as on a server', async () => {
	const png = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010806000000', 'hex');
	const run = await runWorkflow({
		baseUrl,
		input: [{ files: { image: { content: png } } }],
		nodes: [{ type: 'noOp' }],
	});

	expect(run.binary(run.outputs()[0], 'image').mimeType).toBe('image/png');
});

test('a failed item goes to the error output, the others go on', async () => {
	const run = await runWorkflow({
		baseUrl,
		apiKey,
		input: [{ json: { name: 'good' } }, { json: { name: 'bad' } }],
		nodes: [
			{
				type: 'echo',
				parameters: { title: '={{ $json.name }}' },
				settings: { onError: 'continueErrorOutput' },
			},
		],
	});

	expect(run.status).toBe('success');
	expect(jsonOf(run.outputs('echo', 0))).toEqual([{ title: 'good', key: 'yes' }]);
	expect(jsonOf(run.outputs('echo', 1))).toEqual([
		{ name: 'bad', error: expect.stringContaining('Bad request') },
	]);
});

test('an error of the API ends the execution with its status and item', async () => {
	const run = await runWorkflow({
		baseUrl,
		apiKey,
		nodes: [{ type: 'echo', parameters: { title: 'bad' } }],
	});

	expect(run.status).toBe('error');
	expect(run.error).toMatchObject({ httpCode: '400', context: { itemIndex: 0 } });
});

test('an error that Node throws is an Error to the nodes, as on a server', async () => {
	await expect(readFile('/no/such/file')).rejects.toBeInstanceOf(Error);
});

test('an address where nobody listens is a connection error, not a crash', async () => {
	server.close();
	const run = await runWorkflow({ baseUrl, apiKey, nodes: [{ type: 'echo' }] });

	expect(run.status).toBe('error');
	expect(run.error?.message).toMatch(/refused/i);
});

test('Retry On Fail runs the node again and its context survives', async () => {
	const flaky = { type: 'flaky', parameters: { failures: 2 } };
	const run = await runWorkflow({
		baseUrl,
		nodes: [{ ...flaky, settings: { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 } }],
	});
	const once = await runWorkflow({ baseUrl, nodes: [flaky] });

	expect(jsonOf(run.outputs())).toEqual([{ tries: 3 }]);
	expect(run.hints).toEqual([{ message: 'Took some tries' }]);
	expect(once.status).toBe('error');
	expect(once.error?.message).toContain('Try 1 failed');
});

test.each(['stop button', 'signal', 'timeout'] as const)(
	'a running request ends soon after the execution is stopped by %s',
	async (by) => {
		const stop = new AbortController();
		const run = await runWorkflow({
			baseUrl,
			apiKey,
			nodes: [{ type: 'slow' }],
			...(by === 'stop button' ? { cancelAfterMs: 50 } : {}),
			...(by === 'timeout' ? { timeoutMs: 50 } : {}),
			cancelSignal: stop.signal,
			onNodeStart: (name) => {
				if (by === 'signal' && name === 'slow') setImmediate(() => stop.abort());
			},
		});

		expect(run.status).toBe('canceled');
		expect(run.stoppedAfterMs).toBeLessThan(1000);
	},
);

test('a suspended execution passes its input through the first output when it resumes', async () => {
	const to = (node: string) => [{ node, type: 'main' as const, index: 0 }];
	const waiting = await runWorkflow({
		baseUrl,
		apiKey,
		input: [{ json: { id: 'video-1' } }],
		nodes: [{ type: 'suspender' }, { type: 'noOp', name: 'after' }],
		connections: {
			[START]: { main: [to('suspender')] },
			suspender: { main: [to('suspender'), to('after')] },
		},
	});
	expect(waiting.status).toBe('waiting');
	expect(waiting.waitTill!.getTime()).toBeGreaterThan(Date.now());

	const again = await resumeWorkflow(waiting);
	expect(again.status).toBe('waiting');
	ready = true;
	const done = await resumeWorkflow(again);

	expect(done.error).toBeUndefined();
	expect(done.status).toBe('success');
	expect(jsonOf(done.outputs('after'))).toEqual([{ id: 'video-1' }]);
	expect(queries).toEqual(['/ready', '/ready', '/ready']);
	await expect(resumeWorkflow(done)).rejects.toThrow('Only a waiting execution resumes');
});

test('an item can take another way, and a disabled node is passed', async () => {
	const run = await runWorkflow({
		baseUrl,
		input: [{ json: { n: 1 } }, { json: { n: 2 } }],
		nodes: [
			{ type: 'flaky', settings: { disabled: true } },
			{ type: 'if', parameters: { condition: '={{ $json.n > 1 }}' } },
		],
	});

	expect(jsonOf(run.outputs('if', 0))).toEqual([{ n: 2 }]);
	expect(jsonOf(run.outputs('if', 1))).toEqual([{ n: 1 }]);
});

test('a poll keeps its static data, and an empty poll is not saved', async () => {
	const options = { node: 'titleTrigger', baseUrl, apiKey };
	const first = await poll(options);
	expect(jsonOf(first.items!)).toEqual([{ title: 'first' }, { title: 'second' }]);

	titles = ['second', 'third'];
	const second = await poll({ ...options, staticData: first.savedStaticData });
	expect(jsonOf(second.items!)).toEqual([{ title: 'third' }]);
	expect(second.savedStaticData).toEqual({ seen: ['second', 'third'] });

	titles = [];
	const third = await poll({ ...options, staticData: second.savedStaticData });
	expect(third.items).toBeNull();
	expect(third.staticData).toEqual({ seen: [] });
	expect(third.savedStaticData).toEqual({ seen: ['second', 'third'] });

	const manual = await poll({ ...options, mode: 'manual', staticData: { seen: ['x'] } });
	expect(manual.savedStaticData).toEqual({ seen: ['x'] });
	expect((await poll({ ...options, apiKey: 'wrong' })).error).toMatchObject({
		httpCode: '401',
	});
});

test('a list search gets filter and page, and its error reaches the user', async () => {
	const options = { node: 'echo', method: 'titles', baseUrl, apiKey };
	const page = await listSearch({ ...options, filter: 'fi', paginationToken: 'zero' });

	expect(page).toEqual({
		results: [
			{ name: 'first', value: 'first' },
			{ name: 'second', value: 'second' },
		],
		paginationToken: 'second',
	});
	expect(queries).toEqual(['/titles?filter=fi&after=zero']);
	await expect(listSearch({ ...options, apiKey: 'wrong' })).rejects.toThrow('Authorization failed');
});

test('the credential dialog tells a good key from a bad one and from a dead address', async () => {
	expect(await testCredential({ baseUrl, apiKey })).toEqual({
		status: 'OK',
		message: 'Connection successful!',
	});
	expect(await testCredential({ baseUrl, apiKey: 'wrong' })).toMatchObject({ status: 'Error' });
	server.close();
	server.closeAllConnections();
	expect(await testCredential({ baseUrl, apiKey })).toMatchObject({ status: 'Error' });
});

test('a node that is usable as a tool answers an agent', async () => {
	const run = await runWorkflow({
		baseUrl,
		apiKey,
		nodes: [
			{ type: 'toolCaller', parameters: { arguments: '{"Title":"from agent"}' } },
			{
				type: 'echoTool',
				name: 'Echo tool',
				parameters: { title: "={{ $fromAI('Title', 'The title', 'string') }}" },
			},
		],
		connections: {
			[START]: { main: [[{ node: 'toolCaller', type: 'main', index: 0 }]] },
			'Echo tool': { ai_tool: [[{ node: 'toolCaller', type: 'ai_tool', index: 0 }]] },
		},
	});

	expect(run.error).toBeUndefined();
	const [{ json }] = run.outputs('toolCaller') as [{ json: IDataObject }];
	expect(JSON.parse(json.answer as string)).toEqual([{ title: 'from agent', key: 'yes' }]);
});

test('the key is neither in what n8n stores nor in its logs, also when requests fail', async () => {
	for (const title of ['good', 'bad']) {
		const run = await runWorkflow({
			baseUrl,
			apiKey,
			nodes: [{ type: 'echo', parameters: { title } }],
		});
		expect(run.stored).toContain(title);
		expect(run.stored).not.toContain(apiKey);
		expect(JSON.stringify(run.uiMessages)).not.toContain(apiKey);
	}
	expect(logLines().join('\n')).toContain('echo');
	expect(logLines().join('\n')).not.toContain(apiKey);
});

test('a key that an error drags along is seen in what n8n stores', async () => {
	const run = await runWorkflow({ baseUrl, apiKey, nodes: [{ type: 'leaky' }] });

	expect(run.status).toBe('error');
	expect(run.stored).toContain(apiKey);
});

test('two runs in different binary modes do not mix', async () => {
	const nodes = [{ type: 'slow' }];
	const first = runWorkflow({ baseUrl, apiKey, nodes, cancelAfterMs: 30, binaryMode: 'memory' });
	const second = runWorkflow({ baseUrl, apiKey, nodes, binaryMode: 'filesystem' });

	await expect(second).rejects.toThrow('must not overlap');
	expect((await first).status).toBe('canceled');
});
