import fastGlob from 'fast-glob';
import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { minVersion, satisfies } from 'semver';
import { preProcessFile } from 'typescript';

import { engines } from '../../package.json';

const PROJECT = join(__dirname, '..', '..');
const sources = fastGlob.sync('**/*.{ts,js,mjs}', {
	cwd: PROJECT,
	ignore: ['**/node_modules/**', 'dist/**', 'coverage/**', 'test/n8n/installs/**', '.demo/**'],
});

interface Manifest {
	dependencies?: object;
	devDependencies?: object;
	peerDependencies?: object;
}

/** What `npm ci` reads of a package in `package-lock.json` before it warns. */
interface Locked {
	deprecated?: string;
	engines?: { node?: string };
}

/** Names that a package's manifest declares; those of the package around it serve it too. */
function declaredFor(folder: string): Set<string> {
	const path = join(PROJECT, folder, 'package.json');
	const names = folder === '.' ? new Set<string>() : declaredFor(dirname(folder));
	if (!existsSync(path)) return names;
	const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
	const { dependencies, devDependencies, peerDependencies } = manifest;
	for (const name of Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies }))
		names.add(name);
	return names;
}

/** Packages that a source imports, without the path inside them: `ajv` for `ajv/dist/2020`. */
const packagesIn = (text: string) =>
	preProcessFile(text, true, true)
		.importedFiles.map(({ fileName }) => fileName)
		.filter((name) => !/^[./]/.test(name) && !isBuiltin(name))
		.map((name) => /^(?:@[^/]+\/)?[^/]+/.exec(name)![0]);

test('a fresh install holds every package that a file imports', () => {
	expect(sources).toContain('test/n8n/editor.ts');
	const missing = sources.flatMap((path) => {
		const declared = declaredFor(dirname(path));
		return packagesIn(readFileSync(join(PROJECT, path), 'utf8'))
			.filter((name) => !declared.has(name))
			.map((name) => `${path} imports ${name}`);
	});
	expect(missing).toEqual([]);
});

test('imports are seen in every form', () => {
	const text = `
		import one from 'one';
		import type { Two } from '@two/two/types';
		export * from 'three/three';
		const four = require('four');
		const five = await import('five');
		type Six = typeof import('six');
		import './near'; import 'node:fs'; import 'path';`;
	expect(packagesIn(text).sort()).toEqual(['@two/two', 'five', 'four', 'one', 'six', 'three']);
});

test('npm ci warns of nothing on the oldest Node that the README asks for', () => {
	const node = minVersion(engines.node)!;
	const text = readFileSync(join(PROJECT, 'README.md'), 'utf8');
	expect(text).toContain(`Node.js ${node.major}.${node.minor} or newer`);
	const lock = readFileSync(join(PROJECT, 'package-lock.json'), 'utf8');
	const { packages } = JSON.parse(lock) as { packages: Record<string, Locked> };
	const warnings = Object.entries(packages).flatMap(([path, locked]) => [
		...(locked.deprecated ? [`${path} is deprecated: ${locked.deprecated}`] : []),
		...(satisfies(node, locked.engines?.node ?? '*') ? [] : [`${path} asks for another Node`]),
	]);
	expect(warnings).toEqual([]);
});
