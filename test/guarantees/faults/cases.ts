/** What the fault tests share: an account at the emulator, and every request of the package as a node. */
import { stringify } from 'flatted';
import type { IDataObject } from 'n8n-workflow';
import { readFileSync } from 'node:fs';

import { LIMITS } from '../../../nodes/shared/transport/timeouts';
import { MEDIA } from '../../harness/emulator/media';
import {
	startEmulator,
	type Emulator,
	type EmulatorOptions,
} from '../../harness/emulator/emulator';
import {
	resumeWorkflow,
	runWorkflow,
	type NodeSpec,
	type RunOptions,
	type RunResult,
} from '../../harness/engine/engine';
import { byId } from '../../harness/engine/oneNode';
import type { InputItem } from '../../harness/engine/built-in-nodes';

/** A key that is easy to search for. */
export const SECRET = 'mira_secret_4f1dd6c0b7';

/** Limits that make a silent server an error soon, in ms. */
export const SHORT_LIMITS: Partial<typeof LIMITS> = {
	jsonIdleMs: 1_000,
	uploadIdleMs: 1_000,
	speechIdleMs: 1_000,
	fileIdleMs: 1_000,
	readPatienceMs: 20,
	firstPauseMs: 2,
};

/** Puts other limits in place for the tests of a file or block. */
export function withLimits(limits: Partial<typeof LIMITS>): void {
	const before = { ...LIMITS };
	beforeAll(() => void Object.assign(LIMITS, limits));
	afterAll(() => void Object.assign(LIMITS, before));
}

/** An emulator with a finished video, `video_source`, for one test. Closed by the caller. */
export async function startAccount(options: EmulatorOptions = {}): Promise<Emulator> {
	const mirage = await startEmulator({ apiKey: SECRET, renderMs: 0, ...options });
	mirage.seedVideos([{ id: 'video_source', created_at: 1_700_000_000 }]);
	return mirage;
}

const files = {
	image: {
		content: readFileSync(MEDIA.portraitJpeg),
		fileName: 'portrait.jpg',
		mimeType: 'image/jpeg',
	},
	audio: { content: readFileSync(MEDIA.voiceMp3), fileName: 'voice.mp3', mimeType: 'audio/mpeg' },
	data: { content: readFileSync(MEDIA.generated), fileName: 'video.mp4', mimeType: 'video/mp4' },
};

/** An input item with a portrait, speech and a video. */
export const item = (json = {}): InputItem => ({ json, files });

/** `count` input items, numbered. */
export const items = (count: number): InputItem[] =>
	Array.from({ length: count }, (_, index) => item({ row: index }));

/** The nodes that start something, by the route that they call. */
export const POSTS: Record<string, NodeSpec> = {
	'POST /v1/videos': { type: 'mirageCreateVideo', parameters: { imageField: 'image' } },
	'POST /v1/videos/captions': {
		type: 'mirageAddCaptions',
		parameters: {
			videoSource: 'videoId',
			videoId: byId('video_source'),
			captionTemplateId: byId('={{ $json.template }}'),
		},
	},
	'POST /v1/audio/text-to-speech/{voice_id}': {
		type: 'mirageTextToSpeech',
		parameters: { voiceId: 'voice_1', text: 'Hello' },
	},
	'POST /v1/meta/text_overlays': {
		type: 'mirageMetaTextOverlay',
		parameters: { texts: { values: [{ text: 'Sale' }] }, waitForCompletion: false },
	},
};

const list = (parameters: NodeSpec['parameters']): NodeSpec => ({
	type: 'mirageList',
	parameters,
});

/** The nodes that read something, by the route that the fault plays on. */
export const GETS: Record<string, NodeSpec> = {
	'GET /v1/videos': list({ resource: 'video', operation: 'getMany' }),
	'GET /v1/videos/{video_id}': list({
		resource: 'video',
		operation: 'get',
		videoId: byId('video_source'),
	}),
	'GET /v1/videos/captions/templates': list({ resource: 'captionTemplate', operation: 'getMany' }),
	'GET /v1/videos/captions/templates/{template_id}': list({
		resource: 'captionTemplate',
		operation: 'get',
		captionTemplateId: byId('={{ $json.template }}'),
	}),
	'GET /v1/videos/{video_id}/content': list({
		resource: 'video',
		operation: 'download',
		videoId: byId('video_source'),
	}),
	content: list({ resource: 'video', operation: 'download', videoId: byId('video_source') }),
	'GET /v1/meta/text_overlays/{text_overlay_id}': {
		type: 'mirageMetaTextOverlay',
		parameters: { operation: 'get', overlayId: '={{ $json.overlay }}', waitForCompletion: false },
	},
};

/** A caption template that exists at the emulator. */
export async function aTemplate(mirage: Emulator): Promise<string> {
	const answer = await fetch(`${mirage.url}/v1/videos/captions/templates?limit=1`, {
		headers: { 'x-api-key': mirage.apiKey },
	});
	const { data } = (await answer.json()) as { data: Array<{ id: string }> };
	return data[0]!.id;
}

/** Starts a text overlay job at the emulator, past the nodes, and gives its ID. */
export async function anOverlay(mirage: Emulator): Promise<string> {
	const form = new FormData();
	form.append('video', new Blob([files.data.content], { type: 'video/mp4' }), 'video.mp4');
	form.append('texts', 'Sale');
	const answer = await fetch(`${mirage.url}/v1/meta/text_overlays`, {
		method: 'POST',
		headers: { 'x-api-key': mirage.apiKey },
		body: form,
	});
	return ((await answer.json()) as { id: string }).id;
}

/** Runs one node over the items with the account's credential. */
export async function run(
	mirage: Pick<Emulator, 'url' | 'apiKey'>,
	node: NodeSpec,
	input: InputItem[],
	options: Partial<RunOptions> = {},
): Promise<RunResult> {
	return await runWorkflow({
		baseUrl: mirage.url,
		apiKey: mirage.apiKey,
		nodes: [node],
		input,
		...options,
	});
}

/** Message and description of the error that ended a run, as n8n stores them. */
export const toldBy = ({ error }: RunResult): string =>
	error ? `${error.message}\n${error.description ?? ''}` : '';

/** Requests to a route, as the emulator logged them. */
export const requestsTo = (mirage: Emulator, route: string) =>
	mirage.requests.filter((request) => request.route === route);

/** "Retry On Fail" of a node. */
export const RETRY = { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 };

/**
 * Retries a failed execution as the execution list does (`n8n/dist/executions/execution.service.js`,
 * `retry`): a new execution that goes on with the stored state, without the failed run of the node.
 */
export async function retryExecution(failed: RunResult, executionId: string): Promise<RunResult> {
	const { runData } = failed.fullRun.data.resultData;
	const last = failed.fullRun.data.resultData.lastNodeExecuted!;
	delete failed.fullRun.data.resultData.error;
	if (runData[last]?.at(-1)?.error) runData[last].pop();
	const stored = JSON.parse(failed.stored) as IDataObject;
	failed.stored = JSON.stringify({ ...stored, executionId, data: stringify(failed.fullRun.data) });
	failed.status = 'waiting';
	return await resumeWorkflow(failed, { mode: 'retry' });
}
