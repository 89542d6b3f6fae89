/** Models, estimates, spending limits and waiting of the nodes that start videos. */
import type { IDataObject } from 'n8n-workflow';

import { startEmulator, type Emulator, type EmulatorOptions } from '../harness/emulator/emulator';
import type { InputItem } from '../harness/engine/built-in-nodes';
import type { RunOptions } from '../harness/engine/engine';
import { ranged, startFileServer } from '../harness/engine/fileServer';
import { readableError } from '../harness/engine/forPeople';
import { fileOf, media, portrait, sha256, upright, voice } from '../harness/engine/inputs';
import { byId, runNode } from '../harness/engine/oneNode';

let mirage: Emulator;
let template: string;
const start = async (options?: EmulatorOptions) => {
	await mirage?.close();
	mirage = await startEmulator({ renderMs: 0, ...options });
	const headers = { 'x-api-key': mirage.apiKey };
	const answer = await fetch(`${mirage.url}/v1/videos/captions/templates`, { headers });
	template = ((await answer.json()) as { data: [{ id: string }] }).data[0].id;
	mirage.requests.length = 0;
};
beforeEach(async () => await start());
afterEach(async () => await mirage.close());

/** A WAV of silence, as long as asked. */
function silence(seconds: number): Buffer {
	const bytes = Math.round(seconds * 8_000);
	const wav = Buffer.alloc(44 + bytes, 128);
	wav.write('RIFF', 0);
	wav.writeUInt32LE(36 + bytes, 4);
	wav.write('WAVEfmt ', 8);
	wav.writeUInt32LE(16, 16);
	wav.writeUInt16LE(1, 20);
	wav.writeUInt16LE(1, 22);
	wav.writeUInt32LE(8_000, 24);
	wav.writeUInt32LE(8_000, 28);
	wav.writeUInt16LE(1, 32);
	wav.writeUInt16LE(8, 34);
	wav.write('data', 36);
	wav.writeUInt32LE(bytes, 40);
	return wav;
}

const item = (seconds = 5): InputItem => ({
	files: { data: portrait(), audio: fileOf(silence(seconds)) },
});
const create = async (
	parameters: IDataObject,
	input: InputItem[],
	options: Partial<RunOptions> = {},
	settings = {},
) => await runNode(mirage, 'mirageCreateVideo', parameters, input, options, settings);
const caption = async (parameters: IDataObject, input: InputItem[]) =>
	await runNode(
		mirage,
		'mirageAddCaptions',
		{ captionTemplateId: byId(template), videoSource: 'binary', ...parameters },
		input,
	);
const posts = () => mirage.requests.filter(({ method }) => method === 'POST');

describe('the model', () => {
	const clip = { model: 'mirage-avatar-x', appearance: 'video' };

	it('Mirage Avatar X makes a video from a clip of the person', async () => {
		const files = { video: fileOf(media('person')), audio: voice() };
		const run = await create(clip, [{ files }]);
		expect(run.error?.message).toBeUndefined();
		const [request] = posts();
		expect(request!.fields).toEqual({ model: ['mirage-avatar-x'] });
		expect(request!.files!.map(({ field, sha256: sum }) => [field, sum])).toEqual([
			['video_reference', sha256(media('person'))],
			['audio_reference', sha256(media('voiceWav'))],
		]);
	});

	it('a clip is paid once on Retry On Fail', async () => {
		const files = { video: fileOf(media('person')), audio: voice() };
		mirage.fault({ route: 'POST /v1/videos', after: 1, fault: { kind: 'status', status: 422 } });
		const settings = { retryOnFail: true, maxTries: 2, waitBetweenTries: 0 };
		const options = { concurrency: 1 };
		const run = await create({ ...clip, options }, [{ files }, { files }], {}, settings);
		expect(run.error?.message).toBeUndefined();
		expect(mirage.videos()).toHaveLength(2);
		expect(posts()).toHaveLength(3);
	});

	it('Mirage Avatar X makes a video from a picture', async () => {
		const run = await create({ model: 'mirage-avatar-x' }, [item()]);
		expect(run.outputs()[0]!.json).toMatchObject({ model: 'mirage-avatar-x' });
		expect(posts()[0]!.files!.map(({ field }) => field)).toContain('image_reference');
	});

	it('the first model never gets a clip, whatever was chosen before', async () => {
		const run = await create({ appearance: 'video' }, [item()]);
		expect(run.error?.message).toBeUndefined();
		expect(posts()[0]!.files!.map(({ field }) => field)).not.toContain('video_reference');
	});

	it('any model of the account can be given by its ID', async () => {
		await start({ models: ['mirage-next'] });
		const run = await create({ model: 'other', modelId: 'mirage-next' }, [item()]);
		expect(run.error?.message).toBeUndefined();
		expect(posts()[0]!.fields).toEqual({ model: ['mirage-next'] });
	});

	it('an account without the model tells so in the words of the service, and nothing is billed', async () => {
		await start({ models: ['mirage-video-1-latest'] });
		const run = await create({ model: 'mirage-avatar-x' }, [item()]);
		expect(run.error!.message).toMatch(/Model: Input should be 'mirage-video-1-latest'/);
		expect(mirage.videos()).toEqual([]);
	});

	it.each([
		[
			'a clip of three seconds',
			clip,
			{ video: fileOf(media('clipMov')), audio: voice() },
			/Video: .*3\.2 s.* 10 to 60 s \[item 0\]/,
		],
		[
			'a speech of 200 s',
			{ model: 'mirage-avatar-x' },
			item(200).files!,
			/Audio: .*200 s.* 1 to 180 s \[item 0\]/,
		],
		[
			'a model ID with spaces',
			{ model: 'other', modelId: 'my model' },
			item().files!,
			/Model ID .*\[item 0\]/,
		],
		[
			'no model ID',
			{ model: 'other', modelId: '={{ "" }}' },
			item().files!,
			/Model ID is empty \[item 0\]/,
		],
	])('%s is refused before anything is sent', async (_, parameters, files, message) => {
		const run = await create(parameters, [{ files }]);
		expect(run.error!.message).toMatch(message);
		expect(mirage.requests).toEqual([]);
	});

	it('a file of a wrong length leaves the other items alone with On Error: Continue', async () => {
		const run = await create(
			{ model: 'mirage-avatar-x' },
			[item(200), item(5)],
			{},
			{
				onError: 'continueRegularOutput',
			},
		);
		const [bad, good] = run.outputs();
		expect(bad!.json.error).toMatch(/200 s/);
		expect(good!.json).toMatchObject({ status: expect.any(String) });
		expect(mirage.videos()).toHaveLength(1);
	});
});

describe('the estimate', () => {
	it('tells what each item would cost, and sends nothing', async () => {
		const input = [item(5), item(35)].map((one, index) => ({ ...one, json: { row: index } }));
		const run = await create({ operation: 'estimate', model: 'mirage-avatar-x' }, input);
		expect(run.error?.message).toBeUndefined();
		expect(run.outputs().map(({ json }) => json)).toEqual([
			{ row: 0, billedSeconds: 6, price: 0.9, basis: 'file', model: 'mirage-avatar-x' },
			{ row: 1, billedSeconds: 36, price: 5.4, basis: 'file', model: 'mirage-avatar-x' },
		]);
		expect(run.hints.map(({ message }) => message).join()).toContain(
			'2 videos, 42 s billed, about 6.30 USD at list price',
		);
		expect(mirage.requests).toEqual([]);
	});

	it('tells how long the rate limit makes the whole batch take', async () => {
		const input = Array.from({ length: 8 }, () => item());
		const run = await create({ operation: 'estimate' }, input);
		expect(run.hints.map(({ message }) => message).join()).toContain('it take about 3 minutes');
	});

	it('of the other items goes on when one is refused with On Error: Continue', async () => {
		const bad = { files: { data: fileOf(Buffer.from('no picture')), audio: voice() } };
		const settings = { onError: 'continueRegularOutput' as const };
		const run = await create({ operation: 'estimate' }, [bad, item(5)], {}, settings);
		expect(run.outputs().map(({ json }) => json)).toEqual([
			{ error: expect.stringMatching(/^Image: /), details: expect.any(String) },
			{ billedSeconds: 6, price: 1.05, basis: 'file', model: 'mirage-video-1-latest' },
		]);
	});

	it('marks a text that is still to be spoken as guessed', async () => {
		const parameters = { operation: 'estimate', audioSource: 'text', voiceId: 'v', text: 'Hello' };
		const run = await create(parameters, [item()]);
		expect(run.outputs()[0]!.json).toMatchObject({ basis: 'text', billedSeconds: 6 });
		expect(mirage.requests).toEqual([]);
	});

	it('refuses an unreadable file as a real run does', async () => {
		const files = { data: fileOf(Buffer.from('no picture')), audio: voice() };
		const run = await create({ operation: 'estimate' }, [{ files }]);
		expect(run.error!.message).toMatch(/^Image: .*\[item 0\]$/);
		expect(mirage.requests).toEqual([]);
	});

	it('counts captions by the started minute, and says when a length is unknown', async () => {
		const file = await caption({ operation: 'estimate' }, [{ files: { data: upright() } }]);
		expect(file.outputs()[0]!.json).toEqual({ billedMinutes: 1, price: 0.15, basis: 'file' });
		const parameters = { operation: 'estimate', videoSource: 'videoId', videoId: byId('video_1') };
		const id = await caption(parameters, [{}]);
		expect(id.outputs()[0]!.json).toEqual({ basis: 'unknown' });
		expect(mirage.requests).toEqual([]);
	});
});

describe('the spending limit', () => {
	const limited = (options: IDataObject) => ({ model: 'mirage-avatar-x', options });

	it('refuses a run that would cost more, with both figures, before anything is sent', async () => {
		const run = await create(limited({ spendingLimit: 5 }), [item(35), item(5)]);
		expect(run.error!.message).toMatch(/6\.30 USD.*limit of 5\.00 USD/);
		expect(readableError(run, mirage.apiKey)).toContain('Nothing was sent');
		expect(mirage.requests).toEqual([]);
	});

	it('lets a run go that stays within', async () => {
		const run = await create(limited({ spendingLimit: 6.3 }), [item(35), item(5)]);
		expect(run.error?.message).toBeUndefined();
		expect(mirage.videos()).toHaveLength(2);
	});

	it('counts what cannot be estimated as over the limit, unless a person allows it', async () => {
		const other = { model: 'other', modelId: 'mirage-next' };
		await start({ models: ['mirage-next'] });
		const refused = await create({ ...other, options: { spendingLimit: 5 } }, [item()]);
		expect(refused.error!.message).toMatch(/item 0 cannot be estimated/);
		expect(mirage.requests).toEqual([]);
		const options = { spendingLimit: 5, allowUnknownCost: true };
		const allowed = await create({ ...other, options }, [item()]);
		expect(allowed.error?.message).toBeUndefined();
	});

	it('counts only the items that may run with On Error: Continue', async () => {
		const bad = { files: { data: fileOf(Buffer.from('no picture')), audio: voice() } };
		const settings = { onError: 'continueRegularOutput' as const };
		const run = await create(limited({ spendingLimit: 1 }), [bad, item(5)], {}, settings);
		expect(run.outputs()[1]!.json).toMatchObject({ id: mirage.videos()[0]!.id });
	});

	it('names the item without a price, also behind one whose check failed', async () => {
		const broken = { files: { data: fileOf(Buffer.from('no picture')), audio: voice() } };
		const other = { model: 'other', modelId: 'mirage-next', options: { spendingLimit: 5 } };
		const goOn = { onError: 'continueRegularOutput' } as const;
		const run = await create(other, [broken, item()], {}, goOn);
		const hints = run.outputs().map(({ json }) => json.error);
		expect([run.error?.message, ...hints].join()).toMatch(/item 1 cannot be estimated/);
		expect(posts()).toEqual([]);
	});

	it('does not count an item that is not going to be started', async () => {
		const settings = { onError: 'continueRegularOutput' } as const;
		const parameters = {
			...limited({ spendingLimit: 5.4 }),
			waitForCompletion: true,
			outputField: '={{ $itemIndex === 0 ? "" : "data" }}',
		};
		const run = await create(parameters, [item(35), item(35)], {}, settings);
		expect(run.error?.message).toBeUndefined();
		expect(mirage.videos()).toHaveLength(1);
	});

	it('names what an earlier try has started when it refuses the next', async () => {
		const sounds = [ranged(silence(5)), ranged(silence(55))];
		const files = await startFileServer({
			'/speech.wav': (response, request) => sounds[posts().length < 2 ? 0 : 1]!(response, request),
		});
		mirage.fault({ route: 'POST /v1/videos', after: 1, fault: { kind: 'status', status: 422 } });
		const parameters = {
			...limited({ spendingLimit: 5, concurrency: 1 }),
			audioSource: 'url',
			audioUrl: `${files.url}/speech.wav`,
		};
		const settings = { retryOnFail: true, maxTries: 2, waitBetweenTries: 0 };
		try {
			const run = await create(parameters, [item(), item()], {}, settings);
			expect(run.error!.message).toMatch(/spending limit of 5\.00 USD/);
			expect(mirage.videos()).toHaveLength(1);
			expect(readableError(run, mirage.apiKey)).toContain(mirage.videos()[0]!.id);
		} finally {
			await files.close();
		}
	});

	it.each([-1, 'abc'])('a limit of %s is refused', async (spendingLimit) => {
		const run = await create(limited({ spendingLimit }), [item()]);
		expect(run.error!.message).toMatch(/^Spending Limit \(USD\) must be a number/);
		expect(mirage.requests).toEqual([]);
	});
});

describe('waiting for completion', () => {
	it('gives the finished file from one node', async () => {
		const run = await create({ waitForCompletion: true }, [item()]);
		expect(run.error?.message).toBeUndefined();
		const [output] = run.outputs();
		expect(output!.json).toMatchObject({ status: 'COMPLETE' });
		expect(sha256(await run.file(output!, 'data'))).toBe(sha256(media('generated')));
	});

	it('gives captions and their file from one node', async () => {
		const run = await caption({ waitForCompletion: true }, [{ files: { data: upright() } }]);
		expect(run.error?.message).toBeUndefined();
		expect(sha256(await run.file(run.outputs()[0]!, 'data'))).toBe(sha256(media('captioned')));
	});

	it('waits on Retry On Fail for the job that exists, and pays once', async () => {
		// A refused key ends a wait at once; the second try finds it accepted again.
		mirage.fault({ route: 'GET /v1/videos/{video_id}', fault: { kind: 'status', status: 401 } });
		const settings = { retryOnFail: true, maxTries: 3, waitBetweenTries: 0 };
		const run = await create(
			{ waitForCompletion: true, downloadVideo: false },
			[item()],
			{},
			settings,
		);
		expect(run.error?.message).toBeUndefined();
		expect(mirage.videos()).toHaveLength(1);
	});

	it('names the job when the video fails', async () => {
		mirage.nextOutcome({ status: 'FAILED', error: { code: 'no_face', message: 'No face' } });
		const run = await create({ waitForCompletion: true }, [item()]);
		expect(run.error!.message).toMatch(/failed: No face/);
		expect(readableError(run, mirage.apiKey)).toContain(mirage.videos()[0]!.id);
	});

	it('leaves the other items alone when one video fails with On Error: Continue', async () => {
		mirage.nextOutcome({ status: 'FAILED', error: { code: 'no_face', message: 'No face' } });
		const options = { concurrency: 1 };
		const settings = { onError: 'continueRegularOutput' as const };
		const parameters = { waitForCompletion: true, options };
		const run = await create(parameters, [item(), item()], {}, settings);
		const [failed, finished] = run.outputs();
		const [first, second] = mirage.videos();
		expect(failed!.json).toMatchObject({ id: first!.id, error: expect.stringMatching(/No face/) });
		expect(finished!.json).toMatchObject({ id: second!.id, status: 'COMPLETE' });
	});

	it('a wrong timeout or field name is refused before anything is sent', async () => {
		const wait = { waitForCompletion: true };
		const timeout = await create({ ...wait, options: { timeout: 'soon' } }, [item()]);
		expect(timeout.error!.message).toMatch(/^Timeout \(Minutes\) must be a number/);
		const field = await create({ ...wait, outputField: '={{ "" }}' }, [item()]);
		expect(field.error!.message).toMatch(/^Put Output File in Field is empty \[item 0\]/);
		expect(mirage.requests).toEqual([]);
	});

	it('off, tells how to get the file, and what was started', async () => {
		const run = await create({ model: 'mirage-avatar-x' }, [item(35)]);
		const hints = run.hints.map(({ message }) => message).join();
		expect(hints).toContain('This run started 1 video, 36 s billed, about 5.40 USD at list price.');
		expect(hints).toContain('Add Mirage Wait for Video to get the file.');
	});
});
