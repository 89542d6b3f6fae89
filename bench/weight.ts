import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import fastGlob from 'fast-glob';

import { installN8n } from '../test/n8n/install';
import { N8N_VERSION } from './measuredServer';
import type { Progress } from './progress';
import { summarize, type Summary } from './statistics';

/** What a package weighs for an n8n that installs it. */
export interface Weight {
	name: string;
	version: string;
	nodes: number;
	/** The tarball, in bytes. */
	packedBytes: number;
	/** Everything that lands in `node_modules`, with the runtime dependencies. */
	installedBytes: number;
	installedFiles: number;
	installedPackages: number;
	/** Time to load all its nodes and credentials as n8n does, in a fresh process, in ms. */
	loadMs: Summary;
	/** Memory that the process grew by meanwhile, in MiB. */
	loadMiB: Summary;
}

export interface WeightPlan {
	tarball: string;
	/** Published packages to compare with, as npm names them. */
	others: string[];
	runs: number;
	progress: Progress;
}

const run = promisify(execFile);

/**
 * Loads what a package's `package.json` names, after n8n-workflow is there, and prints ms and bytes.
 * Runs on n8n's own Node.
 */
const LOADER = `
require('n8n-workflow');
const { join } = require('node:path');
const folder = process.argv[2];
const { nodes = [], credentials = [] } = require(join(folder, 'package.json')).n8n;
const bytes = process.memoryUsage.rss();
const startedAt = performance.now();
for (const path of [...credentials, ...nodes]) {
	for (const made of Object.values(require(join(folder, path)))) {
		if (typeof made === 'function') new made();
	}
}
console.log(performance.now() - startedAt, process.memoryUsage.rss() - bytes);
`;

/**
 * Installs each package in an empty folder, as n8n does (no scripts, no peers), and weighs it. A package
 * that the registry does not hand out is left out and named to `progress`.
 */
export async function measureWeight({
	tarball,
	others,
	runs,
	progress,
}: WeightPlan): Promise<Weight[]> {
	const results: Weight[] = [];
	for (const source of [tarball, ...others]) {
		progress(source === tarball ? 'this package' : source);
		try {
			results.push(await weigh(source, source === tarball, runs));
		} catch (error) {
			if (source === tarball) throw error;
			progress(`${source} is left out: ${(error as Error).message.split('\n')[0]}`);
		}
	}
	return results;
}

async function weigh(source: string, isFile: boolean, runs: number): Promise<Weight> {
	const n8n = await installN8n(N8N_VERSION);
	const folder = await mkdtemp(join(tmpdir(), 'mirage-bench-weight-'));
	try {
		const inFolder = { cwd: folder, maxBuffer: 64 * 1024 * 1024 };
		let packed = 'package.tgz';
		if (isFile) await copyFile(source, join(folder, packed));
		else packed = (await run('npm', ['pack', source, '--silent'], inFolder)).stdout.trim();
		const { size: packedBytes } = await stat(join(folder, packed));
		await writeFile(join(folder, 'package.json'), '{"private":true}');
		await run(
			'npm',
			[
				...['install', `./${packed}`, '--ignore-scripts', '--legacy-peer-deps'],
				...['--no-audit', '--no-fund', '--silent'],
			],
			inFolder,
		);
		const { dependencies } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
			dependencies: Record<string, string>;
		};
		const [name] = Object.keys(dependencies) as [string];
		const installed = join(folder, 'node_modules', name);
		const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as {
			version: string;
			n8n: { nodes?: string[] };
		};
		const files = await fastGlob('node_modules/**/*', {
			...{ cwd: folder, dot: true, stats: true, ignore: ['node_modules/.package-lock.json'] },
		});
		const manifests = files.filter(({ path }) =>
			/(^|\/)node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path),
		);

		// What a node imports from n8n it finds in n8n.
		for (const shared of ['n8n-workflow', 'n8n-core']) {
			await rm(join(folder, 'node_modules', shared), { recursive: true, force: true });
			await symlink(
				join(n8n.directory, 'node_modules', shared),
				join(folder, 'node_modules', shared),
			);
		}
		await mkdir(join(folder, 'loader'));
		await writeFile(join(folder, 'loader', 'load.js'), LOADER);
		const loads: Array<[ms: number, bytes: number]> = [];
		for (let turn = 0; turn < runs; turn++) {
			const { stdout } = await run(n8n.node, [join(folder, 'loader', 'load.js'), installed]);
			const [ms, bytes] = stdout.trim().split('\n').at(-1)!.split(' ').map(Number);
			loads.push([ms!, bytes!]);
		}
		return {
			name,
			version: manifest.version,
			nodes: manifest.n8n.nodes?.length ?? 0,
			packedBytes,
			installedBytes: files.reduce((sum, { stats }) => sum + (stats?.size ?? 0), 0),
			installedFiles: files.length,
			installedPackages: manifests.length,
			loadMs: summarize(loads.map(([ms]) => ms)),
			loadMiB: summarize(loads.map(([, bytes]) => bytes / 1_048_576)),
		};
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}
