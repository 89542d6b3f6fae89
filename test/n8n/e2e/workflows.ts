import type { INode, INodeParameters } from 'n8n-workflow';
import type { StoredCredential, WorkflowFile } from '../server';

/** One node of a workflow; names of this package's types need no prefix, n8n's own have theirs. */
export interface Step {
	name: string;
	type: string;
	typeVersion?: number;
	parameters?: INodeParameters;
	/** Settings beside the parameters, such as `retryOnFail`. */
	settings?: Partial<INode>;
}

export const START = 'Start';

/** Distance between nodes, in pixels of the canvas. */
const GRID = 224;

/** A workflow of nodes one behind the other, started by hand unless the first node is a trigger. */
export function chain(name: string, steps: Step[], credential: StoredCredential): WorkflowFile {
	const first = steps[0]!;
	const all: Step[] = first.type.endsWith('Trigger')
		? steps
		: [{ name: START, type: 'n8n-nodes-base.manualTrigger' }, ...steps];
	const nodes = all.map(({ name, type, typeVersion = 1, parameters = {}, settings }, index) => {
		const own = !type.includes('.');
		return {
			id: `node-${index}`,
			name,
			type: own ? `n8n-nodes-mirage.${type}` : type,
			typeVersion,
			position: [index * GRID, 0] as [number, number],
			parameters,
			...(own && { credentials: { mirageApi: { id: credential.id, name: credential.name } } }),
			...settings,
		};
	});
	const connections: WorkflowFile['connections'] = {};
	all.slice(1).forEach((step, index) => {
		connections[all[index]!.name] = { main: [[{ node: step.name, type: 'main', index: 0 }]] };
	});
	return { name, nodes, connections, settings: { executionOrder: 'v1' } };
}

/** Connects an output of a node, in place of what was connected there. */
export function connect(workflow: WorkflowFile, from: string, output: number, to: string): void {
	const outputs = ((workflow.connections[from] ??= { main: [] }).main ??= []);
	while (outputs.length <= output) outputs.push([]);
	outputs[output] = [{ node: to, type: 'main', index: 0 }];
}

/** Starts a video from a portrait at a URL and a text. */
export const createFromText = (portraitUrl: string, text: string, name = 'Create Video'): Step => ({
	name,
	type: 'mirageCreateVideo',
	parameters: {
		imageSource: 'url',
		imageUrl: portraitUrl,
		audioSource: 'text',
		voiceId: 'demo-voice',
		text,
	},
});

/** Waits for the video whose ID the item holds. */
export const waitForVideo = (parameters: INodeParameters = {}, name = 'Wait for Video'): Step => ({
	name,
	type: 'mirageWaitForVideo',
	parameters: {
		videoId: { __rl: true, mode: 'id', value: '={{ $json.id }}' },
		...parameters,
	},
});

/** Starts a video and suspends until it is finished; wired as the node asks for. */
export function suspendLoop(portraitUrl: string, credential: StoredCredential): WorkflowFile {
	const workflow = chain(
		'Suspending',
		[
			createFromText(portraitUrl, 'Slow.'),
			waitForVideo({ whileProcessing: 'suspend' }),
			{ name: 'After', type: 'n8n-nodes-base.noOp' },
		],
		credential,
	);
	connect(workflow, 'Wait for Video', 0, 'Wait for Video');
	connect(workflow, 'Wait for Video', 1, 'After');
	return workflow;
}
