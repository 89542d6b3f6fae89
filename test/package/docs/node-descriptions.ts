import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import type {
	ICredentialType,
	INodeProperties,
	INodeType,
	INodeTypeDescription,
} from 'n8n-workflow';

import { n8n, name } from '../../../package.json';

const PROJECT = join(__dirname, '..', '..', '..');
const load = createRequire(__filename);

/** Name of the package: the first half of the type names in saved workflows. */
export const PACKAGE = name;

/** Makes the one class of a file that n8n loads, from its source: `dist/nodes/X/Y.node.js` → `nodes/X/Y.node.ts`. */
function instanceOf<T>(built: string): T {
	const source = built.replace(/^dist\//, '').replace(/\.js$/, '.ts');
	// With its ending, since `Y.node` alone could also mean `Y.node.json`.
	const module = load(join(PROJECT, source)) as Record<string, new () => T>;
	return new module[basename(source).split('.')[0]!]!();
}

/** The descriptions of all nodes, in the order of `package.json`. */
export const nodeDescriptions: INodeTypeDescription[] = n8n.nodes.map(
	(built) => instanceOf<INodeType>(built).description,
);

/** The credential type. */
export const credential = instanceOf<ICredentialType>(n8n.credentials[0]!);

/** What n8n adds on top of the panel of a trigger that polls. */
const pollTimes: INodeProperties = {
	displayName: 'Poll Times',
	name: 'pollTimes',
	type: 'json',
	default: '',
};

/**
 * The description of a node of this package as n8n has it once it is loaded, by the type that a workflow
 * stores; `undefined` for a type of another package, and for one that does not exist.
 */
export function describeStored(type: string): INodeTypeDescription | undefined {
	for (const description of nodeDescriptions) {
		const { name: nodeName, polling, usableAsTool, properties } = description;
		if (type === `${PACKAGE}.${nodeName}`)
			return polling ? { ...description, properties: [pollTimes, ...properties] } : description;
		if (usableAsTool && type === `${PACKAGE}.${nodeName}Tool`) return toolDescription(description);
	}
	return undefined;
}

/**
 * What n8n makes of a node that an agent can use: the type name gets `Tool` behind it, and parameters
 * for the tool's own description come on top (`n8n/dist/tool-generation/ai-tools.js` of 2.41.1).
 */
function toolDescription(description: INodeTypeDescription): INodeTypeDescription {
	const extra: INodeProperties[] = [
		{
			displayName: 'Tool Description',
			name: 'descriptionType',
			type: 'options',
			options: [
				{ name: 'Set Automatically', value: 'auto' },
				{ name: 'Set Manually', value: 'manual' },
			],
			default: 'auto',
		},
		{ displayName: 'Description', name: 'toolDescription', type: 'string', default: '' },
	];
	return {
		...description,
		name: `${description.name}Tool`,
		inputs: [],
		outputs: ['ai_tool'],
		properties: [...extra, ...description.properties],
	};
}

/** Whether a parameter is the form that only an agent's tool shows. */
export const isToolForm = ({ displayOptions }: Pick<INodeProperties, 'displayOptions'>) =>
	displayOptions?.show?.['@tool']?.[0] === true;
