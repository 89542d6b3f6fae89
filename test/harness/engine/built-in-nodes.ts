import {
	UnexpectedError,
	type EngineRequest,
	type EngineResponse,
	type IDataObject,
	type IExecuteFunctions,
	type INodeExecutionData,
	type INodeType,
	type INodeTypeDescription,
} from 'n8n-workflow';
import type { Readable } from 'node:stream';

/** An input item of a test: its JSON, and the files that the start node stores under its fields. */
export interface InputItem {
	json?: IDataObject;
	files?: Record<
		string,
		{
			content: Buffer | Readable;
			fileName?: string;
			/** default: n8n's own guess */ mimeType?: string;
		}
	>;
}

/** The input items of running executions, by execution id. A workflow cannot hold files or streams. */
export const inputOfExecution = new Map<string, InputItem[]>();

const describe = (
	name: string,
	rest: Partial<INodeTypeDescription> = {},
): INodeTypeDescription => ({
	displayName: name,
	name,
	group: ['transform'],
	version: 1,
	description: name,
	defaults: { name },
	inputs: ['main'],
	outputs: ['main'],
	properties: [],
	...rest,
});

/** Emits the input items of the test, with their files stored in n8n's binary store. */
class Start implements INodeType {
	description = describe('start', { group: ['trigger'], inputs: [] });

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const input = inputOfExecution.get(this.getExecutionId()) ?? [];
		const items: INodeExecutionData[] = [];
		for (const { json = {}, files } of input) {
			const item: INodeExecutionData = { json };
			for (const [field, { content, fileName, mimeType }] of Object.entries(files ?? {})) {
				item.binary ??= {};
				item.binary[field] = await this.helpers.prepareBinaryData(content, fileName, mimeType);
			}
			items.push(item);
		}
		return [items];
	}
}

/** Replaces each item's JSON with the value of `json`, usually an expression. Files pass through. */
class SetJson implements INodeType {
	description = describe('set', {
		properties: [{ displayName: 'JSON', name: 'json', type: 'json', default: '{}' }],
	});

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return [
			this.getInputData().map((item, index) => {
				const value = this.getNodeParameter('json', index) as IDataObject | string;
				return {
					...item,
					json: typeof value === 'string' ? (JSON.parse(value) as IDataObject) : value,
					pairedItem: { item: index },
				};
			}),
		];
	}
}

/** Passes everything through. */
class NoOp implements INodeType {
	description = describe('noOp');

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return [this.getInputData()];
	}
}

/** Sends an item to the first output when `condition` is true for it, else to the second. */
class If implements INodeType {
	description = describe('if', {
		outputs: ['main', 'main'],
		properties: [{ displayName: 'Condition', name: 'condition', type: 'boolean', default: true }],
	});

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const outputs: [INodeExecutionData[], INodeExecutionData[]] = [[], []];
		this.getInputData().forEach((item, index) => {
			const side = this.getNodeParameter('condition', index) === true ? 0 : 1;
			outputs[side].push({ ...item, pairedItem: { item: index } });
		});
		return outputs;
	}
}

const isList = (value: unknown): value is IDataObject[] => Array.isArray(value);
const listParameter = (ctx: IExecuteFunctions, name: string): IDataObject[] => {
	const value = ctx.getNodeParameter(name, 0) as IDataObject | IDataObject[] | string;
	const parsed = typeof value === 'string' ? (JSON.parse(value) as IDataObject) : value;
	return isList(parsed) ? parsed : [parsed];
};

const agentProperties: INodeTypeDescription['properties'] = [
	{ displayName: 'Arguments', name: 'arguments', type: 'json', default: '{}' },
	{ displayName: 'Together', name: 'together', type: 'boolean', default: false },
	{ displayName: 'Own Tools', name: 'ownTools', type: 'boolean', default: false },
	{ displayName: 'Catch', name: 'catchErrors', type: 'boolean', default: false },
	{ displayName: 'Failures', name: 'failures', type: 'number', default: 0 },
];

/** Whether this try of an agent has to fail after its calls, as when its model does not answer. */
function failsNow(ctx: IExecuteFunctions): boolean {
	const memory = ctx.getContext('node');
	const failures = ctx.getNodeParameter('failures', 0) as number;
	if (Number(memory.failed ?? 0) >= failures) return false;
	memory.failed = Number(memory.failed ?? 0) + 1;
	return true;
}

/**
 * Calls its one connected tool itself, as the agents of n8n 1 and an agent inside another do. `arguments`
 * is one call or a list of them, one after the other or `together`. With `ownTools` each call has asked n8n
 * for the tool anew, as an agent does for each of its items: all begin at the same run index. The first
 * `failures` tries of the node end with an error after the calls. With `catchErrors` the error of a
 * tool is an answer, else it is the node's.
 */
class ToolCaller implements INodeType {
	description = describe('toolCaller', {
		inputs: ['main', { type: 'ai_tool' }],
		properties: agentProperties,
	});

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const toolOf = async () => {
			const [tool] = (await this.getInputConnectionData('ai_tool', 0)) as Array<{
				name: string;
				description: string;
				invoke: (toolArguments: IDataObject) => Promise<string>;
			}>;
			if (!tool) throw new UnexpectedError('No tool is connected');
			return tool;
		};
		const calls = listParameter(this, 'arguments');
		const together = this.getNodeParameter('together', 0) === true;
		const tool = await toolOf();
		const own = this.getNodeParameter('ownTools', 0) === true;
		const tools = own ? await Promise.all(calls.map(toolOf)) : calls.map(() => tool);
		const call = async (index: number) => {
			const answering = tools[index]!.invoke(calls[index]!);
			if (this.getNodeParameter('catchErrors', 0) !== true) return await answering;
			return await answering.catch((error: Error) => `Error: ${error.message}`);
		};
		const answers: string[] = [];
		if (together) answers.push(...(await Promise.all(calls.map(async (_, index) => call(index)))));
		else for (const index of calls.keys()) answers.push(await call(index));
		if (failsNow(this)) throw new UnexpectedError('The model did not answer');
		const { name, description } = tool;
		return [[{ json: { name, description, answer: answers[0], answers } }]];
	}
}

/**
 * Lets n8n's engine run the tool node `tool`, as the agents of n8n 2 do (`EngineRequest`): one pass for
 * each call, or all in one pass with `together`. In a pass after its calls, it fails as
 * {@link ToolCaller} does: with an error, or with "On Error: Continue" with an item that has one.
 */
class EngineAgent implements INodeType {
	description = describe('engineAgent', {
		inputs: ['main', { type: 'ai_tool' }],
		properties: [
			...agentProperties,
			{ displayName: 'Tool', name: 'tool', type: 'string', default: '' },
		],
	});

	async execute(
		this: IExecuteFunctions,
		response?: EngineResponse<unknown>,
	): Promise<INodeExecutionData[][] | EngineRequest> {
		const calls = listParameter(this, 'arguments');
		const fresh = (response?.actionResponses ?? []).map(({ data }) =>
			JSON.stringify(data.data?.ai_tool?.[0]?.map(({ json }) => json)),
		);
		const answers = [...((response?.metadata as { answers?: string[] })?.answers ?? []), ...fresh];
		const count = this.getNodeParameter('together', 0) === true ? calls.length : 1;
		const next = calls.slice(answers.length, answers.length + count);
		if (next.length > 0)
			return {
				actions: next.map((input) => ({
					actionType: 'ExecutionNodeAction',
					nodeName: this.getNodeParameter('tool', 0) as string,
					input,
					type: 'ai_tool',
					id: `call_${(callIds += 1)}`,
					metadata: { itemIndex: 0 },
				})),
				metadata: { answers },
			};
		if (!failsNow(this)) return [[{ json: { answers } }]];
		if (!this.continueOnFail()) throw new UnexpectedError('The model did not answer');
		return [[{ json: { error: 'The model did not answer' } }]];
	}
}
let callIds = 0;

/** Sends its input back until it did so `rounds` times, as "Loop Over Items" does. */
class Rounds implements INodeType {
	description = describe('rounds', {
		outputs: ['main', 'main'],
		properties: [{ displayName: 'Rounds', name: 'rounds', type: 'number', default: 2 }],
	});

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const memory = this.getContext('node') as IDataObject;
		const [first] = this.getInputData();
		memory.first ??= JSON.stringify(first);
		memory.round = Number(memory.round ?? 0) + 1;
		const again = Number(memory.round) <= (this.getNodeParameter('rounds', 0) as number);
		const out = JSON.parse(memory.first as string) as INodeExecutionData;
		return again ? [[], [out]] : [[out], []];
	}
}

/** Runs the test's sub-workflow with its input, as "Execute Sub-workflow" does, and emits its output. */
class ExecuteWorkflow implements INodeType {
	description = describe('executeWorkflow');

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const { data } = await this.executeWorkflow({ id: 'sub' }, this.getInputData());
		return data.map((items) => items ?? []);
	}
}

export const builtInNodes = [
	Start,
	SetJson,
	NoOp,
	If,
	ToolCaller,
	EngineAgent,
	Rounds,
	ExecuteWorkflow,
];
