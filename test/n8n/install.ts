import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { runCommand } from './command';
import type { ReportDetail } from './progress';

/** n8n versions that can be installed: the newest of n8n 1 and 2. */
export const N8N_VERSIONS = ['2.41.1', '1.123.81'] as const;
export type N8nVersion = (typeof N8N_VERSIONS)[number];

/** An installed n8n and the Node that runs it. */
export interface N8nInstall {
	version: N8nVersion;
	/** Folder whose `node_modules` holds n8n. */
	directory: string;
	/** Path of the Node program that runs this n8n. */
	node: string;
	/** Path of n8n's command-line script. */
	cli: string;
}

const ROOT = __dirname;
const STAMP = '.installed.json';

/** Top-level folders in `node_modules` once n8n is installed (counted); only progress is measured by it. */
const EXPECTED_FOLDERS: Record<N8nVersion, number> = { '2.41.1': 1080, '1.123.81': 950 };

/** Raised when the steps below change, so that older installs are made anew. */
const RECIPE = 1;

const INSTALL_TIMEOUT_MS = 20 * 60_000;
const REBUILD_TIMEOUT_MS = 15 * 60_000;
const CHECK_TIMEOUT_MS = 120_000;

/**
 * Installs an n8n version into `installs/<version>` with the dependencies that `versions/<version>` names.
 * Does nothing when that very version stands there already. Takes two to five minutes otherwise, and about
 * 2.5 GB on disk.
 *
 * @throws Error with the log's path if a step fails, or if no Node 24 exists for this machine
 */
export async function installN8n(
	version: N8nVersion,
	report: ReportDetail = () => {},
): Promise<N8nInstall> {
	const wantedDirectory = join(ROOT, 'versions', version);
	const directory = join(ROOT, 'installs', version);
	const logFile = join(ROOT, 'installs', `${version}.log`);
	const stamp = JSON.stringify({
		recipe: RECIPE,
		platform: `${process.platform}-${process.arch}`,
		package: JSON.parse(await readFile(join(wantedDirectory, 'package.json'), 'utf8')),
	});
	const install: N8nInstall = {
		version,
		directory,
		node: '',
		cli: join(directory, 'node_modules', 'n8n', 'bin', 'n8n'),
	};
	if ((await readFile(join(directory, STAMP), 'utf8').catch(() => '')) === stamp) {
		report('already there');
		return { ...install, node: findNode24(directory) };
	}

	// npm does not resolve an override anew in a folder that holds an older tree.
	await rm(directory, { recursive: true, force: true });
	await mkdir(directory, { recursive: true });
	await copyFile(join(wantedDirectory, 'package.json'), join(directory, 'package.json'));
	await rm(logFile, { force: true });
	report('asking the registry which packages it needs');
	const counter = setInterval(() => {
		void countFolders(directory).then((count) => {
			if (count > 0)
				report(`${count} of about ${EXPECTED_FOLDERS[version]} folders in node_modules`);
		});
	}, 1_000);
	try {
		await runCommand(
			'npm',
			[
				'install',
				'--legacy-peer-deps',
				'--ignore-scripts',
				'--no-audit',
				'--no-fund',
				'--no-package-lock',
				'--loglevel=error',
			],
			{ cwd: directory, logFile, timeoutMs: INSTALL_TIMEOUT_MS },
		);
	} finally {
		clearInterval(counter);
	}
	report('building sqlite3');
	await runCommand(
		'npm',
		['rebuild', 'sqlite3', '--ignore-scripts=false', '--foreground-scripts'],
		{
			cwd: directory,
			logFile,
			timeoutMs: REBUILD_TIMEOUT_MS,
		},
	);
	report('checking that it starts');
	const node = findNode24(directory);
	const check = { cwd: directory, logFile, timeoutMs: CHECK_TIMEOUT_MS };
	await runCommand(node, ['-e', '"use strict";require("sqlite3")'], check);
	await runCommand(node, [install.cli, '--version'], {
		...check,
		env: { ...process.env, N8N_USER_FOLDER: directory },
	});
	await writeFile(join(directory, STAMP), stamp);
	return { ...install, node };
}

/**
 * The Node that n8n runs on: the install's own Node 24 (the registry has one for most platforms), else the
 * running one if it is 24 or newer, which n8n 2.41 demands in its `engines`.
 *
 * @throws Error when there is neither
 */
function findNode24(directory: string): string {
	const require = createRequire(join(directory, 'package.json'));
	const packages = Object.keys(
		(require('./package.json') as { optionalDependencies: Record<string, string> })
			.optionalDependencies,
	);
	for (const name of packages) {
		const folder = join(directory, 'node_modules', name, 'bin');
		for (const program of ['node', 'node.exe']) {
			if (existsSync(join(folder, program))) return join(folder, program);
		}
	}
	if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
	throw new Error(
		`n8n needs Node 24, and the registry has none for ${process.platform}-${process.arch}. ` +
			'Install Node 24 and run the same command with it.',
	);
}

/** Counts what npm has laid down so far: the last thing it does is to fill `node_modules`. */
async function countFolders(directory: string): Promise<number> {
	return (await readdir(join(directory, 'node_modules')).catch(() => [])).length;
}
