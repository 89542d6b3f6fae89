/**
 * Runs the package's nodes inside n8n's real engine: `WorkflowExecute` and the node contexts of
 * `n8n-core`, with its expressions, HTTP client, binary store and execution state. Only what the n8n
 * server adds around the engine is rebuilt here, after the server's own code: the stored credential,
 * the database, the waiting and the editor's calls.
 */
import { parse, stringify } from 'flatted';
import {
	createEmptyRunExecutionData,
	createRunExecutionData,
	UnexpectedError,
	Workflow,
	type ExecutionError,
	type IBinaryData,
	type IConnections,
	type IDataObject,
	type INode,
	type INodeExecutionData,
	type INodeListSearchResult,
	type INodeParameters,
	type INodeType,
	type IRun,
	type IRunData,
	type IRunExecutionData,
	type IWorkflowBase,
	type IWorkflowExecuteAdditionalData,
	type IWorkflowSettings,
	type NodeExecutionHint,
	type WorkflowExecuteMode,
} from 'n8n-workflow';

import { MirageApi } from '../../../credentials/MirageApi.credentials';
import { readStored, withBinaryMode, type BinaryMode } from './binary-store';
import { inputOfExecution, type InputItem } from './built-in-nodes';
import { credentialReference, StoredCredential } from './credentials';
import { Container, core, n8nRelease } from './n8n';
import { nodeTypes, storedTypeName } from './node-types';

export type { BinaryMode } from './binary-store';
export type { InputItem } from './built-in-nodes';
export { logLines, n8nRelease } from './n8n';
export { registerNode } from './node-types';

/** Name of the node that emits the input; it is put before the first node of every workflow. */
export const START = 'Start';

/** The key that runs use when a test gives none. */
export const DEFAULT_API_KEY = 'engine-test-key-5f0c';

/** A node of the workflow under test. */
export interface NodeSpec {
	/** Default: `type`. */
	name?: string;
	/** Name in the node's description, such as `mirageCreateVideo`, `set` or one from `registerNode`. */
	type: string;
	parameters?: INodeParameters;
	/** Whether the stored credential is set on it. Default: true where the node declares `mirageApi`. */
	credentials?: boolean;
	/** Settings tab: `onError`, `retryOnFail`, `maxTries`, `waitBetweenTries` (ms), `executeOnce`, … */
	settings?: Partial<INode>;
}

/** What to run, and how n8n is set up for it. */
export interface RunOptions {
	/** In the order in which they are chained, unless `connections` says otherwise. */
	nodes: NodeSpec[];
	/** Nodes, chained, of the workflow that a node `executeWorkflow` runs. */
	subWorkflow?: NodeSpec[];
	/** As n8n stores them, by node name. With them, `START` must be connected too. */
	connections?: IConnections;
	/** Items that the start node emits. Default: one empty item. */
	input?: InputItem[];
	/** Of the stored credential. */
	baseUrl: string;
	/** Of the stored credential. Default: `DEFAULT_API_KEY`. */
	apiKey?: string;
	/** Default: `memory`. */
	binaryMode?: BinaryMode;
	/** Workflow setting `binaryMode`. `combined` exists on n8n 2 only. Default: `separate`. */
	binaryLayout?: 'separate' | 'combined';
	workflowSettings?: IWorkflowSettings;
	/** Default: `trigger`, a production run. `manual` is a run from the editor. */
	mode?: WorkflowExecuteMode;
	/** Static data of the workflow at the start. */
	staticData?: IDataObject;
	/** Stop the execution after this many ms, as the editor's stop button does. */
	cancelAfterMs?: number;
	/** Stop the execution when this aborts. */
	cancelSignal?: AbortSignal;
	/** n8n's execution timeout in ms: the execution ends as timed out. */
	timeoutMs?: number;
	/** Called when the engine starts a node. */
	onNodeStart?: (nodeName: string) => void;
}

/** What came out of a run. */
export interface RunResult {
	/** As n8n's execution list shows it: `success`, `error`, `canceled` or `waiting`. */
	status: IRun['status'];
	/** The error that ended the execution, as n8n stores it: a plain object with message and context. */
	error?: ExecutionError;
	/** Items of one output of one node. Default: the last node's first output in its last run. */
	outputs(nodeName?: string, outputIndex?: number, runIndex?: number): INodeExecutionData[];
	/** Content of an item's file, from the binary store, in either layout. */
	file(item: INodeExecutionData | undefined, field: string): Promise<Buffer>;
	/** The stored description of an item's file: name, type, size. */
	binary(item: INodeExecutionData | undefined, field: string): IBinaryData;
	/** Hints that the nodes added for the editor, in order. */
	hints: NodeExecutionHint[];
	/** Messages that nodes sent to the editor with `sendMessageToUI`. */
	uiMessages: unknown[];
	runData: IRunData;
	/** When a suspended execution is due. */
	waitTill?: Date;
	/** The execution as n8n's database would hold it: the workflow, every run, item and error. */
	stored: string;
	/** Executions of the sub-workflow, in order. */
	subRuns: RunResult[];
	/** Milliseconds between the stop and the end of the execution, when it was stopped. */
	stoppedAfterMs?: number;
	fullRun: IRun;
}

interface StoredExecution {
	executionId: string;
	workflowData: IWorkflowBase;
	data: IRunExecutionData;
}

// Two columns of n8n's database: on the way back, the state no longer shares nodes with the workflow.
const store = ({ data, ...rest }: StoredExecution): string =>
	JSON.stringify({ ...rest, data: stringify(data) });
const restore = (text: string): StoredExecution => {
	const { data, ...rest } = JSON.parse(text) as StoredExecution & { data: string };
	return { ...rest, data: parse(data) as IRunExecutionData };
};

let executions = 0;
let polledWorkflows = 0;
const optionsOf = new WeakMap<RunResult, RunOptions>();

/**
 * Runs a workflow from its start node to its end, its first suspension or its stop.
 *
 * Never rejects for an error of the workflow: that is in `status` and `error`.
 *
 * @throws for a mistake in the options, such as an unknown node type
 */
export async function runWorkflow(options: RunOptions): Promise<RunResult> {
	if (options.binaryLayout === 'combined' && n8nRelease === '1.123')
		throw new UnexpectedError('n8n 1.123 has no combined binary layout');
	const executionId = String((executions += 1));
	const workflowData = buildWorkflow(options);
	inputOfExecution.set(executionId, options.input ?? [{}]);
	try {
		const data = createRunExecutionData({
			executionData: {
				nodeExecutionStack: [
					{ node: workflowData.nodes[0]!, data: { main: [[{ json: {} }]] }, source: null },
				],
			},
		});
		return await execute(options, { executionId, workflowData, data });
	} finally {
		inputOfExecution.delete(executionId);
	}
}

/**
 * Goes on with a suspended execution from its stored state only, as n8n does when it is due, also
 * after a restart (`n8n/dist/wait-tracker.js`). Does not wait for `waitTill`.
 *
 * @param previous a result with status `waiting`
 * @param changes options that differ from the first run, such as another `cancelAfterMs`
 * @throws when the execution is not waiting
 */
export async function resumeWorkflow(
	previous: RunResult,
	changes: Partial<RunOptions> = {},
): Promise<RunResult> {
	if (previous.status !== 'waiting')
		throw new UnexpectedError(`Only a waiting execution resumes; this one is ${previous.status}`);
	const options = { ...optionsOf.get(previous)!, ...changes };
	return await execute(options, restore(previous.stored), true);
}

/**
 * Runs the sub-workflow as an execution of its own, from the items that it is given
 * (`n8n/dist/workflow-execute-additional-data.js`, `executeWorkflow`).
 */
async function runSubWorkflow(
	{ subWorkflow, ...options }: RunOptions,
	items: INodeExecutionData[],
): Promise<RunResult> {
	const nodes = subWorkflow ?? [];
	const executionId = String((executions += 1));
	const workflowData = buildWorkflow({ ...options, nodes, connections: undefined });
	const node = workflowData.nodes[1]!;
	const data = createRunExecutionData({
		executionData: { nodeExecutionStack: [{ node, data: { main: [items] }, source: null }] },
	});
	return await execute({ ...options, nodes }, { executionId, workflowData, data });
}

async function execute(
	options: RunOptions,
	{ executionId, workflowData, data }: StoredExecution,
	resumed = false,
): Promise<RunResult> {
	const mode = options.mode ?? 'trigger';
	const workflow = new Workflow({
		id: workflowData.id,
		name: workflowData.name,
		nodes: workflowData.nodes,
		connections: workflowData.connections,
		active: workflowData.active,
		nodeTypes,
		staticData: workflowData.staticData,
		settings: workflowData.settings,
	});
	const uiMessages: unknown[] = [];
	const subRuns: RunResult[] = [];
	const hooks = new core.ExecutionLifecycleHooks(mode, executionId, workflowData);
	hooks.addHandler('nodeExecuteBefore', (nodeName) => options.onNodeStart?.(nodeName));
	const additionalData: IWorkflowExecuteAdditionalData = {
		...additionalDataFor(options),
		executeWorkflow: async (_info, _additionalData, { inputData }) => {
			const subRun = await runSubWorkflow(options, inputData ?? []);
			subRuns.push(subRun);
			if (subRun.error) throw subRun.error;
			return { executionId: '', data: [subRun.outputs()] };
		},
		hooks,
		executionId,
		workflowId: workflowData.id,
		workflowSettings: workflowData.settings,
		restartExecutionId: resumed ? executionId : undefined,
		executionTimeoutTimestamp:
			options.timeoutMs === undefined ? undefined : Date.now() + options.timeoutMs,
		sendDataToUI: (type, payload) => uiMessages.push({ type, payload }),
	};

	return await withBinaryMode(options.binaryMode ?? 'memory', async () => {
		const execution = new core.WorkflowExecute(additionalData, mode, data).processRunExecutionData(
			workflow,
		);
		let stoppedAt: number | undefined;
		const stop = () => {
			stoppedAt ??= Date.now();
			execution.cancel();
		};
		const timers = [options.cancelAfterMs, options.timeoutMs].map((ms) =>
			ms === undefined ? undefined : setTimeout(stop, ms),
		);
		options.cancelSignal?.addEventListener('abort', stop, { once: true });
		if (options.cancelSignal?.aborted) stop();
		try {
			const fullRun = await execution;
			const result = resultOf(fullRun, { executionId, workflowData, data: fullRun.data });
			result.uiMessages = uiMessages;
			result.subRuns = subRuns;
			if (stoppedAt !== undefined) result.stoppedAfterMs = Date.now() - stoppedAt;
			// The server saves a stopped execution at the stop, whatever its node throws afterwards.
			if (execution.isCanceled) result.status = 'canceled';
			optionsOf.set(result, options);
			return result;
		} finally {
			timers.forEach((timer) => clearTimeout(timer));
			options.cancelSignal?.removeEventListener('abort', stop);
		}
	});
}

function resultOf(fullRun: IRun, stored: StoredExecution): RunResult {
	const { runData, error, lastNodeExecuted } = fullRun.data.resultData;
	const binary = (item: INodeExecutionData | undefined, field: string): IBinaryData => {
		// `_files` is where n8n 2 keeps the files of an item in the combined layout.
		const combined = item?.json._files as unknown as Record<string, IBinaryData> | undefined;
		const found = item?.binary?.[field] ?? combined?.[field];
		if (!found) throw new UnexpectedError(`The item has no file "${field}"`);
		return found;
	};
	return {
		status: fullRun.status,
		error,
		outputs: (nodeName = lastNodeExecuted ?? '', outputIndex = 0, runIndex) =>
			runData[nodeName]?.at(runIndex ?? -1)?.data?.main?.[outputIndex] ?? [],
		binary,
		file: async (item, field) => await readStored(binary(item, field)),
		hints: Object.values(runData).flatMap((runs) => runs.flatMap(({ hints }) => hints ?? [])),
		uiMessages: [],
		subRuns: [],
		runData,
		waitTill: fullRun.waitTill ?? undefined,
		stored: store(stored),
		fullRun,
	};
}

/** Options of a single poll. */
export interface PollOptions {
	/** Default: `mirageTrigger`. */
	node?: string;
	parameters?: INodeParameters;
	baseUrl: string;
	apiKey?: string;
	/** The node's static data as n8n has it stored. Default: none yet. */
	staticData?: IDataObject;
	/** `trigger` is a scheduled poll of an active workflow, `manual` the editor's test. Default: `trigger`. */
	mode?: 'trigger' | 'manual';
	/** `activate` is the poll when the workflow is switched on. Default: `update` or `manual`. */
	activation?: 'init' | 'create' | 'update' | 'activate' | 'manual' | 'leadershipChange';
	binaryMode?: BinaryMode;
	/**
	 * Who runs the poll: n8n's memory (default), n8n 2.41's durable scheduler, or that with durable cursors.
	 * The scheduler gives a poll 36 s; with cursors the static data is a plain copy.
	 */
	scheduling?: Scheduling;
	/** Polls of the same workflow and node know of each other. Default: every call has its own. */
	workflowId?: string;
	/** Default: the node's type. */
	nodeName?: string;
}

/** How n8n runs polls; the flags of n8n 2.41 are in `docs/trigger.md`. */
export type Scheduling = 'memory' | 'scheduler' | 'cursors';

/** What a poll gave. */
export interface PollResult {
	/** Items that start an execution; null when the poll found nothing or failed. */
	items: INodeExecutionData[] | null;
	/** The node's static data in n8n's memory after the poll. */
	staticData: IDataObject;
	/**
	 * The node's static data in n8n's database after the poll: a manual poll saves nothing, an empty one
	 * only with durable cursors.
	 */
	savedStaticData: IDataObject;
	error?: Error;
	/** Content of an item's file. */
	file(item: INodeExecutionData | undefined, field: string): Promise<Buffer>;
}

/** Runs a polling trigger once, in n8n's real `PollContext` over real static data. */
export async function poll(options: PollOptions): Promise<PollResult> {
	const mode = options.mode ?? 'trigger';
	const type = options.node ?? 'mirageTrigger';
	const node = buildNode({ name: options.nodeName, type, parameters: options.parameters });
	const before = copy(options.staticData ?? {});
	const scheduling = options.scheduling ?? 'memory';
	const workflow = new Workflow({
		id: options.workflowId ?? `polled-workflow-${(polledWorkflows += 1)}`,
		nodes: [node],
		connections: {},
		active: mode === 'trigger',
		nodeTypes,
		staticData: options.staticData ? { [`node:${node.name}`]: copy(before) } : {},
	});
	const context = new core.PollContext(
		workflow,
		workflow.getNode(node.name)!,
		additionalDataFor(options),
		mode,
		options.activation ?? (mode === 'manual' ? 'manual' : 'update'),
	);
	// As n8n 2.41 does it in `trigger-execution-context.factory.js`; n8n 1 has neither.
	if (scheduling !== 'memory') Object.assign(context, { getPollBudgetMs: () => 36_000 });
	const data = scheduling === 'cursors' ? copy(before) : workflow.getStaticData('node', node);
	Object.assign(context, { getWorkflowStaticData: () => data });
	const nodeType = nodeTypes.getByNameAndVersion(node.type) as INodeType;

	return await withBinaryMode(options.binaryMode ?? 'memory', async () => {
		let items: INodeExecutionData[] | null = null;
		let error: Error | undefined;
		await workflow.expression.acquireIsolate();
		try {
			items = (await nodeType.poll!.call(context))?.[0] ?? null;
		} catch (thrown) {
			error = thrown as Error;
		} finally {
			await workflow.expression.releaseIsolate();
		}
		const staticData = copy(data);
		return {
			items,
			error,
			staticData,
			savedStaticData:
				mode === 'trigger' && (items !== null || (scheduling === 'cursors' && !error))
					? staticData
					: before,
			file: async (item, field) => {
				const binary = item?.binary?.[field];
				if (!binary) throw new UnexpectedError(`The item has no file "${field}"`);
				return await readStored(binary);
			},
		};
	});
}

/** Options of a list search. */
export interface ListSearchOptions {
	/** Type name of the node, such as `mirageList`. */
	node: string;
	/** Name of the method in the node's `methods.listSearch`. */
	method: string;
	/** What the user typed into the search box. */
	filter?: string;
	/** The `paginationToken` of the page before. */
	paginationToken?: string;
	/** Values of the node's other parameters in the editor. */
	parameters?: INodeParameters;
	/** Path of the parameter being searched. */
	path?: string;
	baseUrl: string;
	apiKey?: string;
	credentials?: boolean;
}

/**
 * Calls a list search as the editor does when a resource locator opens
 * (`n8n/dist/services/dynamic-node-parameters.service.js`), in n8n's real `LoadOptionsContext`.
 *
 * @throws what the method throws; the editor shows its message
 */
export async function listSearch(options: ListSearchOptions): Promise<INodeListSearchResult> {
	const node = buildNode({
		name: 'Temp-Node',
		type: options.node,
		parameters: options.parameters,
		credentials: options.credentials,
	});
	const nodeType = nodeTypes.getByNameAndVersion(node.type) as INodeType;
	const method = nodeType.methods?.listSearch?.[options.method];
	if (!method) throw new UnexpectedError(`${options.node} has no list search "${options.method}"`);
	const workflow = new Workflow({ nodes: [node], connections: {}, active: false, nodeTypes });
	const context = new core.LoadOptionsContext(
		workflow,
		workflow.getNode(node.name)!,
		{ ...additionalDataFor(options), currentNodeParameters: options.parameters ?? {} },
		options.path ?? '',
	);
	await workflow.expression.acquireIsolate();
	try {
		return await method.call(context, options.filter, options.paginationToken);
	} finally {
		await workflow.expression.releaseIsolate();
	}
}

/**
 * Tests a credential as its dialog does: sends the type's `test` request through n8n's `RoutingNode`
 * (`n8n/dist/services/credentials-tester.service.js`, `runRequestTest`).
 */
export async function testCredential(options: {
	baseUrl: string;
	apiKey?: string;
}): Promise<{ status: 'OK' | 'Error'; message: string }> {
	const { test } = new MirageApi();
	const noOp = nodeTypes.getByNameAndVersion(storedTypeName('noOp')) as INodeType;
	const nodeType = {
		description: {
			...noOp.description,
			credentials: [{ name: 'mirageApi', required: true }],
			properties: [
				{
					displayName: 'Temp',
					name: 'temp',
					type: 'string',
					routing: { request: test.request },
					default: '',
				},
			],
		},
	} as INodeType;
	const node: INode = {
		...buildNode({ name: 'Temp-Node', type: 'noOp' }),
		credentials: { mirageApi: credentialReference },
	};
	const workflow = new Workflow({
		nodes: [node],
		connections: {},
		active: false,
		nodeTypes: { ...nodeTypes, getByNameAndVersion: () => nodeType },
	});
	const context = new core.ExecuteContext(
		workflow,
		node,
		{ ...additionalDataFor(options), currentNodeParameters: node.parameters },
		'internal',
		createEmptyRunExecutionData(),
		0,
		[],
		{ main: [[{ json: {} }]] },
		{ node, data: {}, source: null },
		[],
	);
	const values = { apiKey: options.apiKey ?? DEFAULT_API_KEY, baseUrl: options.baseUrl };
	const routing = new core.RoutingNode(context, nodeType, {
		...credentialReference,
		type: 'mirageApi',
		data: values,
	} as never);
	await workflow.expression.acquireIsolate();
	try {
		await routing.runNode();
	} catch (thrown) {
		const { message, cause } = thrown as Error & {
			cause?: { code?: string; response?: { status: number; statusText: string } };
		};
		const response = cause?.response;
		if (response) {
			const rule = test.rules?.find(
				({ type, properties }) =>
					type === 'responseCode' && (properties as { value: unknown }).value === response.status,
			);
			if (rule) return { status: 'Error', message: rule.properties.message };
			if (response.status < 199 || response.status > 299)
				return {
					status: 'Error',
					message: response.statusText || `Received HTTP status code: ${response.status}`,
				};
		} else if (cause?.code) return { status: 'Error', message: cause.code };
		return { status: 'Error', message };
	} finally {
		await workflow.expression.releaseIsolate();
	}
	return { status: 'OK', message: 'Connection successful!' };
}

const WORKFLOW_ID = 'engine-workflow';

function buildNode({ name, type, parameters, credentials, settings }: NodeSpec): INode {
	const storedType = storedTypeName(type);
	const { description } = nodeTypes.getByNameAndVersion(storedType) as INodeType;
	const usesCredential = description.credentials?.some(({ name }) => name === 'mirageApi');
	return {
		id: `id-${name ?? type}`,
		name: name ?? type,
		type: storedType,
		typeVersion: [description.version].flat().at(-1)!,
		position: [0, 0],
		parameters: parameters ?? {},
		...(usesCredential && credentials !== false
			? { credentials: { mirageApi: credentialReference } }
			: {}),
		...settings,
	};
}

function buildWorkflow(options: RunOptions): IWorkflowBase {
	const nodes = [{ name: START, type: 'start' }, ...options.nodes].map(buildNode);
	const connections: IConnections = {};
	nodes.slice(1).forEach((node, index) => {
		connections[nodes[index]!.name] = { main: [[{ node: node.name, type: 'main', index: 0 }]] };
	});
	return {
		id: WORKFLOW_ID,
		name: 'Engine test',
		active: false,
		activeVersionId: null,
		isArchived: false,
		createdAt: new Date(),
		updatedAt: new Date(),
		nodes,
		connections: options.connections ?? connections,
		staticData: copy(options.staticData ?? {}),
		settings: {
			executionOrder: 'v1',
			...(options.binaryLayout ? { binaryMode: options.binaryLayout } : {}),
			...options.workflowSettings,
		},
	};
}

function additionalDataFor(options: {
	baseUrl: string;
	apiKey?: string;
}): IWorkflowExecuteAdditionalData {
	const webhooks = 'http://127.0.0.1/n8n';
	const unused = (name: string) => async () => {
		throw new UnexpectedError(`${name} is not part of the engine tests`);
	};
	return {
		currentNodeExecutionIndex: 0,
		credentialsHelper: new StoredCredential({
			apiKey: options.apiKey ?? DEFAULT_API_KEY,
			baseUrl: options.baseUrl,
		}),
		executeWorkflow: unused('executeWorkflow') as never,
		getRunExecutionData: unused('getRunExecutionData'),
		getRuntimeCredential: unused('getRuntimeCredential'),
		startRunnerTask: unused('startRunnerTask'),
		externalSecretsProxy: Container.get(core.ExternalSecretsProxy),
		setExecutionStatus: () => {},
		logAiEvent: () => {},
		variables: {},
		restApiUrl: `${webhooks}/rest`,
		instanceBaseUrl: `${webhooks}/`,
		formBaseUrl: `${webhooks}/form`,
		formWaitingBaseUrl: `${webhooks}/form-waiting`,
		formTestBaseUrl: `${webhooks}/form-test`,
		webhookBaseUrl: `${webhooks}/webhook`,
		webhookWaitingBaseUrl: `${webhooks}/webhook-waiting`,
		webhookTestBaseUrl: `${webhooks}/webhook-test`,
		mcpBaseUrl: `${webhooks}/mcp`,
		mcpTestBaseUrl: `${webhooks}/mcp-test`,
	};
}

const copy = (data: IDataObject): IDataObject => JSON.parse(JSON.stringify(data)) as IDataObject;
