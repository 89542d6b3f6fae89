import type { IDataObject } from 'n8n-workflow';

import { startEmulator, type Emulator } from '../harness/emulator/emulator';
import { START, type RunOptions } from '../harness/engine/engine';
import { type InputItem } from '../harness/engine/built-in-nodes';
import { byId, runNode } from '../harness/engine/oneNode';
import { startFileServer, whole, type FileServer } from '../harness/engine/fileServer';
import { readableError } from '../harness/engine/forPeople';
import {
	fileOf,
	landscape,
	media,
	portrait,
	sha256,
	stores,
	upright,
	videoOfSize,
	voice,
} from '../harness/engine/inputs';

let mirage: Emulator;
let files: FileServer;
let template: string;
beforeEach(async () => {
	mirage = await startEmulator();
	files = await startFileServer({
		'/video': whole(media('generated')),
		'/landscape': whole(media('landscape')),
		'/portrait': whole(media('portraitJpeg')),
	});
	const answer = await fetch(`${mirage.url}/v1/videos/captions/templates?limit=1`, {
		headers: { 'x-api-key': mirage.apiKey },
	});
	template = ((await answer.json()) as { data: [{ id: string }] }).data[0].id;
	mirage.requests.length = 0;
});
afterEach(async () => {
	await mirage.close();
	await files.close();
});

const caption = async (
	parameters: IDataObject,
	input: InputItem[] = [{}],
	options: Partial<RunOptions> = {},
	settings = {},
) =>
	await runNode(
		mirage,
		'mirageAddCaptions',
		{ captionTemplateId: byId(template), ...parameters },
		input,
		options,
		settings,
	);
const sent = () => mirage.requests.filter(({ route }) => route === 'POST /v1/videos/captions');
const seedOne = (status = 'COMPLETE', id = 'video_source') => {
	mirage.seedVideos([{ id, status }]);
	return id;
};

describe('a Mirage video gets captions', () => {
	it('by the ID that the item brings, without typing anything', async () => {
		const id = seedOne();
		const run = await caption({}, [{ json: { id } }]);
		expect(run.error?.message).toBeUndefined();
		expect(run.outputs()[0]).toMatchObject({
			json: { id: mirage.videos()[0]!.id, status: 'PROCESSING', source_video_id: id },
			pairedItem: { item: 0 },
		});
		expect(sent().map(({ fields, files }) => ({ fields, files }))).toEqual([
			{ fields: { caption_template_id: [template], video_id: [id] }, files: [] },
		]);
	});

	it('chosen from the list', async () => {
		const id = seedOne();
		await caption({
			videoId: { __rl: true, mode: 'list', value: id, cachedResultName: 'Generated' },
			captionTemplateId: { __rl: true, mode: 'list', value: template, cachedResultName: 'Bold' },
		});
		expect(sent()[0]!.fields).toEqual({ caption_template_id: [template], video_id: [id] });
	});

	it('and the file and URL that are set as well are not sent', async () => {
		const id = seedOne();
		await caption({ videoSource: 'videoId', videoField: 'data', videoUrl: `${files.url}/video` }, [
			{ json: { id }, files: { data: upright() } },
		]);
		expect(sent()[0]!.files).toEqual([]);
		expect(files.requests).toEqual([]);
	});
});

describe.each(stores)('a file gets captions, in $binaryMode, $binaryLayout', (store) => {
	it.each([
		['MP4', 'generated', 'video/mp4'],
		['MOV', 'clipMov', 'video/quicktime'],
	] as const)('%s, byte for byte', async (_, name, mimeType) => {
		const input = [{ json: { id: 'video_other' }, files: { data: fileOf(media(name)) } }];
		const run = await caption({ videoSource: 'binary' }, input, store);
		expect(run.error?.message).toBeUndefined();
		expect(run.outputs()[0]!.json).toMatchObject({
			id: mirage.videos()[0]!.id,
			source_video_id: null,
		});
		expect(sent()[0]!.fields).toEqual({ caption_template_id: [template] });
		expect(sent()[0]!.files).toMatchObject([
			{ field: 'video', mimeType, sha256: sha256(media(name)) },
		]);
	});

	it('from an expression that yields the file itself', async () => {
		const videoField =
			store.binaryLayout === 'combined'
				? '={{ $json._files.clip }}'
				: `={{ $('${START}').item.binary.clip }}`;
		const run = await caption(
			{ videoSource: 'binary', videoField },
			[{ files: { clip: upright() } }],
			store,
		);
		expect(run.error?.message).toBeUndefined();
		expect(sent()[0]!.files).toMatchObject([{ sha256: sha256(media('generated')) }]);
	});
});

it('a file behind a URL gets captions', async () => {
	const run = await caption({ videoSource: 'url', videoUrl: `${files.url}/video` });
	expect(run.error?.message).toBeUndefined();
	expect(run.outputs()[0]!.json.id).toBe(mirage.videos()[0]!.id);
	expect(sent()[0]!.files).toMatchObject([{ sha256: sha256(media('generated')) }]);
});

it('a file of exactly 50 MB is sent', async () => {
	const run = await caption({ videoSource: 'binary' }, [
		{ files: { data: fileOf(videoOfSize(50 * 1_048_576)) } },
	]);
	expect(run.error?.message).toBeUndefined();
	expect(sent()[0]!.files![0]!.bytes).toBe(50 * 1_048_576);
});

describe('a mistake is told before anything is uploaded or billed', () => {
	const binary = { videoSource: 'binary' };
	const url = (path: string) => ({ videoSource: 'url', videoUrl: `${files.url}${path}` });
	it.each<[string, () => IDataObject, InputItem, RegExp[]]>([
		[
			'a 16:9 file',
			() => binary,
			{ files: { data: landscape() } },
			[/^Video: the picture is \d+ × \d+/, /Crop the video to 9:16/],
		],
		['a 16:9 file behind a URL', () => url('/landscape'), {}, [/^Video: the picture is/]],
		[
			'a file over 50 MB',
			() => binary,
			{ files: { data: fileOf(videoOfSize(50 * 1_048_576 + 1)) } },
			[/^Video: the file has 52\.4 MB/, /at most 50 MB/],
		],
		[
			'no file',
			() => binary,
			{ files: { video: upright() } },
			[/^Video: .*"data"/, /The item has the field video: enter video in Video Field\./],
		],
		['a picture', () => binary, { files: { data: portrait() } }, [/^Video: the file is a JPEG/]],
		['a picture behind a URL', () => url('/portrait'), {}, [/^Video: the file is a JPEG/]],
		['speech', () => binary, { files: { data: voice() } }, [/^Video: the file is a WAV/]],
		[
			'an empty file',
			() => binary,
			{ files: { data: fileOf(Buffer.alloc(0)) } },
			[/^Video: the file is empty/],
		],
		[
			'a URL that answers with an error',
			() => url('/nothing'),
			{},
			[/^Video: the URL answered with status 404/],
		],
		['no video ID on the item', () => ({}), {}, [/^Video is empty/, /Choose one from the list/]],
		[
			'a video ID that is an address',
			() => ({ videoId: byId('={{ "https://captions.ai/share/abc" }}') }),
			{},
			[/^Video is not an ID/],
		],
		[
			'a template from a field that the item lacks',
			() => ({ captionTemplateId: byId('={{ $json.template }}') }),
			{ json: { id: 'video_a' } },
			[/^Caption Template is empty/],
		],
	])('%s', async (_, parameters, wrong, patterns) => {
		const run = await caption(parameters(), [wrong]);
		const error = readableError(run, mirage.apiKey);
		expect(error).toContain('[item 0]');
		for (const pattern of patterns) expect(error).toMatch(pattern);
		expect(mirage.requests).toEqual([]);
	});
});

describe('what only Mirage can know is told with the parameter', () => {
	it('a video that is still rendering, and which node to put before', async () => {
		const id = seedOne('PROCESSING');
		const run = await caption({}, [{ json: { id } }]);
		const told = readableError(run, mirage.apiKey);
		expect(told).toContain(`could not add captions: video "${id}" is still rendering (PROCESSING)`);
		expect(told).toContain('Put a Mirage Wait for Video node between');
		expect(told).toContain('Nothing was started.');
	});

	it('a video that failed, for which waiting is no use', async () => {
		const id = seedOne('FAILED');
		const told = readableError(await caption({}, [{ json: { id } }]), mirage.apiKey);
		expect(told).toContain(`video "${id}" ended as FAILED`);
		expect(told).not.toContain('Wait for Video');
	});

	it('a video that does not exist, and not the template', async () => {
		const run = await caption({}, [{ json: { id: 'video_nothing' } }]);
		expect(readableError(run, mirage.apiKey)).toContain('the video "video_nothing" does not exist');
	});

	it('a template that does not exist', async () => {
		const id = seedOne();
		const run = await caption({ captionTemplateId: byId('ctpl_nothing') }, [{ json: { id } }]);
		expect(readableError(run, mirage.apiKey)).toMatch(
			/: the caption template "ctpl_nothing" does not exist[^]*Caption template not found/,
		);
	});
});

describe('with "Continue" on error', () => {
	const input = () => [
		{ json: { id: seedOne(), row: 1 } },
		{ json: { id: seedOne('FAILED', 'video_failed'), row: 2 } },
		{ json: { row: 3 } },
	];

	it('the other items are started, and failed ones say why in their place', async () => {
		const run = await caption({}, input(), {}, { onError: 'continueRegularOutput' });
		const items = run.outputs();
		expect(items[0]!.json.id).toBe(mirage.videos()[0]!.id);
		expect(items[1]!.json.error).toMatch(/ended as FAILED/);
		expect(items[2]!.json.error).toMatch(/^Video is empty \[item 2\]/);
		expect(items.map(({ pairedItem }) => pairedItem)).toEqual([0, 1, 2].map((item) => ({ item })));
	});

	it('failed items leave through the error output with the video ID they came with', async () => {
		const run = await caption({}, input(), {}, { onError: 'continueErrorOutput' });
		expect(run.outputs('mirageAddCaptions', 0)).toHaveLength(1);
		expect(run.outputs('mirageAddCaptions', 1).map(({ json }) => json)).toMatchObject([
			{ id: 'video_failed', row: 2, error: expect.stringMatching(/ended as FAILED/) },
			{ row: 3, error: expect.stringMatching(/^Video is empty/) },
		]);
	});
});
