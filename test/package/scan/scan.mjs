/**
 * Runs n8n's package scanner rules over what a user would install: the sources that the provenance
 * attestation points at, and the packed tarball. Inline disables are ignored, and warnings count.
 * Exits 1 when anything is found. Also holds the tarball to its promised contents and size.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ESLint } from 'eslint';
import glob from 'fast-glob';
import {
	buildScanConfig,
	SOURCE_FILE_PATTERNS,
} from '@n8n/scan-community-package/scanner/scanner.mjs';

const root = path.resolve(
	import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname),
	'../../..',
);
/** What n8n's scanner lints in a tarball (`analyzePackage`'s default in @n8n/scan-community-package). */
const TARBALL_PATTERNS = ['**/*.js', '**/*.ts', '**/*.json'];
/** Bytes unpacked: the package stays light beside n8n's own nodes. */
const MAX_UNPACKED_BYTES = 190_000;
/** The only top-level names a tarball may hold. */
const ALLOWED = new Set([
	'dist',
	'index.js',
	'package.json',
	'README.md',
	'LICENSE',
	'CHANGELOG.md',
]);

async function findings(directory, patterns) {
	const eslint = new ESLint({
		cwd: directory,
		allowInlineConfig: false,
		overrideConfigFile: true,
		overrideConfig: await buildScanConfig(),
	});
	const files = glob.sync(patterns, {
		cwd: directory,
		absolute: true,
		ignore: ['**/node_modules/**', '**/package-lock.json'],
	});
	if (files.length === 0) throw new Error(`nothing to scan in ${directory}`);
	const results = await eslint.lintFiles(files);
	const count = results.reduce((sum, r) => sum + r.errorCount + r.warningCount, 0);
	const report = count > 0 ? await (await eslint.loadFormatter('stylish')).format(results) : '';
	return { files: files.length, count, report };
}

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'mirage-scan-'));
try {
	const sources = await findings(root, SOURCE_FILE_PATTERNS);
	const pack = spawnSync('npm', ['pack', '--json', '--pack-destination', scratch], {
		cwd: root,
		encoding: 'utf8',
	});
	if (pack.status !== 0) throw new Error(`npm pack failed: ${pack.stderr}`);
	const parsed = JSON.parse(pack.stdout);
	const packed = Array.isArray(parsed) ? parsed[0] : Object.values(parsed)[0];
	const strangers = packed.files.map((f) => f.path).filter((p) => !ALLOWED.has(p.split('/')[0]));
	spawnSync('tar', ['-xzf', path.join(scratch, packed.filename), '-C', scratch], {
		stdio: 'inherit',
	});
	const tarball = await findings(path.join(scratch, 'package'), TARBALL_PATTERNS);

	const problems = [
		...(sources.count ? [`sources:\n${sources.report}`] : []),
		...(tarball.count ? [`tarball:\n${tarball.report}`] : []),
		...(strangers.length
			? [`files that do not belong in the package: ${strangers.join(', ')}`]
			: []),
		...(packed.unpackedSize > MAX_UNPACKED_BYTES
			? [`${packed.unpackedSize} bytes unpacked, more than ${MAX_UNPACKED_BYTES}`]
			: []),
	];
	console.log(
		`scan: ${sources.files} source files, ${tarball.files} packed files, ${packed.entryCount} entries, ${packed.unpackedSize} bytes unpacked`,
	);
	if (problems.length) {
		console.error(problems.join('\n'));
		process.exitCode = 1;
	} else console.log('scan: no errors, no warnings');
} finally {
	fs.rmSync(scratch, { recursive: true, force: true });
}
