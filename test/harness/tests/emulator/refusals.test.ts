import { readFileSync } from 'node:fs';

import { Client, file, fixture, type Part, stoppedClock } from '../../emulator/client';
import { CAPTIONS_MAX_BYTES } from '../../emulator/requestChecks';
import { type Emulator, startEmulator } from '../../emulator/emulator';
import { MEDIA } from '../../emulator/media';
import type { InvalidDetail } from '../../emulator/invalid';
import type { ApiVideo } from '../../emulator/types';

const clock = stoppedClock();
let emulator: Emulator;
let client: Client;
let template: string;

beforeAll(async () => {
	emulator = await startEmulator({ now: clock.now, renderMs: 10_000 });
	client = new Client(emulator);
	template = (await client.templates())[0]!.id;
});
afterAll(() => emulator.close());

let jobsBefore = 0;
beforeEach(() => (jobsBefore = emulator.videos().length + emulator.overlays().length));
afterEach(() => {
	// Whatever is refused must not be billed.
	expect(emulator.videos().length + emulator.overlays().length).toBe(jobsBefore);
});

type Details = { detail: InvalidDetail[] };

/** `place: type` of each entry of a 422. */
function places(received: { status: number; json: () => unknown }): string[] {
	expect(received.status).toBe(422);
	return (received.json() as Details).detail.map((entry) => {
		expect(entry.msg).not.toBe('');
		return `${entry.loc.join('.')}: ${entry.type}`;
	});
}

describe('key', () => {
	it.each([
		['no key', {}],
		['a wrong key', { 'x-api-key': 'mira_wrong' }],
	])('refuses %s on all ten operations', async (_, headers: Record<string, string>) => {
		const operations = [
			['POST', '/v1/videos'],
			['GET', '/v1/videos'],
			['GET', '/v1/videos/x'],
			['GET', '/v1/videos/x/content'],
			['POST', '/v1/videos/captions'],
			['GET', '/v1/videos/captions/templates'],
			['GET', '/v1/videos/captions/templates/x'],
			['POST', '/v1/audio/text-to-speech/x'],
			['POST', '/v1/meta/text_overlays'],
			['GET', '/v1/meta/text_overlays/x'],
		] as const;
		for (const [method, path] of operations) {
			const received = await client.send(method, emulator.url + path, { headers });
			expect([path, received.status]).toEqual([path, 401]);
			expect(received.json()).toEqual({ detail: 'Invalid API key' });
		}
	});
});

describe('unknown', () => {
	it.each([
		['/v1/videos/video_gone', 'Video not found'],
		['/v1/videos/video_gone/content', 'Video not found'],
		['/v1/videos?after=video_gone', 'Video not found'],
		['/v1/videos/captions/templates/ctpl_gone', 'Caption template not found'],
		['/v1/videos/captions/templates?after=ctpl_gone', 'Caption template not found'],
		['/v1/meta/text_overlays/gone', 'Text overlay not found'],
		['/v1/nothing', 'Not Found'],
		['/v1/videos/a%2Fb', 'Not Found'],
		['/v1/videos/%E0%A4%A', 'Video not found'],
	])('%s is a 404', async (path, detail) => {
		const received = await client.get(path);
		expect([received.status, received.json()]).toEqual([404, { detail }]);
	});

	it('names an unknown voice, template and source video', async () => {
		const voice = await client.speak('Hello', 'unknown_voice');
		expect([voice.status, voice.json()]).toEqual([404, { detail: 'Voice not found' }]);
		const noTemplate = await client.addCaptions('ctpl_gone', { video: fixture('generated') });
		expect(noTemplate.json()).toEqual({ detail: 'Caption template not found' });
		const noVideo = await client.addCaptions(template, { video_id: 'video_gone' });
		expect([noVideo.status, noVideo.json()]).toEqual([404, { detail: 'Video not found' }]);
	});

	it('refuses a method that a path does not have', async () => {
		expect((await client.send('DELETE', '/v1/videos')).status).toBe(405);
	});
});

describe('create video', () => {
	const cases: [string, Record<string, Part | string | undefined>, string[]][] = [
		[
			'both files are absent',
			{ image_reference: undefined, audio_reference: undefined },
			['body.image_reference: missing', 'body.audio_reference: missing'],
		],
		['text comes as image', { image_reference: 'x' }, ['body.image_reference: value_error']],
		['the image is empty', { image_reference: file('') }, ['body.image_reference: value_error']],
		['a GIF', { image_reference: file('GIF89a') }, ['body.image_reference: value_error']],
		[
			'files are swapped',
			{ image_reference: fixture('voiceMp3'), audio_reference: fixture('portraitJpeg') },
			['body.image_reference: value_error', 'body.audio_reference: value_error'],
		],
		['the speech is OGG', { audio_reference: file('OggS') }, ['body.audio_reference: value_error']],
		['the model is unknown', { model: 'mirage-2' }, ['body.model: literal_error']],
		[
			'a clip for the first model',
			{ video_reference: fixture('person') },
			['body.video_reference: extra_forbidden'],
		],
		[
			'a clip of three seconds',
			{
				model: 'mirage-avatar-x',
				image_reference: undefined,
				video_reference: fixture('clipMov'),
			},
			['body.video_reference: value_error'],
		],
		['a field is misspelt', { modle: 'x' }, ['body.modle: extra_forbidden']],
		['a file is misspelt', { audio: fixture('voiceMp3') }, ['body.audio: extra_forbidden']],
		['the model is a file', { model: file('mirage-video-1-latest') }, ['body.model: string_type']],
	];
	it.each(cases)('is refused when %s', async (_, changes, expected) => {
		expect(places(await client.createVideo(changes))).toEqual(expected);
	});

	it('is refused when a file comes twice', async () => {
		const received = await client.post('/v1/videos', [
			['image_reference', fixture('portraitJpeg')],
			['image_reference', fixture('portraitJpeg')],
			['audio_reference', fixture('voiceMp3')],
		]);
		expect(places(received)).toEqual(['body.image_reference: value_error']);
	});

	it('is refused when the body is JSON', async () => {
		expect(places(await client.postJson('/v1/videos', {}))).toEqual([
			'body.image_reference: missing',
			'body.audio_reference: missing',
		]);
	});

	it('is refused with 400 when the multipart body breaks off or has no boundary', async () => {
		const body = '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nmirage';
		for (const type of ['multipart/form-data; boundary=b', 'multipart/form-data']) {
			const headers = { 'content-type': type };
			const received = await client.send('POST', '/v1/videos', { headers, body });
			expect(received.status).toBe(400);
			expect(received.json()).toEqual({ detail: 'There was an error parsing the body' });
		}
	});
});

describe('captions', () => {
	const cases: [string, Record<string, Part | string | undefined>, string[]][] = [
		['there is no video', {}, ['body: value_error']],
		[
			'both sources are given',
			{ video: fixture('generated'), video_id: 'x' },
			['body: value_error'],
		],
		['the source id is blank', { video_id: '' }, ['body: value_error']],
		[
			'there is no template',
			{ caption_template_id: undefined, video: fixture('generated') },
			['body.caption_template_id: missing'],
		],
		['the file is no video', { video: fixture('portraitPng') }, ['body.video: value_error']],
		['the file is WebM', { video: file('\x1aE\xdf\xa3webm') }, ['body.video: value_error']],
		['the frame is 16:9', { video: fixture('landscape') }, ['body.video: value_error']],
		[
			'a field is unknown',
			{ video: fixture('generated'), style: 'x' },
			['body.style: extra_forbidden'],
		],
	];
	it.each(cases)('are refused when %s', async (_, changes, expected) => {
		expect(places(await client.addCaptions(template, changes))).toEqual(expected);
	});

	it('are refused over 50 MB, and only then by size', async () => {
		const start = Buffer.from('\x00\x00\x00\x10ftypmp42\x00\x00\x00\x00', 'latin1');
		const tooLarge = Buffer.concat([start, Buffer.alloc(CAPTIONS_MAX_BYTES + 1 - start.length)]);
		const received = await client.addCaptions(template, { video: file(tooLarge) });
		expect(places(received)).toEqual(['body.video: value_error']);
		expect(emulator.requests.at(-1)!.files![0]!.bytes).toBe(CAPTIONS_MAX_BYTES + 1);

		const largest = await client.addCaptions(template, { video: file(tooLarge.subarray(0, -1)) });
		expect(largest.status).toBe(200);
		jobsBefore++;
	});

	it('are refused for a video of more than five minutes', async () => {
		const video = Buffer.from(readFileSync(MEDIA.generated));
		const mvhd = video.indexOf('mvhd') + 4;
		video.writeUInt32BE(video.readUInt32BE(mvhd + 12) * 301, mvhd + 16);
		const received = await client.addCaptions(template, { video: file(video) });
		expect(places(received)).toEqual(['body.video: value_error']);
	});

	it('are refused for a video that is not COMPLETE', async () => {
		emulator.seedVideos([{ id: 'video_rendering', status: 'PROCESSING' }]);
		const received = await client.addCaptions(template, { video_id: 'video_rendering' });
		expect(places(received)).toEqual(['body.video_id: value_error']);
	});
});

describe('text-to-speech', () => {
	it.each<[string, unknown, string[]]>([
		['both are absent', {}, ['body.text: missing', 'body.model: missing']],
		['the text is blank', { text: ' ', model: 'mirage-audio-1' }, ['body.text: string_too_short']],
		['the text is a number', { text: 1, model: 'mirage-audio-1' }, ['body.text: string_type']],
		['the model is unknown', { text: 'Hi', model: 'x' }, ['body.model: literal_error']],
		['the body is a list', [], ['body: model_attributes_type']],
		[
			'a property is unknown',
			{ text: 'Hi', model: 'mirage-audio-1', speed: 2 },
			['body.speed: extra_forbidden'],
		],
	])('is refused when %s', async (_, body, expected) => {
		expect(places(await client.postJson('/v1/audio/text-to-speech/v', body))).toEqual(expected);
	});

	it('is refused for unreadable JSON, and for a body that does not say it is JSON', async () => {
		const path = '/v1/audio/text-to-speech/v';
		const headers = { 'content-type': 'application/json' };
		const broken = await client.send('POST', path, { headers, body: '{"text":' });
		expect(places(broken)).toEqual(['body.0: json_invalid']);
		const untyped = await client.send('POST', path, { body: '{"text":"Hi"}' });
		expect(places(untyped)).toEqual(['body: model_attributes_type']);
		const endless = await client.send('POST', path, { headers, body: ' '.repeat(2_000_000) });
		expect(endless.status).toBe(413);
	});
});

describe('text overlays', () => {
	const one: [string, string] = ['texts', 'One'];
	const item = (value: unknown): [string, string][] => [['items', JSON.stringify([value])]];
	const cases: [string, [string, Part | string][], string[]][] = [
		['there is no text', [], ['body.texts: value_error']],
		['there are five', Array.from({ length: 5 }, () => one), ['body.texts: value_error']],
		['a text is blank', [one, ['texts', ' ']], ['body.texts.1: value_error']],
		['a colour is a name', [one, ['colors', 'red']], ['body.colors.0: value_error']],
		['a colour is short', [one, ['colors', '#fff']], ['body.colors.0: value_error']],
		['a size has a unit', [one, ['sizes', '12px']], ['body.sizes.0: value_error']],
		['a size is zero', [one, ['sizes', '0']], ['body.sizes.0: value_error']],
		['fonts outnumber texts', [one, ['fonts', ''], ['fonts', 'A']], ['body.fonts: value_error']],
		['texts and items meet', [one, ...item({ text: 'A' })], ['body: value_error']],
		['items are no JSON', [['items', '[']], ['body.items: value_error']],
		['items are no list', [['items', '{}']], ['body.items: value_error']],
		['items are empty', [['items', '[]']], ['body.items: value_error']],
		[
			'an item is a string',
			item('A'),
			['body.items.0: dict_type', 'body.items.0.text: value_error'],
		],
		['an item has no text', item({ style: {} }), ['body.items.0.text: value_error']],
		[
			'an item has a bad style',
			item({ text: 'A', style: { size: -1, color: 'red', weight: 1 } }),
			[
				'body.items.0.style.weight: extra_forbidden',
				'body.items.0.style.size: value_error',
				'body.items.0.style.color: value_error',
			],
		],
		['a field is misspelt', [one, ['font', 'A']], ['body.font: extra_forbidden']],
	];
	it.each(cases)('are refused when %s', async (_, parts, expected) => {
		expect(places(await client.createOverlay(parts))).toEqual(expected);
	});

	it('are refused without a video, or with a file that is none', async () => {
		const none = await client.post('/v1/meta/text_overlays', [one]);
		expect(places(none)).toEqual(['body.video: missing']);
		const image = await client.post('/v1/meta/text_overlays', [
			one,
			['video', fixture('portraitJpeg')],
		]);
		expect(places(image)).toEqual(['body.video: value_error']);
	});
});

describe('queries', () => {
	it.each([
		['/v1/videos?limit=0', 'query.limit: greater_than_equal'],
		['/v1/videos?limit=101', 'query.limit: less_than_equal'],
		['/v1/videos?limit=ten', 'query.limit: int_parsing'],
		['/v1/videos?limit=', 'query.limit: int_parsing'],
		['/v1/videos?order=newest', 'query.order: literal_error'],
		['/v1/videos/captions/templates?limit=0', 'query.limit: greater_than_equal'],
		['/v1/videos/captions/templates?limit=101', 'query.limit: less_than_equal'],
	])('%s is refused', async (path, expected) => {
		expect(places(await client.get(path))).toEqual([expected]);
	});
});

it('has no content for a video that is not COMPLETE', async () => {
	const { id } = (await client.createVideo()).json() as ApiVideo;
	jobsBefore++;
	const received = await client.get(`/v1/videos/${id}/content`);
	expect([received.status, received.json()]).toEqual([409, { detail: 'Video is not complete' }]);
});
