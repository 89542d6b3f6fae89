import '../node-version';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { installN8n, N8N_VERSIONS } from '../install';
import { packPackage } from '../pack';
import { step } from '../progress';
import { figuresOf, type Row } from './figures';
import { FOLDER_VARIABLE, TARBALL_VARIABLE } from './stage';

const HELP = `End-to-end tests against real n8n servers.

  npm run test:n8n                      everything
  npm run test:n8n -- retry queue       only the files whose names hold one of these words
  npm run test:n8n -- --document        writes the figures into docs/n8n-matrix.md if all is green
  npm run test:n8n -- --tarball FILE    tests this package instead of packing the sources

Needs chromium, redis-server, postgresql and openssl from Debian, and installs n8n ${N8N_VERSIONS.join(' and ')}
into test/n8n/installs: about 2.5 GB and four minutes each, once.`;

const PROJECT = resolve(__dirname, '..', '..', '..');
const MATRIX = join(PROJECT, 'docs', 'n8n-matrix.md');

async function main(): Promise<void> {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			document: { type: 'boolean', default: false },
			tarball: { type: 'string' },
			help: { type: 'boolean', default: false },
		},
	});
	if (values.help) return console.log(HELP);
	const files = (await readdir(__dirname))
		.filter((name) => name.endsWith('.test.ts'))
		.filter((name) => positionals.length === 0 || positionals.some((word) => name.includes(word)))
		.sort();
	if (files.length === 0) throw new Error(`No file is named so: ${positionals.join(', ')}`);

	const folder = await mkdtemp(join(tmpdir(), 'mirage-e2e-'));
	const tarball = values.tarball
		? resolve(values.tarball)
		: await step('Build and pack the package', async (report) =>
				packPackage(folder, join(folder, 'build.log'), report),
			);
	for (const version of N8N_VERSIONS) {
		await step(`Install n8n ${version}`, async (report) => await installN8n(version, report));
	}

	const startedAt = Date.now();
	const counts = await runTests(folder, tarball, files);
	const green = counts.failed === 0 && counts.passed > 0;
	if (green && values.document) {
		if (positionals.length > 0) throw new Error('Only a run of all files is documented');
		await writeFile(MATRIX, matrix(figuresOf(folder), counts.passed, Date.now() - startedAt));
		console.log(`Wrote ${relative(process.cwd(), MATRIX)}`);
	}
	if (green) await rm(folder, { recursive: true, force: true });
	else console.log(`Logs and user folders of the servers: ${folder}`);
	// The form of Jest's last line, which .ci/run adds up.
	console.log(
		`Tests:       ${counts.failed > 0 ? `${counts.failed} failed, ` : ''}${counts.passed} passed, ${counts.passed + counts.failed} total`,
	);
	if (!green) process.exitCode = 1;
}

/** This file mostly waits for n8n's minute, so the others run beside it. */
const WAITING = 'restart.test.ts';

interface Counts {
	passed: number;
	failed: number;
}

/** Runs all files, each in a process of its own, and counts their tests. */
async function runTests(folder: string, tarball: string, files: string[]): Promise<Counts> {
	const groups = [
		files.filter((name) => name !== WAITING),
		files.filter((name) => name === WAITING),
	].filter((group) => group.length > 0);
	const ends = await Promise.all(
		groups.map(async (group, index) => await runGroup(folder, tarball, group, index === 0)),
	);
	return {
		passed: ends.reduce((sum, { passed }) => sum + passed, 0),
		failed: ends.reduce((sum, { failed }) => sum + failed, 0),
	};
}

/** Runs files one after the other; prints what they say at once, or when they have ended. */
async function runGroup(
	folder: string,
	tarball: string,
	files: string[],
	printAtOnce: boolean,
): Promise<Counts> {
	const tap = join(folder, `${files[0]}.tap`);
	const child = spawn(
		process.execPath,
		[
			'--import',
			'tsx',
			'--test',
			'--test-concurrency=1',
			'--test-reporter=spec',
			'--test-reporter-destination=stdout',
			'--test-reporter=tap',
			`--test-reporter-destination=${tap}`,
			...files.map((name) => join(__dirname, name)),
		],
		{
			cwd: PROJECT,
			env: { ...process.env, [TARBALL_VARIABLE]: tarball, [FOLDER_VARIABLE]: folder },
			stdio: ['ignore', 'pipe', 'inherit'],
		},
	);
	let held = '';
	child.stdout.setEncoding('utf8').on('data', (text: string) => {
		if (printAtOnce) process.stdout.write(text);
		else held += text;
	});
	const pass = (signal: NodeJS.Signals) => child.kill(signal);
	process.on('SIGINT', pass);
	process.on('SIGTERM', pass);
	const status = await new Promise((done) => child.once('close', done));
	process.off('SIGINT', pass);
	process.off('SIGTERM', pass);
	process.stdout.write(held);
	const summary = await readFile(tap, 'utf8').catch(() => '');
	const count = (what: string) =>
		Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(summary)?.[1] ?? 0);
	const failed = count('fail') + count('cancelled');
	// A run that broke off has no counts, and is no success.
	return { passed: count('pass'), failed: failed || (status === 0 ? 0 : 1) };
}

/** What a table's figures mean. */
const NOTES: Record<string, string> = {
	'A suspended wait across a power cut': [
		'The server is ended by SIGKILL while the execution is stored, and started again. Exactly one job is at the emulator.',
	].join('\n'),
	'The trigger across a power cut': [
		'Three active workflows, each with a trigger. 112 videos have ended when the server is ended by SIGKILL in the middle of their polls;',
		'it is started again at once. The scheduler and its durable cursors are what n8n turns on by default from 2.45, or recommends.',
	].join('\n'),
	'The pipeline on n8n 1 and 2': [
		'Each row compares every file that goes to Mirage and comes back by SHA-256, and searches the database, the files and the log of n8n for',
		"the API key. *default* is n8n's memory. n8n 1 has no binary data in its database.",
	].join('\n'),
	'Queue mode': [
		'One main, two workers with 15 executions each, Redis and PostgreSQL; binary data in the database. One worker is ended by SIGKILL. n8n 2',
		'ends the runs which that worker had begun with an error and does not begin them again, so nothing is paid twice. Their videos render on;',
		'[Mirage Trigger](trigger.md) fires for them too, and [Mirage List](nodes/list.md) finds them.',
		'',
		'n8n 1 begins such runs once more, from the start (`QUEUE_WORKER_MAX_STALLED_COUNT`, by default 1): set it to 0, or their videos may be paid',
		'twice. This was read in n8n 1.123.81, not measured.',
	].join('\n'),
};

/** The page with what this run has measured. */
function matrix(tables: Map<string, Row[]>, passed: number, tookMs: number): string {
	const gigabytes = Math.round(totalmem() / 1024 ** 3);
	const lines = [
		'# What runs on which n8n',
		'',
		`Written by \`npm run test:n8n -- --document\`, which starts real servers of n8n ${N8N_VERSIONS.join(' and ')} with the`,
		`packed package, over the local Mirage emulator. ${passed} tests in ${Math.round(tookMs / 60_000)} minutes on ${cpus().length} cores and ${gigabytes} GB, Linux.`,
	];
	for (const [title, rows] of tables) {
		const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
		lines.push('', `## ${title}`, '');
		if (NOTES[title]) lines.push(NOTES[title], '');
		lines.push(`| ${columns.join(' | ')} |`, `|${columns.map(() => ' --- |').join('')}`);
		for (const row of rows) lines.push(`| ${columns.map((name) => row[name] ?? '').join(' | ')} |`);
	}
	return `${lines.join('\n')}\n`;
}

main().catch((error: Error) => {
	console.error(error.message);
	process.exitCode = 1;
});
