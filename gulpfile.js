const { transform } = require('esbuild');
const { src, dest, parallel } = require('gulp');
const { Transform } = require('node:stream');

/** Copies what `tsc` does not: icons, codex files and output schemas, keeping their folders. */
const copyFrom = (root, patterns) => () =>
	src(patterns, { cwd: root, encoding: false }).pipe(dest(`dist/${root}`));

/**
 * Shrinks the compiled files to what runs: n8n reads every installed package at each start. Exported
 * names and those of functions and classes stay; the sources are what n8n's reviewers and people read.
 */
const shrink = () =>
	src('dist/**/*.js')
		.pipe(
			new Transform({
				objectMode: true,
				transform(file, _encoding, done) {
					transform(file.contents.toString(), { minify: true, target: 'es2022' }).then(
						({ code }) => {
							file.contents = Buffer.from(code);
							done(null, file);
						},
						done,
					);
				},
			}),
		)
		.pipe(dest('dist'));

exports.default = parallel(
	copyFrom('icons', ['*.svg']),
	copyFrom('nodes', ['**/*.node.json', '**/__schema__/**/*.json']),
	shrink,
);
