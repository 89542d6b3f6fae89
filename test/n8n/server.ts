import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { ReadableStream } from 'node:stream/web';
import type {
	ExecutionStatus,
	IBinaryData,
	IConnections,
	INode,
	INodeExecutionData,
	IRunExecutionData,
	ITaskData,
} from 'n8n-workflow';
import { WebSocket } from 'undici';
import { runCommand, startProgram, type Program } from './command';
import { installN8n, type N8nInstall, type N8nVersion } from './install';

/** What a test or the demo chooses about a server. */
export interface N8nServerOptions {
	version: N8nVersion;
	/**
	 * n8n's user folder: it makes `.n8n` in it, with its database and its encryption key. A server that
	 * starts on the folder of an earlier one has that one's workflows, credentials and account.
	 */
	userFolder: string;
	/** Tarballs of `npm pack` to install as community packages before the server starts. */
	packageTarballs?: string[];
	/**
	 * Where n8n keeps binary data; `default` is its memory and the execution's own data.
	 * Default: `filesystem`, as n8n 2 itself chooses.
	 */
	binaryMode?: 'default' | 'filesystem' | 'database';
	/** Environment variables for this server, over the ones chosen here. */
	env?: Record<string, string>;
	/** File for what the server prints. Default: `n8n.log` in the user folder. */
	logFile?: string;
	/** How long the server may take to start, in ms. Default: 180 000. */
	startTimeoutMs?: number;
}

/** A workflow as n8n exports and imports it. */
export interface WorkflowFile {
	name: string;
	nodes: INode[];
	connections: IConnections;
	settings?: Record<string, unknown>;
	pinData?: Record<string, INodeExecutionData[]>;
}

/** A workflow as the server keeps it. */
export interface StoredWorkflow extends WorkflowFile {
	id: string;
	versionId: string;
	active: boolean;
}

export interface StoredCredential {
	id: string;
	name: string;
	type: string;
}

/** An execution with its data unpacked. */
export interface Execution {
	id: string;
	workflowId: string;
	status: ExecutionStatus;
	finished: boolean;
	startedAt: string;
	stoppedAt: string | null;
	data: IRunExecutionData;
}

/** A node's turn in an execution, as the editor is told of it. */
export interface NodeEvent {
	nodeName: string;
	state: 'running' | 'success' | 'error';
	/** Time the node took, in ms; absent while it runs. */
	executionTimeMs?: number;
}

export interface RunOptions {
	/** Trigger to start from. Default: the first node whose type ends in `Trigger`. */
	triggerName?: string;
	/** Called for each node that starts and ends, as the canvas shows it. */
	onNode?: (event: NodeEvent) => void;
}

export interface WaitOptions {
	/** Longest wait, in ms. Default: 120 000. */
	timeoutMs?: number;
	/** Statuses that end the wait. Default: `success`, `error`, `crashed`, `canceled`. */
	statuses?: ExecutionStatus[];
}

/** The account that every server here is set up with. */
export const OWNER = {
	email: 'demo@example.com',
	password: 'Mirage-demo-1',
	firstName: 'Mirage',
	lastName: 'Demo',
};

const PUSH_CONNECT_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 60_000;
const START_TIMEOUT_MS = 180_000;
/** n8n gives running executions 30 s to end (`N8N_GRACEFUL_SHUTDOWN_TIMEOUT`); this is a little more. */
const STOP_TIMEOUT_MS = 35_000;
const PUBLISH_TIMEOUT_MS = 30_000;
const POLL_INTERVAL_MS = 250;

const FINAL_STATUSES: ExecutionStatus[] = ['success', 'error', 'crashed', 'canceled'];

/**
 * Variables that n8n itself reads, and those by which npm configures what it starts, also the npm that n8n
 * runs: a developer's own settings must not change what is tested.
 */
const N8N_VARIABLES =
	/^(N8N_|DB_|EXECUTIONS_|QUEUE_|NODES_|NODE_FUNCTION_|CREDENTIALS_|GENERIC_|WEBHOOK_|VUE_APP_|MIRAGE_|NODE_OPTIONS$|NODE_ENV$|npm_)/i;

/**
 * Starts a real n8n server on a free loopback port, sets up its account and logs in. Installs the n8n
 * version first if need be. The caller stops it with {@link N8nServer.stop}.
 *
 * @throws Error with the log's path and last lines if the server does not come up
 */
export async function startN8n(options: N8nServerOptions): Promise<N8nServer> {
	const install = await installN8n(options.version);
	await mkdir(options.userFolder, { recursive: true });
	for (const tarball of options.packageTarballs ?? []) {
		await installCommunityPackage(options.userFolder, tarball);
	}
	const [port, brokerPort] = await freePorts(2);
	const server = new N8nServer(install, options, port!, brokerPort!);
	await server.start();
	return server;
}

/**
 * Unpacks a tarball where n8n keeps community packages, with the list that n8n keeps beside them: the same
 * files as after an installation in the editor.
 *
 * @param tarball path of a file made by `npm pack`; the package must have no runtime dependencies
 * @returns the folder the package stands in
 */
export async function installCommunityPackage(
	userFolder: string,
	tarball: string,
): Promise<string> {
	const nodesFolder = join(userFolder, '.n8n', 'nodes');
	await mkdir(nodesFolder, { recursive: true });
	const unpacked = await mkdtemp(join(nodesFolder, 'unpack-'));
	await runCommand('tar', ['-xzf', tarball, '-C', unpacked, '--strip-components=1'], {
		cwd: dirname(tarball),
		logFile: join(userFolder, 'install.log'),
		timeoutMs: 60_000,
	});
	const manifestPath = join(unpacked, 'package.json');
	const manifest = JSON.parse(await readFile(manifestPath, 'utf8')) as Record<string, unknown> & {
		name: string;
		version: string;
	};
	if (Object.keys((manifest.dependencies as object | undefined) ?? {}).length > 0) {
		throw new Error(`${manifest.name} has runtime dependencies, which n8n's verification refuses`);
	}
	// n8n removes these before it runs npm in the folder.
	delete manifest.devDependencies;
	delete manifest.peerDependencies;
	delete manifest.optionalDependencies;
	await writeFile(manifestPath, JSON.stringify(manifest, null, 2));

	const target = join(nodesFolder, 'node_modules', manifest.name);
	await rm(target, { recursive: true, force: true });
	await mkdir(dirname(target), { recursive: true });
	await rename(unpacked, target);

	const installedPath = join(nodesFolder, 'package.json');
	const installed = JSON.parse(
		await readFile(installedPath, 'utf8').catch(
			() => '{"name":"installed-nodes","private":true,"dependencies":{}}',
		),
	) as { dependencies: Record<string, string> };
	installed.dependencies[manifest.name] = manifest.version;
	await writeFile(installedPath, JSON.stringify(installed, null, 2));
	return target;
}

/** A running n8n server and what its editor can do, over the REST API that the editor uses. */
export class N8nServer {
	readonly version: N8nVersion;

	/** Where the editor and the REST API are, without a slash at the end. */
	readonly url: string;

	readonly userFolder: string;

	/** File with everything the server printed. */
	readonly logFile: string;

	private child: Program | undefined;

	private cookie = '';

	constructor(
		private readonly install: N8nInstall,
		private readonly options: N8nServerOptions,
		private readonly port: number,
		private readonly brokerPort: number,
	) {
		this.version = install.version;
		this.url = `http://127.0.0.1:${port}`;
		this.userFolder = options.userFolder;
		this.logFile = options.logFile ?? join(options.userFolder, 'n8n.log');
	}

	/** Process id of the server, or undefined while it is stopped. */
	get pid(): number | undefined {
		return this.child?.pid;
	}

	/** The cookie of the logged-in owner, `name=value`; a browser that has it needs no login. */
	get sessionCookie(): string {
		return this.cookie;
	}

	/** Starts the stopped server on the port and the folder it had, and logs in. */
	async start(): Promise<void> {
		if (this.child) throw new Error('This n8n server runs already');
		const child = spawnN8n(this.install, ['start'], {
			userFolder: this.userFolder,
			env: this.environment(),
			logFile: this.logFile,
		});
		this.child = child;
		// Before anyone else waits for its end, so that who does can start it again.
		const forget = () => {
			if (this.child === child) this.child = undefined;
		};
		void child.then(forget, forget);
		try {
			await this.untilHealthy(Date.now() + (this.options.startTimeoutMs ?? START_TIMEOUT_MS));
			await this.logIn();
		} catch (error) {
			await this.stop({ signal: 'SIGKILL' });
			throw await startError(`n8n ${this.version}`, this.logFile, error as Error);
		}
	}

	/**
	 * Starts a worker for this server, which must run in queue mode (`EXECUTIONS_MODE`, with database, Redis
	 * and encryption key in its variables). The worker has a user folder of its own, with the same packages.
	 *
	 * @param concurrency executions that it runs at the same time; n8n's own default is 10
	 * @throws Error with the log's path and last lines if the worker does not come up
	 */
	async startWorker(userFolder: string, concurrency = 10): Promise<N8nWorker> {
		await mkdir(userFolder, { recursive: true });
		for (const tarball of this.options.packageTarballs ?? []) {
			await installCommunityPackage(userFolder, tarball);
		}
		const [port, brokerPort] = await freePorts(2);
		const logFile = join(userFolder, 'n8n.log');
		const child = spawnN8n(this.install, ['worker', `--concurrency=${concurrency}`], {
			userFolder,
			env: {
				...this.environment(),
				N8N_USER_FOLDER: userFolder,
				N8N_RUNNERS_BROKER_PORT: String(brokerPort),
				N8N_WORKER_SERVER_ADDRESS: '127.0.0.1',
				QUEUE_HEALTH_CHECK_ACTIVE: 'true',
				QUEUE_HEALTH_CHECK_PORT: String(port),
			},
			logFile,
		});
		const stop = async (signal: NodeJS.Signals = 'SIGTERM') => await end(child, signal);
		const deadline = Date.now() + START_TIMEOUT_MS;
		const ready = async () =>
			await fetch(`http://127.0.0.1:${port}/healthz/readiness`, {
				signal: AbortSignal.timeout(5_000),
			}).then(
				({ ok }) => ok,
				() => false,
			);
		while (!(await ready())) {
			if (child.exitCode !== null || Date.now() > deadline) {
				await stop('SIGKILL');
				throw await startError('The worker', logFile, new Error('it does not answer'));
			}
			await pause(POLL_INTERVAL_MS);
		}
		return { logFile, stop };
	}

	/**
	 * Ends the server and waits until it is gone: `SIGTERM` lets it finish what runs and is followed by
	 * force after 35 s, `SIGKILL` is a power cut. Does nothing if it is not running.
	 */
	async stop({ signal = 'SIGTERM' }: { signal?: 'SIGTERM' | 'SIGKILL' } = {}): Promise<void> {
		if (this.child) await end(this.child, signal);
	}

	/** Stops the server and starts it again: same port, same folder. */
	async restart(how?: { signal?: 'SIGTERM' | 'SIGKILL' }): Promise<void> {
		await this.stop(how);
		await this.start();
	}

	/**
	 * One request to the REST API that n8n's editor uses, as the owner.
	 *
	 * @param path after `/rest`, with a leading slash
	 * @param pushRef names the editor tab that is told of what the request sets off
	 * @returns what the answer holds under `data`
	 * @throws Error with n8n's message if the status is 400 or more
	 */
	async rest<T>(method: string, path: string, body?: unknown, pushRef?: string): Promise<T> {
		const response = await this.request(method, path, body, pushRef);
		const text = await response.text();
		if (!response.ok)
			throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
		return (JSON.parse(text) as { data: T }).data;
	}

	/** Creates a credential; `data` holds its fields by name. */
	async createCredential(
		type: string,
		name: string,
		data: Record<string, unknown>,
	): Promise<StoredCredential> {
		return await this.rest('POST', '/credentials', { type, name, data });
	}

	/** Stores a workflow as the editor's import does. */
	async importWorkflow({
		name,
		nodes,
		connections,
		settings = {},
		pinData,
	}: WorkflowFile): Promise<StoredWorkflow> {
		return await this.rest('POST', '/workflows', {
			name,
			nodes,
			connections,
			settings,
			pinData,
			active: false,
		});
	}

	/** Makes a workflow's triggers live: n8n 2 calls it publishing, n8n 1 activating. */
	async activate(workflowId: string): Promise<void> {
		await this.setActive(workflowId, true);
	}

	/** The opposite of {@link activate}. */
	async deactivate(workflowId: string): Promise<void> {
		await this.setActive(workflowId, false);
	}

	/**
	 * Runs a stored workflow as the editor's button does, and does not wait for its end.
	 *
	 * @returns the execution's id
	 */
	async runWorkflow(workflowId: string, { triggerName, onNode }: RunOptions = {}): Promise<string> {
		const workflowData = await this.rest<StoredWorkflow>('GET', `/workflows/${workflowId}`);
		const name =
			triggerName ?? workflowData.nodes.find(({ type }) => type.endsWith('Trigger'))?.name;
		if (!name) throw new Error(`Workflow "${workflowData.name}" has no trigger to start from`);
		const pushRef = onNode ? await this.watchNodes(onNode) : undefined;
		// n8n 1 runs the workflow that is sent, n8n 2 the stored one.
		const { executionId } = await this.rest<{ executionId?: string }>(
			'POST',
			`/workflows/${workflowId}/run`,
			{ workflowData, triggerToStartFrom: { name } },
			pushRef,
		);
		if (!executionId) throw new Error(`n8n waits for a webhook instead of running "${name}"`);
		return executionId;
	}

	/** The executions of a workflow that n8n has stored, newest first, without their data. */
	async listExecutions(workflowId: string): Promise<Array<Pick<Execution, 'id' | 'status'>>> {
		const filter = encodeURIComponent(JSON.stringify({ workflowId }));
		const { results } = await this.rest<{ results: Array<Pick<Execution, 'id' | 'status'>> }>(
			'GET',
			`/executions?filter=${filter}&limit=100`,
		);
		return results;
	}

	/** An execution with its data, in whatever state it is. */
	async readExecution(executionId: string): Promise<Execution> {
		const execution = await this.rest<Omit<Execution, 'data'> & { data: string }>(
			'GET',
			`/executions/${executionId}`,
		);
		return { ...execution, data: this.unpack(execution.data) };
	}

	/**
	 * Waits until an execution has ended.
	 *
	 * @throws Error if it has not after `timeoutMs`
	 */
	async waitForExecution(
		executionId: string,
		{ timeoutMs = 120_000, statuses = FINAL_STATUSES }: WaitOptions = {},
	): Promise<Execution> {
		const deadline = Date.now() + timeoutMs;
		for (;;) {
			const { status } = await this.rest<{ status: ExecutionStatus }>(
				'GET',
				`/executions/${executionId}`,
			);
			if (statuses.includes(status)) return await this.readExecution(executionId);
			if (Date.now() > deadline) {
				throw new Error(
					`Execution ${executionId} is still "${status}" after ${Math.round(timeoutMs / 1000)} s`,
				);
			}
			await pause(POLL_INTERVAL_MS);
		}
	}

	/** A file that an execution's item holds, as a stream of its bytes, wherever n8n keeps it. */
	async openBinary(binary: IBinaryData): Promise<Readable> {
		if (!binary.id) return Readable.from(Buffer.from(binary.data, 'base64'));
		const query = new URLSearchParams({ id: binary.id, action: 'download' });
		const response = await this.request('GET', `/binary-data?${query}`);
		if (!response.ok || !response.body) {
			throw new Error(`n8n does not hand out the file ${binary.id}: ${response.status}`);
		}
		return Readable.fromWeb(response.body as ReadableStream);
	}

	private environment(): NodeJS.ProcessEnv {
		const inherited = Object.entries(process.env).filter(([name]) => !N8N_VARIABLES.test(name));
		return {
			...Object.fromEntries(inherited),
			NODE_ENV: 'production',
			N8N_USER_FOLDER: this.userFolder,
			N8N_LISTEN_ADDRESS: '127.0.0.1',
			N8N_HOST: '127.0.0.1',
			N8N_PORT: String(this.port),
			N8N_RUNNERS_BROKER_PORT: String(this.brokerPort),
			N8N_SECURE_COOKIE: 'false',
			N8N_DEFAULT_BINARY_DATA_MODE: this.options.binaryMode ?? 'filesystem',
			N8N_UNVERIFIED_PACKAGES_ENABLED: 'true',
			// Everything below stops n8n from calling out and from greeting a new user with questions.
			N8N_VERIFIED_PACKAGES_ENABLED: 'false',
			N8N_DIAGNOSTICS_ENABLED: 'false',
			N8N_TEMPLATES_ENABLED: 'false',
			N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
			N8N_VERSION_NOTIFICATIONS_WHATS_NEW_ENABLED: 'false',
			N8N_DYNAMIC_BANNERS_ENABLED: 'false',
			N8N_HIRING_BANNER_ENABLED: 'false',
			N8N_PERSONALIZATION_ENABLED: 'false',
			N8N_LICENSE_AUTO_RENEW_ENABLED: 'false',
			...(this.version.startsWith('1.')
				? { N8N_AVAILABLE_BINARY_DATA_MODES: 'filesystem,database' }
				: { N8N_DISABLED_MODULES: 'mcp-registry' }),
			...this.options.env,
		};
	}

	/** n8n answers its health path before its REST API is up, so both are asked. */
	private async untilHealthy(deadline: number): Promise<void> {
		const answers = async (path: string) =>
			await fetch(this.url + path, { signal: AbortSignal.timeout(5_000) }).then(
				(response) => response.ok && (response.headers.get('content-type') ?? '').includes('json'),
				() => false,
			);
		while (!((await answers('/healthz/readiness')) && (await answers('/rest/settings')))) {
			if (!this.child) throw new Error('the process has ended');
			if (Date.now() > deadline) throw new Error('it does not answer in time');
			await pause(POLL_INTERVAL_MS);
		}
	}

	private async logIn(): Promise<void> {
		this.cookie = '';
		const { userManagement } = await this.rest<{
			userManagement: { showSetupOnFirstLoad: boolean };
		}>('GET', '/settings');
		const response = userManagement.showSetupOnFirstLoad
			? await this.request('POST', '/owner/setup', OWNER)
			: await this.request('POST', '/login', {
					emailOrLdapLoginId: OWNER.email,
					password: OWNER.password,
				});
		const cookie = response.headers
			.getSetCookie()
			.map((header) => header.split(';')[0]!)
			.find((pair) => pair.startsWith('n8n-auth='));
		if (!response.ok || !cookie) {
			throw new Error(`no login: ${response.status} ${(await response.text()).slice(0, 300)}`);
		}
		this.cookie = cookie;
	}

	private async setActive(workflowId: string, active: boolean): Promise<void> {
		const { versionId } = await this.rest<StoredWorkflow>('GET', `/workflows/${workflowId}`);
		const verb = active ? 'activate' : 'deactivate';
		await this.rest('POST', `/workflows/${workflowId}/${verb}`, { versionId });
		if (this.version.startsWith('1.')) return;
		// n8n 2 answers before the triggers are live.
		const deadline = Date.now() + PUBLISH_TIMEOUT_MS;
		for (;;) {
			const { status } = await this.rest<{ status: string }>(
				'GET',
				`/workflows/${workflowId}/publication-status`,
			);
			if (status === (active ? 'published' : 'not_published')) return;
			if (status === 'failed' || status === 'partial' || Date.now() > deadline) {
				throw new Error(`n8n does not ${verb} workflow ${workflowId}: ${status}`);
			}
			await pause(POLL_INTERVAL_MS);
		}
	}

	private async request(
		method: string,
		path: string,
		body?: unknown,
		pushRef?: string,
	): Promise<Response> {
		return await fetch(`${this.url}/rest${path}`, {
			method,
			headers: {
				// n8n ends a connection that rests for 5 s, and a request may just then be on its way.
				connection: 'close',
				...(this.cookie && { cookie: this.cookie }),
				...(body !== undefined && { 'content-type': 'application/json' }),
				...(pushRef && { 'push-ref': pushRef }),
			},
			body: body === undefined ? undefined : JSON.stringify(body),
			signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
		});
	}

	/**
	 * Listens as an editor tab does, until the execution it was opened for has ended.
	 *
	 * @returns the tab's name, to be sent with the request that starts the execution
	 */
	private async watchNodes(onNode: (event: NodeEvent) => void): Promise<string> {
		const pushRef = randomUUID();
		const socket = new WebSocket(
			`${this.url.replace('http:', 'ws:')}/rest/push?pushRef=${pushRef}`,
			{ headers: { cookie: this.cookie, origin: this.url } },
		);
		socket.addEventListener('message', ({ data }) => {
			if (typeof data !== 'string') return;
			const message = JSON.parse(data) as {
				type: string;
				data: { nodeName: string; data: ITaskData };
			};
			if (message.type === 'executionFinished') socket.close();
			if (message.type === 'nodeExecuteBefore') {
				onNode({ nodeName: message.data.nodeName, state: 'running' });
			}
			if (message.type === 'nodeExecuteAfter') {
				const { executionTime, executionStatus } = message.data.data;
				onNode({
					nodeName: message.data.nodeName,
					state: executionStatus === 'success' ? 'success' : 'error',
					executionTimeMs: executionTime,
				});
			}
		});
		await new Promise<void>((resolve, reject) => {
			const timer = setTimeout(
				() => reject(new Error('n8n does not open its push connection')),
				PUSH_CONNECT_TIMEOUT_MS,
			);
			socket.addEventListener('open', () => {
				clearTimeout(timer);
				resolve();
			});
			socket.addEventListener('error', () => {
				clearTimeout(timer);
				reject(new Error('n8n refuses its push connection'));
			});
		});
		return pushRef;
	}

	/** Reads execution data with the server's own copy of the library that packed it. */
	private unpack(packed: string): IRunExecutionData {
		const require = createRequire(join(this.install.directory, 'package.json'));
		const flatted = require('flatted') as { parse(text: string): unknown };
		return flatted.parse(packed) as IRunExecutionData;
	}
}

/** A running n8n worker of queue mode. */
export interface N8nWorker {
	/** File with everything the worker printed, such as the IDs of the executions it ran. */
	logFile: string;
	/** Ends it, as {@link N8nServer.stop} does. */
	stop: (signal?: 'SIGTERM' | 'SIGKILL') => Promise<void>;
}

/** Starts one n8n process; it ends at the latest with this one. */
function spawnN8n(
	install: N8nInstall,
	args: string[],
	{ userFolder, env, logFile }: { userFolder: string; env: NodeJS.ProcessEnv; logFile: string },
): Program {
	const child = startProgram(install.node, [install.cli, ...args], {
		cwd: userFolder,
		env,
		logFile,
		// A group of its own, so that an end by force reaches n8n's task runner too.
		detached: process.platform !== 'win32',
	});
	const endByForce = () => kill(child, 'SIGKILL');
	process.once('exit', endByForce);
	child.once('close', () => process.off('exit', endByForce));
	return child;
}

/** Ends a process and waits until it is gone, by force after a while. */
async function end(child: Program, signal: NodeJS.Signals): Promise<void> {
	kill(child, signal);
	const force = setTimeout(() => kill(child, 'SIGKILL'), STOP_TIMEOUT_MS);
	await child;
	clearTimeout(force);
}

async function startError(what: string, logFile: string, error: Error): Promise<Error> {
	const log = await readFile(logFile, 'utf8').catch(() => '');
	const tail = log.trim().split('\n').slice(-15).join('\n');
	return new Error(`${what} did not start: ${error.message}\n${tail}\nLog: ${logFile}`);
}

/** Ends a server with the processes it started. */
function kill(child: Program, signal: NodeJS.Signals): void {
	if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
	if (signal === 'SIGKILL' && process.platform !== 'win32') process.kill(-child.pid, signal);
	else child.kill(signal);
}

/** Ports of the loopback interface that nobody listens on at the moment, all different. */
export async function freePorts(count: number): Promise<number[]> {
	const servers = await Promise.all(
		Array.from(
			{ length: count },
			async () =>
				await new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
					const server = createServer().once('error', reject);
					server.listen(0, '127.0.0.1', () => resolve(server));
				}),
		),
	);
	const ports = servers.map((server) => (server.address() as AddressInfo).port);
	await Promise.all(
		servers.map(async (server) => await new Promise((resolve) => server.close(resolve))),
	);
	return ports;
}
