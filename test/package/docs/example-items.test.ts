/**
 * @jest-environment ./test/harness/engine/environment.js
 * @jest-environment-options {"n8nCore": "n8n-core"}
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { INodeExecutionData } from 'n8n-workflow';

import { MEDIA } from '../../harness/emulator/media';
import { startEmulator, type Emulator } from '../../harness/emulator/emulator';
import { poll, runWorkflow, type NodeSpec } from '../../harness/engine/engine';
import { type InputItem } from '../../harness/engine/built-in-nodes';

jest.mock('n8n-workflow', () => globalThis.n8nRequire('n8n-workflow'));

const STORED = join(__dirname, 'example-items.json');
/** The time that the example items show: 5 November 2024, as in the provider's own examples. */
const CREATED = 1_730_822_400;
const RENDER_S = 120;

let mirage: Emulator;
let now: number;

const generated = {
	id: 'video_abc123def456',
	video_id: 'video_abc123def456',
	created_at: CREATED,
	completed_at: CREATED + RENDER_S,
	model: 'mirage-video-1-latest',
};

const file = (path: string, fileName: string) => ({ content: readFileSync(path), fileName });

/** One node, run over one item. */
async function run(node: NodeSpec, input: InputItem, output = 0): Promise<INodeExecutionData> {
	const result = await runWorkflow({
		baseUrl: mirage.url,
		apiKey: mirage.apiKey,
		binaryMode: 'filesystem',
		nodes: [node],
		input: [input],
	});
	if (result.status !== 'success') throw result.error ?? new Error(result.status);
	return result.outputs(node.type, output)[0]!;
}

/** IDs and addresses that differ from run to run, as those of the provider's own examples. */
const STABLE: Array<[RegExp, string]> = [
	[/(?<=:")video_(?!abc123def456)\w+/g, 'video_cap789xyz'],
	[/ctpl_\w+/g, 'ctpl_123456789abcdefg'],
	[/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'd7f76ec6-2500-4d23-a2bc-648f4e904555'],
	[/http:\/\/127\.0\.0\.1:\d+[^"]*/g, 'https://example.com/…'],
];

/** An item as the pages show it: what n8n's panel shows, with values that are the same in every run. */
function stable({ json, binary }: INodeExecutionData): unknown {
	const files = Object.entries(binary ?? {}).map(([field, data]) => {
		const { fileName, fileExtension, mimeType, fileSize } = data;
		return [field, { fileName, fileExtension, mimeType, fileSize }];
	});
	const item = {
		json,
		...(files.length > 0 ? { binary: Object.fromEntries(files) as object } : {}),
	};
	let text = JSON.stringify(item);
	for (const [pattern, value] of STABLE) text = text.replace(pattern, value);
	return JSON.parse(text) as unknown;
}

const portrait = () => file(MEDIA.portraitJpeg, 'portrait.jpg');

/** What each page shows, by key. */
const examples: Record<string, () => Promise<INodeExecutionData>> = {
	createVideo: async () => {
		const item = await run(
			{ type: 'mirageCreateVideo' },
			{ files: { data: portrait(), audio: file(MEDIA.voiceWav, 'voice.wav') } },
		);
		// A new video has an ID of its own; the pages call it by one name from start to end.
		return JSON.parse(
			JSON.stringify(item).replace(/(?<=:")video_\w+/g, generated.id),
		) as typeof item;
	},
	waitForVideo: async () =>
		await run({ type: 'mirageWaitForVideo' }, { json: { id: generated.id } }),
	returnStatus: async () => {
		const { id } = await startCaptions();
		now += (RENDER_S / 4) * 1_000;
		return await run(
			{
				type: 'mirageWaitForVideo',
				parameters: { whileProcessing: 'returnStatus', downloadVideo: false },
			},
			{ json: { id } },
		);
	},
	addCaptions: async () => ({ json: { ...(await startCaptions()) } }),
	textToSpeech: async () =>
		await run(
			{
				type: 'mirageTextToSpeech',
				parameters: { voiceId: 'my-voice', text: '={{ $json.text }}' },
			},
			{ json: { name: 'Ada', text: 'Hello Ada, thank you!' } },
		),
	metaTextOverlay: async () => {
		const pending = await run(overlay({ waitForCompletion: false }), {
			files: { data: file(MEDIA.generated, 'video.mp4') },
		});
		now += RENDER_S * 2_000;
		return await run(
			{
				type: 'mirageMetaTextOverlay',
				parameters: { operation: 'get', overlayId: '={{ $json.id }}' },
			},
			{ json: pending.json },
		);
	},
	metaTextOverlayJob: async () =>
		await run(overlay({ waitForCompletion: false }), {
			files: { data: file(MEDIA.generated, 'video.mp4') },
		}),
	listVideo: async () => await run({ type: 'mirageList' }, {}),
	listCaptionTemplate: async () =>
		await run({ type: 'mirageList', parameters: { resource: 'captionTemplate' } }, {}),
	listDownload: async () =>
		await run(
			{
				type: 'mirageList',
				parameters: {
					operation: 'download',
					videoId: { __rl: true, mode: 'id', value: '={{ $json.videoId }}' },
				},
			},
			{ json: { name: 'Ada', videoId: generated.id } },
		),
	trigger: async () => {
		const { items, error } = await poll({
			baseUrl: mirage.url,
			apiKey: mirage.apiKey,
			mode: 'manual',
		});
		if (error) throw error;
		return items![0]!;
	},
};

const overlay = (parameters: NodeSpec['parameters']): NodeSpec => ({
	type: 'mirageMetaTextOverlay',
	parameters: {
		texts: { values: [{ text: 'Only this week!' }, { text: 'Free shipping' }] },
		...parameters,
	},
});

async function startCaptions() {
	const { json } = await run(
		{
			type: 'mirageAddCaptions',
			parameters: {
				captionTemplateId: {
					__rl: true,
					mode: 'id',
					value: await firstTemplate(),
				},
			},
		},
		{ json: { id: generated.id } },
	);
	return json;
}

async function firstTemplate(): Promise<string> {
	const { json } = await run(
		{ type: 'mirageList', parameters: { resource: 'captionTemplate' } },
		{},
	);
	return String(json.id);
}

test('the example items on the pages are what the nodes put out', async () => {
	const made: Record<string, unknown> = {};
	for (const [key, make] of Object.entries(examples)) {
		now = CREATED * 1_000;
		mirage = await startEmulator({ now: () => now, renderMs: RENDER_S * 1_000 });
		mirage.seedVideos([generated]);
		try {
			made[key] = stable(await make());
		} finally {
			await mirage.close();
		}
	}
	const target = process.env.WRITE_EXAMPLE_ITEMS;
	if (target) writeFileSync(target, `${JSON.stringify(made, null, '\t')}\n`);
	expect(made).toEqual(JSON.parse(readFileSync(target ?? STORED, 'utf8')));
});
