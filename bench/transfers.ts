import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import {
	startEmulator,
	type Emulator,
	type LoggedRequest,
} from '../test/harness/emulator/emulator';
import type { Step } from '../test/n8n/e2e/workflows';
import { inputFile, MB } from './inputFiles';
import { MeasuredServer, type MeasuredRun } from './measuredServer';
import { formFields } from './otherWays/upload';
import type { Progress } from './progress';
import { summarize, type Summary } from './statistics';
import { CURL, WAYS, type Way } from './ways';

/** How one way moved a file of one size. */
export interface Transfer {
	way: string;
	/** Size of the file in MB (1,000,000 bytes). */
	megabytes: number;
	/**
	 * Peak memory of a busy n8n process over the same workflow without the file, in MiB; not for curl. A busy
	 * process has room in its heap.
	 */
	addedMiB?: Summary;
	/** The same for a process that was idle before and has given its room back; for some ways only. */
	addedAfterIdleMiB?: Summary;
	/** Time that n8n spent in the node; for curl, the time of the program. In ms. */
	ms: Summary;
	/** From the arrival of the request that carries the file to its answer, at the server, in ms. */
	requestMs: Summary;
	/** Processor time of the n8n process over the same workflow without the file, in ms; not for curl. */
	processorMs?: Summary;
}

export interface TransferPlan {
	/** This package, as `npm pack` makes it. */
	tarball: string;
	/** Sizes in MB and how often each is measured. */
	sizes: Array<{ megabytes: number; runs: number }>;
	progress: Progress;
}

export interface Transfers {
	uploads: Transfer[];
	downloads: Transfer[];
}

const VIDEO_ID = 'measured-video';

/** V8 has given back what it does not need some 10 s after the last work (`--trace-gc`). In ms. */
const IDLE_MS = 30_000;

/** Size of the file that warms a server up, in MB. */
const WARM_UP_MB = 1;

/**
 * Measures uploads and downloads. Each way and size has a freshly started server, because a server keeps
 * the memory that a greedy way made it take. Memory is measured first: in one go after the start, when the
 * process is busy and its heap is wide, and again after it was idle. For the time the ways then take turns,
 * so that whatever else the machine does falls on all of them.
 *
 * @throws Error when a file does not arrive whole
 */
export async function measureTransfers({
	tarball,
	sizes,
	progress,
}: TransferPlan): Promise<Transfers> {
	const folder = await mkdtemp(join(tmpdir(), 'mirage-bench-files-'));
	const result: Transfers = { uploads: [], downloads: [] };
	const closing: Array<() => Promise<void>> = [];
	try {
		const apiOf = async (megabytes: number) => {
			const api = await MeasuredApi.start(megabytes, await inputFile(folder, megabytes));
			closing.push(async () => await api.emulator.close());
			return api;
		};
		const warmUp = await apiOf(WARM_UP_MB);
		for (const { megabytes, runs } of sizes) {
			const api = await apiOf(megabytes);
			const servers: MeasuredServer[] = [];
			try {
				const entrants: Entrant[] = [];
				for (const way of WAYS) {
					progress(`${megabytes} MB, ${way.name}: memory`);
					const server = await MeasuredServer.start({ tarball, readableFolder: folder });
					servers.push(server);
					entrants.push(await enter(server, way, { api, warmUp, runs }));
				}
				progress(`${megabytes} MB, memory after idling`);
				await measureAfterIdle(api, runs, entrants);
				const curl = curlCommands(api, folder);
				progress(`${megabytes} MB, all in turns`);
				const downloads = entrants.flatMap(({ download }) => download ?? []);
				result.downloads.push(...(await takeTurns(api, runs, downloads, curl.download)));
				const uploads = entrants.map(({ upload }) => upload);
				result.uploads.push(...(await takeTurns(api, runs, uploads, curl.upload)));
			} finally {
				await Promise.all(servers.map(async (server) => await server.stop()));
			}
		}
	} finally {
		await Promise.all(closing.map(async (close) => await close()));
		await rm(folder, { recursive: true, force: true });
	}
	return result;
}

/** An API whose videos have one size, and the times of the requests that carried a file. */
class MeasuredApi {
	private last: { request: LoggedRequest; ms: number } | undefined;

	private constructor(
		readonly emulator: Emulator,
		readonly megabytes: number,
		/** An MP4 of the same size. */
		readonly file: string,
	) {}

	static async start(megabytes: number, file: string): Promise<MeasuredApi> {
		const emulator = await startEmulator({
			hashFiles: false,
			contentBytes: megabytes * MB,
			now: () => performance.timeOrigin + performance.now(),
			onRequest: (request) => {
				if (!request.files?.length && request.route !== 'content') return;
				api.last = { request, ms: performance.timeOrigin + performance.now() - request.at };
			},
		});
		emulator.seedVideos([{ id: VIDEO_ID }]);
		const api = new MeasuredApi(emulator, megabytes, file);
		return api;
	}

	/**
	 * Time of the file's way since the last call, in ms.
	 *
	 * @throws Error when no file came, or not the whole of it
	 */
	takeRequestMs(): number {
		const { last } = this;
		this.last = undefined;
		if (!last) throw new Error('The API has seen no file');
		const uploaded = last.request.files?.[0];
		if (uploaded && (uploaded.bytes !== this.megabytes * MB || !last.request.accepted)) {
			throw new Error(`Of ${this.megabytes} MB the API has got ${uploaded.bytes} bytes`);
		}
		return last.ms;
	}
}

/** A workflow that moves the file, and the same one without the file. */
interface Pair {
	server: MeasuredServer;
	/** Name of the node that moves the file. */
	node: string;
	/** IDs of the workflows. */
	withFile: string;
	withoutFile: string;
}

/** What the one takes more than the other. */
interface Contest extends Pair {
	way: Way;
	addedMiB: Summary;
	addedAfterIdleMiB?: Summary;
	processorMs: Summary;
}

interface Entrant {
	upload: Contest;
	download?: Contest;
}

/**
 * Warms a server up, with small files and by letting n8n itself read the large one, and measures memory.
 * Downloads come first: they have less memory to hide in before the uploads.
 */
async function enter(
	server: MeasuredServer,
	way: Way,
	{ api, warmUp, runs }: { api: MeasuredApi; warmUp: MeasuredApi; runs: number },
): Promise<Entrant> {
	const stepsFor = async ({ emulator: { url, apiKey }, file }: MeasuredApi) => {
		const account = { url, apiKey };
		const credential = await server.addCredential(account);
		const read: Step = {
			name: 'Read',
			type: 'n8n-nodes-base.readWriteFile',
			typeVersion: 1.1,
			parameters: { operation: 'read', fileSelector: file, options: {} },
		};
		const upload = way.upload(account);
		return { credential, read, upload, download: way.download?.(account, VIDEO_ID) };
	};
	const small = await stepsFor(warmUp);
	const { credential, read, upload, download } = await stepsFor(api);
	const warmUps = [[small.read, small.upload], ...(small.download ? [[small.download.file]] : [])];
	for (const steps of warmUps)
		await server.run(await server.prepare('Warm-up', steps, small.credential));
	const reading = await server.prepare('Warm-up', [read], credential);
	for (const workflowId of [reading, reading]) await server.run(workflowId);
	const contest = async (node: string, steps: Step[], withoutSteps: Step[]): Promise<Contest> => {
		const withFile = await server.prepare(node, steps, credential);
		const withoutFile = await server.prepare(`${node}: without the file`, withoutSteps, credential);
		const pair = { server, node, withFile, withoutFile };
		return { way, ...pair, ...(await measurePair(pair, api, runs)) };
	};
	return {
		download: download && (await contest('Download', [download.file], [download.noFile])),
		upload: await contest('Upload', [read, upload], [read]),
	};
}

/** Without the file first, because afterwards a server may hold on to what the file took. */
async function measurePair(
	{ server, withFile, withoutFile }: Pair,
	api: MeasuredApi,
	runs: number,
): Promise<Pick<Contest, 'addedMiB' | 'processorMs'>> {
	const bases: MeasuredRun[] = [];
	for (let turn = 0; turn < runs; turn++) bases.push(await server.run(withoutFile));
	const transfers: MeasuredRun[] = [];
	for (let turn = 0; turn < runs; turn++) {
		transfers.push(await server.run(withFile));
		api.takeRequestMs();
	}
	const over = (figure: 'peakMiB' | 'processorMs') => {
		const base = summarize(bases.map((run) => run[figure])).median;
		return summarize(transfers.map((run) => run[figure] - base));
	};
	return { addedMiB: over('peakMiB'), processorMs: over('processorMs') };
}

/** Lets the servers of some ways rest before each direction, and adds what the file takes then. */
async function measureAfterIdle(
	api: MeasuredApi,
	runs: number,
	entrants: Entrant[],
): Promise<void> {
	for (const direction of ['download', 'upload'] as const) {
		for (const { [direction]: contest } of entrants) {
			if (!contest?.way.measuredAfterIdle) continue;
			await contest.server.idleFor(IDLE_MS);
			contest.addedAfterIdleMiB = (await measurePair(contest, api, runs)).addedMiB;
		}
	}
}

/** Each way moves the file once per turn, and curl too. */
async function takeTurns(
	api: MeasuredApi,
	runs: number,
	contests: Contest[],
	curl: () => Promise<number>,
): Promise<Transfer[]> {
	const entries: Array<{
		move: () => Promise<number>;
		measured: Pick<Transfer, 'way' | 'addedMiB' | 'addedAfterIdleMiB' | 'processorMs'>;
		times: Array<{ ms: number; requestMs: number }>;
	}> = [
		...contests.map(
			({ way, server, node, withFile, addedMiB, addedAfterIdleMiB, processorMs }) => ({
				move: async () => (await server.run(withFile)).nodeMs[node]!,
				measured: { way: way.name, addedMiB, addedAfterIdleMiB, processorMs },
				times: [],
			}),
		),
		{ move: curl, measured: { way: CURL }, times: [] },
	];
	for (let turn = 0; turn < runs; turn++) {
		for (const { move, times } of entries) {
			const ms = await move();
			times.push({ ms, requestMs: api.takeRequestMs() });
		}
	}
	return entries.map(({ measured, times }) => ({
		...measured,
		megabytes: api.megabytes,
		ms: summarize(times.map(({ ms }) => ms)),
		requestMs: summarize(times.map(({ requestMs }) => requestMs)),
	}));
}

/** The same upload and download with curl; each returns how long it took by curl's account, in ms. */
function curlCommands(
	{ emulator: { url, apiKey }, file }: MeasuredApi,
	folder: string,
): Record<'upload' | 'download', () => Promise<number>> {
	const target = join(folder, 'curl.out');
	const run = async (args: string[]) => {
		const { stdout } = await promisify(execFile)('curl', [
			...['--silent', '--show-error', '--fail', '--write-out', '%{time_total}'],
			...['--header', `x-api-key: ${apiKey}`, '--output', target],
			...args,
		]);
		await rm(target, { force: true });
		return Number(stdout) * 1_000;
	};
	const form = [`video=@${file};type=video/mp4`, ...formFields.map((field) => field.join('='))];
	return {
		upload: async () =>
			await run([
				...form.flatMap((field) => ['--form', field]),
				// Without this curl first asks the server whether it may send so much.
				...['--header', 'expect:'],
				`${url}/v1/meta/text_overlays`,
			]),
		download: async () => await run(['--location', `${url}/v1/videos/${VIDEO_ID}/content`]),
	};
}
