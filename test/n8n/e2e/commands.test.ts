import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
	access,
	appendFile,
	cp,
	mkdir,
	readFile,
	readdir,
	stat,
	symlink,
	writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { COMMANDS } from '../../package/docs/commands';
import { Client } from '../../harness/emulator/client';
import { DEFAULT_API_KEY } from '../../harness/emulator/emulator';
import { OWNER } from '../server';
import { figure } from './figures';
import { runFolder, until } from './stage';

const PROJECT = resolve(__dirname, '..', '..', '..');
/** What `git clone` does not bring, or what a run needs not. */
const LEFT_OUT =
	/^(\.git|\.demo|dist|coverage|output\.mp4|.*\.tgz|(test\/n8n\/)?node_modules|test\/n8n\/installs)$/;
/** What `npm ci` and the first demo have brought already. */
const INSTALLED = ['node_modules', 'test/n8n/node_modules', 'test/n8n/installs'];

const START_MS = 120_000;
const END_MS = 30_000;
const RUN_MS = 10 * 60_000;

/** A command that goes on until it is interrupted. */
interface Running {
	/** What it has printed so far. */
	output(): string;
	/** The first group of a pattern, once that is printed. */
	printed(pattern: RegExp): Promise<string>;
	/** Presses Ctrl+C. Fails if the command does not end well and wholly. */
	interrupt(): Promise<void>;
}

/** A copy of the project as a clone has it, because some commands write into it. */
class Clone {
	private constructor(readonly folder: string) {}

	static async make(): Promise<Clone> {
		const folder = join(await runFolder('commands'), 'clone');
		await cp(PROJECT, folder, {
			recursive: true,
			filter: (path) => !LEFT_OUT.test(relative(PROJECT, path)),
		});
		for (const path of INSTALLED) await symlink(join(PROJECT, path), join(folder, path));
		return new Clone(folder);
	}

	path(...parts: string[]): string {
		return join(this.folder, ...parts);
	}

	async text(path: string): Promise<string> {
		return await readFile(this.path(path), 'utf8');
	}

	/** Runs a command line to its end and returns what it printed. */
	async run(line: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
		const { child, output } = this.spawn(line, env);
		const timer = setTimeout(() => signalGroup(child.pid!, 'SIGKILL'), RUN_MS);
		const code = await new Promise((done) => child.once('close', done));
		clearTimeout(timer);
		assert.equal(code, 0, `"${line}" ended with ${String(code)}:\n${output().slice(-4_000)}`);
		return output();
	}

	/** Starts a command line that goes on. */
	start(line: string): Running {
		const { child, output } = this.spawn(line);
		const ended = new Promise<number | NodeJS.Signals | null>((done) =>
			child.once('close', (code, signal) => done(code ?? signal)),
		);
		let over = false;
		void ended.then(() => (over = true));
		return {
			output,
			printed: async (pattern) =>
				await until(`"${line}" prints ${String(pattern)}`, START_MS, () => {
					const found = pattern.exec(output());
					if (!found) assert.ok(!over, `"${line}" has ended:\n${output().slice(-4_000)}`);
					return found ? (found[1] ?? found[0]) : undefined;
				}),
			interrupt: async () => {
				signalGroup(child.pid!, 'SIGINT');
				const timer = setTimeout(() => signalGroup(child.pid!, 'SIGKILL'), END_MS);
				const end = await ended;
				clearTimeout(timer);
				// npm itself dies of Ctrl+C, whatever the program says that it runs.
				assert.ok(end === 0 || end === 130 || end === 'SIGINT', `"${line}" ended with ${end}`);
				await until(`all processes of "${line}" are gone`, END_MS, () =>
					signalGroup(child.pid!, 0) ? undefined : true,
				);
			},
		};
	}

	private spawn(line: string, env: NodeJS.ProcessEnv = {}) {
		const inherited = Object.entries(process.env).filter(([name]) => name !== 'NODE_TEST_CONTEXT');
		const child = spawn('bash', ['-c', line], {
			cwd: this.folder,
			// A test run below this one would take itself for a part of it.
			env: { ...Object.fromEntries(inherited), ...env },
			// A group of its own, which Ctrl+C reaches as a whole.
			detached: true,
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		const endByForce = () => signalGroup(child.pid!, 'SIGKILL');
		process.once('exit', endByForce);
		child.once('close', () => process.off('exit', endByForce));
		let text = '';
		for (const stream of [child.stdout, child.stderr])
			stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
		return { child, output: () => text };
	}
}

/** Sends a signal to a group of processes; false if there is none. */
function signalGroup(id: number, signal: NodeJS.Signals | 0): boolean {
	try {
		return process.kill(-id, signal);
	} catch {
		return false;
	}
}

/** The server that `npm run dev` has printed, as its owner. */
async function devServer(dev: Running) {
	await dev.printed(/Press Ctrl\+C to end/);
	const url = await dev.printed(/^ {2}(http:\/\/\S+)$/m);
	const login = await fetch(`${url}/rest/login`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify({ emailOrLdapLoginId: OWNER.email, password: OWNER.password }),
	});
	assert.equal(login.status, 200);
	const cookie = login.headers.getSetCookie().map((header) => header.split(';')[0]!);
	const get = async (path: string) =>
		await (await fetch(`${url}${path}`, { headers: { cookie: cookie.join('; ') } })).text();
	return { get, workflows: async () => workflowNames(await get('/rest/workflows')) };
}

const workflowNames = (json: string) =>
	(JSON.parse(json) as { data: Array<{ name: string }> }).data.map(({ name }) => name);

/** An npm registry that has nothing and takes nothing. */
async function emptyRegistry() {
	const server = createServer((_, response) => {
		response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
	});
	await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
	const { port } = server.address() as AddressInfo;
	return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}

async function pictureNames(folder: string): Promise<string[]> {
	return (await readdir(folder)).filter((name) => name.endsWith('.png')).sort();
}

/** Runs a command that takes pictures; all that the docs have must be made again. */
async function takePictures(clone: Clone, line: string, folder: string): Promise<void> {
	const wanted = await pictureNames(join(PROJECT, folder));
	const startedAt = Date.now();
	await clone.run(line);
	const made: string[] = [];
	for (const name of await pictureNames(clone.path(folder)))
		if ((await stat(clone.path(folder, name))).mtimeMs >= startedAt) made.push(name);
	assert.deepEqual(made, wanted);
}

const FAULT_MATRIX = 'docs/fault-matrix.md';

/** How each command of the docs is run, in this order. Placeholders are filled in; what ends, must end well. */
const RUNS: Record<string, (clone: Clone) => Promise<void>> = {
	'npx jest test/guarantees/fuzz': async (clone) => {
		assert.match(await clone.run('npx jest test/guarantees/fuzz'), /^Tests: +\d+ passed/m);
	},
	'npx jest <path>': async (clone) => {
		assert.match(await clone.run('npx jest test/shared/async'), /^Tests: +\d+ passed/m);
	},
	// The tests themselves run in "npm test".
	'npx jest --selectProjects unit': async (clone) => {
		const listed = await clone.run('npx jest --selectProjects unit --listTests');
		assert.match(listed, /test\/shared\/account\/waitForJobs\.test\.ts/);
	},
	"npx jest --selectProjects 'n8n 2.41'": async (clone) => {
		const listed = await clone.run("npx jest --selectProjects 'n8n 2.41' --listTests");
		assert.match(listed, /test\/nodes\/createVideo\.test\.ts/);
	},
	'UPDATE_FAULT_MATRIX=1 npx jest test/guarantees/faults/matrix': async (clone) => {
		const before = await clone.text(FAULT_MATRIX);
		await writeFile(clone.path(FAULT_MATRIX), before.replace(/^\|.*\n/gm, ''));
		await clone.run('UPDATE_FAULT_MATRIX=1 npx jest test/guarantees/faults/matrix');
		assert.equal(await clone.text(FAULT_MATRIX), before);
	},
	'npm run docs': async (clone) => {
		const page = 'docs/nodes/create-video.md';
		const before = await clone.text(page);
		await writeFile(
			clone.path(page),
			before.replace(/(<!-- generated: parameters -->)[\s\S]*?(<!-- end of)/, '$1\n\n$2'),
		);
		await clone.run('npm run docs');
		assert.equal(await clone.text(page), before);
	},
	'npm run emulator': async (clone) => {
		// Its usual port may be taken here.
		const emulator = clone.start('npm run emulator -- --port 0');
		const url = await emulator.printed(/Base URL +(\S+)/);
		const apiKey = await emulator.printed(/API Key +(\S+)/);
		assert.deepEqual((await new Client({ url, apiKey }).get('/v1/videos')).json(), []);
		await emulator.interrupt();
	},
	'npm run emulator -- --help': async (clone) => {
		assert.match(await clone.run('npm run emulator -- --help'), /--render-seconds/);
	},
	'npm run bench -- --help': async (clone) => {
		assert.match(await clone.run('npm run bench -- --help'), /--quick/);
	},
	'npm run demo': async (clone) => {
		const demo = clone.start('npm run demo');
		await demo.printed(/Press Ctrl\+C to end/);
		const editor = await demo.printed(/^ {2}(http:\/\/\S+\/workflow\/\S+)$/m);
		assert.match(await (await fetch(editor)).text(), /<title>n8n/);
		assert.ok((await stat(clone.path('output.mp4'))).size > 1_000);
		await demo.interrupt();
	},
	'npm ci && npm run demo': async (clone) => {
		// "npm ci" would take away what this run itself stands on; CI has called it before.
		await clone.run('npm run demo -- --once --script "Short."');
	},
	'npm run demo -- --voice ID --portrait FILE': async (clone) => {
		const portrait = 'test/harness/emulator/media/portrait.jpg';
		await clone.run(`npm run demo -- --once --voice some-voice --portrait ${portrait}`);
	},
	'npm run dev': async (clone) => {
		const dev = clone.start('npm run dev');
		const { get, workflows } = await devServer(dev);
		const examples = (await readdir(clone.path('examples'))).filter((name) =>
			name.endsWith('.json'),
		);
		assert.equal((await workflows()).length, examples.length);
		const source = clone.path('nodes/List/MirageList.node.ts');
		const before = await readFile(source, 'utf8');
		const after = before.replace("displayName: 'Mirage List'", "displayName: 'Changed List'");
		assert.notEqual(after, before);
		await writeFile(source, after);
		await until('n8n has loaded the change', START_MS, async () =>
			(await get('/types/nodes.json')).includes('Changed List') ? true : undefined,
		);
		await writeFile(source, before);
		await dev.interrupt();
	},
	'npm run dev -- --inspect': async (clone) => {
		const dev = clone.start('npm run dev -- --inspect');
		const debuggerUrl = await dev.printed(/Debugger +ws:\/\/([^/\s]+)/);
		assert.match(await (await fetch(`http://${debuggerUrl}/json/version`)).text(), /node\.js/);
		await dev.interrupt();
	},
	'npm run dev -- --render-seconds 60': async (clone) => {
		const dev = clone.start('npm run dev -- --render-seconds 60');
		const url = await dev.printed(/API +(http:\S+)/);
		const client = new Client({ url, apiKey: DEFAULT_API_KEY });
		const { id } = (await client.createVideo()).json() as { id: string };
		// At the usual 10 s it would be finished by then.
		const startedAt = Date.now();
		await until('12 s have passed', 20_000, () => Date.now() - startedAt > 12_000 || undefined);
		const { status } = (await client.get(`/v1/videos/${id}`)).json() as { status: string };
		assert.equal(status, 'PROCESSING');
		await dev.interrupt();
	},
	'npm run dev -- --fresh': async (clone) => {
		const left = clone.path('.demo/dev/left-from-before');
		await appendFile(left, '');
		const dev = clone.start('npm run dev -- --fresh');
		await devServer(dev);
		await assert.rejects(access(left));
		await dev.interrupt();
	},
	'npx tsx test/n8n/screenshots.ts': async (clone) =>
		await takePictures(clone, 'npx tsx test/n8n/screenshots.ts', 'docs/images'),
	'npx tsx test/n8n/example-pictures.ts': async (clone) =>
		await takePictures(clone, 'npx tsx test/n8n/example-pictures.ts', 'examples/images'),
	'npm run test:n8n -- retry': async (clone) => {
		assert.match(await clone.run('npm run test:n8n -- retry'), /^Tests: +\d+ passed, \d+ total$/m);
	},
	'node test/package/release/check.mjs': async (clone) => {
		assert.match(await clone.run('node test/package/release/check.mjs'), /can be released/);
	},
	'npm publish --dry-run': async (clone) => {
		const registry = await emptyRegistry();
		try {
			await mkdir(clone.path('cache'));
			const printed = await clone.run('npm publish --dry-run', {
				npm_config_registry: registry.url,
				npm_config_cache: clone.path('cache'),
			});
			assert.match(printed, /n8n-nodes-mirage@\d+\.\d+\.\d+/);
		} finally {
			registry.close();
		}
	},
	'npm version --no-git-tag-version minor': async (clone) => {
		await clone.run('npm version --no-git-tag-version minor');
		const { version } = JSON.parse(await clone.text('package.json')) as { version: string };
		const changelog = await clone.text('CHANGELOG.md');
		const entry = `## [${version}] - 2026-01-31\n\n- Something new.\n\n`;
		await writeFile(clone.path('CHANGELOG.md'), changelog.replace(/^## /m, `${entry}## `));
		assert.match(await clone.run('node test/package/release/check.mjs'), /can be released/);
	},
};

test('Every command of the docs works', { timeout: 30 * 60_000 }, async (t) => {
	const clone = await Clone.make();
	assert.deepEqual(
		Object.keys(RUNS).sort(),
		Object.keys(COMMANDS)
			.filter((line) => COMMANDS[line] === 'run')
			.sort(),
	);
	for (const [line, run] of Object.entries(RUNS)) await t.test(line, async () => await run(clone));
	figure('Commands of the docs', { 'run in a copy of the project': `${Object.keys(RUNS).length}` });
});
