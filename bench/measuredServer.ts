import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { IDataObject } from 'n8n-workflow';

import { chain, type Step } from '../test/n8n/e2e/workflows';
import { startN8n, type N8nServer, type StoredCredential } from '../test/n8n/server';
import { memoryOf, processorMsOf, resetPeak } from './memory';

/** The n8n that is measured, and the folder with the nodes it is compared with. */
export const N8N_VERSION = '2.41.1';
const OTHER_WAYS = join(__dirname, 'otherWays');
const RUN_TIMEOUT_MS = 600_000;

/** What one execution cost. */
export interface MeasuredRun {
	/** Most memory that the server held meanwhile, in MiB (VmHWM). */
	peakMiB: number;
	/** What it held just before, in MiB (VmRSS). */
	beforeMiB: number;
	/** Time that n8n spent in each node, in ms. */
	nodeMs: Record<string, number>;
	/** Time from n8n's start of the execution to its end, in ms. */
	executionMs: number;
	/** Processor time of the server, in ms. */
	processorMs: number;
	/** JSON of the last node's items. */
	items: IDataObject[];
}

/** A freshly started n8n with this package, in a folder of its own, with binary data in files. */
export class MeasuredServer {
	private lastEndedAt = performance.now();

	private constructor(
		private readonly server: N8nServer,
		private readonly folder: string,
	) {}

	static async start(options: {
		/** This package, as `npm pack` makes it. */
		tarball: string;
		/** Folder whose files n8n may read. */
		readableFolder: string;
		env?: Record<string, string>;
	}): Promise<MeasuredServer> {
		const folder = await mkdtemp(join(tmpdir(), 'mirage-bench-'));
		const server = await startN8n({
			version: N8N_VERSION,
			userFolder: folder,
			packageTarballs: [options.tarball],
			env: {
				N8N_CUSTOM_EXTENSIONS: OTHER_WAYS,
				N8N_RESTRICT_FILE_ACCESS_TO: options.readableFolder,
				...options.env,
			},
		});
		return new MeasuredServer(server, folder);
	}

	/** Stores a Mirage credential. */
	async addCredential({ url, apiKey }: { url: string; apiKey: string }): Promise<StoredCredential> {
		const data = { apiKey, baseUrl: url };
		return await this.server.createCredential('mirageApi', `Mirage at ${url}`, data);
	}

	get pid(): number {
		return this.server.pid!;
	}

	/** Stores a workflow: a manual trigger and the steps behind it; the package's own have the credential. */
	async prepare(name: string, steps: Step[], credential: StoredCredential): Promise<string> {
		return (await this.server.importWorkflow(chain(name, steps, credential))).id;
	}

	/**
	 * Runs a stored workflow once and deletes the execution with its files.
	 *
	 * @throws Error with n8n's message when the execution does not succeed
	 */
	async run(workflowId: string): Promise<MeasuredRun> {
		const { nowMiB: beforeMiB } = await memoryOf(this.pid);
		await resetPeak(this.pid);
		const processorBefore = await processorMsOf(this.pid);
		const executionId = await this.server.runWorkflow(workflowId);
		const execution = await this.server.waitForExecution(executionId, {
			timeoutMs: RUN_TIMEOUT_MS,
		});
		const { peakMiB } = await memoryOf(this.pid);
		const processorMs = (await processorMsOf(this.pid)) - processorBefore;
		const { runData, error, lastNodeExecuted } = execution.data.resultData;
		if (execution.status !== 'success') {
			const description = (error as { description?: string } | undefined)?.description ?? '';
			throw new Error(`"${lastNodeExecuted}" ended with "${error?.message}". ${description}`);
		}
		await this.server.rest('POST', '/executions/delete', { ids: [executionId] });
		this.lastEndedAt = performance.now();
		return {
			peakMiB,
			beforeMiB,
			processorMs,
			nodeMs: Object.fromEntries(
				Object.entries(runData).map(([name, runs]) => [
					name,
					runs.reduce((sum, { executionTime }) => sum + executionTime, 0),
				]),
			),
			executionMs: Date.parse(execution.stoppedAt!) - Date.parse(execution.startedAt),
			items: (runData[lastNodeExecuted!]?.at(-1)?.data?.main?.[0] ?? []).map(({ json }) => json),
		};
	}

	/** Waits until the last execution was so long ago, in ms. */
	async idleFor(ms: number): Promise<void> {
		await pause(Math.max(0, this.lastEndedAt + ms - performance.now()));
	}

	/** Ends the server and removes its folder. */
	async stop(): Promise<void> {
		await this.server.stop();
		await rm(this.folder, { recursive: true, force: true });
	}
}
