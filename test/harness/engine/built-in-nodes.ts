import {
	UnexpectedError,
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

/** Calls its one connected tool with `arguments`, as an agent does, and emits what the tool says. */
class ToolCaller implements INodeType {
	description = describe('toolCaller', {
		inputs: ['main', { type: 'ai_tool' }],
		properties: [{ displayName: 'Arguments', name: 'arguments', type: 'json', default: '{}' }],
	});

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const tools = (await this.getInputConnectionData('ai_tool', 0)) as Array<{
			name: string;
			description: string;
			invoke: (toolArguments: IDataObject) => Promise<string>;
		}>;
		const [tool] = tools;
		if (!tool) throw new UnexpectedError('No tool is connected');
		const value = this.getNodeParameter('arguments', 0) as IDataObject | string;
		const answer = await tool.invoke(
			typeof value === 'string' ? (JSON.parse(value) as IDataObject) : value,
		);
		return [[{ json: { name: tool.name, description: tool.description, answer } }]];
	}
}

export const builtInNodes = [Start, SetJson, NoOp, If, ToolCaller];
