import { randomUUID } from 'crypto';
import type { IExecuteFunctions, INode } from 'n8n-workflow';

/** One run of a node, or one call of it as the tool of an agent. */
export interface NodeRun {
	/** The same in every try that n8n makes of it, and another for every other run of the execution. */
	key: string;
	/** Set for a call of a tool: the run of the agent that calls. */
	agent?: {
		key: string;
		/** Whether n8n may repeat that run, and with it this call: the agent has "Retry On Fail". */
		mayRepeat: boolean;
	};
}

/** Keys of the things of n8n's that live as long as a call of a tool, or a run of an agent. */
const keys = new WeakMap<object, string>();
const keyOf = (thing: object): string => {
	const key = keys.get(thing) ?? randomUUID();
	keys.set(thing, key);
	return key;
};

/**
 * Tells what n8n runs, in the three ways that it runs a node (n8n-core 1.123 and 2.41):
 *
 * - on the canvas, or for the agents whose tools the engine runs: the run index stays in all tries;
 * - for an agent that calls its tools itself (`makeHandleToolInvocation`), the run index rises with every
 *   try, and calls may begin at the same one. What stays is the object of the arguments: n8n makes a new
 *   one for each call, and hands over the same one in each try.
 *
 * A node that is a tool has a type that ends in `Tool`.
 */
export function nodeRunOf(ctx: IExecuteFunctions): NodeRun {
	const node = ctx.getNode();
	const runKey = `run ${ctx.getWorkflowDataProxy(0).$runIndex as number}`;
	if (!node.type.endsWith('Tool')) return { key: runKey };
	const data = ctx.getExecuteData();
	const caller = data?.node;
	// What an agent calls has the agent's own data, what the engine runs has the tool's.
	if (caller && caller.name !== node.name) {
		const json = ctx.getInputData()[0]?.json;
		return {
			key: json ? keyOf(json) : runKey,
			agent: { key: keyOf(data), mayRepeat: caller.retryOnFail === true },
		};
	}
	const source = data?.source?.main?.[0];
	const { workflow } = ctx as unknown as { workflow?: { getNode?(name: string): INode | null } };
	const agent = source && workflow?.getNode?.(source.previousNode);
	return {
		key: runKey,
		agent: {
			key: source ? `${source.previousNode} ${source.previousNodeRun ?? 0}` : runKey,
			mayRepeat: agent?.retryOnFail === true,
		},
	};
}
