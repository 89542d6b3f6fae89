import './node-version';
import { spawn } from 'node:child_process';
import { realpathSync, watch } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import fastGlob from 'fast-glob';
import { startEmulator } from '../harness/emulator/emulator';
import { installN8n } from './install';
import { step } from './progress';
import {
	OWNER,
	startN8n,
	type N8nServer,
	type StoredCredential,
	type WorkflowFile,
} from './server';

const VERSION = '2.41.1';

const HELP = `An n8n that loads the nodes from these sources, and loads them again when a source changes.

  npm run dev                  with the local Mirage emulator: no key, no cost
  npm run dev -- --inspect     lets a debugger attach to n8n; breakpoints work in the TypeScript sources
  npm run dev -- --fresh       forgets the workflows and executions of earlier times

Options
  --base-url URL    the API that the credential in n8n points at, instead of the emulator
                    (its key is then yours to enter in n8n)
  --render-seconds NUMBER   how long the emulator renders (default 10)
  --help            this text

The first run installs n8n ${VERSION} into test/n8n/installs: a few minutes and about 2.5 GB on disk.
Workflows, credentials and executions stay in .demo/dev.`;

const PROJECT = realpathSync(join(__dirname, '..', '..'));
const USER_FOLDER = join(PROJECT, '.demo', 'dev');
/** Where n8n keeps community packages; the nodes are built straight into it. */
const COMMUNITY = join(USER_FOLDER, '.n8n', 'nodes');
const LOG = join(USER_FOLDER, 'n8n.log');
const CREDENTIAL = 'Mirage API';
/** What `tsc` does not copy; the same as in the gulpfile. */
const ASSETS = ['icons/*.svg', 'nodes/**/*.node.json', 'nodes/**/__schema__/**/*.json'];

interface Arguments {
	inspect: boolean;
	fresh: boolean;
	baseUrl: string | undefined;
	renderMs: number;
}

const cleanups: Array<() => Promise<unknown> | void> = [];

async function main(): Promise<void> {
	const args = readArguments();
	if (args.fresh) await rm(USER_FOLDER, { recursive: true, force: true });
	const target = await prepareFolder();
	await step('Build the nodes', async () => await startCompiler(join(target, 'dist')));
	watchAssets(join(target, 'dist'));
	await step(
		`Install n8n ${VERSION} (the first time takes some minutes)`,
		async (report) => await installN8n(VERSION, report),
	);
	const api = args.baseUrl
		? { url: args.baseUrl, apiKey: '' }
		: await step('Start the Mirage emulator', async () => {
				const emulator = await startEmulator({ renderMs: args.renderMs });
				cleanups.push(async () => await emulator.close());
				return emulator;
			});
	const server = await step(`Start n8n ${VERSION}`, async () => {
		const started = await startN8n({
			version: VERSION,
			userFolder: USER_FOLDER,
			logFile: LOG,
			env: {
				// Makes n8n watch the folders of its packages, and tell open editors when nodes have changed.
				N8N_DEV_RELOAD: 'true',
				NODE_OPTIONS: `--enable-source-maps${args.inspect ? ' --inspect=127.0.0.1:0' : ''}`,
			},
		});
		cleanups.push(async () => await started.stop());
		return started;
	});
	const workflows = await step('Set up the credential and the examples', async () => {
		const credential = await setUpCredential(server, api);
		return await setUpExamples(server, credential);
	});
	console.log(`
n8n loads the nodes from these sources. Save a file under nodes/, credentials/ or icons/, and n8n loads them
again; an open editor shows the change without being reloaded.

  ${server.url}
  E-mail    ${OWNER.email}
  Password  ${OWNER.password}
${workflows > 0 ? `\n${workflows} example workflows are in it, with the credential on their Mirage nodes.\n` : ''}
  API       ${api.url}
  n8n says  ${LOG}${args.inspect ? `\n  Debugger  ${await debuggerAddress()}` : ''}

Press Ctrl+C to end.`);
	await interruption;
}

function readArguments(): Arguments {
	try {
		const { values } = parseArgs({
			options: {
				inspect: { type: 'boolean', default: false },
				fresh: { type: 'boolean', default: false },
				help: { type: 'boolean', default: false },
				'base-url': { type: 'string' },
				'render-seconds': { type: 'string', default: '10' },
			},
		});
		if (values.help) {
			console.log(HELP);
			process.exit(0);
		}
		const seconds = Number(values['render-seconds']);
		if (!(seconds >= 0)) throw new Error('--render-seconds must be a number, 0 or more');
		return {
			inspect: values.inspect,
			fresh: values.fresh,
			baseUrl: values['base-url'],
			renderMs: seconds * 1_000,
		};
	} catch (error) {
		throw new Error(`${(error as Error).message}\n\n${HELP}`);
	}
}

/**
 * Makes the folder that n8n takes for an installed package. It is a folder of its own and no link to the
 * project: n8n watches all that lies in it, and the project holds whole installations of n8n.
 *
 * @returns the folder
 */
async function prepareFolder(): Promise<string> {
	const manifest = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')) as {
		name: string;
		version: string;
		n8n: object;
	};
	const { name, version, n8n } = manifest;
	const target = join(COMMUNITY, 'node_modules', name);
	await rm(LOG, { force: true });
	await rm(target, { recursive: true, force: true });
	await mkdir(target, { recursive: true });
	await writeFile(join(target, 'package.json'), JSON.stringify({ name, version, n8n }, null, '\t'));
	await writeFile(
		join(COMMUNITY, 'package.json'),
		JSON.stringify({ name: 'installed-nodes', private: true, dependencies: { [name]: version } }),
	);
	return target;
}

/**
 * Starts the TypeScript compiler, which goes on compiling what changes, and waits for its first pass.
 * Errors in the sources are printed and do not end it.
 */
async function startCompiler(outDir: string): Promise<void> {
	const compiler = spawn(
		process.execPath,
		[
			join(PROJECT, 'node_modules', 'typescript', 'bin', 'tsc'),
			'--watch',
			'--preserveWatchOutput',
			'--inlineSourceMap',
			'--outDir',
			outDir,
		],
		{ cwd: PROJECT, stdio: ['ignore', 'pipe', 'inherit'] },
	);
	cleanups.push(() => void compiler.kill());
	await new Promise<void>((resolve, reject) => {
		let passes = 0;
		compiler.stdout.setEncoding('utf8').on('data', (text: string) => {
			for (const line of text.split('\n')) {
				const errors = /Found (\d+) errors?\./.exec(line)?.[1];
				if (errors === undefined) {
					if (/: error TS\d+:/.test(line)) console.log(line);
					continue;
				}
				passes += 1;
				if (passes > 1)
					console.log(`${time()}  compiled${errors === '0' ? '' : `, ${errors} errors`}`);
				void copyAssets(outDir).then(resolve, reject);
			}
		});
		compiler.once('error', reject);
		compiler.once('exit', () => reject(new Error('The TypeScript compiler has ended')));
	});
}

const time = () => new Date().toTimeString().slice(0, 8);

async function copyAssets(outDir: string): Promise<void> {
	for (const asset of await fastGlob(ASSETS, { cwd: PROJECT })) {
		const copy = join(outDir, asset);
		const [from, to] = await Promise.all([
			readFile(join(PROJECT, asset)),
			readFile(copy).catch(() => undefined),
		]);
		if (to?.equals(from)) continue;
		await mkdir(dirname(copy), { recursive: true });
		await copyFile(join(PROJECT, asset), copy);
	}
}

/** Copies icons, codex files and output schemas again when one of them changes. */
function watchAssets(outDir: string): void {
	for (const folder of ['icons', 'nodes']) {
		const watcher = watch(join(PROJECT, folder), { recursive: true }, (_, file) => {
			// A file may be half written, or gone again, at the time of the event.
			if (file && /\.(json|svg)$/.test(file)) void copyAssets(outDir).catch(() => {});
		});
		cleanups.push(() => watcher.close());
	}
}

/** The credential of the earlier times with the API's address of this time, or a new one. */
async function setUpCredential(
	server: N8nServer,
	{ url, apiKey }: { url: string; apiKey: string },
): Promise<StoredCredential> {
	const stored = await server.rest<StoredCredential[]>('GET', '/credentials');
	const known = stored.find(({ type, name }) => type === 'mirageApi' && name === CREDENTIAL);
	const data = { baseUrl: url, apiKey };
	if (!known) return await server.createCredential('mirageApi', CREDENTIAL, data);
	// With another API than the emulator, the key in the credential is the developer's own.
	if (apiKey) {
		await server.rest('PATCH', `/credentials/${known.id}`, {
			name: CREDENTIAL,
			type: 'mirageApi',
			data,
		});
	}
	return known;
}

/** Imports the examples where there is no workflow yet. Returns how many. */
async function setUpExamples(server: N8nServer, credential: StoredCredential): Promise<number> {
	const stored = await server.rest<unknown[]>('GET', '/workflows');
	if (stored.length > 0) return 0;
	const folder = join(PROJECT, 'examples');
	const files = (await readdir(folder)).filter((file) => file.endsWith('.json'));
	for (const file of files) {
		const workflow = JSON.parse(await readFile(join(folder, file), 'utf8')) as WorkflowFile;
		for (const node of workflow.nodes) {
			if (!node.type.startsWith('n8n-nodes-mirage.')) continue;
			node.credentials = { mirageApi: { id: credential.id, name: credential.name } };
		}
		await server.importWorkflow(workflow);
	}
	return files.length;
}

/** What Node prints when a debugger can attach; n8n's own process is the first to print it. */
async function debuggerAddress(): Promise<string> {
	const log = await readFile(LOG, 'utf8');
	return [...log.matchAll(/Debugger listening on (ws:\S+)/g)][0]?.[1] ?? 'see the log';
}

async function cleanUp(): Promise<void> {
	for (const cleanup of cleanups.splice(0).reverse())
		await Promise.resolve(cleanup()).catch(() => {});
}

const interruption = new Promise<void>((resolve) => {
	let signalled = false;
	const onSignal = () => {
		// Who asks twice does not want to wait for n8n; what still runs is ended by force on exit.
		if (signalled) process.exit(130);
		signalled = true;
		console.log('\nEnding n8n …');
		resolve();
	};
	process.on('SIGINT', onSignal);
	process.on('SIGTERM', onSignal);
});

Promise.race([main(), interruption])
	.catch((error: Error) => {
		console.error(`\n${error.message}`);
		process.exitCode = 1;
	})
	.finally(() => void cleanUp().then(() => process.exit()));
