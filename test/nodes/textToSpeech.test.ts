import type { IDataObject } from 'n8n-workflow';

import { startEmulator, type Emulator } from '../harness/emulator/emulator';
import { speech } from '../harness/emulator/speech';
import { runWorkflow, START, type RunOptions } from '../harness/engine/engine';
import { type InputItem } from '../harness/engine/built-in-nodes';
import { runNode } from '../harness/engine/oneNode';
import { readableError } from '../harness/engine/forPeople';
import { media, portrait, sha256, stores } from '../harness/engine/inputs';

let mirage: Emulator;
beforeEach(async () => {
	mirage = await startEmulator();
});
afterEach(async () => await mirage.close());

const speak = async (
	parameters: IDataObject,
	input: InputItem[],
	options: Partial<RunOptions> = {},
	settings = {},
) =>
	await runNode(
		mirage,
		'mirageTextToSpeech',
		{ voiceId: 'voice-1', text: '={{ $json.text }}', ...parameters },
		input,
		options,
		settings,
	);

/** What the emulator says for a text, as a whole file. */
async function spoken(text: string): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of speech(text).stream()) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks);
}

describe.each(stores)('Text to Speech with files in $binaryMode, $binaryLayout', (store) => {
	it('adds the speech to the item, and keeps its JSON and its other files', async () => {
		const run = await speak(
			{},
			[{ json: { text: 'Hello', row: 7 }, files: { image: portrait() } }],
			store,
		);
		expect(run.error?.message).toBeUndefined();
		const [item] = run.outputs();
		expect(item!.json).toMatchObject({ text: 'Hello', row: 7 });
		expect(item!.pairedItem).toEqual({ item: 0 });
		expect(sha256(await run.file(item, 'audio'))).toBe(sha256(await spoken('Hello')));
		expect(sha256(await run.file(item, 'image'))).toBe(sha256(media('portraitJpeg')));
		expect(run.binary(item, 'audio')).toMatchObject({
			fileName: 'speech.wav',
			mimeType: 'audio/wav',
			fileExtension: 'wav',
		});
		expect(mirage.requests.map(({ json }) => json)).toEqual([
			{ text: 'Hello', model: 'mirage-audio-1' },
		]);
	});

	it('uses the field and the file name that are asked for', async () => {
		const run = await speak(
			{ outputField: 'voice', options: { fileName: '={{ $json.text }}.wav' } },
			[{ json: { text: 'one' } }, { json: { text: 'two' } }],
			store,
		);
		const names = run.outputs().map((item) => run.binary(item, 'voice').fileName);
		expect(names).toEqual(['one.wav', 'two.wav']);
	});
});

it('the speech goes into Create Video without typing a field name', async () => {
	const run = await runWorkflow({
		baseUrl: mirage.url,
		apiKey: mirage.apiKey,
		nodes: [
			{ type: 'mirageTextToSpeech', parameters: { voiceId: 'voice-1', text: 'Hello' } },
			{ type: 'mirageCreateVideo' },
		],
		input: [{ files: { data: portrait() } }],
	});
	expect(run.outputs()[0]!.json.id).toBe(mirage.videos()[0]!.id);
});

it('a text as long as a script arrives as it is, with its signs', async () => {
	const text = `„Grüß Gott“ — 你好 🎬 "quoted" \\ back\n${'a long sentence. '.repeat(500)}end`;
	await speak({}, [{ json: { text } }]);
	expect(mirage.requests[0]!.json).toEqual({ text, model: 'mirage-audio-1' });
});

it('a voice ID with unusual signs names that voice, and no other address', async () => {
	await speak({ voiceId: 'stimme-ä+1' }, [{ json: { text: 'Hello' } }]);
	expect(mirage.requests[0]!.path).toBe('/v1/audio/text-to-speech/stimme-%C3%A4%2B1');
});

describe('a mistake is told before anything is sent', () => {
	const at1 = (value: string, otherwise: string) =>
		`={{ $itemIndex === 1 ? ${JSON.stringify(value)} : ${JSON.stringify(otherwise)} }}`;
	it.each<[string, IDataObject, RegExp]>([
		['no text', { text: at1('', 'Hello') }, /^Text is empty/],
		['text from a field that the item lacks', {}, /^Text is empty/],
		[
			'an object as text',
			{ text: '={{ $itemIndex === 1 ? { title: "Hello" } : "Hello" }}' },
			/^Text is an object, and must be a text/,
		],
		[
			'a list as text',
			{ text: '={{ $itemIndex === 1 ? ["Hello"] : "Hello" }}' },
			/^Text is a list, and must be a text/,
		],
		['no voice', { text: 'a', voiceId: at1('', 'v') }, /^Voice ID is empty/],
		['a voice with a path', { text: 'a', voiceId: at1('a/../b', 'v') }, /^Voice ID is not an ID/],
		['a voice of dots', { text: 'a', voiceId: at1('..', 'v') }, /^Voice ID is not an ID/],
		[
			'no output field',
			{ text: 'a', outputField: at1('', 'x') },
			/^Put Output File in Field is empty/,
		],
	])('%s', async (_, parameters, pattern) => {
		const run = await speak(parameters, [{ json: { text: 'Hello' } }, {}]);
		const error = readableError(run, mirage.apiKey);
		expect(error).toMatch(pattern);
		expect(error).toContain('[item 1]');
		expect(mirage.requests).toEqual([]);
	});
});

describe('with "Continue" on error', () => {
	const input = () => [
		{ json: { text: 'a', voice: 'v' } },
		{ json: { text: 'b', voice: 'unknown-voice' } },
		{ json: { text: '', voice: 'v' } },
		{ json: { text: 'd', voice: 'v' } },
	];
	const parameters = { voiceId: '={{ $json.voice }}' };

	it('the other items are spoken, and failed ones say why in their place', async () => {
		const run = await speak(parameters, input(), {}, { onError: 'continueRegularOutput' });
		const items = run.outputs();
		expect(items.map(({ binary }) => Object.keys(binary ?? {}))).toEqual([
			['audio'],
			[],
			[],
			['audio'],
		]);
		expect(items[1]!.json.error).toMatch(/does not exist/);
		expect(items[2]!.json.error).toMatch(/^Text is empty \[item 2\]/);
		expect(items.map(({ pairedItem }) => pairedItem)).toEqual(input().map((_, item) => ({ item })));
	});

	it('failed items leave through the error output, with what they came with', async () => {
		const run = await speak(parameters, input(), {}, { onError: 'continueErrorOutput' });
		expect(run.outputs('mirageTextToSpeech', 0)).toHaveLength(2);
		expect(run.outputs('mirageTextToSpeech', 1).map(({ json }) => json)).toMatchObject([
			{ text: 'b', voice: 'unknown-voice', error: expect.stringMatching(/does not exist/) },
			{ text: '', error: expect.stringMatching(/^Text is empty/), details: expect.any(String) },
		]);
	});
});

it('an agent gets speech made with its own words', async () => {
	const run = await runWorkflow({
		baseUrl: mirage.url,
		apiKey: mirage.apiKey,
		nodes: [
			{ type: 'toolCaller', parameters: { arguments: '{"words": "Hi there"}' } },
			{
				type: 'mirageTextToSpeechTool',
				parameters: { voiceId: 'voice-1', text: `={{ $fromAI('words', 'What to say') }}` },
			},
		],
		connections: {
			[START]: { main: [[{ node: 'toolCaller', type: 'main', index: 0 }]] },
			mirageTextToSpeechTool: { ai_tool: [[{ node: 'toolCaller', type: 'ai_tool', index: 0 }]] },
		},
	});
	expect(run.status).toBe('success');
	expect(mirage.requests[0]!.json).toMatchObject({ text: 'Hi there' });
});
