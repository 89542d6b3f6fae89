import fastGlob from 'fast-glob';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PROJECT = join(__dirname, '..', '..');
const sources = fastGlob
	.sync(['nodes/**/*.ts', 'credentials/**/*.ts'], { cwd: PROJECT })
	.map((path) => ({ path, text: readFileSync(join(PROJECT, path), 'utf8') }));

/** Sources without their comments, which may name what the code must not use. */
const codeOf = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
const using = (pattern: RegExp) =>
	sources.filter(({ text }) => pattern.test(codeOf(text))).map(({ path }) => path);
/** What a source needs when it runs: imports of types are left out. */
const importsOf = (path: string) =>
	[
		...sources
			.find((source) => source.path === path)!
			.text.matchAll(/^import (?!type )[^;]*?from '([^']+)'/gm),
	].map(([, from]) => from!);

test('only transport sends requests with the key', () => {
	expect(using(/httpRequestWithAuthentication|requestWithAuthentication/)).toEqual([
		'nodes/shared/transport.ts',
	]);
	expect(using(/helpers\s*\.\s*httpRequest\b/)).toEqual(['nodes/shared/publicAddresses.ts']);
	expect(using(/(?<![.\w]|async )fetch\(|require\(|from '(node:)?https?'/)).toEqual([]);
});

test('only api knows a path of the API, but for the test of the credential', () => {
	expect(using(/['"`]\/v1\//)).toEqual([
		'nodes/shared/api.ts',
		'credentials/MirageApi.credentials.ts',
	]);
});

test('no node reaches past api to the transport', () => {
	const importers = sources
		.map(({ path }) => path)
		.filter((path) => importsOf(path).some((from) => /\/transport$/.test(from)));
	expect(importers).toEqual(['nodes/shared/api.ts']);
});

test('nothing in shared imports a node, and no node imports another', () => {
	const strays = sources.flatMap(({ path }) =>
		importsOf(path)
			.filter(
				(from) => /\.node$/.test(from) || /^\.\.\/(?!shared\/|\.\.\/credentials\/)/.test(from),
			)
			.map((from) => `${path} imports ${from}`),
	);
	expect(strays).toEqual([]);
});

test.each(['pace', 'pollSchedule', 'completions', 'fileKinds', 'objects'])(
	'%s reads no clock and does no I/O',
	(name) => {
		const path = `nodes/shared/${name}.ts`;
		const pure = ['./objects'];
		expect(importsOf(path).filter((from) => !pure.includes(from))).toEqual([]);
		expect(using(/Date\.now|new Date|systemClock|await |helpers\b/)).not.toContain(path);
	},
);

test('every room that the page about the architecture names exists', () => {
	const page = readFileSync(join(PROJECT, 'docs/architecture.md'), 'utf8');
	const rooms = [...page.matchAll(/`shared\/(\w+)`/g)].map(([, room]) => `nodes/shared/${room}.ts`);
	expect(rooms.length).toBeGreaterThan(10);
	const files = sources.map(({ path }) => path);
	expect(rooms.filter((room) => !files.includes(room))).toEqual([]);
});
