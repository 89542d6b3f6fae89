import type { IDataObject } from 'n8n-workflow';
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';

import { startEmulator, type Emulator } from '../../harness/emulator/emulator';
import { runWorkflow, type RunOptions } from '../../harness/engine/engine';
import { type BinaryMode } from '../../harness/engine/binary-store';
import { ranged, startFileServer, whole, type FileServer } from '../../harness/engine/fileServer';
import { readableError } from '../../harness/engine/forPeople';
import { media, portrait, sha256, videoOfSize, voice } from '../../harness/engine/inputs';

const MB = 1_048_576;
const picture = media('portraitPng');
const video = media('generated');

/** Without a length: the server makes up the file as it goes. */
const chunked = (content: Buffer) => (response: ServerResponse) => {
	response.writeHead(200, { 'content-type': 'video/mp4' });
	response.write(content.subarray(0, 1_000));
	response.end(content.subarray(1_000));
};
const zipped = (content: Buffer) => (response: ServerResponse) => {
	response.writeHead(200, { 'content-encoding': 'gzip' });
	response.write(gzipSync(content));
	response.end();
};
/** The length of the packed file is all that the server tells, and n8n unpacks the file on its way. */
const zippedWithLength = (content: Buffer) =>
	whole(gzipSync(content), { 'content-encoding': 'gzip' });
const redirect = (location: string, status: number) => (response: ServerResponse) =>
	response.writeHead(status, { location }).end();
const status = (code: number) => (response: ServerResponse) =>
	response.writeHead(code, { 'content-type': 'text/html' }).end('<h1>Please log in</h1>');
/** States a length and breaks off at half of it, from the second request on. */
const breakingOff = (content: Buffer) => {
	let count = 0;
	return (response: ServerResponse) => {
		count += 1;
		if (count === 1) return whole(content)(response);
		response.writeHead(200, { 'content-length': content.length });
		response.write(content.subarray(0, content.length / 2), () => response.destroy());
	};
};

let mirage: Emulator;
let files: FileServer;
let other: FileServer;
beforeEach(async () => {
	mirage = await startEmulator();
	other = await startFileServer({ '/moved.png': ranged(picture), '/same.mp4': ranged(video) });
	files = await startFileServer({
		'/ranged.png': ranged(picture),
		'/whole.png': whole(picture),
		'/chunked.png': chunked(picture),
		'/zipped.png': zipped(picture),
		'/zippedlength.png': zippedWithLength(picture),
		'/page.png': whole(Buffer.from('<html>'), { 'content-type': 'image/png' }),
		'/picture': whole(picture, { 'content-type': 'text/html' }),
		'/empty.png': whole(Buffer.alloc(0)),
		'/gone.png': status(404),
		'/login.png': status(403),
		'/breaking.png': breakingOff(picture),
		'/hop1': redirect('/hop2', 301),
		'/hop2': redirect('hop3?a=b', 307),
		'/hop3': redirect(`${other.url}/moved.png`, 302),
		'/loop': redirect('/loop', 302),
		'/tofile': redirect('file:///etc/hostname', 302),
		'/50.mp4': (...both) => ranged(videoOfSize(50 * MB))(...both),
		'/51.mp4': (response) => whole(videoOfSize(51 * MB))(response),
		'/chunked51.mp4': (response) => chunked(videoOfSize(51 * MB))(response),
		'/chunked.mp4': chunked(video),
		'/chunked16by9.mp4': chunked(media('landscape')),
	});
});
afterEach(async () => {
	await mirage.close();
	await files.close();
	await other.close();
});

const account = () => ({ baseUrl: mirage.url, apiKey: mirage.apiKey });
const create = async (imageUrl: string, options: Partial<RunOptions> = {}, settings = {}) =>
	await runWorkflow({
		...account(),
		nodes: [{ type: 'mirageCreateVideo', parameters: { imageSource: 'url', imageUrl }, settings }],
		input: [{ files: { audio: voice() } }],
		...options,
	});
const caption = async (videoUrl: string) =>
	await runWorkflow({
		...account(),
		nodes: [
			{
				type: 'mirageAddCaptions',
				parameters: {
					videoSource: 'url',
					videoUrl,
					captionTemplateId: { __rl: true, mode: 'id', value: 'ctpl_DxflLOnuKkb198FNdI9E' },
				} as IDataObject as never,
			},
		],
	});
const uploaded = (route = 'POST /v1/videos') =>
	mirage.requests.filter((request) => request.route === route).flatMap(({ files }) => files!);

describe.each<BinaryMode>(['memory', 'filesystem'])('with the binary store in %s', (binaryMode) => {
	it.each([
		['that serves ranges', '/ranged.png'],
		['that knows no ranges', '/whole.png'],
		['that tells no length', '/chunked.png'],
		['that compresses although it was asked not to', '/zipped.png'],
		['that gives the file another type', '/picture'],
		['behind three redirects and another host', '/hop1'],
	])('a picture from a server %s arrives byte for byte', async (_, path) => {
		const run = await create(files.url + path, { binaryMode });
		expect(run.error?.message).toBeUndefined();
		expect(uploaded()[0]).toMatchObject({
			field: 'image_reference',
			mimeType: 'image/png',
			sha256: sha256(picture),
		});
		expect(mirage.videos()).toHaveLength(1);
	});
});

it('portrait and speech may both come from URLs', async () => {
	const speech = await startFileServer({ '/a': chunked(media('voiceMp3')) });
	const run = await runWorkflow({
		...account(),
		nodes: [
			{
				type: 'mirageCreateVideo',
				parameters: {
					imageSource: 'url',
					imageUrl: '={{ $json.face }}',
					audioSource: 'url',
					audioUrl: '={{ $json.voice }}',
				},
			},
		],
		input: [{ json: { face: `${files.url}/ranged.png`, voice: `${speech.url}/a` } }],
	});
	await speech.close();
	expect(run.error?.message).toBeUndefined();
	expect(uploaded().map(({ sha256 }) => sha256)).toEqual([
		sha256(picture),
		sha256(media('voiceMp3')),
	]);
});

it('neither the API key nor a header of it reaches the host of a file or of a redirect', async () => {
	await create(`${files.url}/hop1`);
	await caption(`${files.url}/chunked.mp4`);
	const headers = [...files.requests, ...other.requests].map((request) => request.headers);
	expect(headers.length).toBeGreaterThan(5);
	for (const each of headers) {
		expect(Object.keys(each)).not.toContain('x-api-key');
		expect(Object.keys(each)).not.toContain('authorization');
		expect(JSON.stringify(each)).not.toContain(mirage.apiKey);
	}
});

describe('captions take 50 MB and no more', () => {
	const sent = () => uploaded('POST /v1/videos/captions');

	it('50 MB are streamed from the server', async () => {
		await caption(`${files.url}/50.mp4`);
		expect(sent()).toMatchObject([{ bytes: 50 * MB }]);
		// The start for kind and frame, once more for the length that is billed, and one way through.
		expect(files.requests.map(({ headers }) => headers.range)).toEqual([
			'bytes=0-65535',
			'bytes=0-65535',
			undefined,
		]);
	});

	it('more is refused by the length that the server tells', async () => {
		const error = readableError(await caption(`${files.url}/51.mp4`), mirage.apiKey);
		expect(error).toMatch(/^Video: the file has 53\.5 MB, more than the 52\.4 MB/);
		expect(files.requests).toHaveLength(1);
		expect(mirage.requests).toEqual([]);
	});

	it('more is noticed on the way where the server tells no length', async () => {
		const error = readableError(await caption(`${files.url}/chunked51.mp4`), mirage.apiKey);
		expect(error).toMatch(/^Video: the file behind the URL is larger than 52\.4 MB/);
		expect(mirage.requests).toEqual([]);
	});

	it('a file of unknown length that is small enough is sent', async () => {
		await caption(`${files.url}/chunked.mp4`);
		expect(sent()).toMatchObject([{ sha256: sha256(video) }]);
	});

	it('a 16:9 picture is noticed where the server tells no length, too', async () => {
		const error = readableError(await caption(`${files.url}/chunked16by9.mp4`), mirage.apiKey);
		expect(error).toMatch(/^Video: the picture is/);
		expect(mirage.requests).toEqual([]);
	});
});

describe('what is wrong with a URL is told before anything is sent', () => {
	it.each<[string, string, RegExp]>([
		['a page that calls itself a picture', '/page.png', /^Image: the file is a web page/],
		['a video', '/50.mp4', /^Image: the file is an MP4/],
		['an empty file', '/empty.png', /^Image: the file is empty/],
		['nothing there', '/gone.png', /^Image: the URL answered with status 404/],
		['a login', '/login.png', /^Image: the URL answered with status 403[^]*without a login/],
		['redirects without end', '/loop', /^Image: the URL redirects and leads to no file/],
		['a redirect to a file of the server', '/tofile', /^Image: the URL redirects and leads to/],
	])('%s', async (_, path, pattern) => {
		const error = readableError(await create(files.url + path), mirage.apiKey);
		expect(error).toMatch(pattern);
		expect(error).toContain('[item 0]');
		expect(mirage.requests).toEqual([]);
	});

	it('a host that does not exist', async () => {
		const error = readableError(await create('https://no-such-host.invalid/a.png'), mirage.apiKey);
		expect(error).toMatch(/^Image: the URL could not be reached/);
	});
});

it('a length that is not that of the file starts nothing, and the message knows a way out', async () => {
	const error = readableError(await create(`${files.url}/zippedlength.png`), mirage.apiKey);
	expect(error).toMatch(/^Image: the file behind the URL changed/);
	expect(error).toContain('HTTP Request node');
	expect(mirage.videos()).toEqual([]);
});

describe('a file that breaks off on its way', () => {
	it('starts nothing, is not sent again, and the message says which file it was', async () => {
		const run = await create(`${files.url}/breaking.png`);
		const error = readableError(run, mirage.apiKey);
		expect(error).toMatch(/Image|behind the URL|connection broke/);
		expect(mirage.videos()).toEqual([]);
		expect(mirage.requests.filter(({ method }) => method === 'POST').length).toBeLessThan(2);
	});
});

it('with "Continue" on error, an unreachable URL is the error of its item alone', async () => {
	const run = await create(
		'={{ $json.url }}',
		{
			input: ['/ranged.png', '/gone.png'].map((path) => ({
				json: { url: files.url + path },
				files: { audio: voice(), data: portrait() },
			})),
		},
		{ onError: 'continueRegularOutput' },
	);
	const [good, bad] = run.outputs();
	expect(good!.json.id).toBe(mirage.videos()[0]!.id);
	expect(bad!.json.error).toMatch(/status 404/);
	expect(bad!.pairedItem).toEqual({ item: 1 });
});
