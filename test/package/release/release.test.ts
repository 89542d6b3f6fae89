import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import * as manifest from '../../../package.json';

const PROJECT = join(__dirname, '..', '..', '..');
const CHECK = join(__dirname, 'check.mjs');
const read = (path: string) => readFileSync(join(PROJECT, path), 'utf8');

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'release-'));
	for (const file of ['package.json', 'package-lock.json', 'CHANGELOG.md'])
		cpSync(join(PROJECT, file), join(folder, file));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command to its end without the variables that GitHub or npm may have set. */
async function run(command: string, args: string[], env: Record<string, string> = {}) {
	const inherited = Object.entries(process.env).filter(([name]) => !/^(GITHUB_|npm_)/i.test(name));
	const child = spawn(command, args, {
		cwd: folder,
		env: { ...Object.fromEntries(inherited), ...env },
		shell: process.platform === 'win32',
	});
	let output = '';
	for (const stream of [child.stdout, child.stderr])
		stream.setEncoding('utf8').on('data', (text: string) => (output += text));
	const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
	return { code, output };
}

const check = async (args: string[] = [], env: Record<string, string> = {}) =>
	await run(process.execPath, [CHECK, ...args], env);

/** Changes a file of the copy. */
function change(path: string, edit: (text: string) => string): void {
	const file = join(folder, path);
	const before = readFileSync(file, 'utf8');
	const after = edit(before);
	if (after === before) throw new Error(`The test changes nothing in ${path}`);
	writeFileSync(file, after);
}

const TAG = `v${manifest.version}`;

describe('what keeps a wrong release from npm', () => {
	test('the project as it is can be released under the tag of its version', async () => {
		expect(await check([TAG])).toEqual({ code: 0, output: expect.stringContaining(TAG) as string });
	});

	test.each<[string, () => void, string]>([
		[
			'a version that the changelog does not tell about',
			() => change('CHANGELOG.md', (text) => text.replace(`[${manifest.version}] -`, '[9.9.9] -')),
			'its top entry is 9.9.9',
		],
		[
			'changes that nobody gave a version',
			() => change('CHANGELOG.md', (text) => text.replace('## ', '## [Unreleased]\n\n- A\n\n## ')),
			'"[Unreleased]"',
		],
		[
			'an entry that says nothing',
			() => change('CHANGELOG.md', (text) => text.replace(/^- .*\n(  .*\n)*/gm, '')),
			'says nothing',
		],
		[
			'a lock file of another version',
			() => change('package-lock.json', (text) => text.replace(`"${manifest.version}"`, '"0.0.9"')),
			'package-lock.json has version 0.0.9',
		],
		[
			'a private package',
			() => change('package.json', (text) => text.replace('{', '{ "private": true,')),
			'is private',
		],
		[
			'a package without a repository, whose provenance npm refuses',
			() => change('package.json', (text) => text.replace('"repository"', '"home"')),
			'not an address on GitHub',
		],
	])('%s', async (_, spoil, problem) => {
		spoil();
		expect(await check([TAG])).toEqual({
			code: 1,
			output: expect.stringContaining(problem) as string,
		});
	});

	test('a tag of another version, given by hand or by GitHub', async () => {
		const problem = { code: 1, output: expect.stringContaining('the tag is v9.9.9') as string };
		expect(await check(['v9.9.9'])).toEqual(problem);
		expect(await check([], { GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: 'v9.9.9' })).toEqual(problem);
		expect(await check([], { GITHUB_REF_TYPE: 'branch', GITHUB_REF_NAME: 'main' })).toMatchObject({
			code: 0,
		});
	});

	test('a build in a fork, whose provenance would name another repository', async () => {
		expect(await check([TAG], { GITHUB_REPOSITORY: 'someone/fork' })).toMatchObject({
			code: 1,
			output: expect.stringContaining('someone/fork') as string,
		});
	});
});

describe('npm publish --dry-run', () => {
	let registry: Server;
	const methods: string[] = [];
	beforeEach(async () => {
		methods.length = 0;
		registry = createServer(({ method }, response) => {
			methods.push(method!);
			response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
		});
		await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
	});
	afterEach(async () => {
		await new Promise((resolve) => registry.close(resolve));
	});

	test('packs what n8n loads and what npm shows, and nothing else, and sends nothing', async () => {
		const shipped = [
			'package.json',
			'README.md',
			'LICENSE',
			'CHANGELOG.md',
			'index.js',
			...manifest.n8n.nodes,
			...manifest.n8n.credentials,
		];
		const left = [
			'test/harness/emulator/cli.ts',
			'docs/credential.md',
			'examples/README.md',
			'.npmrc',
		];
		for (const file of [...shipped, ...left]) {
			mkdirSync(dirname(join(folder, file)), { recursive: true });
			if (file.startsWith('dist/')) writeFileSync(join(folder, file), '');
			else cpSync(join(PROJECT, file), join(folder, file));
		}
		const { port } = registry.address() as AddressInfo;
		const { code, output } = await run('npm', [
			'publish',
			'--dry-run',
			'--access=public',
			'--ignore-scripts',
			'--loglevel=notice',
			`--registry=http://127.0.0.1:${port}/`,
			`--userconfig=${join(folder, 'no-npmrc')}`,
			`--cache=${join(folder, 'cache')}`,
		]);
		expect({ code, output }).toMatchObject({ code: 0 });
		const packed = [...output.matchAll(/^npm notice [\d.]+k?B (\S+)$/gm)].map(([, file]) => file);
		expect(packed.sort()).toEqual([...new Set(shipped)].sort());
		expect(output).toContain('public access (dry-run)');
		expect(methods.filter((method) => method !== 'GET')).toEqual([]);
	});
});

describe('the workflows that GitHub runs', () => {
	const publish = read('.github/workflows/publish.yml');
	const ci = read('.github/workflows/ci.yml');

	test('publishing asks for a provenance statement and may make one', () => {
		expect(publish).toMatch(/^ {2,}id-token: write$/m);
		expect(publish).toContain('npm publish --provenance --access public');
	});

	test('nothing is published that was not checked and tested before', () => {
		const at = (command: string) => {
			const place = publish.indexOf(`run: ${command}`);
			expect(place).toBeGreaterThan(0);
			return place;
		};
		expect(at('node test/package/release/check.mjs')).toBeLessThan(at('npm ci'));
		expect(at('npm ci')).toBeLessThan(at('npm test'));
		expect(at('npm test')).toBeLessThan(at('npm publish'));
	});

	test('actions are pinned to a version, and no secret stands in a file', () => {
		for (const text of [publish, ci]) {
			const actions = [...text.matchAll(/uses: (\S+)/g)].map(([, action]) => action!);
			expect(actions.length).toBeGreaterThan(0);
			for (const action of actions) expect(action).toMatch(/@v\d+/);
			expect(text).not.toMatch(/npm_[A-Za-z0-9]{20}|mira_\w{8}|ghp_/);
		}
	});
});
