import type { IConnections, IExecuteFunctions, INode } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

/** Names of the two outputs of a suspending node, in their order. */
const RENDERING = 'Rendering';
export const FINISHED = 'Finished';

/** Nodes that bill each time they run, unless their operation is one of {@link FREE_OPERATIONS}. */
const BILLING_NODE = /\.mirage(CreateVideo|AddCaptions|TextToSpeech|MetaTextOverlay)$/;

/** Operations of those nodes that cost nothing. */
const FREE_OPERATIONS = ['get', 'estimate'];

/** The parts of the workflow that tell how a node is wired. */
interface Graph {
	connectionsBySourceNode?: IConnections;
	nodes?: Record<string, Pick<INode, 'type' | 'parameters' | 'disabled' | 'position'> | undefined>;
}

/**
 * The workflow behind the context. n8n's public functions leave a node out of its own children, and do
 * not tell one output from the other, so they cannot see the wire that matters here.
 */
function graphOf(ctx: IExecuteFunctions): Graph {
	return (ctx as unknown as { workflow?: Graph }).workflow ?? {};
}

/** Names of the nodes wired to one output; `undefined` when n8n does not say. */
function targetsOf(ctx: IExecuteFunctions, outputIndex: number): string[] | undefined {
	const { connectionsBySourceNode: connections } = graphOf(ctx);
	if (!connections) return undefined;
	const outputs = connections[ctx.getNode().name]?.main ?? [];
	return (outputs[outputIndex] ?? []).map(({ node }) => node);
}

/** Names of the nodes that run whenever a suspended execution goes on, up to this node and with it. */
function resumedNodes(ctx: IExecuteFunctions, targets: string[]): Set<string> {
	const { name } = ctx.getNode();
	const connections = graphOf(ctx).connectionsBySourceNode!;
	const found = new Set(targets);
	for (const node of found)
		for (const next of (node === name ? [] : (connections[node]?.main ?? [])).flat())
			if (next) found.add(next.node);
	return found;
}

/** What nodes before this one have started, and how not to pay for it anew, as lines of an error. */
function startedBefore(ctx: IExecuteFunctions): string[] {
	const ids = ctx.getInputData().flatMap(({ json: { id } }) => (typeof id === 'string' ? id : []));
	const { nodes } = graphOf(ctx);
	const sources = ctx
		.getParentNodes(ctx.getNode().name)
		.flatMap(({ name }) => (bills(nodes?.[name]) ? `"${name}"` : []));
	if (ids.length === 0 || sources.length === 0) return [];
	const more = ids.length - NAMED_IDS;
	return [
		`Started in this run, and billed: ${ids.slice(0, NAMED_IDS).join(', ')}${more > 0 ? ` and ${more} more` : ''}. Before you run the workflow again, pin the output of ${sources.join(' and ')}: select the node and press P. Otherwise it starts and bills new ones.`,
	];
}

/** How many IDs an error names. */
const NAMED_IDS = 10;

/**
 * Checks that "Rendering" leads back to the node, directly or over other nodes, and over none that bills.
 * When a suspended execution goes on, n8n hands the node's input to that output without running the node:
 * without the wire the videos would leave the workflow there, and a node that bills would do so at every
 * status check. Throws `NodeOperationError`.
 */
export function checkWiring(ctx: IExecuteFunctions): void {
	const { name } = ctx.getNode();
	const targets = targetsOf(ctx, 0);
	if (!targets) return;
	const wiringError = (message: string, description: string) =>
		new NodeOperationError(ctx.getNode(), message, {
			description: [description, 'Nothing was suspended.', ...startedBefore(ctx)].join('\n'),
		});
	const resumed = resumedNodes(ctx, targets);
	if (!resumed.has(name))
		throw wiringError(
			`Connect the "${RENDERING}" output of "${name}" back to its own input`,
			`Drag from the dot labelled "${RENDERING}" on the right side of "${name}" to the dot on its left side. Without this connection the execution could not check the videos again. Continue from the dot labelled "${FINISHED}".`,
		);
	const billing = [...resumed].find((node) => bills(graphOf(ctx).nodes?.[node]));
	if (billing !== undefined)
		throw wiringError(
			`"${billing}" would run, and be billed, at every status check of "${name}"`,
			`The "${RENDERING}" output of "${name}" leads to it. Connect "${RENDERING}" to the dot on the left side of "${name}" itself, and not to a node before it. Continue from the dot labelled "${FINISHED}".`,
		);
	if (targetsOf(ctx, 1)?.includes(name))
		throw wiringError(
			`Disconnect the "${FINISHED}" output of "${name}" from its own input`,
			`Only the dot labelled "${RENDERING}" goes back to the node. Connect "${FINISHED}" to the node that works with the finished videos.`,
		);
}

/** Whether a node of the workflow bills when it runs. */
function bills(node: NonNullable<Graph['nodes']>[string]): boolean {
	if (!node || node.disabled || !BILLING_NODE.test(node.type)) return false;
	return !FREE_OPERATIONS.includes(String(node.parameters.operation));
}

/**
 * Whether nodes behind "Finished" start only after all videos have ended, although items leave as they
 * finish: n8n goes on with the higher of two nodes first (with the left one at the same height), and
 * that is then the suspending node itself.
 */
export function finishedRunsLast(ctx: IExecuteFunctions): boolean {
	const { nodes } = graphOf(ctx);
	const [x, y] = ctx.getNode().position;
	return (targetsOf(ctx, 1) ?? []).some((target) => {
		const position = nodes?.[target]?.position;
		if (!position) return false;
		return position[1] > y || (position[1] === y && position[0] > x);
	});
}
