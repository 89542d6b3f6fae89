import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { N8N_VERSIONS } from '../install';
import type { WorkflowFile } from '../server';
import { startChatModel, type Asked, type Said } from './chatModel';
import { figure } from './figures';
import { API_KEY, failureOf, itemsOf, openStage, until } from './stage';

const EXAMPLE = resolve(__dirname, '../../../examples/agent-with-mirage-tools.json');

/** The name of the tool that a node of the canvas has become. */
const toolOf = ({ tools }: Asked, node: string) => {
	const found = tools.find(({ name }) => name.toLowerCase().replace(/\W|_/g, ' ') === node);
	assert.ok(found, `The agent offers no "${node}" but ${tools.map(({ name }) => name).join(', ')}`);
	return found;
};

/** The last answer of a tool, as the model sees it. */
const lastAnswer = ({ messages }: Asked) =>
	messages.findLast(({ role }) => role === 'tool')?.content;

for (const version of N8N_VERSIONS) {
	test(`An agent makes a video with the nodes as tools, n8n ${version}`, async (t) => {
		const stage = await openStage(version);
		t.after(stage.close);
		const { server, emulator, credential, portraitUrl } = stage;

		/** What a model does that was asked for a video: it starts it, looks how far it is, and tells. */
		const script = (asked: Asked): Said => {
			const answers = asked.messages.filter(({ role }) => role === 'tool').length;
			if (answers === 0)
				return {
					tool: toolOf(asked, 'create video tool').name,
					input: { portraitUrl, text: 'Hello from an agent.' },
				};
			if (answers > 2) return { text: `Look at ${lastAnswer(asked)}` };
			const id = /"id":\s*"([^"]+)"/.exec(lastAnswer(asked)!.replace(/\\"/g, '"'))?.[1];
			assert.ok(id, `No id in the answer of the tool: ${lastAnswer(asked)}`);
			if (answers === 1)
				return { tool: toolOf(asked, 'video status').name, input: { videoId: id } };
			return { text: `Your video has the id ${id}.` };
		};
		const model = await startChatModel(script);
		t.after(model.close);

		const workflow = JSON.parse(await readFile(EXAMPLE, 'utf8')) as WorkflowFile;
		const openAi = await server.createCredential('openAiApi', 'Chat model', {
			apiKey: 'scripted',
			url: model.url,
		});
		for (const node of workflow.nodes) {
			if (node.type.startsWith('n8n-nodes-mirage.'))
				node.credentials = { mirageApi: { id: credential.id, name: credential.name } };
			if (node.name === 'Chat Model')
				node.credentials = { openAiApi: { id: openAi.id, name: openAi.name } };
		}
		workflow.pinData = {
			Chat: [
				{ json: { sessionId: 'a-chat', action: 'sendMessage', chatInput: 'Make the video. Yes.' } },
			],
		};
		const { id: workflowId } = await server.importWorkflow(workflow);
		const execution = await server.waitForExecution(await server.runWorkflow(workflowId));

		await t.test('it is told which tools there are, and what to fill in', () => {
			assert.equal(execution.status, 'success', failureOf(execution));
			const create = toolOf(model.asked[0]!, 'create video tool');
			assert.deepEqual(Object.keys(create.parameters.properties!).sort(), ['portraitUrl', 'text']);
			assert.match(create.description, /Paid/);
			assert.equal(model.asked[0]!.tools.length, 5);
		});
		await t.test('one video is started, and its id and status come back to the chat', async () => {
			const [video, ...more] = emulator.videos();
			assert.deepEqual(more, []);
			const [item] = itemsOf(execution, 'Video Agent');
			assert.equal(item?.json.output, `Your video has the id ${video!.id}.`);
			const status = lastAnswer(model.asked.at(-1)!)!;
			assert.match(status, /QUEUED|PROCESSING|COMPLETE/);
			await until('the video ends well', 10_000, () =>
				emulator.videos()[0]!.status === 'COMPLETE' ? true : undefined,
			);
		});
		await t.test('the API key is not told to the model', () => {
			for (const { raw } of model.asked) assert.ok(!raw.includes(API_KEY));
		});
		figure('An agent with the nodes as tools', {
			n8n: version,
			'calls of tools': `${model.asked.length - 1}`,
			'videos started': `${emulator.videos().length}`,
		});
	});
}
