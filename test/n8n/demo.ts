import './node-version';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { MEDIA_FOLDER } from '../harness/emulator/media';
import { startEmulator } from '../harness/emulator/emulator';
import {
	exampleScript,
	importExample,
	LAST_NODE,
	MP4_FIELD,
	readExample,
	type ExampleInputs,
} from './example';
import { installN8n } from './install';
import { packPackage } from './pack';
import { servePortrait } from './portrait';
import { estimatePrice } from './price';
import { step, type ReportDetail } from './progress';
import { OWNER, startN8n, type Execution, type N8nServer, type StoredWorkflow } from './server';

const VERSION = '2.41.1';

const HELP = `From a portrait and a script to a captioned MP4, in a real n8n on this machine.

  npm run demo                 with the local Mirage emulator: no key, no cost
  npm run demo -- --once       ends after output.mp4 instead of leaving the editor open
  MIRAGE_API_KEY=… npm run demo -- --voice ID --portrait FILE_OR_URL
                               with the real Mirage API: costs money, and says how much first

Options
  --once                 end after the MP4
  --script TEXT          what the person says (default: the example's two sentences)
  --portrait FILE_OR_URL JPEG or PNG, upright 9:16 (needed with the real API)
  --voice ID             voice ID from your Mirage dashboard (needed with the real API)
  --yes                  agree to the cost without being asked
  --help                 this text

The first run installs n8n ${VERSION} into test/n8n/installs: a few minutes and about 2.5 GB on disk.
The MP4 is written to output.mp4 in the current folder.`;

const REAL_API = 'https://api.mirage.app';
const PROJECT = join(__dirname, '..', '..');
const OUTPUT = resolve('output.mp4');

/** Rendering takes minutes at the provider; the node itself gives up after 60 minutes by default. */
const RUN_TIMEOUT_MS = 130 * 60_000;
/** How long the emulator renders, in ms: long enough to be seen. */
const EMULATED_RENDER_MS = 4_000;

interface Arguments {
	once: boolean;
	yes: boolean;
	script: string | undefined;
	portrait: string | undefined;
	voice: string | undefined;
}

/** The API that the demo runs against, real or emulated. */
interface Api {
	url: string;
	apiKey: string;
	close: () => Promise<void>;
}

const SAME_INTERRUPTION_MS = 1_000;

/** An error whose message says all that the user needs. */
class DemoError extends Error {}

/** What is undone at the end, last thing first. */
const cleanups: Array<() => Promise<unknown>> = [];

/** Logs of this run, named if it fails. */
const logs: string[] = [];

async function main(): Promise<void> {
	const args = readArguments();
	const key = process.env.MIRAGE_API_KEY?.trim();
	const script = args.script ?? exampleScript(await readExample());
	if (!script.trim()) throw new DemoError('--script is empty: say what the person shall say.');
	if (key) requireOwnInputs(args);
	const portraitUrl = await portraitAddress(args.portrait ?? join(MEDIA_FOLDER, 'portrait.jpg'));
	if (key) await agreeToCost(script, args);

	await mkdir(join(PROJECT, '.demo'), { recursive: true });
	const folder = await mkdtemp(join(PROJECT, '.demo', 'run-'));
	const buildLog = join(folder, 'build.log');
	logs.push(buildLog, join(folder, 'n8n.log'));
	let succeeded = false;
	cleanups.push(async () => {
		if (succeeded) await rm(folder, { recursive: true, force: true });
	});

	const tarball = await step(
		'Build and pack the package',
		async (report) => await packPackage(folder, buildLog, report),
	);
	await step(
		`Install n8n ${VERSION} (the first time takes some minutes)`,
		async (report) => await installN8n(VERSION, report),
	);
	const api = key ? realApi(key) : await startLocalApi();
	cleanups.push(api.close);
	const server = await step(`Start n8n ${VERSION} with the packed package`, async () => {
		const started = await startN8n({
			version: VERSION,
			userFolder: folder,
			packageTarballs: [tarball],
		});
		cleanups.push(async () => await started.stop());
		return started;
	});
	const workflow = await step(
		'Create the credential and import the example workflow',
		async () =>
			await prepareWorkflow(server, api, {
				script,
				portraitUrl,
				voiceId: args.voice ?? 'demo-voice',
			}),
	);
	const execution = await step(
		'Run the workflow',
		async (report) => await run(server, workflow, report),
	);
	await step(`Write ${relative(process.cwd(), OUTPUT) || OUTPUT}`, async () => {
		await saveMp4(server, execution);
	});

	succeeded = true;

	if (!args.once) {
		console.log(`
The editor is open, with the workflow and the credential in it:

  ${server.url}/workflow/${workflow.id}

  E-mail    ${OWNER.email}
  Password  ${OWNER.password}

Press Ctrl+C to end.`);
		await interruption.wait();
	}
}

function readArguments(): Arguments {
	let values;
	try {
		({ values } = parseArgs({
			options: {
				once: { type: 'boolean', default: false },
				yes: { type: 'boolean', default: false },
				help: { type: 'boolean', default: false },
				script: { type: 'string' },
				portrait: { type: 'string' },
				voice: { type: 'string' },
			},
		}));
	} catch (error) {
		throw new DemoError(`${(error as Error).message}\n\n${HELP}`);
	}
	if (values.help) {
		console.log(HELP);
		process.exit(0);
	}
	return {
		once: values.once ?? false,
		yes: values.yes ?? false,
		script: values.script,
		portrait: values.portrait,
		voice: values.voice,
	};
}

/** The real API knows no demo voice, and a drawn face may be refused after it was paid for. */
function requireOwnInputs({ portrait, voice }: Arguments): void {
	if (!voice || !portrait) {
		throw new DemoError(
			'MIRAGE_API_KEY is set, so this would use the real Mirage API. It needs your own portrait and voice:\n' +
				'  npm run demo -- --voice ID --portrait FILE_OR_URL\n' +
				'Voice IDs are in your Mirage dashboard. Without MIRAGE_API_KEY the demo uses the local emulator.',
		);
	}
}

/** Says what the run will cost at the real API, and goes on only if the user wants that. */
async function agreeToCost(script: string, { yes }: Arguments): Promise<void> {
	const { seconds, usd } = estimatePrice(script);
	const range = ([low, high]: [number, number], digits: number) =>
		low === high ? low.toFixed(digits) : `${low.toFixed(digits)} to ${high.toFixed(digits)}`;
	console.log(
		`This uses the real Mirage API (${REAL_API}) and costs about ${range(usd, 2)} USD:\n` +
			`a video of ${range(seconds, 0)} s at 0.15 USD per second (billed in steps of 6 s) and its captions at\n` +
			'0.15 USD per started minute (prices of October 2026). Speech is generated too; your plan tells its price.',
	);
	if (yes) return;
	if (!process.stdin.isTTY) {
		throw new DemoError('Nobody is there to agree to the cost: add --yes to agree to it.');
	}
	const prompt = createInterface({ input: process.stdin, output: process.stdout });
	const answer = await prompt.question('Go on? [y/N] ');
	prompt.close();
	if (!/^y(es)?$/i.test(answer.trim())) throw new DemoError('Nothing was started.');
}

function realApi(apiKey: string): Api {
	console.log(`✓ Use the real Mirage API at ${REAL_API}`);
	return { url: REAL_API, apiKey, close: async () => {} };
}

async function startLocalApi(): Promise<Api> {
	return await step(
		'Start the Mirage emulator',
		async () => await startEmulator({ renderMs: EMULATED_RENDER_MS }),
	);
}

async function prepareWorkflow(
	server: N8nServer,
	api: Api,
	inputs: Omit<ExampleInputs, 'captionTemplate'>,
): Promise<StoredWorkflow> {
	const captionTemplate = await firstCaptionTemplate(api);
	const credential = await server.createCredential('mirageApi', 'Mirage API', {
		apiKey: api.apiKey,
		baseUrl: api.url,
	});
	return await importExample(server, { ...inputs, captionTemplate }, credential);
}

/** An address stays what it is; a file of this machine is served on one. */
async function portraitAddress(portrait: string): Promise<string> {
	if (/^https?:\/\//i.test(portrait)) return portrait;
	const served = await servePortrait(resolve(portrait));
	cleanups.push(served.close);
	return served.url;
}

async function firstCaptionTemplate(api: Api): Promise<{ id: string; name: string }> {
	const response = await fetch(`${api.url}/v1/videos/captions/templates?limit=1`, {
		headers: { 'x-api-key': api.apiKey },
		signal: AbortSignal.timeout(30_000),
	});
	if (!response.ok) {
		throw new DemoError(
			response.status === 401 || response.status === 403
				? 'The Mirage API refuses the key in MIRAGE_API_KEY.'
				: `The Mirage API does not list its caption templates: status ${response.status}.`,
		);
	}
	const { data } = (await response.json()) as { data: Array<{ id: string; name: string }> };
	if (!data[0]) throw new DemoError('This Mirage account has no caption template.');
	return data[0];
}

/** Runs the workflow to its end and prints a line for each node. */
async function run(
	server: N8nServer,
	workflow: StoredWorkflow,
	report: ReportDetail,
): Promise<Execution> {
	const executionId = await server.runWorkflow(workflow.id, {
		onNode: ({ nodeName, state, executionTimeMs = 0 }) => {
			if (state === 'running') return report(nodeName);
			if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
			console.log(
				`    ${state === 'success' ? '✓' : '✗'} ${nodeName} (${(executionTimeMs / 1000).toFixed(1)} s)`,
			);
		},
	});
	const execution = await server.waitForExecution(executionId, { timeoutMs: RUN_TIMEOUT_MS });
	if (execution.status !== 'success') {
		const { error, lastNodeExecuted } = execution.data.resultData;
		const description = (error as { description?: string } | undefined)?.description;
		throw new DemoError(
			[
				`The workflow ended with "${execution.status}" at the node "${lastNodeExecuted}": ${error?.message}`,
				description,
			]
				.filter(Boolean)
				.join('\n'),
		);
	}
	return execution;
}

/** Streams the MP4 to the disk; a file that is only half there never has the final name. */
async function saveMp4(server: N8nServer, execution: Execution): Promise<void> {
	const item = execution.data.resultData.runData[LAST_NODE]?.[0]?.data?.main?.[0]?.[0];
	const binary = item?.binary?.[MP4_FIELD];
	if (!binary) throw new DemoError(`The node "${LAST_NODE}" has brought no file.`);
	const partial = `${OUTPUT}.partial`;
	try {
		await pipeline(await server.openBinary(binary), createWriteStream(partial));
		await rename(partial, OUTPUT);
	} finally {
		await rm(partial, { force: true });
	}
}

async function cleanUp(): Promise<void> {
	for (const cleanup of cleanups.splice(0).reverse()) await cleanup().catch(() => {});
}

/** Ctrl+C ends the demo properly while the editor is open, and breaks it off before. */
function listenForInterruption() {
	let waiting: (() => void) | undefined;
	let signalledAt = 0;
	const onSignal = () => {
		// One Ctrl+C can arrive twice, from the terminal and from the program that runs this one.
		if (signalledAt && Date.now() - signalledAt < SAME_INTERRUPTION_MS) return;
		// Who asks again does not want to wait for n8n; what still runs is ended by force on exit.
		if (signalledAt) process.exit(130);
		signalledAt = Date.now();
		console.log('\nEnding n8n …');
		if (waiting) waiting();
		else void cleanUp().then(() => process.exit(130));
	};
	process.on('SIGINT', onSignal);
	process.on('SIGTERM', onSignal);
	return {
		wait: async () =>
			await new Promise<void>((resolve) => {
				waiting = resolve;
			}),
	};
}

const interruption = listenForInterruption();

main()
	.catch((error: Error) => {
		console.error(`\n${error.message}`);
		const written = logs.filter((file) => existsSync(file));
		if (written.length > 0 && !error.message.includes('Log: ')) {
			console.error(`Logs:\n${written.map((file) => `  ${file}`).join('\n')}`);
		}
		process.exitCode = 1;
	})
	.finally(cleanUp);
