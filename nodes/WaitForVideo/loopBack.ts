import type { IConnections, IExecuteFunctions, INode } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

/** Names of the two outputs of a suspending node, in their order. */
export const STILL_PROCESSING = 'Still Processing';
export const FINISHED = 'Finished';

/** The parts of the workflow that tell how a node is wired. */
interface Graph {
	connectionsBySourceNode?: IConnections;
	nodes?: Record<string, Pick<INode, 'position'> | undefined>;
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

/**
 * Checks that "Still Processing" leads back to the node, directly or over other nodes. When a suspended
 * execution goes on, n8n hands the node's input to that output without running the node: without the
 * wire the videos would leave the workflow there. Throws `NodeOperationError`.
 */
export function checkLoopBack(ctx: IExecuteFunctions): void {
	const { name } = ctx.getNode();
	const targets = targetsOf(ctx, 0);
	if (!targets) return;
	const leadsBack = targets.some(
		(target) => target === name || ctx.getChildNodes(target).some((child) => child.name === name),
	);
	if (!leadsBack)
		throw new NodeOperationError(
			ctx.getNode(),
			`Connect the "${STILL_PROCESSING}" output of "${name}" back to its own input`,
			{
				description: `Drag from the dot labelled "${STILL_PROCESSING}" on the right side of "${name}" to the dot on its left side. Nothing was suspended. Without this connection the execution could not look at the videos again. Continue from the dot labelled "${FINISHED}".`,
			},
		);
	if (targetsOf(ctx, 1)?.includes(name))
		throw new NodeOperationError(
			ctx.getNode(),
			`Disconnect the "${FINISHED}" output of "${name}" from its own input`,
			{
				description: `Only the dot labelled "${STILL_PROCESSING}" goes back to the node. Connect "${FINISHED}" to the node that works with the finished videos.`,
			},
		);
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
