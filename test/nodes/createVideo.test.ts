import type { IDataObject } from 'n8n-workflow';

import { startEmulator, type Emulator, type EmulatorOptions } from '../harness/emulator/emulator';
import { runWorkflow, START, type RunOptions } from '../harness/engine/engine';
import { type InputItem } from '../harness/engine/built-in-nodes';
import { runNode } from '../harness/engine/oneNode';
import { startFileServer, whole } from '../harness/engine/fileServer';
import { readableError } from '../harness/engine/forPeople';
import { fileOf, media, portrait, sha256, stores, upright, voice } from '../harness/engine/inputs';

let mirage: Emulator;
const start = async (options?: EmulatorOptions) => {
	await mirage?.close();
	mirage = await startEmulator(options);
};
beforeEach(async () => await start());
afterEach(async () => await mirage.close());

const both = (): InputItem => ({ files: { data: portrait(), audio: voice() } });
const create = async (
	parameters: IDataObject,
	input: InputItem[],
	options: Partial<RunOptions> = {},
	settings = {},
) => await runNode(mirage, 'mirageCreateVideo', parameters, input, options, settings);
const routes = () => mirage.requests.map(({ route }) => route);
const uploads = () =>
	mirage.requests
		.filter(({ route }) => route === 'POST /v1/videos')
		.map(({ files }) =>
			Object.fromEntries(files!.map(({ field, sha256, mimeType }) => [field, [sha256, mimeType]])),
		);

describe.each(stores)('Create Video with files in $binaryMode, $binaryLayout', (store) => {
	it('sends portrait and speech byte for byte, by their real type, and gives the job', async () => {
		const run = await create({}, [both()], store);
		expect(run.error?.message).toBeUndefined();
		const [item] = run.outputs();
		expect(item!.json).toMatchObject({ id: mirage.videos()[0]!.id, status: 'PROCESSING' });
		expect(item!.pairedItem).toEqual({ item: 0 });
		expect(uploads()).toEqual([
			{
				image_reference: [sha256(media('portraitJpeg')), 'image/jpeg'],
				audio_reference: [sha256(media('voiceWav')), 'audio/wav'],
			},
		]);
		expect(mirage.requests[0]!.fields).toEqual({ model: ['mirage-video-1-latest'] });
	});

	it('takes fields under other names', async () => {
		const files = { face: fileOf(media('portraitPng')), speech: fileOf(media('voiceMp3')) };
		const run = await create({ imageField: 'face', audioField: 'speech' }, [{ files }], store);
		expect(run.error?.message).toBeUndefined();
		expect(uploads()).toEqual([
			{
				image_reference: [sha256(media('portraitPng')), 'image/png'],
				audio_reference: [sha256(media('voiceMp3')), 'audio/mpeg'],
			},
		]);
	});

	it('takes an expression that yields the file itself', async () => {
		const file = (field: string) =>
			store.binaryLayout === 'combined'
				? `={{ $json._files.${field} }}`
				: `={{ $('${START}').item.binary.${field} }}`;
		const run = await create(
			{ imageField: file('data'), audioField: file('audio') },
			[both()],
			store,
		);
		expect(run.error?.message).toBeUndefined();
		expect(uploads()[0]!.image_reference).toEqual([sha256(media('portraitJpeg')), 'image/jpeg']);
	});

	it('speaks the text first and uses that speech', async () => {
		const run = await create(
			{ audioSource: 'text', voiceId: 'voice-1', text: '=Hello {{ $json.name }}' },
			[{ json: { name: 'Ada' }, files: { data: portrait() } }],
			store,
		);
		expect(run.error?.message).toBeUndefined();
		expect(routes()).toEqual(['POST /v1/audio/text-to-speech/{voice_id}', 'POST /v1/videos']);
		expect(mirage.requests[0]!.json).toEqual({ text: 'Hello Ada', model: 'mirage-audio-1' });
		expect(uploads()[0]!.audio_reference![1]).toBe('audio/wav');
		expect(run.outputs()[0]!.json.id).toBe(mirage.videos()[0]!.id);
	});
});

it('each item gets the job of its own files, whichever answer comes first', async () => {
	const lengths = [1, 2, 3, 4, 5, 6];
	const speech = (extra: number) => fileOf(Buffer.concat([media('voiceWav'), Buffer.alloc(extra)]));
	mirage.fault({ route: 'POST /v1/videos', fault: { kind: 'delay', ms: 150 } });
	const run = await create(
		{ options: { concurrency: 4 } },
		lengths.map((extra) => ({ files: { data: portrait(), audio: speech(extra) } })),
	);
	const extraOf = (id: unknown) => {
		const { files } = mirage.requests.find(({ accepted }) => accepted === id)!;
		return (
			files!.find(({ field }) => field === 'audio_reference')!.bytes - media('voiceWav').length
		);
	};
	expect(run.outputs().map(({ json }) => extraOf(json.id))).toEqual(lengths);
	expect(run.outputs().map(({ pairedItem }) => pairedItem)).toEqual(
		lengths.map((_, item) => ({ item })),
	);
});

it('takes the ID from the older field when the API leaves out the new one', async () => {
	mirage.fault({
		route: 'POST /v1/videos',
		fault: {
			kind: 'status',
			status: 200,
			body: { video_id: 'video_old', status: 'PROCESSING', created_at: 1 },
		},
	});
	const run = await create({}, [both()]);
	expect(run.outputs()[0]!.json.id).toBe('video_old');
});

/** An expression that has one value for item 1, and another for all other items. */
const at1 = (value: string, otherwise: string) =>
	`={{ $itemIndex === 1 ? ${JSON.stringify(value)} : ${JSON.stringify(otherwise)} }}`;

// Item 1 is the wrong one; item 0 is fine, and must not have been started either.
describe('a mistake is told before anything is sent', () => {
	const url = { imageSource: at1('url', 'binary'), imageUrl: 'http://127.0.0.1:9/portrait.jpg' };
	const text = { audioSource: 'text', voiceId: 'voice-1', text: 'Hello' };
	const html = { ...fileOf(Buffer.from('<html>'), 'portrait.jpg'), mimeType: 'image/jpeg' };
	const empty = fileOf(Buffer.alloc(0));

	it.each<[string, IDataObject, InputItem, RegExp[]]>([
		[
			'no portrait on the item',
			{},
			{ files: { audio: voice(), logo: portrait() } },
			[
				/^Image: the item has no binary field "data"/,
				/The item has the fields audio, logo: enter one of them in Image Field\./,
			],
		],
		['no file at all', {}, {}, [/^Image: /, /The item has no file at all: connect a node/]],
		['no speech on the item', {}, { files: { data: portrait() } }, [/^Audio: .*"audio"/]],
		[
			'a field name from an expression that yields nothing',
			{ imageField: at1('', 'data') },
			both(),
			[/^Image: no binary field is named/],
		],
		[
			'an expression that yields something else than a file',
			{ imageField: `={{ $itemIndex === 1 ? { not: 'a file' } : 'data' }}` },
			both(),
			[/^Image: the item has no binary field that the expression names/],
		],
		[
			'a video as portrait',
			{},
			{ files: { data: upright(), audio: voice() } },
			[/^Image: the file is an MP4/, /Use a JPEG or PNG picture/],
		],
		[
			'text that calls itself a picture',
			{},
			{ files: { data: html, audio: voice() } },
			[
				/^Image: the file is a web page/,
				/Use a JPEG or PNG picture\. A web page often asks for a login/,
			],
		],
		[
			'a picture as speech',
			{},
			{ files: { data: portrait(), audio: portrait() } },
			[/^Audio: the file is a JPEG/, /Use a WAV or MP3 file/],
		],
		[
			'an empty picture',
			{},
			{ files: { data: empty, audio: voice() } },
			[/^Image: the file is empty/],
		],
		[
			'an address that cannot be reached',
			url,
			both(),
			[/^Image: the URL could not be reached/, /Check the address/],
		],
		[
			'an address that is a path',
			{ ...url, imageUrl: '/home/me/portrait.jpg' },
			both(),
			[/^Image: the URL is not a web address/, /https:\/\//],
		],
		[
			'an address that would read a file of the server',
			{ ...url, imageUrl: 'file:///etc/hostname' },
			both(),
			[/^Image: the URL is not a web address/],
		],
		['no address', { ...url, imageUrl: '={{ $json.url }}' }, both(), [/^Image URL is empty/]],
		['no voice', { ...text, voiceId: at1('', 'v') }, both(), [/^Voice ID is empty/]],
		[
			'a voice that is an address',
			{ ...text, voiceId: at1('../videos', 'v') },
			both(),
			[/^Voice ID is not an ID/],
		],
		[
			'an object as text',
			{ ...text, text: `={{ $itemIndex === 1 ? { title: 'Hello' } : 'Hello' }}` },
			both(),
			[/^Text is an object, and must be a text/, /Drag the field that holds the text/],
		],
		[
			'text of spaces',
			{ ...text, text: at1(' \n ', 'Hello') },
			both(),
			[/^Text is empty/, /Enter a value for "Text"/],
		],
		[
			'text from a field that the item lacks',
			{ ...text, text: `={{ $itemIndex === 1 ? $json.script : 'Hello' }}` },
			both(),
			[/^Text is empty/, /expression/],
		],
	])('%s', async (_, parameters, wrong, patterns) => {
		const run = await create(parameters, [both(), wrong]);
		const error = readableError(run, mirage.apiKey);
		expect(error).toContain('[item 1]');
		for (const pattern of patterns) expect(error).toMatch(pattern);
		expect(mirage.requests).toEqual([]);
	});
});

describe('with "Continue" on error', () => {
	const items = () => [both(), { files: { data: portrait() } }, both()];

	it('the other items are made, and the failed one says why in its place', async () => {
		const run = await create({}, items(), {}, { onError: 'continueRegularOutput' });
		const [first, failed, last] = run.outputs();
		expect(mirage.videos()).toHaveLength(2);
		expect([first!.json.id, last!.json.id].sort()).toEqual(
			mirage
				.videos()
				.map(({ id }) => id)
				.sort(),
		);
		expect(failed!.json.error).toMatch(/^Audio: the item has no binary field "audio" \[item 1\]/);
		expect(failed!.json.details).toMatch(
			/The item has the field data: enter data in Audio Field\./,
		);
		expect(failed!.pairedItem).toEqual({ item: 1 });
	});

	it('the failed item leaves through the error output', async () => {
		const run = await create({}, items(), {}, { onError: 'continueErrorOutput' });
		expect(run.outputs('mirageCreateVideo', 0)).toHaveLength(2);
		const failed = run.outputs('mirageCreateVideo', 1);
		expect(failed).toHaveLength(1);
		expect(failed[0]!.json.error).toMatch(/^Audio: /);
		expect(failed[0]!.pairedItem).toEqual({ item: 1 });
	});

	it('a job that may exist is named in the item, as far as it can be known', async () => {
		mirage.fault({
			route: 'POST /v1/videos',
			fault: { kind: 'resetAfterBody', accepted: true },
		});
		const run = await create({}, [both()], {}, { onError: 'continueRegularOutput' });
		expect(run.outputs()[0]!.json.details).toContain(mirage.videos()[0]!.id);
		expect(routes().filter((route) => route === 'POST /v1/videos')).toHaveLength(1);
	});
});

it('an error names the jobs that other items have started', async () => {
	mirage.fault({
		route: 'POST /v1/videos',
		after: 1,
		fault: { kind: 'status', status: 402, body: { detail: 'No credits left' } },
	});
	const run = await create({ options: { concurrency: 1 } }, [both(), both(), both()]);
	const error = readableError(run, mirage.apiKey);
	expect(error).toContain(`item 0 → ${mirage.videos()[0]!.id}`);
	expect(error).toContain('No credits left');
	expect(error).toContain('Not started: item 2');
});

it('a wrong key is told as such, and the key is not shown', async () => {
	const run = await create({}, [both()], { apiKey: 'mira_wrong_key' });
	expect(readableError(run, 'mira_wrong_key')).toMatch(/did not accept the API key/);
});

it('works as the tool of an agent, which hands over text and addresses', async () => {
	const pictures = await startFileServer({ '/portrait.png': whole(media('portraitPng')) });
	const run = await runWorkflow({
		baseUrl: mirage.url,
		apiKey: mirage.apiKey,
		nodes: [
			{ type: 'toolCaller', parameters: { arguments: '{"text": "Hello from an agent"}' } },
			{
				type: 'mirageCreateVideoTool',
				parameters: {
					imageSource: 'url',
					imageUrl: `${pictures.url}/portrait.png`,
					audioSource: 'text',
					voiceId: 'voice-1',
					text: `={{ $fromAI('text', 'What to say', 'string') }}`,
				},
			},
		],
		connections: {
			[START]: { main: [[{ node: 'toolCaller', type: 'main', index: 0 }]] },
			mirageCreateVideoTool: { ai_tool: [[{ node: 'toolCaller', type: 'ai_tool', index: 0 }]] },
		},
	});
	await pictures.close();
	const { answer, description } = run.outputs('toolCaller')[0]!.json;
	expect(answer).toContain(mirage.videos()[0]!.id);
	expect(mirage.requests[0]!.json).toMatchObject({ text: 'Hello from an agent' });
	expect(description).toMatch(/talking-head video/);
});
