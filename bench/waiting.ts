import './engineOutsideJest';
import { setTimeout as pause } from 'node:timers/promises';

import { pauseAfter } from '../nodes/shared/account/pollSchedule';
import { startEmulator } from '../test/harness/emulator/emulator';
import { runWorkflow } from '../test/harness/engine/engine';
import type { Progress } from './progress';

/** How the node waited for some videos that ended one after another. */
export interface Waiting {
	videos: number;
	/** When the last video ended, in ms after the start. */
	slowestMs: number;
	/** How much later the node ended, in ms. */
	lateMs: number;
	/** The pause before the last look, in ms: as late as that is within the bargain. */
	lastPauseMs: number;
	/** Requests that reached the API. */
	requests: number;
	/** Requests that other ways would have sent for the same videos, computed; see {@link otherRequests}. */
	others: Record<string, number>;
	/** Processor time of n8n's engine and the emulator, in ms for each second of waiting, in all runs together. */
	processorMsPerSecond: number;
}

export interface WaitingPlan {
	counts: number[];
	/** When the first and the last video end, in ms after the start; the others are spread evenly between. */
	firstEndMs: number;
	lastEndMs: number;
	progress: Progress;
}

/** The node's own pauses (`pollInterval` and `maxPollInterval`), in ms. */
const OWN_PAUSES = { pollIntervalMs: 5_000, maxPollIntervalMs: 30_000 };
/** The pause of n8n's own MiniMax node (`nodes-langchain`, `MiniMax/transport`), in ms. */
const MINIMAX_PAUSE_MS = 15_000;

/** Runs "Mirage Wait for Video" over each count of videos, all counts at the same time. */
export async function measureWaiting(plan: WaitingPlan): Promise<Waiting[]> {
	const { counts, lastEndMs, progress } = plan;
	progress(`${counts.join(', ')} videos that end within ${lastEndMs / 1_000} s`);
	const processorBefore = process.cpuUsage();
	const startedAt = performance.now();
	const results = await Promise.all(counts.map(async (count) => await waitFor(count, plan)));
	const { user, system } = process.cpuUsage(processorBefore);
	const processorMsPerSecond = (user + system) / (performance.now() - startedAt);
	return results.map((result) => ({ ...result, processorMsPerSecond }));
}

async function waitFor(
	count: number,
	{ firstEndMs, lastEndMs }: WaitingPlan,
): Promise<Omit<Waiting, 'processorMsPerSecond'>> {
	const emulator = await startEmulator();
	const ids = Array.from({ length: count }, (_, index) => `video-${index}`);
	const step = (lastEndMs - firstEndMs) / Math.max(1, count - 1);
	const ends = ids.map((_, index) => (count === 1 ? lastEndMs : firstEndMs + index * step));
	emulator.seedVideos(ids.map((id) => ({ id, status: 'PROCESSING' })));
	const startedAt = performance.now();
	const ending = (async () => {
		for (const [index, id] of ids.entries()) {
			await pause(Math.max(0, startedAt + ends[index]! - performance.now()));
			emulator.setOutcome(id, { status: 'COMPLETE' });
		}
	})();
	const result = await runWorkflow({
		baseUrl: emulator.url,
		apiKey: emulator.apiKey,
		input: ids.map((id) => ({ json: { id } })),
		nodes: [
			{
				type: 'mirageWaitForVideo',
				parameters: {
					videoId: { __rl: true, mode: 'id', value: '={{ $json.id }}' },
					whileProcessing: 'keepWaiting',
					downloadVideo: false,
					options: {},
				},
			},
		],
	});
	const endMs = performance.now() - startedAt;
	await ending;
	await emulator.close();
	const finished = result.outputs().filter(({ json }) => json.status === 'COMPLETE').length;
	if (finished !== count) {
		throw new Error(`${finished} of ${count} videos came out: ${result.error?.message}`);
	}
	return {
		videos: count,
		slowestMs: lastEndMs,
		lateMs: endMs - lastEndMs,
		lastPauseMs: lastPause(lastEndMs),
		requests: emulator.requests.length,
		others: otherRequests(ends),
	};
}

function lastPause(endMs: number): number {
	let at = 0;
	for (let round = 0; ; round++) {
		const pauseMs = pauseAfter(round, OWN_PAUSES);
		at += pauseMs;
		if (at >= endMs) return pauseMs;
	}
}

/** Requests that other ways send for videos that end at these times (ms after the start). */
export function otherRequests(ends: number[]): Record<string, number> {
	return {
		'one read per open video per round, same pauses': readsPerRound(ends, (round) =>
			pauseAfter(round, OWN_PAUSES),
		),
		'Wait (15 s) + HTTP Request + IF': readsPerRound(ends, () => MINIMAX_PAUSE_MS),
		"one item after another, every 15 s (n8n's MiniMax node)": oneAfterAnother(ends),
	};
}

function readsPerRound(ends: number[], pauseOf: (round: number) => number): number {
	let reads = 0;
	let at = 0;
	let open = ends;
	for (let round = 0; open.length > 0; round++) {
		reads += open.length;
		open = open.filter((end) => end > at);
		at += pauseOf(round);
	}
	return reads;
}

function oneAfterAnother(ends: number[]): number {
	let reads = 0;
	let at = 0;
	for (const end of ends) {
		for (reads++; end > at; reads++) at += MINIMAX_PAUSE_MS;
	}
	return reads;
}
