import {
	NodeHelpers,
	type IConnections,
	type INode,
	type INodeParameters,
	type INodeProperties,
	type INodePropertyCollection,
	type INodePropertyOptions,
	type INodeTypeDescription,
} from 'n8n-workflow';

/** A workflow as n8n exports and imports it. */
export interface WorkflowFile {
	name: string;
	nodes: INode[];
	connections: IConnections;
	settings?: Record<string, unknown>;
	pinData?: Record<string, unknown>;
}

/** Finds the description of a node type as a workflow stores it; `undefined` for one that is not known. */
export type Describe = (type: string, version: number) => INodeTypeDescription | undefined;

const STICKY_NOTE = 'n8n-nodes-base.stickyNote';
/** A button to start with, which explains itself. */
const MANUAL_TRIGGER = 'n8n-nodes-base.manualTrigger';
/** The only hosts that a workflow for strangers may name. */
const ALLOWED_HOSTS = new Set(['example.com']);

/**
 * What is wrong with a workflow that strangers will import: one sentence for each problem, none for a
 * good one. Parameters are judged by n8n's own display rules.
 */
export function problemsIn(workflow: WorkflowFile, describe: Describe): string[] {
	const steps = workflow.nodes.filter(({ type }) => type !== STICKY_NOTE);
	return [
		...namesIn(workflow.nodes),
		...steps.flatMap((node) => problemsInNode(node, describe)),
		...problemsInConnections(workflow, describe),
		...problemsInNotes(workflow.nodes),
		...problemsInText(JSON.stringify(workflow)),
		...(Object.keys(workflow.pinData ?? {}).length > 0 ? ['it has pinned data'] : []),
	];
}

function namesIn(nodes: INode[]): string[] {
	return (['name', 'id'] as const).flatMap((key) => {
		const values = nodes.map((node) => node[key]);
		return values
			.filter((value, index) => values.indexOf(value) !== index)
			.map((value) => `two nodes have the ${key} "${value}"`);
	});
}

function problemsInNode(node: INode, describe: Describe): string[] {
	const say = (problem: string) => `${node.name}: ${problem}`;
	const description = describe(node.type, node.typeVersion);
	if (!description) return [say(`there is no node type ${node.type}`)];
	const versions = [description.version].flat();
	const problems: string[] = [];
	if (!versions.includes(node.typeVersion))
		problems.push(say(`${node.type} has no version ${node.typeVersion}`));
	if (node.credentials) problems.push(say('it names a credential of somebody'));
	const { properties } = description;
	const resolved = NodeHelpers.getNodeParameters(
		properties,
		node.parameters,
		true,
		false,
		node,
		description,
	) as INodeParameters;
	const isShown = (property: INodeProperties) =>
		NodeHelpers.displayParameter(resolved, property, node, description);
	for (const [name, value] of Object.entries(node.parameters)) {
		const known = properties.filter((property) => property.name === name);
		const property = known.find(isShown);
		if (known.length === 0) problems.push(say(`there is no parameter "${name}"`));
		else if (!property) problems.push(say(`"${name}" is hidden by the other parameters`));
		else
			problems.push(
				...problemsInValue(property, value, name, { resolved, node, description, say }),
			);
	}
	for (const property of properties) {
		const value = resolved?.[property.name];
		if (property.required && property.type === 'string' && isShown(property) && value === '')
			problems.push(say(`"${property.name}" is required and empty`));
	}
	return problems;
}

interface Place {
	resolved: INodeParameters;
	node: INode;
	description: INodeTypeDescription;
	say: (problem: string) => string;
}

function problemsInValue(
	property: INodeProperties,
	value: unknown,
	path: string,
	place: Place,
): string[] {
	const { say } = place;
	if (typeof value === 'string' && value.startsWith('=')) return [];
	switch (property.type) {
		case 'options':
		case 'multiOptions': {
			// Choices that n8n asks a service for are not in the description.
			if (property.typeOptions?.loadOptionsMethod) return [];
			const choices = (property.options as INodePropertyOptions[]).map((option) => option.value);
			return [value]
				.flat()
				.filter((chosen) => !choices.includes(chosen as string))
				.map((chosen) => say(`"${path}" has no choice "${String(chosen)}"`));
		}
		case 'boolean':
		case 'number':
			return typeof value === property.type ? [] : [say(`"${path}" is no ${property.type}`)];
		case 'resourceLocator': {
			const { __rl: isLocator, mode } = (value ?? {}) as { __rl?: boolean; mode?: string };
			const isMode = property.modes?.some(({ name }) => name === mode);
			return isLocator && isMode ? [] : [say(`"${path}" is no resource locator`)];
		}
		case 'collection':
			return problemsInGroup(property.options as INodeProperties[], value, path, place);
		case 'fixedCollection':
			return Object.entries((value ?? {}) as object).flatMap(([name, entries]) => {
				const group = (property.options as INodePropertyCollection[]).find(
					(option) => option.name === name,
				);
				if (!group) return [say(`"${path}" has no group "${name}"`)];
				return [entries]
					.flat()
					.flatMap((entry, index) =>
						problemsInGroup(group.values, entry, `${path}.${name}[${index}]`, place),
					);
			});
		default:
			return [];
	}
}

function problemsInGroup(
	properties: INodeProperties[],
	value: unknown,
	path: string,
	place: Place,
): string[] {
	const values = (value ?? {}) as INodeParameters;
	return Object.entries(values).flatMap(([name, inner]) => {
		const innerPath = `${path}.${name}`;
		const known = properties.filter((property) => property.name === name);
		const property = known.find((candidate) =>
			NodeHelpers.displayParameter(
				values,
				candidate,
				place.node,
				place.description,
				place.resolved,
			),
		);
		if (known.length === 0) return [place.say(`there is no parameter "${innerPath}"`)];
		if (!property) return [place.say(`"${innerPath}" is hidden by the other parameters`)];
		return problemsInValue(property, inner, innerPath, place);
	});
}

function problemsInConnections({ nodes, connections }: WorkflowFile, describe: Describe): string[] {
	const byName = new Map(nodes.map((node) => [node.name, node]));
	const reached = new Set<string>();
	const problems: string[] = [];
	for (const [from, byType] of Object.entries(connections)) {
		const source = byName.get(from);
		if (!source) problems.push(`a connection starts at "${from}", which does not exist`);
		else reached.add(from);
		for (const [type, outputs] of Object.entries(byType))
			outputs.forEach((targets, index) => {
				if (source && targets?.length && index >= outputCount(source, describe))
					problems.push(`${from}: there is no output ${index + 1}`);
				for (const target of targets ?? []) {
					if (!byName.has(target.node))
						problems.push(`${from}: it leads to "${target.node}", which does not exist`);
					if (target.type !== type) problems.push(`${from}: ${type} leads to ${target.type}`);
					reached.add(target.node);
				}
			});
	}
	for (const { name, type } of nodes)
		if (type !== STICKY_NOTE && !reached.has(name)) problems.push(`${name}: it is not connected`);
	return problems;
}

function outputCount(node: INode, describe: Describe): number {
	const outputs = describe(node.type, node.typeVersion)?.outputs;
	const withErrors = node.onError === 'continueErrorOutput' ? 1 : 0;
	if (Array.isArray(outputs)) return outputs.length + withErrors;
	// The only node here whose outputs are an expression that depends on its parameters.
	return (node.parameters.whileProcessing === 'suspend' ? 2 : 1) + withErrors;
}

/** Each step lies on a note that explains it, and one more note says what the whole is for. */
function problemsInNotes(nodes: INode[]): string[] {
	const notes = nodes.filter(({ type }) => type === STICKY_NOTE);
	const covers = (note: INode, { position: [x, y] }: INode) => {
		const { width = 240, height = 160 } = note.parameters as { width?: number; height?: number };
		const [left, top] = note.position;
		return x >= left && x < left + width && y >= top && y < top + height;
	};
	const steps = nodes.filter(({ type }) => type !== STICKY_NOTE);
	const bare = steps.filter(
		(step) => step.type !== MANUAL_TRIGGER && !notes.some((note) => covers(note, step)),
	);
	const heads = notes.filter((note) => !steps.some((step) => covers(note, step)));
	return [
		...bare.map(({ name }) => `${name}: no note explains it`),
		...(heads.some(({ parameters }) => String(parameters.content).startsWith('# '))
			? []
			: ['no note says what the workflow is for']),
	];
}

function problemsInText(text: string): string[] {
	const hosts = [...text.matchAll(/https?:\/\/([\w.-]+)/g)].map(([, host]) => host!);
	return [
		...hosts.filter((host) => !ALLOWED_HOSTS.has(host)).map((host) => `it names the host ${host}`),
		...(/mira_\w/.test(text) ? ['it holds an API key'] : []),
		...[...text.matchAll(/\b\d{1,3}(\.\d{1,3}){3}\b|localhost/g)].map(
			([address]) => `it names the machine ${address}`,
		),
	];
}
