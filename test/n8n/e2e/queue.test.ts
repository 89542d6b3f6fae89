import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { MEDIA } from '../../harness/emulator/media';
import { fillExample, LAST_NODE, MP4_FIELD } from '../example';
import type { Execution, N8nServer, N8nWorker, WorkflowFile } from '../server';
import { startBackends } from './backends';
import { figure } from './figures';
import { failureOf, fileHash, itemsOf, openStage, runFolder, sha256, until } from './stage';
import { chain, suspendLoop } from './workflows';

const VERSION = '2.41.1';
const RUNS = 200;
const CONCURRENCY = 15;
/** The worker is killed when so many runs have ended. */
const KILL_AT = 60;
const RENDER_MS = 300;
/** Longer than the first pause of a suspended wait. */
const SUSPENDED_RENDER_MS = 75_000;
/** n8n looks for executions whose worker is gone in this interval; its own default is 180 minutes. */
const RECOVERY_MINUTES = '1';

test(`n8n ${VERSION} in queue mode: one main, two workers`, { timeout: 20 * 60_000 }, async (t) => {
	const backends = await startBackends();
	t.after(backends.close);
	const stage = await openStage(VERSION, {
		server: {
			binaryMode: 'database',
			env: { ...backends.env, N8N_EXECUTIONS_QUEUE_RECOVERY_INTERVAL: RECOVERY_MINUTES },
		},
		emulator: { renderMs: ({ index }) => (index === 0 ? SUSPENDED_RENDER_MS : RENDER_MS) },
	});
	t.after(stage.close);
	const { server, emulator, credential, portraitUrl } = stage;
	const workers: N8nWorker[] = [];
	t.after(
		async () => void (await Promise.all(workers.map(async ({ stop }) => await stop('SIGKILL')))),
	);
	for (const name of ['worker-1', 'worker-2']) {
		workers.push(await server.startWorker(join(await runFolder(name), 'user'), CONCURRENCY));
	}
	const startedOn = async (executionId: string) =>
		(await Promise.all(workers.map(({ logFile }) => startsIn(logFile)))).flatMap((ids, worker) =>
			ids.filter((id) => id === executionId).map(() => worker),
		);

	const listener = await server.importWorkflow(
		chain(
			'Listener',
			[
				{
					name: 'Mirage Trigger',
					type: 'mirageTrigger',
					parameters: { pollTimes: { item: [{ mode: 'everyMinute' }] }, source: 'generated' },
				},
			],
			credential,
		),
	);
	await server.activate(listener.id);

	const suspending = suspendLoop(portraitUrl, credential);
	const suspended = await publishWithWebhook(server, suspending, 'suspending');
	const template = (await server.rest('POST', '/dynamic-node-parameters/resource-locator-results', {
		path: 'parameters.captionTemplateId',
		methodName: 'searchCaptionTemplates',
		nodeTypeAndVersion: { name: 'n8n-nodes-mirage.mirageAddCaptions', version: 1 },
		currentNodeParameters: {},
		credentials: { mirageApi: { id: credential.id, name: credential.name } },
	})) as { results: Array<{ name: string; value: string }> };
	const { name, value } = template.results[0]!;
	const example = await fillExample(
		{
			// The length of the speech that arrives at Mirage tells which run sent it.
			script: "={{ 'a'.repeat(Number($json.query.run)) }}",
			portraitUrl,
			voiceId: 'demo-voice',
			captionTemplate: { id: value, name },
		},
		credential,
	);
	const pipeline = await publishWithWebhook(server, example, 'pipeline');

	await call(server, 'suspending');
	const suspendedId = await until('the suspended run is stored', 60_000, async () => {
		const [execution] = await server.listExecutions(suspended.id);
		return execution?.status === 'waiting' ? execution.id : undefined;
	});
	const [firstWorker] = await startedOn(suspendedId);
	assert.ok(firstWorker !== undefined, 'a worker began the suspended run');

	const startedAt = Date.now();
	for (let run = 1; run <= RUNS; run++) await call(server, `pipeline?run=${run}`);
	const ended = async () => {
		const counts = new Map<string, number>();
		for (const { status } of await allExecutions(server, pipeline.id)) {
			counts.set(status, (counts.get(status) ?? 0) + 1);
		}
		return counts;
	};
	const openIn = (counts: Map<string, number>) =>
		['new', 'running', 'waiting'].reduce((sum, status) => sum + (counts.get(status) ?? 0), 0);
	await until(`${KILL_AT} runs have ended`, 5 * 60_000, async () =>
		((await ended()).get('success') ?? 0) >= KILL_AT ? true : undefined,
	);
	await workers[firstWorker]!.stop('SIGKILL');
	const killedAt = Date.now();
	const counts = await until(
		'all runs have ended',
		10 * 60_000,
		async () => {
			const now = await ended();
			return openIn(now) === 0 ? now : undefined;
		},
		2_000,
	);
	const tookMs = Date.now() - startedAt;
	const executions = await allExecutions(server, pipeline.id);
	const bySurvivor = new Set(await startsIn(workers[1 - firstWorker]!.logFile));
	const begunByKilled = new Set(await startsIn(workers[firstWorker]!.logFile));
	const lost = executions.filter(({ status }) => status !== 'success');

	await t.test('every run has ended, and only those of the killed worker without success', () => {
		assert.equal(executions.length, RUNS);
		for (const { id, status } of lost) {
			assert.ok(begunByKilled.has(id), `run ${id} ended with ${status} on the other worker`);
		}
		assert.ok(lost.length <= CONCURRENCY);
		assert.ok(begunByKilled.size > 0 && bySurvivor.size > 0);
	});

	const speechOf = new Map(
		emulator.requests
			.filter(({ route, accepted }) => route === 'POST /v1/videos' && accepted)
			.map(({ accepted, files }) => [
				accepted!,
				files!.find(({ field }) => field === 'audio_reference')!.bytes,
			]),
	);
	// The first video is that of the suspended run.
	const sent = emulator
		.videos()
		.filter(({ kind }) => kind === 'generated')
		.map(({ id }) => id)
		.slice(1);
	const runsPaid = new Set(sent.map((id) => speechOf.get(id))).size;
	await t.test('no job is paid twice', () => {
		assert.equal(runsPaid, sent.length, 'two videos for one run');
		assert.ok(runsPaid >= RUNS - lost.length);
		const captioned = emulator.videos().filter(({ kind }) => kind === 'captioned');
		const sources = captioned.map(({ source_video_id }) => source_video_id);
		assert.equal(new Set(sources).size, sources.length, 'captions twice for one video');
		assert.ok(sources.length >= RUNS - lost.length);
	});

	await t.test('any run of either worker brings its MP4', async () => {
		const expected = await sha256(MEDIA.captioned);
		for (const ids of [begunByKilled, bySurvivor]) {
			const { id } = executions.find(({ id, status }) => status === 'success' && ids.has(id))!;
			const execution = await server.readExecution(id);
			assert.equal(await fileHash(server, itemsOf(execution, LAST_NODE)[0], MP4_FIELD), expected);
		}
	});

	await t.test('the other worker resumes the suspended wait', async () => {
		const execution = await server.waitForExecution(suspendedId, { timeoutMs: 4 * 60_000 });
		assert.equal(execution.status, 'success', failureOf(execution));
		assert.equal(
			await fileHash(server, itemsOf(execution, 'After')[0], 'data'),
			await sha256(MEDIA.generated),
		);
		const seen = await startedOn(suspendedId);
		assert.ok(seen.includes(1 - firstWorker), `workers that ran it: ${seen.join(', ')}`);
	});

	await t.test('the trigger fires once for every video', async () => {
		const videos = emulator.videos().filter(({ kind }) => kind === 'generated');
		const fired = async () =>
			(
				await Promise.all(
					(await allExecutions(server, listener.id)).map(({ id }) => server.readExecution(id)),
				)
			).flatMap((execution: Execution) =>
				itemsOf(execution, 'Mirage Trigger').map(({ json }) => json.id as string),
			);
		const ids = await until(
			'the trigger has fired for all videos',
			3 * 60_000,
			async () => {
				const found = await fired();
				return found.length >= videos.length ? found : undefined;
			},
			2_000,
		);
		assert.deepEqual([...ids].sort(), videos.map(({ id }) => id).sort());
	});

	figure('Queue mode', {
		n8n: VERSION,
		runs: String(RUNS),
		succeeded: String(counts.get('success') ?? 0),
		'lost with the killed worker': String(lost.length),
		'by worker': `${begunByKilled.size} (killed after ${Math.round((killedAt - startedAt) / 1000)} s) and ${bySurvivor.size}`,
		'videos paid': String(sent.length),
		'paid twice': String(sent.length - runsPaid),
		'time (s)': (tookMs / 1000).toFixed(0),
	});
});

/** Puts a webhook in the place of the manual start, and makes the workflow live. */
async function publishWithWebhook(server: N8nServer, workflow: WorkflowFile, path: string) {
	const start = workflow.nodes.find(({ type }) => type === 'n8n-nodes-base.manualTrigger')!;
	Object.assign(start, {
		type: 'n8n-nodes-base.webhook',
		typeVersion: 2,
		webhookId: path,
		parameters: { httpMethod: 'POST', path, responseMode: 'onReceived', options: {} },
	});
	const stored = await server.importWorkflow(workflow);
	await server.activate(stored.id);
	return stored;
}

async function call(server: N8nServer, path: string): Promise<void> {
	const response = await fetch(`${server.url}/webhook/${path}`, { method: 'POST' });
	if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
}

/** All executions of a workflow, beyond one page of n8n's list. */
async function allExecutions(
	server: N8nServer,
	workflowId: string,
): Promise<Array<{ id: string; status: string }>> {
	const filter = encodeURIComponent(JSON.stringify({ workflowId }));
	const all: Array<{ id: string; status: string }> = [];
	let cursor: string | undefined;
	do {
		const page = await server.rest<{ results: typeof all; nextCursor?: string | null }>(
			'GET',
			`/executions?filter=${filter}&limit=100${cursor ? `&cursor=${cursor}` : ''}`,
		);
		all.push(...page.results);
		cursor = page.results.length > 0 ? (page.nextCursor ?? undefined) : undefined;
	} while (cursor);
	return all;
}

/** IDs of the executions that a worker began or went on with, by its log. */
async function startsIn(logFile: string): Promise<string[]> {
	const log = await readFile(logFile, 'utf8');
	return [...log.matchAll(/Worker started execution (\d+)/g)].map(([, id]) => id!);
}
