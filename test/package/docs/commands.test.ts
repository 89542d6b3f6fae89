import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { scripts } from '../../../package.json';
import { COMMANDS, commandsIn, documentedCommands } from './commands';

const PROJECT = join(__dirname, '..', '..', '..');
const read = (path: string) => readFileSync(join(PROJECT, path), 'utf8');
const pathsIn = (line: string) => line.match(/\b(?:test|bench)\/[\w./-]+\.\w+/g) ?? [];

test('every command that a page names is known to work, and none is left over', () => {
	const documented = documentedCommands();
	const unknown = documented.filter(({ line }) => !(line in COMMANDS));
	expect(unknown).toEqual([]);
	const lines = new Set(documented.map(({ line }) => line));
	expect(Object.keys(COMMANDS).filter((line) => !lines.has(line))).toEqual([]);
});

test('what is said to run a command holds it', () => {
	const ci = read('.ci/run');
	const runs = read('test/n8n/e2e/commands.test.ts');
	for (const [line, proof] of Object.entries(COMMANDS)) {
		if (proof === 'run') expect(runs).toContain(line);
		else if ('ci' in proof) for (const words of proof.ci) expect(ci).toContain(words);
		else if ('test' in proof) expect(existsSync(join(PROJECT, proof.test))).toBe(true);
		else if ('script' in proof) expect(scripts.test).toContain(`npm run ${proof.script}`);
	}
});

test('files that a command names are there', () => {
	const paths = documentedCommands().flatMap(({ line }) => pathsIn(line));
	expect(paths).not.toEqual([]);
	expect(paths.filter((path) => !existsSync(join(PROJECT, path)))).toEqual([]);
});

test('commands are found in blocks and in sentences, and other code is left alone', () => {
	const page = [
		'```sh',
		'npm run one                  # explained',
		'TWO=1 npx two && npm three',
		'```',
		'Use `npm run four` or `node five.mjs`, not `npm` and not `const npm = 1`.',
	].join('\n');
	expect(commandsIn(page)).toEqual([
		'npm run one',
		'TWO=1 npx two && npm three',
		'npm run four',
		'node five.mjs',
	]);
});
