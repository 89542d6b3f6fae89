import { createServer, type RequestListener, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import type { IExecuteFunctions, INodeExecutionData, INodeType } from 'n8n-workflow';

import type { FileRule } from '../../../nodes/shared/files/checkFile';
import { checkedFile } from '../../../nodes/shared/files/inputFile';
import { startEmulator, type Emulator } from '../../harness/emulator/emulator';
import { registerNode, runWorkflow, type RunResult } from '../../harness/engine/engine';
import { ranged, startFileServer, whole } from '../../harness/engine/fileServer';
import { readableError } from '../../harness/engine/forPeople';
import { fileOf, media, portrait, sha256, videoOfSize, voice } from '../../harness/engine/inputs';
import { byId, runNode } from '../../harness/engine/oneNode';

let mirage: Emulator;
let server: Server | undefined;
beforeEach(async () => {
	mirage = await startEmulator();
});
afterEach(async () => {
	server?.closeAllConnections();
	server?.close();
	server = undefined;
	await mirage.close();
});

/** A box of a video that means nothing. */
const free = (bytes: number) => {
	const box = Buffer.alloc(bytes);
	box.writeUInt32BE(bytes);
	box.write('free', 4);
	return box;
};

/** A server whose every answer is this one; gives its address. */
const serve = async (answer: RequestListener): Promise<string> => {
	server = createServer((request, response) => {
		request.resume();
		request.on('end', () => answer(request, response));
	}).listen(0, '127.0.0.1');
	await once(server, 'listening');
	return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

describe.each(['memory', 'filesystem'] as const)('speech that is paid for, in %s', (binaryMode) => {
	const speech = media('voiceWav');
	const speak = async (answer: RequestListener): Promise<RunResult> =>
		await runNode(
			{ url: await serve(answer), apiKey: mirage.apiKey },
			'mirageTextToSpeech',
			{ voiceId: 'voice-1', text: 'Hello' },
			[{}],
			{ binaryMode },
		);
	/** The speech with another length in its header. */
	const stating = (bytes: number) => {
		const copy = Buffer.from(speech);
		copy.writeUInt32LE(bytes, 4);
		return copy;
	};

	it.each([0, 0x7fffffff, 0x7ffff024, 0xffffffff])(
		'is kept when its header was written before its length was known (%i)',
		async (stated) => {
			const run = await speak((_, response) => whole(stating(stated))(response));
			expect(run.error?.message).toBeUndefined();
			expect(sha256(await run.file(run.outputs()[0], 'audio'))).toBe(sha256(stating(stated)));
			expect(run.hints).toEqual([]);
		},
	);

	it.each([
		['with the packed length', true],
		['without a length', false],
	])('is kept when a server packs it although it was asked not to, %s', async (_, withLength) => {
		const packed = gzipSync(speech);
		const headers = {
			'content-encoding': 'gzip',
			...(withLength ? { 'content-length': packed.length } : {}),
		};
		const run = await speak((_request, response) => response.writeHead(200, headers).end(packed));
		expect(run.error?.message).toBeUndefined();
		expect(sha256(await run.file(run.outputs()[0], 'audio'))).toBe(sha256(speech));
	});

	it('is kept when its header states more than came, and a hint says to listen to it', async () => {
		const run = await speak((_, response) => whole(stating(speech.length + 1_000))(response));
		expect(run.error?.message).toBeUndefined();
		expect((await run.file(run.outputs()[0], 'audio')).length).toBe(speech.length);
		expect(run.hints).toMatchObject([
			{ message: expect.stringMatching(/^The speech "Hello" may be shorter .* Listen to it\./) },
		]);
	});

	it('gives no file when the connection broke on its way', async () => {
		const run = await speak((_, response) => {
			response.writeHead(200, { 'transfer-encoding': 'chunked' });
			response.write(speech.subarray(0, 2_000), () => response.destroy());
		});
		expect(readableError(run, mirage.apiKey)).toMatch(/cut short on its way/);
	});
});

describe('a finished video', () => {
	const video = media('generated');
	const download = async (answer: RequestListener): Promise<RunResult> => {
		mirage.seedVideos([{ id: 'video_done', created_at: 1_700_000_000 }]);
		mirage.fault({
			route: 'GET /v1/videos/{video_id}/content',
			times: Infinity,
			fault: { kind: 'status', status: 302, headers: { location: await serve(answer) } },
		});
		return await runNode(
			mirage,
			'mirageList',
			{ resource: 'video', operation: 'download', videoId: byId('video_done') },
			[{}],
		);
	};

	it.each([
		['a line break', Buffer.from('\r\n')],
		['zeros', Buffer.alloc(4_096)],
		['a comment of a proxy', Buffer.from('<!-- served by a proxy -->')],
	])('with %s behind its last box is downloaded', async (_, behind) => {
		const file = Buffer.concat([video, behind]);
		const run = await download((_request, response) => whole(file)(response));
		expect(run.error?.message).toBeUndefined();
		expect(sha256(await run.file(run.outputs()[0], 'data'))).toBe(sha256(file));
	});

	it('that a server packs unasked is downloaded, unpacked', async () => {
		const answer = whole(gzipSync(video), { 'content-encoding': 'gzip' });
		const run = await download((_, response) => answer(response));
		expect(run.error?.message).toBeUndefined();
		expect(sha256(await run.file(run.outputs()[0], 'data'))).toBe(sha256(video));
	});
});

describe('in memory mode', () => {
	it('another file of the same length and with the same ends is another file', async () => {
		const first = media('portraitJpeg');
		const second = Buffer.from(first);
		second[Math.floor(second.length / 2)]! ^= 1;
		const fingerprints = await fingerprintsOf('binary', [
			{ files: { data: fileOf(first) } },
			{ files: { data: fileOf(second) } },
			{ files: { data: fileOf(first) } },
		]);
		expect(fingerprints[0]).not.toBe(fingerprints[1]);
		expect(fingerprints[0]).toBe(fingerprints[2]);
	});

	it('base64 with line breaks is uploaded byte for byte', async () => {
		const run = await runWorkflow({
			baseUrl: mirage.url,
			apiKey: mirage.apiKey,
			nodes: [{ type: 'lineBreaks' }, { type: 'mirageCreateVideo' }],
			input: [{ files: { data: portrait(), audio: voice() } }],
		});
		expect(run.error?.message).toBeUndefined();
		expect(
			mirage.requests.flatMap(({ files = [] }) => files.map(({ sha256: hash }) => hash)).sort(),
		).toEqual([media('portraitJpeg'), media('voiceWav')].map(sha256).sort());
	});
});

it('another version of a file behind the same URL is another file', async () => {
	let version = 0;
	const files = await startFileServer({
		'/tagged': (response) => whole(media('portraitPng'), { etag: `"${version++}"` })(response),
		'/plain': whole(media('portraitPng')),
	});
	const ask = async (path: string) =>
		await fingerprintsOf('url', Array(2).fill({ json: { url: files.url + path } }));
	const [tagged, plain] = [await ask('/tagged'), await ask('/plain')];
	await files.close();
	expect(tagged[0]).not.toBe(tagged[1]);
	expect(plain[0]).toBe(plain[1]);
});

describe('a file of a kind that Mirage does not take is named, with what converts it', () => {
	const ftyp = (brand: string) =>
		Buffer.concat([Buffer.from('\0\0\0\x18ftyp'), Buffer.from(`${brand}\0\0\0\0mif1${brand}`)]);
	it.each([
		['mirageCreateVideo', 'Image: the file is a HEIC picture', ftyp('heic'), /iPhone.*JPEG/],
		['mirageAddCaptions', 'Video: the file is a HEIC picture', ftyp('heic'), /Use an upright/],
		[
			'mirageCreateVideo',
			'Audio: the file is an M4A file',
			ftyp('M4A '),
			/Convert it to WAV or MP3/,
		],
		['mirageCreateVideo', 'Image: the file is a GIF picture', Buffer.from('GIF89a'), /Edit Image/],
	])('%s: %s', async (type, message, content, advice) => {
		const audio = message.startsWith('Audio');
		const run = await runNode(
			mirage,
			type,
			type === 'mirageAddCaptions'
				? { videoSource: 'binary', captionTemplateId: byId('ctpl_1') }
				: {},
			[
				{
					files: {
						data: audio ? portrait() : fileOf(content),
						audio: audio ? fileOf(content) : voice(),
					},
				},
			],
		);
		const told = readableError(run, mirage.apiKey);
		expect(told).toContain(`${message} [item 0]`);
		expect(told).toMatch(advice);
		expect(mirage.requests).toEqual([]);
	});
});

/** Checks every item's file, as the nodes do, and keeps the checked files; then tells what they hold. */
class CheckAll implements INodeType {
	description = {
		...{ displayName: 'Check All', name: 'checkAll', group: ['transform' as const], version: 1 },
		...{ description: 'Check all', defaults: { name: 'Check All' } },
		inputs: ['main' as const],
		outputs: ['main' as const],
		properties: ['source', 'field', 'url'].map((name) => ({
			...{ displayName: name, name, type: 'string' as const, default: '' },
		})),
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const names = { source: 'source', field: 'field', url: 'url' };
		// Collecting garbage takes seconds here, so only many files are worth it.
		const isMeasured = this.getInputData().length > 100;
		const before = isMeasured ? await heldBytes() : 0;
		const files = [];
		for (const index of this.getInputData().keys())
			files.push(await checkedFile(this, index, names, RULE));
		const held = isMeasured ? (await heldBytes()) - before : undefined;
		return [
			await Promise.all(
				files.map(async ({ fingerprint, durationS }) => ({
					json: { fingerprint, held, seconds: (await durationS()) ?? 'unknown' },
				})),
			),
		];
	}
}
registerNode(CheckAll);

const RULE: FileRule = {
	label: 'Video',
	kinds: ['mp4', 'mov', 'jpeg', 'png', 'wav', 'mp3'],
	wanted: 'a video',
	frameComplaint: () => undefined,
};

/** Puts a line break behind every 76 signs of the item's files, as MIME and the command `base64` do. */
class LineBreaks implements INodeType {
	description = { ...new CheckAll().description, name: 'lineBreaks', properties: [] };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const items = this.getInputData();
		for (const { binary = {} } of items)
			for (const file of Object.values(binary)) file.data = file.data.replace(/.{76}/g, '$&\r\n');
		return [items];
	}
}
registerNode(LineBreaks);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes in buffers that something still refers to. */
async function heldBytes(): Promise<number> {
	for (let round = 0; round < 2; round++) {
		collect();
		await new Promise(setImmediate);
	}
	return process.memoryUsage().arrayBuffers;
}

const checkAll = async (
	source: 'binary' | 'url',
	input: Parameters<typeof runNode>[3],
	binaryMode: 'memory' | 'filesystem' = 'memory',
) => {
	const run = await runNode(
		mirage,
		'checkAll',
		{ source, field: 'data', url: '={{ $json.url }}' },
		input,
		{ binaryMode },
	);
	expect(run.error?.message).toBeUndefined();
	return run
		.outputs()
		.map(({ json }) => json as { fingerprint: string; held: number; seconds: number });
};
const fingerprintsOf = async (...args: Parameters<typeof checkAll>) =>
	(await checkAll(...args)).map(({ fingerprint }) => fingerprint);

describe('the length of a file is told before it is uploaded', () => {
	/** The emulator's own, made by ffmpeg: seconds as ffprobe has them. */
	const LENGTHS = [
		['generated', 3.2],
		['clipMov', 3.2],
		['voiceWav', 3.22],
		['voiceMp3', 3.312],
	] as const;

	it.each(['memory', 'filesystem'] as const)('when it lies in %s', async (binaryMode) => {
		const input = LENGTHS.map(([name]) => ({ files: { data: fileOf(media(name)) } }));
		const told = await checkAll('binary', input, binaryMode);
		expect(told.map(({ seconds }) => seconds)).toEqual(
			LENGTHS.map(([, seconds]) => expect.closeTo(seconds, 1) as number),
		);
	});

	it.each([
		['knows ranges, by its end alone', ranged, 4],
		['knows no ranges', (content: Buffer) => whole(content), 3],
	])('when it lies behind a URL whose server %s', async (_, answer, requests) => {
		// The index stands behind a megabyte of other bytes; frame and length take a look each.
		const video = media('generated');
		const far = Buffer.concat([video.subarray(0, 32), free(1_048_576), video.subarray(32)]);
		const files = await startFileServer({ '/video': answer(far) });
		const [told] = await checkAll('url', [{ json: { url: `${files.url}/video` } }]);
		await files.close();
		expect(told!.seconds).toBeCloseTo(3.2, 1);
		expect(files.requests.length).toBe(requests);
	});
});

describe('220 checked videos hold nothing of their files', () => {
	/** A start of a file, kept for each, would be 14 MB. */
	const MAX_HELD = 2_000_000;
	const video = videoOfSize(200_000);

	it.each(['memory', 'filesystem'] as const)('that lie in %s', async (binaryMode) => {
		const input = Array(220).fill({ files: { data: fileOf(video) } });
		const [first] = await checkAll('binary', input, binaryMode);
		expect(first!.held).toBeLessThan(MAX_HELD);
	});

	it('that lie behind a URL whose server knows no ranges', async () => {
		const files = await startFileServer({ '/video': whole(video) });
		const [first] = await checkAll('url', Array(220).fill({ json: { url: `${files.url}/video` } }));
		await files.close();
		expect(first!.held).toBeLessThan(MAX_HELD);
	});
});
