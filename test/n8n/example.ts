import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { N8nServer, StoredCredential, StoredWorkflow, WorkflowFile } from './server';

const EXAMPLE = join(
	__dirname,
	'..',
	'..',
	'examples',
	'script-and-portrait-to-captioned-mp4.json',
);

/** The last node of the example; its item holds the MP4. */
export const LAST_NODE = 'Captioned MP4';

/** The field of the last node's item that holds the MP4. */
export const MP4_FIELD = 'data';

/** What a user fills in by hand after importing the example. */
export interface ExampleInputs {
	script: string;
	/** Address of a JPEG or PNG. */
	portraitUrl: string;
	voiceId: string;
	captionTemplate: { id: string; name: string };
}

/** Reads the example workflow as users import it. */
export async function readExample(): Promise<WorkflowFile> {
	return JSON.parse(await readFile(EXAMPLE, 'utf8')) as WorkflowFile;
}

/** The script that the example comes with. */
export function exampleScript(workflow: WorkflowFile): string {
	return String(fieldsOf(workflow).find(({ name }) => name === 'script')?.value ?? '');
}

/** Imports the example into a server, filled in by {@link fillExample}. */
export async function importExample(
	server: N8nServer,
	inputs: ExampleInputs,
	credential: StoredCredential,
): Promise<StoredWorkflow> {
	return await server.importWorkflow(await fillExample(inputs, credential));
}

/** The example with everything filled in and the credential on each Mirage node. */
export async function fillExample(
	inputs: ExampleInputs,
	credential: StoredCredential,
): Promise<WorkflowFile> {
	const workflow = await readExample();
	for (const field of fieldsOf(workflow)) {
		if (field.name === 'script') field.value = inputs.script;
		if (field.name === 'portraitUrl') field.value = inputs.portraitUrl;
		if (field.name === 'voiceId') field.value = inputs.voiceId;
	}
	for (const node of workflow.nodes) {
		if (!node.type.startsWith('n8n-nodes-mirage.')) continue;
		node.credentials = { mirageApi: { id: credential.id, name: credential.name } };
		if (node.type === 'n8n-nodes-mirage.mirageAddCaptions') {
			node.parameters.captionTemplateId = {
				__rl: true,
				mode: 'list',
				value: inputs.captionTemplate.id,
				cachedResultName: inputs.captionTemplate.name,
			};
		}
	}
	return workflow;
}

/** The fields of the one Edit Fields node, to be changed in place. */
function fieldsOf(workflow: WorkflowFile): Array<{ name: string; value: unknown }> {
	const node = workflow.nodes.find(({ type }) => type === 'n8n-nodes-base.set');
	const { assignments } = (node?.parameters.assignments ?? { assignments: [] }) as {
		assignments: Array<{ name: string; value: unknown }>;
	};
	return assignments;
}
