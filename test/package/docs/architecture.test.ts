import fastGlob from 'fast-glob';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const PROJECT = join(__dirname, '..', '..', '..');
const sources = fastGlob
	.sync(['nodes/**/*.ts', 'credentials/**/*.ts'], { cwd: PROJECT })
	.map((path) => ({ path, text: readFileSync(join(PROJECT, path), 'utf8') }));

/** Sources without their comments, which may name what the code must not use. */
const codeOf = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
const using = (pattern: RegExp) =>
	sources.filter(({ text }) => pattern.test(codeOf(text))).map(({ path }) => path);
/** The files that a source imports, types included, as paths from the project's root. */
const importsOf = ({ path, text }: (typeof sources)[number]) =>
	[...text.matchAll(/^import [^;]*?from '(\.[^']+)'/gm)].map(([, from]) =>
		normalize(join(dirname(path), from!)),
	);

/**
 * The rooms of `nodes/shared`, floor by floor from the top: a room imports only from floors below its own.
 * The nodes stand above all of them.
 */
const FLOORS = [
	['videos'],
	['descriptions', 'methods', 'items', 'files'],
	['account'],
	['api'],
	['transport'],
	['media', 'n8n', 'async'],
];
const roomOf = (path: string) => /^nodes\/shared\/(\w+)\//.exec(path)?.[1];
const floorOf = (path: string) => {
	const room = roomOf(path);
	if (path.startsWith('nodes/') && room === undefined) return -1;
	return FLOORS.findIndex((rooms) => rooms.includes(room!));
};

test('every file of nodes/shared lies in a room that has a floor', () => {
	const strays = sources
		.map(({ path }) => path)
		.filter((path) => path.startsWith('nodes/shared/') && floorOf(path) === -1);
	expect(strays).toEqual([]);
});

test('imports go down: no room imports its own floor or one above', () => {
	const up = sources
		.filter(({ path }) => path.startsWith('nodes/shared/'))
		.flatMap((source) =>
			importsOf(source)
				.filter((target) => target.startsWith('nodes/') && roomOf(target) !== roomOf(source.path))
				.filter((target) => floorOf(target) <= floorOf(source.path))
				.map((target) => `${source.path} imports ${target}`),
		);
	expect(up).toEqual([]);
});

test('no files import each other in a circle', () => {
	const graph = new Map(
		sources.map((source) => [source.path, importsOf(source).map((target) => `${target}.ts`)]),
	);
	const done = new Set<string>();
	const circles: string[] = [];
	const visit = (path: string, trail: string[]) => {
		if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
		if (done.has(path) || trail.includes(path)) return;
		for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
		done.add(path);
	};
	for (const path of graph.keys()) visit(path, []);
	expect(circles).toEqual([]);
});

test('no node imports another', () => {
	const strays = sources
		.filter(({ path }) => floorOf(path) === -1 && path.startsWith('nodes/'))
		.flatMap((source) =>
			importsOf(source)
				.filter((target) => target.startsWith('nodes/') && roomOf(target) === undefined)
				.filter((target) => dirname(target) !== dirname(source.path))
				.map((target) => `${source.path} imports ${target}`),
		);
	expect(strays).toEqual([]);
});

test('no file of nodes is longer than 350 lines', () => {
	const long = sources.filter(({ text }) => text.split('\n').length > 351);
	expect(long.map(({ path }) => path)).toEqual([]);
});

test('only transport sends requests with the key', () => {
	expect(using(/httpRequestWithAuthentication|requestWithAuthentication/)).toEqual([
		'nodes/shared/transport/request.ts',
	]);
	expect(using(/helpers\s*\.\s*httpRequest\b/)).toEqual(['nodes/shared/transport/fetchPublic.ts']);
	expect(using(/(?<![.\w]|async )fetch\(|require\(|from '(node:)?https?'/)).toEqual([]);
});

test('only api knows a path of the API, but for the test of the credential', () => {
	expect(using(/['"`]\/v1\//)).toEqual([
		'nodes/shared/api/endpoints.ts',
		'credentials/MirageApi.credentials.ts',
	]);
});

test('no node sends a request past api', () => {
	const importers = sources
		.filter((source) =>
			importsOf(source).some((target) => /\/transport\/(request|retry)$/.test(target)),
		)
		.map(({ path }) => roomOf(path) ?? path);
	expect(new Set(importers)).toEqual(new Set(['api', 'transport']));
});

test.each([
	...['nodes/shared/account/interval.ts', 'nodes/shared/account/pollSchedule.ts'],
	'nodes/shared/account/estimate.ts',
	...['state', 'listView', 'nextRead', 'classify'].map((name) => `nodes/Trigger/${name}.ts`),
	...['byteRanges', 'completeness', 'contents', 'duration', 'durationMp3', 'durationMp4'].map(
		(name) => `nodes/shared/media/${name}.ts`,
	),
	...['durationWav', 'formats', 'frame'].map((name) => `nodes/shared/media/${name}.ts`),
	'nodes/shared/api/objects.ts',
])('%s reads no clock and does no I/O', (path) => {
	expect(sources.map((source) => source.path)).toContain(path);
	expect(using(/Date\.now|new Date|systemClock|await |helpers\b/)).not.toContain(path);
});

test('every room that the page about the architecture names exists', () => {
	const page = readFileSync(join(PROJECT, 'docs/architecture.md'), 'utf8');
	const rooms = [...page.matchAll(/`shared\/(\w+)`/g)].map(([, room]) => room!);
	expect(new Set(rooms)).toEqual(new Set(FLOORS.flat()));
});
