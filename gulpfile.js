const { build, transform } = require('esbuild');
const fastGlob = require('fast-glob');
const { src, dest, parallel } = require('gulp');
const { mkdir, writeFile } = require('node:fs/promises');
const { dirname } = require('node:path');

/** Copies icons, codex files and output schemas, keeping their folders. */
const copyFrom = (root, patterns) => () =>
	src(patterns, { cwd: root, encoding: false }).pipe(dest(`dist/${root}`));

/**
 * Compiles the nodes, and puts what they share into a few files beside them, without comments and long names: n8n reads every
 * installed package at each start. What is shared stays one module for all nodes, since an account's rate
 * limit and reads are kept there. The sources are what n8n's reviewers and people read.
 */
const shrink = async () => {
	const entryPoints = await fastGlob(['nodes/**/*.node.ts', 'credentials/*.credentials.ts']);
	const { outputFiles } = await build({
		entryPoints,
		outdir: 'dist',
		outbase: '.',
		chunkNames: 'nodes/shared/[hash]',
		bundle: true,
		splitting: true,
		minify: true,
		format: 'esm',
		platform: 'node',
		target: 'es2022',
		external: ['n8n-workflow', 'crypto'],
		write: false,
	});
	for (const { path, text } of outputFiles) {
		const { code } = await transform(text, { format: 'cjs', minify: true, target: 'es2022' });
		await mkdir(dirname(path), { recursive: true });
		await writeFile(path, code);
	}
};

exports.default = parallel(
	copyFrom('icons', ['*.svg']),
	copyFrom('nodes', ['**/*.node.json', '**/__schema__/**/*.json']),
	shrink,
);
