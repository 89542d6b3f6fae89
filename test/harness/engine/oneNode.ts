import type { IDataObject } from 'n8n-workflow';

import type { Emulator } from '../emulator/emulator';
import { runWorkflow, type NodeSpec, type RunOptions, type RunResult } from './engine';
import { type InputItem } from './built-in-nodes';

/** What a locator parameter holds when its ID is given. */
export const byId = (value: string) => ({ __rl: true, mode: 'id', value });

/** Runs one node of the package over some items, with the key of the emulator. */
export async function runNode(
	mirage: Pick<Emulator, 'url' | 'apiKey'>,
	type: string,
	parameters: IDataObject,
	input: InputItem[],
	options: Partial<RunOptions> = {},
	settings: NodeSpec['settings'] = {},
): Promise<RunResult> {
	return await runWorkflow({
		baseUrl: mirage.url,
		apiKey: mirage.apiKey,
		nodes: [{ type, parameters: parameters as never, settings }],
		input,
		...options,
	});
}
