import tseslint from 'typescript-eslint';
import {
	buildScanConfig,
	SOURCE_FILE_PATTERNS,
} from '@n8n/scan-community-package/scanner/scanner.mjs';

/**
 * Two readings of the same rules: what ships (`nodes`, `credentials`, `package.json`) is linted with the
 * very config of n8n's package scanner; what does not ship gets typescript-eslint's recommended rules.
 */
const scanConfig = (await buildScanConfig()).map((entry) => ({
	...entry,
	files: entry.files ?? SOURCE_FILE_PATTERNS,
	// Some of n8n's patterns match any folder called `nodes`, and `test/nodes` is one.
	ignores: [...(entry.ignores ?? []), 'test/**'],
}));

export default [
	{
		ignores: [
			'dist/',
			'coverage/',
			'node_modules/',
			'test/n8n/installs/',
			'.demo/',
			'examples/',
			'package-lock.json',
		],
	},
	{ linterOptions: { noInlineConfig: true } },
	...scanConfig,
	...tseslint.configs.recommended.map((entry) => ({
		...entry,
		files: ['nodes/**/*.ts', 'credentials/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'],
	})),
];
