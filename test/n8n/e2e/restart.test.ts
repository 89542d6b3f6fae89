import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MEDIA } from '../../harness/emulator/media';
import { N8N_VERSIONS } from '../install';
import type { Execution } from '../server';
import { figure } from './figures';
import { failureOf, fileHash, itemsOf, openStage, sha256, until } from './stage';
import { chain, createFromText, suspendLoop } from './workflows';

const DUE_MS = 60_000;
/** The suspended video still renders when n8n is killed and looked at twice before it is finished. */
const LONG_RENDER_MS = 100_000;
const SHORT_RENDER_MS = 5_000;

/** n8n 2's own scheduler, which is on by default from 2.45. */
const SCHEDULER = {
	N8N_SCHEDULER_ENABLED: 'true',
	N8N_SCHEDULER_POLL_TRIGGERS_ENABLED: 'true',
	N8N_USE_WORKFLOW_PUBLICATION_SERVICE: 'true',
};
const SCHEDULING = {
	'from memory': {},
	'by the scheduler': SCHEDULER,
	'by the scheduler with durable cursors': {
		...SCHEDULER,
		N8N_POLLER_DURABLE_CURSORS_ENABLED: 'true',
	},
};
const LISTENERS = 3;
const EVERY_MINUTE = { pollTimes: { item: [{ mode: 'everyMinute' }] } };

/** n8n looks for due executions, and polls, once a minute; so n8n 1 and 2 wait at the same time. */
describe('A power cut', { concurrency: true }, () => {
	for (const version of N8N_VERSIONS) {
		test(`n8n ${version}`, { timeout: 8 * 60_000 }, async (t) => {
			const stage = await openStage(version, {
				emulator: {
					renderMs: ({ index }) => (index === 0 ? SHORT_RENDER_MS : LONG_RENDER_MS),
				},
			});
			t.after(stage.close);
			const { server, emulator, credential, portraitUrl } = stage;

			const quick = await server.importWorkflow(
				chain('Quick', [createFromText(portraitUrl, 'Quick.')], credential),
			);
			const listener = await server.importWorkflow(
				chain(
					'Listener',
					[
						{
							name: 'Mirage Trigger',
							type: 'mirageTrigger',
							parameters: { ...EVERY_MINUTE, downloadVideo: true },
						},
					],
					credential,
				),
			);
			const suspending = suspendLoop(portraitUrl, credential);
			const suspended = await server.importWorkflow(suspending);

			await server.waitForExecution(await server.runWorkflow(quick.id));
			await server.activate(listener.id);
			const executionId = await server.runWorkflow(suspended.id);
			const waiting = await server.waitForExecution(executionId, {
				statuses: ['waiting', 'error', 'success'],
				timeoutMs: 30_000,
			});
			const fired = async () => {
				const listed = await server.listExecutions(listener.id);
				const ended = await Promise.all(listed.map(({ id }) => server.readExecution(id)));
				return ended.filter(({ status }) => status === 'success').reverse();
			};
			const firedIds = (executions: Execution[]) =>
				executions.flatMap((execution) =>
					itemsOf(execution, 'Mirage Trigger').map(({ json }) => json.id),
				);

			await t.test('the execution is stored while the video renders', () => {
				assert.equal(waiting.status, 'waiting', failureOf(waiting));
			});

			const [quickVideo, slowVideo] = emulator.videos();
			await t.test('the trigger fires when the first video is finished', async () => {
				const executions = await until('the trigger has fired', DUE_MS + 30_000, async () => {
					const found = await fired();
					return found.length > 0 ? found : undefined;
				});
				assert.deepEqual(firedIds(executions), [quickVideo!.id]);
				assert.equal(
					await fileHash(server, itemsOf(executions[0]!, 'Mirage Trigger')[0], 'data'),
					await sha256(MEDIA.generated),
				);
			});

			const readsBefore = await until(
				'the execution has read the state and sleeps again',
				DUE_MS,
				() => {
					const reads = readsOf(stage.emulator.requests, slowVideo!.id);
					return reads >= 2 ? reads : undefined;
				},
			);
			await server.waitForExecution(executionId, { statuses: ['waiting'], timeoutMs: 20_000 });
			const killedAt = Date.now();
			await server.restart({ signal: 'SIGKILL' });
			const downMs = Date.now() - killedAt;

			await t.test('a suspended wait delivers its video after SIGKILL and restart', async () => {
				const execution = await server.waitForExecution(executionId, { timeoutMs: 4 * 60_000 });
				assert.equal(execution.status, 'success', failureOf(execution));
				assert.equal(
					await fileHash(server, itemsOf(execution, 'After')[0], 'data'),
					await sha256(MEDIA.generated),
				);
				assert.equal(emulator.videos().length, 2, 'no video was started again');
				const reads = readsOf(emulator.requests, slowVideo!.id);
				assert.ok(reads > readsBefore);
				const ready = (emulator.videos()[1]!.completed_at ?? 0) * 1000;
				figure('A suspended wait across a power cut', {
					n8n: version,
					'down (s)': (downMs / 1000).toFixed(1),
					reads: String(reads),
					'delivered after the video was ready (s)': (
						(new Date(execution.stoppedAt!).getTime() - ready) /
						1000
					).toFixed(0),
				});
			});

			await t.test('the trigger fires once for each video, none twice after restart', async () => {
				await until('the trigger has fired for both', 2 * DUE_MS, async () =>
					(await fired()).length >= 2 ? true : undefined,
				);
				const lists = () =>
					emulator.requests.filter(({ path }) => path.startsWith('/v1/videos?')).length;
				const polls = lists();
				await until('one more poll', DUE_MS + 30_000, () => (lists() > polls ? true : undefined));
				assert.deepEqual(firedIds(await fired()), [quickVideo!.id, slowVideo!.id]);
			});
		});
	}
});

describe('A power cut while polls are due', { concurrency: true }, () => {
	for (const [scheduling, env] of Object.entries(SCHEDULING)) {
		test(`n8n 2.41.1 polls ${scheduling}`, { timeout: 12 * 60_000 }, async (t) => {
			const { server, emulator, credential, close } = await openStage('2.41.1', {
				server: { env },
			});
			t.after(close);
			const seed = (name: string, count: number) => {
				const ids = Array.from({ length: count }, (_, index) => `${name}-${index}`);
				const createdAt = Math.floor(Date.now() / 1000);
				emulator.seedVideos(ids.map((id) => ({ id, created_at: createdAt })));
				return ids;
			};
			seed('old', 150);
			const listeners = await Promise.all(
				Array.from({ length: LISTENERS }, async (_, index) => {
					const trigger = {
						name: 'Mirage Trigger',
						type: 'mirageTrigger',
						parameters: EVERY_MINUTE,
					};
					return await server.importWorkflow(chain(`Listener ${index}`, [trigger], credential));
				}),
			);
			for (const { id } of listeners) await server.activate(id);
			/** The videos that every listener has fired for, in order. */
			const fired = async () =>
				await Promise.all(
					listeners.map(async ({ id }) => {
						const executions = await server.listExecutions(id);
						const ended = await Promise.all(
							executions.map(async (execution) => await server.readExecution(execution.id)),
						);
						return ended.flatMap((execution) =>
							itemsOf(execution, 'Mirage Trigger').map(({ json }) => String(json.id)),
						);
					}),
				);
			const haveFired = async (count: number) =>
				(await fired()).every((ids) => new Set(ids).size >= count) ? true : undefined;

			const before = seed('before', 100);
			await until('every listener has fired', 3 * DUE_MS, async () => await haveFired(100), 2_000);
			const lists = () => emulator.requests.filter(({ path }) => path.startsWith('/v1/videos?'));
			const pollsAfter = async (what: string, count: number) => {
				const polls = lists().length;
				await until(what, 3 * DUE_MS, () => (lists().length >= polls + count ? true : undefined));
			};
			// Polls take long from now on, so that those which n8n makes up for run beside the next.
			const meanwhile = seed('meanwhile', 112);
			emulator.fault({
				route: 'GET /v1/videos',
				times: Infinity,
				fault: { kind: 'delay', ms: 3_000 },
			});
			await pollsAfter('a poll is under way', 1);
			await server.restart({ signal: 'SIGKILL' });
			await until('every listener has fired again', 5 * DUE_MS, () => haveFired(212), 2_000);
			await pollsAfter('each has polled once more', 2 * LISTENERS);

			await t.test('every listener fires once for each video, none twice', async () => {
				for (const ids of await fired())
					assert.deepEqual([...ids].sort(), [...before, ...meanwhile].sort());
				figure('The trigger across a power cut', {
					'n8n 2.41.1 polls': scheduling,
					'trigger nodes': String(LISTENERS),
					'videos for each': '212',
					'fired twice': '0',
				});
			});
		});
	}
});

/** How often the API was asked for the state of one video. */
function readsOf(requests: Array<{ method: string; path: string }>, videoId: string): number {
	return requests.filter(({ method, path }) => method === 'GET' && path === `/v1/videos/${videoId}`)
		.length;
}
