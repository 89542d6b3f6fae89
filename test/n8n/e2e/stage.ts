import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { INodeExecutionData } from 'n8n-workflow';
import { MEDIA } from '../../harness/emulator/media';
import {
	startEmulator,
	type Emulator,
	type EmulatorOptions,
} from '../../harness/emulator/emulator';
import type { N8nVersion } from '../install';
import { servePortrait } from '../portrait';
import {
	startN8n,
	type Execution,
	type N8nServer,
	type N8nServerOptions,
	type StoredCredential,
} from '../server';

/** The API key of every test here; it occurs nowhere by chance. */
export const API_KEY = 'mira_e2e_5d1c9f3ab07e4c2f';

// A test that is ended from outside ends what it has started, too: that is done on `exit`.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** Everything one test works with: an n8n server with the packed package, and a Mirage API. */
export interface Stage {
	emulator: Emulator;
	server: N8nServer;
	credential: StoredCredential;
	/** Address of a JPEG that n8n can fetch. */
	portraitUrl: string;
	/** n8n's user folder. */
	folder: string;
	/** Ends everything. */
	close(): Promise<void>;
}

export interface StageOptions {
	server?: Partial<Omit<N8nServerOptions, 'version' | 'userFolder'>>;
	emulator?: EmulatorOptions;
	/** Whether to create the credential, which needs the package. Default true. */
	credential?: boolean;
}

/** Name of the variable that tells test files which packed package they test. */
export const TARBALL_VARIABLE = 'E2E_TARBALL';
/** Name of the variable that tells test files where their folders go. */
export const FOLDER_VARIABLE = 'E2E_FOLDER';

/** The packed package under test. Throws Error outside `npm run test:n8n`, which packs it. */
export function packedPackage(): string {
	const tarball = process.env[TARBALL_VARIABLE];
	if (!tarball) throw new Error('Run this by "npm run test:n8n", which packs the package first');
	return tarball;
}

/** A new folder of this run; `name` is for whoever reads the logs after a failure. */
export async function runFolder(name: string): Promise<string> {
	return await mkdtemp(join(process.env[FOLDER_VARIABLE] ?? tmpdir(), `${name}-`));
}

/** Starts an emulator, and an n8n server that has the packed package and a credential for it. */
export async function openStage(
	version: N8nVersion,
	{ server: serverOptions, emulator: emulatorOptions, credential = true }: StageOptions = {},
): Promise<Stage> {
	const folder = await runFolder(`n8n-${version}`);
	const emulator = await startEmulator({ renderMs: 500, apiKey: API_KEY, ...emulatorOptions });
	const portrait = await servePortrait(MEDIA.portraitJpeg);
	const closeApi = async () => {
		await Promise.all([emulator.close(), portrait.close()]);
	};
	try {
		const server = await startN8n({
			version,
			userFolder: folder,
			packageTarballs: [packedPackage()],
			...serverOptions,
		});
		return {
			emulator,
			server,
			credential: credential
				? await server.createCredential('mirageApi', 'Mirage API', {
						apiKey: API_KEY,
						baseUrl: emulator.url,
					})
				: { id: '', name: '', type: '' },
			portraitUrl: portrait.url,
			folder,
			close: async () => {
				await server.stop();
				await closeApi();
			},
		};
	} catch (error) {
		await closeApi();
		throw error;
	}
}

/** SHA-256 of a file or stream, in hex. */
export async function sha256(source: string | Readable): Promise<string> {
	const hash = createHash('sha256');
	const stream = typeof source === 'string' ? createReadStream(source) : source;
	for await (const chunk of stream) hash.update(chunk as Buffer);
	return hash.digest('hex');
}

/** The items that a node put out last in an execution. */
export function itemsOf(execution: Execution, nodeName: string, output = 0): INodeExecutionData[] {
	const runs = execution.data.resultData.runData[nodeName] ?? [];
	return runs.at(-1)?.data?.main?.[output] ?? [];
}

/** SHA-256 of the file in a field of an item, as n8n hands it out. */
export async function fileHash(
	server: N8nServer,
	item: INodeExecutionData | undefined,
	field: string,
): Promise<string> {
	const binary = item?.binary?.[field];
	if (!binary) throw new Error(`The item has no file in "${field}"`);
	return await sha256(await server.openBinary(binary));
}

/** What went wrong in an execution, for messages of tests. */
export function failureOf({ status, data }: Execution): string {
	const { error, lastNodeExecuted } = data.resultData;
	return `${status} at "${lastNodeExecuted}": ${error?.message} ${error?.description ?? ''}`;
}

/** Paths of all files below a folder that hold these bytes, links not followed. */
export async function filesHolding(folder: string, text: string): Promise<string[]> {
	const entries = await readdir(folder, { withFileTypes: true, recursive: true });
	const found: string[] = [];
	for (const entry of entries) {
		if (!entry.isFile()) continue;
		const file = join(entry.parentPath, entry.name);
		let tail = '';
		for await (const chunk of createReadStream(file, 'latin1')) {
			const window = tail + (chunk as string);
			if (window.includes(text)) {
				found.push(file);
				break;
			}
			tail = window.slice(1 - text.length);
		}
	}
	return found;
}

/**
 * Asks again and again until the answer is not undefined.
 *
 * @throws Error that says what was waited for, after `timeoutMs`
 */
export async function until<T>(
	what: string,
	timeoutMs: number,
	ask: () => Promise<T | undefined> | T | undefined,
	everyMs = 500,
): Promise<T> {
	const deadline = Date.now() + timeoutMs;
	for (;;) {
		const answer = await ask();
		if (answer !== undefined) return answer;
		if (Date.now() > deadline) {
			throw new Error(`After ${Math.round(timeoutMs / 1000)} s still not: ${what}`);
		}
		await pause(everyMs);
	}
}
