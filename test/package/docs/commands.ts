import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastGlob from 'fast-glob';

const PROJECT = join(__dirname, '..', '..', '..');
const PROGRAMS = /^(?:[A-Z_]+=\S+ )*(?:npm|npx|node|git|bash|apt-get) \S/;

/** A command line that a page tells its readers to type. */
export interface DocumentedCommand {
	/** Path from the project's folder. */
	page: string;
	line: string;
}

/** All command lines of all pages: those in blocks of code, and those inside a sentence. */
export function documentedCommands(): DocumentedCommand[] {
	const pages = fastGlob.sync('**/*.md', {
		cwd: PROJECT,
		ignore: ['**/node_modules/**', 'test/n8n/installs/**', '.demo/**'],
	});
	return pages
		.sort()
		.flatMap((page) =>
			commandsIn(readFileSync(join(PROJECT, page), 'utf8')).map((line) => ({ page, line })),
		);
}

/** The command lines of a page, without what explains them behind a `#`. */
export function commandsIn(markdown: string): string[] {
	const blocks = [...markdown.matchAll(/^```\w*\n([\s\S]*?)^```/gm)];
	const sentences = markdown.replace(/^```[\s\S]*?^```/gm, '');
	return [
		...blocks.flatMap(([, block]) => block!.split('\n')),
		...[...sentences.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!),
	]
		.map((line) => line.replace(/\s+#.*$/, '').trim())
		.filter((line) => PROGRAMS.test(line));
}

/** How a command is known to work. */
export type Proof =
	/** `.ci/run` calls it, with all of these words. */
	| { ci: string[] }
	/** `npm test` calls this script of `package.json`. */
	| { script: string }
	/** `test/n8n/e2e/commands.test.ts` runs it in a copy of the project. */
	| 'run'
	/** This test calls what the script of `package.json` calls. */
	| { test: string }
	/** Nothing runs it, for this reason. */
	| { notRun: string };

/** Every command of the docs, and how it is known to work. */
export const COMMANDS: Record<string, Proof> = {
	'npm ci && npm test': { ci: ['npm ci && npm test'] },
	'npm test': { ci: ['npm ci && npm test'] },
	'npm run build': { script: 'build' },
	'npm run lint': { script: 'lint' },
	'npm run scan': { script: 'scan' },
	'npm run demo -- --once': { ci: ['npm run demo -- --once'] },
	'npm ci --prefix test/n8n': { ci: ['npm ci --prefix test/n8n'] },
	'npm run test:n8n': { ci: ['npm run test:n8n'] },
	'npm run test:n8n -- --document': { ci: ['npm run test:n8n -- --document'] },
	'npm run bench -- --quick': { ci: ['npm run bench -- --quick'] },
	'apt-get install --no-install-recommends chromium redis-server postgresql openssl': {
		ci: ['apt-get install', '(chromium)', '(redis-server)', '(postgresql)', '(openssl)'],
	},
	'npm run check-api': { test: 'test/guarantees/assumptions/assumptions.test.ts' },
	'MIRAGE_API_KEY=… npm run check-api': {
		test: 'test/guarantees/assumptions/assumptions.test.ts',
	},
	'npx tsx test/shared/account/table.ts': { test: 'test/shared/account/simulation.test.ts' },
	'npm run demo': 'run',
	'npm ci && npm run demo': 'run',
	'npm run demo -- --voice ID --portrait FILE': 'run',
	'npm run dev': 'run',
	'npm run dev -- --inspect': 'run',
	'npm run dev -- --render-seconds 60': 'run',
	'npm run dev -- --fresh': 'run',
	'npm run emulator': 'run',
	'npm run emulator -- --help': 'run',
	'npm run docs': 'run',
	'npm run bench -- --help': 'run',
	'npm run test:n8n -- retry': 'run',
	'npx jest test/guarantees/fuzz': 'run',
	'npx jest <path>': 'run',
	'npx jest --selectProjects unit': 'run',
	"npx jest --selectProjects 'n8n 2.41'": 'run',
	'UPDATE_FAULT_MATRIX=1 npx jest test/guarantees/faults/matrix': 'run',
	'npx tsx test/n8n/screenshots.ts': 'run',
	'npx tsx test/n8n/example-pictures.ts': 'run',
	'npm version --no-git-tag-version minor': 'run',
	'node test/package/release/check.mjs': 'run',
	'npm publish --dry-run': 'run',
	'npm run bench': {
		notRun: 'it takes half an hour; bench/results is what it wrote, and CI runs its quick form',
	},
	'npm publish': { notRun: 'it publishes; its dry run runs' },
	'git tag v1.2.3 && git push origin v1.2.3': {
		notRun: 'it publishes; test/package/release holds the workflow that it starts',
	},
};
