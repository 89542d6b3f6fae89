import { readFileSync } from 'node:fs';

import { Client, fixture, stoppedClock } from '../../emulator/client';
import { type Emulator, startEmulator } from '../../emulator/emulator';
import { MEDIA } from '../../emulator/media';
import type { ApiCaptionTemplate, ApiTextOverlay, ApiVideo } from '../../emulator/types';

const clock = stoppedClock();
let emulator: Emulator;
let client: Client;

beforeAll(async () => {
	emulator = await startEmulator({ now: clock.now, renderMs: 10_000 });
	client = new Client(emulator);
});
afterAll(() => emulator.close());

async function completeVideo(): Promise<ApiVideo> {
	const video = (await client.createVideo()).json();
	clock.pass(10_000);
	return video;
}

describe('videos', () => {
	it('shows a created video from PROCESSING with growing progress to COMPLETE', async () => {
		const created = await client.createVideo({ model: 'mirage-video-1-latest' });
		const started = Math.floor(clock.now() / 1000);
		expect(created.status).toBe(200);
		const video = created.json();
		expect(video).toEqual({
			id: expect.stringMatching(/^video_\w{16,}$/),
			object: 'video',
			status: 'PROCESSING',
			created_at: started,
			completed_at: null,
			progress: 0,
			error: null,
			model: 'mirage-video-1-latest',
			source_video_id: null,
			caption_template_id: null,
			share_link_url: null,
			video_id: video.id,
		});

		clock.pass(4_000);
		const half = (await client.get<ApiVideo>(`/v1/videos/${video.id}`)).json();
		expect([half.status, half.progress]).toEqual(['PROCESSING', 40]);

		clock.pass(5_999);
		const almost = (await client.get<ApiVideo>(`/v1/videos/${video.id}`)).json();
		expect([almost.status, almost.progress]).toEqual(['PROCESSING', 99]);

		clock.pass(20_000);
		const done = (await client.get<ApiVideo>(`/v1/videos/${video.id}`)).json();
		expect(done).toEqual({
			...video,
			status: 'COMPLETE',
			progress: 100,
			completed_at: started + 10,
		});
	});

	it('takes every documented kind of portrait and speech', async () => {
		for (const image of ['portraitJpeg', 'portraitPng'] as const) {
			for (const audio of ['voiceWav', 'voiceMp3'] as const) {
				const parts = { image_reference: fixture(image), audio_reference: fixture(audio) };
				expect((await client.createVideo(parts)).status).toBe(200);
			}
		}
	});

	it('takes a picture or a clip for every model but the first', async () => {
		const clip = { image_reference: undefined, video_reference: fixture('person') };
		const model = 'mirage-avatar-x';
		expect((await client.createVideo({ model, ...clip })).json()).toMatchObject({ model });
		expect((await client.createVideo({ model })).status).toBe(200);
	});

	it('can be a server that knows only the first model', async () => {
		const older = await startEmulator({ models: ['mirage-video-1-latest'] });
		const refused = await new Client(older).createVideo({ model: 'mirage-avatar-x' });
		await older.close();
		expect(refused.status).toBe(422);
	});

	it('logs what was uploaded and which job it started', async () => {
		const video = (await client.createVideo({ model: 'mirage-video-1-latest' })).json();
		const entry = emulator.requests.at(-1)!;
		expect(entry).toMatchObject({
			server: 'api',
			method: 'POST',
			path: '/v1/videos',
			route: 'POST /v1/videos',
			status: 200,
			accepted: video.id,
			fields: { model: ['mirage-video-1-latest'] },
			files: [
				{ field: 'image_reference', fileName: 'portrait.jpg', mimeType: 'image/jpeg' },
				{ field: 'audio_reference', fileName: 'voice.mp3', mimeType: 'audio/mpeg' },
			],
		});
		expect(entry.files![0]!.bytes).toBe(readFileSync(MEDIA.portraitJpeg).length);
		expect(emulator.videos().at(-1)).toMatchObject({ id: video.id, requestId: entry.id });
	});

	it('serves the file of a completed video from a second origin', async () => {
		const video = await completeVideo();
		const redirect = await client.get(`/v1/videos/${video.id}/content`);
		expect(redirect.status).toBe(302);
		const location = redirect.headers.location as string;
		expect(location.startsWith(`${emulator.contentUrl}/`)).toBe(true);
		expect(emulator.contentUrl).not.toBe(emulator.url);
		const content = await client.get(location);
		expect(content.headers['content-type']).toBe('video/mp4');
		expect(content.body.equals(readFileSync(MEDIA.generated))).toBe(true);
	});
});

describe('captions', () => {
	it('captions a completed video by its id', async () => {
		const source = await completeVideo();
		const [template] = await client.templates();
		const created = await client.addCaptions(template!.id, { video_id: source.id });
		expect(created.json()).toMatchObject({
			status: 'PROCESSING',
			model: null,
			source_video_id: source.id,
			caption_template_id: template!.id,
		});
		clock.pass(10_000);
		const redirect = await client.get(`/v1/videos/${created.json().id}/content`);
		const content = await client.get(redirect.headers.location as string);
		expect(content.body.equals(readFileSync(MEDIA.captioned))).toBe(true);
		expect(emulator.videos().at(-1)).toMatchObject({ kind: 'captioned', status: 'COMPLETE' });
	});

	it('captions an uploaded MP4 or MOV', async () => {
		const [template] = await client.templates();
		for (const video of [fixture('generated'), fixture('clipMov')]) {
			const created = await client.addCaptions(template!.id, { video });
			expect(created.status).toBe(200);
			expect(created.json().source_video_id).toBeNull();
		}
	});

	it('lists templates with stable ids and previews that play', async () => {
		const templates = await client.templates();
		expect(templates).toHaveLength(12);
		expect(new Set(templates.map((template) => template.name)).size).toBe(12);
		const again = await startEmulator();
		expect((await new Client(again).templates()).map(({ id }) => id)).toEqual(
			templates.map(({ id }) => id),
		);
		await again.close();

		const path = `/v1/videos/captions/templates/${templates[3]!.id}`;
		expect((await client.get<ApiCaptionTemplate>(path)).json()).toEqual(templates[3]);
		expect(templates[3]!.id).toMatch(/^ctpl_\w{20}$/);
		const preview = await client.get(templates[3]!.preview_url!);
		expect([preview.status, preview.headers['content-type']]).toEqual([200, 'video/mp4']);
	});
});

describe('text-to-speech', () => {
	it('answers an audible WAV whose length follows the text', async () => {
		const spoken = await client.speak('x'.repeat(100));
		expect(spoken.headers['content-type']).toBe('audio/wav');
		expect(spoken.headers['content-length']).toBe(String(spoken.body.length));
		const wav = spoken.body;
		expect(wav.toString('latin1', 0, 4) + wav.toString('latin1', 8, 16)).toBe('RIFFWAVEfmt ');
		expect(wav.readUInt32LE(4)).toBe(wav.length - 8);
		expect([wav.readUInt16LE(22), wav.readUInt32LE(24), wav.readUInt16LE(34)]).toEqual([
			1, 24_000, 16,
		]);
		expect(wav.readUInt32LE(40)).toBe(wav.length - 44);
		expect((wav.length - 44) / 2 / 24_000).toBeCloseTo(6);
		const loudest = Math.max(
			...Array.from({ length: 24_000 }, (_, i) => Math.abs(wav.readInt16LE(44 + i * 2))),
		);
		expect(loudest).toBeGreaterThan(2_000);
		expect(loudest).toBeLessThan(16_000);

		const shorter = await client.speak('x'.repeat(50));
		expect((wav.length - 44) / (shorter.body.length - 44)).toBeCloseTo(2);
		expect(emulator.requests.at(-1)).toMatchObject({
			json: { text: 'x'.repeat(50), model: 'mirage-audio-1' },
		});
	});

	it('takes as long as it was told to', async () => {
		const slow = await startEmulator({ speechMs: 150 });
		const before = performance.now();
		expect((await new Client(slow).speak('Hello')).status).toBe(200);
		expect(performance.now() - before).toBeGreaterThanOrEqual(145);
		await slow.close();
	});
});

describe('text overlays', () => {
	it('renders one to four texts, each with its own style, blanks left to the service', async () => {
		const created = await client.createOverlay([
			['texts', 'First'],
			['texts', 'Second'],
			['texts', 'Third'],
			['texts', 'Fourth'],
			['fonts', 'Inter'],
			['sizes', ''],
			['sizes', '64'],
			['colors', ''],
			['colors', ''],
			['colors', '#00FFaa'],
		]);
		expect(created.json()).toMatchObject({ object: 'text_overlay', status: 'QUEUED', results: [] });
		expect(emulator.overlays().at(-1)!.texts).toEqual([
			{ text: 'First', font: 'Inter', size: null, color: null },
			{ text: 'Second', font: null, size: 64, color: null },
			{ text: 'Third', font: null, size: null, color: '#00FFaa' },
			{ text: 'Fourth', font: null, size: null, color: null },
		]);

		const read = async () => {
			const path = `/v1/meta/text_overlays/${created.json().id}`;
			return (await client.get<ApiTextOverlay>(path)).json();
		};
		clock.pass(5_000);
		expect(await read()).toMatchObject({ status: 'PROCESSING', completed_at: null });
		clock.pass(5_000);
		const done = await read();
		expect(done).toMatchObject({
			status: 'COMPLETE',
			completed_at: Math.floor(clock.now() / 1000),
			error: null,
		});
		expect(done.results.map(({ index, text, status }) => [index, text, status])).toEqual([
			[0, 'First', 'COMPLETE'],
			[1, 'Second', 'COMPLETE'],
			[2, 'Third', 'COMPLETE'],
			[3, 'Fourth', 'COMPLETE'],
		]);
		for (const { video_url } of done.results) {
			expect(video_url!.startsWith(emulator.contentUrl)).toBe(true);
			const content = await client.get(video_url!);
			expect(content.body.equals(readFileSync(MEDIA.overlay))).toBe(true);
		}
	});

	it('reads the same from items', async () => {
		const items = [
			{ text: 'One', style: { font: 'Inter', size: 48, color: '#112233' } },
			{ text: 'Two' },
			{ text: 'Three', style: { size: '20', color: '' } },
		];
		const created = await client.createOverlay([['items', JSON.stringify(items)]]);
		expect(created.status).toBe(200);
		expect(emulator.overlays().at(-1)!.texts).toEqual([
			{ text: 'One', font: 'Inter', size: 48, color: '#112233' },
			{ text: 'Two', font: null, size: null, color: null },
			{ text: 'Three', font: null, size: 20, color: null },
		]);
	});
});
