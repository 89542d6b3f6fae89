import './engineOutsideJest';
import type { IDataObject } from 'n8n-workflow';

import { startEmulator } from '../test/harness/emulator/emulator';
import type { ApiVideo } from '../test/harness/emulator/types';
import { poll } from '../test/harness/engine/engine';
import type { Progress } from './progress';
import { summarize, type Summary } from './statistics';

/** What polls of the trigger cost over an account with some videos. */
export interface Polling {
	/** Videos in the account that were complete before. */
	history: number;
	/** Requests of the poll that switches the trigger on. */
	activationRequests: number;
	/** A poll that finds nothing new. */
	idleRequests: number;
	idleMs: Summary;
	/** The poll that first sees the videos which are still being rendered. */
	renderingRequests: number;
	/** Until all of the videos that completed at once had come out. */
	completions: number;
	completionPolls: number;
	completionRequests: number;
	completionMs: number;
	/** Size of what the trigger keeps in the workflow's static data after that, in bytes of JSON. */
	stateBytes: number;
}

export interface PollingPlan {
	histories: number[];
	completions: number;
	idlePolls: number;
	progress: Progress;
}

const MAX_POLLS = 20;

/** Polls in n8n's engine over each history: activation, idle, and many completions at once. */
export async function measurePolling({
	histories,
	completions,
	idlePolls,
	progress,
}: PollingPlan): Promise<Polling[]> {
	const results: Polling[] = [];
	for (const history of histories) {
		progress(`${history} videos in the account`);
		results.push(await measureHistory(history, completions, idlePolls));
	}
	return results;
}

async function measureHistory(
	history: number,
	completions: number,
	idlePolls: number,
): Promise<Polling> {
	const emulator = await startEmulator();
	const nowS = Math.floor(Date.now() / 1_000);
	const old = Array.from({ length: history }, (_, index): Partial<ApiVideo> => {
		const createdS = nowS - 3_600 - (history - index);
		return { id: `old-${index}`, created_at: createdS, completed_at: createdS + 300 };
	});
	const rendering = Array.from({ length: completions }, (_, index): Partial<ApiVideo> => ({
		id: `new-${index}`,
		status: 'PROCESSING',
		created_at: nowS - 60 + Math.floor(index / 20),
	}));
	emulator.seedVideos(old);

	let staticData: IDataObject = {};
	const pollOnce = async (activation: 'activate' | 'update' = 'update') => {
		emulator.requests.length = 0;
		const startedAt = performance.now();
		const result = await poll({
			baseUrl: emulator.url,
			apiKey: emulator.apiKey,
			parameters: { events: ['completed'], source: 'all', downloadVideo: false },
			staticData,
			activation,
		});
		const ms = performance.now() - startedAt;
		if (result.error) throw result.error;
		staticData = result.staticData;
		return { ms, requests: emulator.requests.length, items: result.items ?? [] };
	};

	try {
		const activation = await pollOnce('activate');
		// The first poll after it may still settle what it saw.
		await pollOnce();
		const idle = [];
		for (let turn = 0; turn < idlePolls; turn++) idle.push(await pollOnce());
		emulator.seedVideos(rendering);
		const rendered = await pollOnce();
		for (const { id } of rendering) emulator.setOutcome(id!, { status: 'COMPLETE' });
		const seen = new Set<unknown>();
		const ending = { polls: 0, requests: 0, ms: 0 };
		while (seen.size < completions) {
			const { ms, requests, items } = await pollOnce();
			for (const { json } of items) seen.add(json.id);
			ending.polls += 1;
			ending.requests += requests;
			ending.ms += ms;
			if (ending.polls > MAX_POLLS) {
				throw new Error(`After ${MAX_POLLS} polls ${seen.size} of ${completions} videos are out`);
			}
		}
		return {
			history,
			activationRequests: activation.requests,
			idleRequests: Math.max(...idle.map(({ requests }) => requests)),
			idleMs: summarize(idle.map(({ ms }) => ms)),
			renderingRequests: rendered.requests,
			completions,
			completionPolls: ending.polls,
			completionRequests: ending.requests,
			completionMs: ending.ms,
			stateBytes: JSON.stringify(staticData).length,
		};
	} finally {
		await emulator.close();
	}
}
