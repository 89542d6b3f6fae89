import assert from 'node:assert/strict';
import { test } from 'node:test';
import { N8N_VERSIONS } from '../install';
import { failureOf, itemsOf, openStage } from './stage';
import { chain, createFromText, waitForVideo, type Step } from './workflows';

/** Three items with a text each. */
const THREE_TEXTS: Step = {
	name: 'Texts',
	type: 'n8n-nodes-base.code',
	typeVersion: 2,
	parameters: { jsCode: "return ['One.', 'Two.', 'Three.'].map((text) => ({ json: { text } }));" },
};

for (const version of N8N_VERSIONS) {
	test(
		`n8n ${version}, a person retries a failed execution`,
		{ timeout: 5 * 60_000 },
		async (t) => {
			const stage = await openStage(version);
			t.after(stage.close);
			const { server, emulator, credential, portraitUrl } = stage;
			/** "Retry" in the list of executions; `loadWorkflow` is "with currently saved workflow". */
			const retry = async (executionId: string, loadWorkflow: boolean) => {
				await server.rest('POST', `/executions/${executionId}/retry`, { loadWorkflow });
				const { id } = (await server.listExecutions(workflow.id))[0]!;
				return await server.waitForExecution(id);
			};
			const createThree = createFromText(portraitUrl, '={{ $json.text }}');
			createThree.parameters!.options = { concurrency: 1 };
			const workflow = await server.importWorkflow(
				chain('Three', [THREE_TEXTS, createThree, waitForVideo()], credential),
			);

			for (const loadWorkflow of [false, true]) {
				const which = loadWorkflow ? 'currently saved' : 'original';
				await t.test(
					`jobs that were accepted are not started again (${which} workflow)`,
					async () => {
						const before = emulator.videos().length;
						emulator.fault({
							route: 'POST /v1/videos',
							after: 2,
							fault: { kind: 'status', status: 402, body: { detail: 'Out of credits' } },
						});
						const failed = await server.waitForExecution(await server.runWorkflow(workflow.id));
						assert.equal(failed.status, 'error');
						const accepted = emulator.videos().slice(before);
						assert.equal(accepted.length, 2);
						for (const { id } of accepted)
							assert.ok(failureOf(failed).includes(id), `the error names ${id}`);

						const retried = await retry(failed.id, loadWorkflow);
						assert.equal(retried.status, 'success', failureOf(retried));
						const started = emulator.videos().slice(before);
						assert.equal(started.length, 3, 'only the third video was started by the retry');
						assert.deepEqual(
							itemsOf(retried, 'Create Video').map(({ json }) => json.id),
							started.map(({ id }) => id),
						);
					},
				);
			}

			await t.test('a wait that failed is repeated without a new job', async () => {
				const before = emulator.videos().length;
				emulator.fault({
					route: 'GET /v1/videos',
					times: Infinity,
					fault: { kind: 'status', status: 403, body: { detail: 'Not now' } },
				});
				const failed = await server.waitForExecution(await server.runWorkflow(workflow.id));
				assert.equal(failed.status, 'error');
				emulator.clearFaults();
				const retried = await retry(failed.id, false);
				assert.equal(retried.status, 'success', failureOf(retried));
				assert.equal(emulator.videos().length, before + 3);
			});

			await t.test('"Retry On Fail" does not start accepted jobs again', async () => {
				const before = emulator.videos().length;
				const again = await server.importWorkflow(
					chain(
						'Retry on fail',
						[
							THREE_TEXTS,
							{
								...createThree,
								settings: { retryOnFail: true, maxTries: 3, waitBetweenTries: 100 },
							},
						],
						credential,
					),
				);
				emulator.fault({
					route: 'POST /v1/videos',
					after: 2,
					fault: { kind: 'status', status: 402, body: { detail: 'Out of credits' } },
				});
				const execution = await server.waitForExecution(await server.runWorkflow(again.id));
				assert.equal(execution.status, 'success', failureOf(execution));
				assert.equal(emulator.videos().length, before + 3);
			});
		},
	);
}
