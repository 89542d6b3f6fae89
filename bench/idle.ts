import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { startEmulator } from '../test/harness/emulator/emulator';
import { chain, waitForVideo } from '../test/n8n/e2e/workflows';
import { startN8n } from '../test/n8n/server';
import { N8N_VERSION } from './measuredServer';
import { memoryOf, processorMsOf } from './memory';
import type { Progress } from './progress';

/** What an n8n costs that has nothing else to do. */
export interface Idle {
	doing: string;
	/** What the process holds (VmRSS), in MiB, at the end of the time. */
	memoryMiB: number;
	/** Processor time in ms for each second. */
	processorMsPerSecond: number;
	/** Requests that reached the API meanwhile. */
	requests: number;
}

export interface IdlePlan {
	/** This package, as `npm pack` makes it. */
	tarball: string;
	/** Time that each row is measured, in ms. */
	measuredMs: number;
	progress: Progress;
}

/** Before each measurement, in ms: n8n gives memory back some 10 s after its last work. */
const SETTLING_MS = 30_000;
/** One page of the list of videos. */
const WAITING_FOR = 100;

/**
 * Measures an idle n8n, one in which an execution waits for videos, and one with an active trigger that
 * polls every minute; one after the other in one process.
 */
export async function measureIdle({ tarball, measuredMs, progress }: IdlePlan): Promise<Idle[]> {
	const folder = await mkdtemp(join(tmpdir(), 'mirage-bench-idle-'));
	const emulator = await startEmulator();
	const ids = Array.from({ length: WAITING_FOR }, (_, index) => `video-${index}`);
	emulator.seedVideos(ids.map((id) => ({ id, status: 'PROCESSING' })));
	const server = await startN8n({
		version: N8N_VERSION,
		userFolder: folder,
		packageTarballs: [tarball],
	});
	const results: Idle[] = [];
	const measure = async (doing: string) => {
		progress(doing);
		await pause(SETTLING_MS);
		emulator.requests.length = 0;
		const processorBefore = await processorMsOf(server.pid!);
		const startedAt = performance.now();
		await pause(measuredMs);
		const seconds = (performance.now() - startedAt) / 1_000;
		results.push({
			doing,
			memoryMiB: (await memoryOf(server.pid!)).nowMiB,
			processorMsPerSecond: ((await processorMsOf(server.pid!)) - processorBefore) / seconds,
			requests: emulator.requests.length,
		});
	};
	try {
		const credential = await server.createCredential('mirageApi', 'Mirage API', {
			apiKey: emulator.apiKey,
			baseUrl: emulator.url,
		});
		await measure('nothing');

		const list = { resource: 'video', operation: 'getMany', returnAll: true };
		const waiting = await server.importWorkflow(
			chain(
				'Waiting',
				[
					{ name: 'List', type: 'mirageList', parameters: list },
					waitForVideo({ downloadVideo: false }),
				],
				credential,
			),
		);
		const executionId = await server.runWorkflow(waiting.id);
		await measure(`waiting for ${WAITING_FOR} videos`);
		for (const id of ids) emulator.setOutcome(id, { status: 'COMPLETE' });
		const { status } = await server.waitForExecution(executionId);
		if (status !== 'success') throw new Error(`Waiting ended with "${status}"`);

		const listening = await server.importWorkflow(
			chain(
				'Listening',
				[
					{
						name: 'Trigger',
						type: 'mirageTrigger',
						parameters: { pollTimes: { item: [{ mode: 'everyMinute' }] } },
					},
				],
				credential,
			),
		);
		await server.activate(listening.id);
		await measure('an active trigger, polling every minute');
	} finally {
		await server.stop();
		await emulator.close();
		await rm(folder, { recursive: true, force: true });
	}
	return results;
}
