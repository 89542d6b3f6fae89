import fastGlob from 'fast-glob';
import {
	deepCopy,
	NodeHelpers,
	UnexpectedError,
	type INodeProperties,
	type INodeType,
	type INodeTypes,
	type IVersionedNodeType,
} from 'n8n-workflow';
import { basename, join } from 'node:path';

import { builtInNodes } from './built-in-nodes';

const PACKAGE = 'n8n-nodes-mirage';
const BUILT_IN = 'engine';
const TOOL = 'Tool';

type NodeClass = new () => INodeType;

const { commonPollingParameters } = globalThis.n8nRequire<{
	commonPollingParameters: INodeProperties[];
}>('./nodes-loader/constants.js');

/** The package's node files by type name: `mirageList` → `…/nodes/List/MirageList.node.ts`. */
const sources = new Map(
	fastGlob
		.sync('nodes/*/Mirage*.node.ts', { cwd: join(__dirname, '../../..'), absolute: true })
		.map((path) => {
			const className = basename(path, '.node.ts');
			return [className[0]!.toLowerCase() + className.slice(1), path] as const;
		}),
);

const loaded = new Map<string, INodeType>();

/**
 * Makes a node class of a test known under its description's name.
 *
 * @returns that name, to be used as `type` in a workflow
 */
export function registerNode(nodeClass: NodeClass): string {
	const node = new nodeClass();
	loaded.set(`${BUILT_IN}.${node.description.name}`, node);
	return node.description.name;
}
for (const nodeClass of builtInNodes) registerNode(nodeClass);

/**
 * The type name that a workflow stores: `mirageList` → `n8n-nodes-mirage.mirageList`, and a test's own
 * node `set` → `engine.set`. With `Tool` appended, a node that is usable as a tool becomes that tool.
 *
 * @throws when no such node exists
 */
export function storedTypeName(name: string): string {
	for (const known of name.endsWith(TOOL) ? [name, name.slice(0, -TOOL.length)] : [name]) {
		if (loaded.has(`${BUILT_IN}.${known}`)) return `${BUILT_IN}.${name}`;
		if (sources.has(known)) return `${PACKAGE}.${name}`;
	}
	throw new UnexpectedError(
		`No node "${name}". Known: ${[...loaded.keys(), ...sources.keys()].join(', ')}`,
	);
}

/** Loads a node from its source as n8n's loader does: by class name, with the parameters n8n adds. */
function load(storedName: string): INodeType {
	const known = loaded.get(storedName);
	if (known) return known;
	const name = storedName.slice(storedName.indexOf('.') + 1);
	const path = sources.get(name);
	if (!path) {
		if (!name.endsWith(TOOL)) throw new UnexpectedError(`No node type "${storedName}"`);
		return asTool(storedName, load(storedName.slice(0, -TOOL.length)));
	}
	const classes = module.require(path) as Record<string, NodeClass>;
	const node = new classes[basename(path, '.node.ts')]!();
	if (node.description.polling) node.description.properties.unshift(...commonPollingParameters);
	loaded.set(storedName, node);
	return node;
}

/** What the server makes of a `usableAsTool` node (`n8n/dist/tool-generation/ai-tools.js` of 2.41.1). */
function asTool(storedName: string, node: INodeType): INodeType {
	if (!node.description.usableAsTool)
		throw new UnexpectedError(`${node.description.name} is not usable as a tool`);
	const description = deepCopy(node.description);
	description.name += TOOL;
	description.displayName += ` ${TOOL}`;
	description.inputs = [];
	description.outputs = ['ai_tool'];
	delete description.usableAsTool;
	const has = (name: string) => description.properties.some((property) => property.name === name);
	if (!has('toolDescription')) {
		const choosable = has('resource') || has('operation');
		description.properties.unshift(
			...(choosable
				? [
						{
							displayName: 'Tool Description',
							name: 'descriptionType',
							type: 'options' as const,
							noDataExpression: true,
							options: [
								{ name: 'Set Automatically', value: 'auto' },
								{ name: 'Set Manually', value: 'manual' },
							],
							default: 'auto',
						},
					]
				: []),
			{
				displayName: 'Description',
				name: 'toolDescription',
				type: 'string',
				default: description.description,
				required: true,
				...(choosable ? { displayOptions: { show: { descriptionType: ['manual'] } } } : {}),
			},
		);
	}
	const tool: INodeType = Object.assign(Object.create(node) as INodeType, { description });
	loaded.set(storedName, tool);
	return tool;
}

/** All node types of an engine test: the package's, loaded when first asked for, and the tests' own. */
export const nodeTypes: INodeTypes = {
	getByName: (name: string): INodeType | IVersionedNodeType => load(name),
	getByNameAndVersion: (name: string, version?: number): INodeType =>
		NodeHelpers.getVersionedNodeType(load(name), version),
	getKnownTypes: () => ({}),
};
