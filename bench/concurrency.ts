import './engineOutsideJest';
import { readFile } from 'node:fs/promises';
import type { INodeParameters } from 'n8n-workflow';

import { MEDIA } from '../test/harness/emulator/media';
import { startEmulator } from '../test/harness/emulator/emulator';
import { runWorkflow } from '../test/harness/engine/engine';
import type { Progress } from './progress';

/** How long a run over many items took. */
export interface ConcurrentRun {
	node: string;
	concurrency: number;
	items: number;
	/** Time that the server took for each item, in ms. */
	serverMs: number;
	ms: number;
	requests: number;
}

export interface ConcurrencyPlan {
	items: number;
	concurrencies: number[];
	progress: Progress;
}

/** What the server takes for each item here, in ms; at the provider it takes seconds. */
const SERVER_MS = 200;

/** Runs speech and creation over many items with each concurrency; the server has no rate limits. */
export async function measureConcurrency({
	items,
	concurrencies,
	progress,
}: ConcurrencyPlan): Promise<ConcurrentRun[]> {
	const [portrait, voice] = await Promise.all([
		readFile(MEDIA.portraitJpeg),
		readFile(MEDIA.voiceMp3),
	]);
	const nodes: Array<{ name: string; type: string; parameters: INodeParameters }> = [
		{
			name: 'Text to Speech',
			type: 'mirageTextToSpeech',
			parameters: { voiceId: 'voice', text: 'Hello there.' },
		},
		{
			name: 'Create Video',
			type: 'mirageCreateVideo',
			parameters: { imageSource: 'binary', audioSource: 'binary' },
		},
	];
	const results: ConcurrentRun[] = [];
	for (const { name, type, parameters } of nodes) {
		for (const concurrency of concurrencies) {
			progress(`${name}, ${items} items, concurrency ${concurrency}`);
			const emulator = await startEmulator({ hashFiles: false });
			emulator.fault({ times: Infinity, fault: { kind: 'delay', ms: SERVER_MS } });
			const startedAt = performance.now();
			const result = await runWorkflow({
				baseUrl: emulator.url,
				apiKey: emulator.apiKey,
				binaryMode: 'filesystem',
				input: Array.from({ length: items }, () => ({
					files: {
						data: { content: portrait, fileName: 'portrait.jpg' },
						audio: { content: voice, fileName: 'voice.mp3' },
					},
				})),
				nodes: [{ type, parameters: { ...parameters, options: { concurrency } } }],
			});
			const ms = performance.now() - startedAt;
			const requests = emulator.requests.length;
			await emulator.close();
			if (result.outputs().length !== items) {
				throw new Error(`${name}: ${result.error?.message ?? 'items are missing'}`);
			}
			results.push({ node: name, concurrency, items, serverMs: SERVER_MS, ms, requests });
		}
	}
	return results;
}
