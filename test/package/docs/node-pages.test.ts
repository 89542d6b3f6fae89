import fastGlob from 'fast-glob';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { nodeDescriptions } from './node-descriptions';
import { pageName, pages, partsOf, readPage, withParts } from './node-pages';

const PROJECT = join(__dirname, '..', '..', '..');

test.each(pages.map((page) => [page.path, page] as const))(
	'%s tells the parameters that the panel has (if not: npm run docs)',
	(_, page) => {
		const { text, wanted } = readPage(page);
		expect(text).toBe(wanted);
	},
);

test('every node has a page, and every page a node', () => {
	const files = fastGlob.sync('*.md', { cwd: join(PROJECT, 'docs/nodes') }).sort();
	expect(files).toEqual(nodeDescriptions.map((node) => `${pageName(node)}.md`).sort());
});

test.each(pages.map((page) => [page.path, page] as const))(
	'%s has facts and parameters, and each node page shows an item',
	(path, page) => {
		const { text } = readPage(page);
		const wanted = ['facts', 'parameters', ...(path.startsWith('docs/nodes/') ? ['example '] : [])];
		for (const name of wanted) expect(text).toContain(`<!-- generated: ${name}`);
	},
);

test('a parameter that is left out of a page, or renamed in it, is noticed', () => {
	const [page] = pages;
	const [first, ...rest] = page!.properties.filter(({ type }) => type !== 'notice');
	const text = '<!-- generated: parameters -->\n<!-- end of parameters -->';
	const parts = partsOf(page!, {});
	const written = withParts(text, parts);
	expect(written).toContain(`**${first!.displayName}** (\`${first!.name}\`)`);
	const renamed = [{ ...first!, displayName: 'Something Else' }, ...rest];
	expect(withParts(written, partsOf({ ...page!, properties: renamed }, {}))).not.toBe(written);
	expect(withParts(written, parts)).toBe(written);
});

test('a marker that names nothing, or is not closed, is an error and no empty page', () => {
	const parts = new Map([['facts', 'x']]);
	expect(() => withParts('<!-- generated: fact -->', parts)).toThrow('"fact"');
	expect(() => withParts('<!-- generated: facts -->', parts)).toThrow('<!-- end of facts -->');
});

/** All that the nodes and the credential can say, as it stands in their sources. */
const sources = fastGlob
	.sync('{nodes,credentials}/**/*.ts', { cwd: PROJECT, absolute: true })
	.map((path) => readFileSync(path, 'utf8').replace(/\\'/g, "'"))
	.join('\n');

/** First cells of the table under "n8n says". */
function messagesOn(path: string): string[] {
	const lines = readFileSync(join(PROJECT, path), 'utf8').split('\n');
	const messages: string[] = [];
	let inTable = false;
	for (const line of lines) {
		const cell = /^\| (.+?) \|/.exec(line)?.[1];
		inTable = cell === 'n8n says' || (inTable && cell !== undefined);
		if (inTable && cell !== 'n8n says' && !/^-+$/.test(cell!)) messages.push(cell!);
	}
	return messages;
}

/** Labels of parameters that messages begin with; the sources put them in. */
const LABELS = nodeDescriptions.flatMap(({ properties }) =>
	properties.map(({ displayName }) => displayName.replace(/ (Field|URL|Source)$/, '')),
);

/** Whether all that lies between the gaps (`…`) of a message stands in the sources. */
const isSaid = (message: string) =>
	message
		.split('…')
		.map((piece) => piece.replace(/^[^\w]+|[^\w]+$/g, ''))
		.every((piece) => sources.includes(piece));

test.each([...pages.map(({ path }) => path), 'docs/errors.md'])(
	'%s explains only messages that the nodes really give',
	(path) => {
		const messages = messagesOn(path);
		expect(messages.length).toBeGreaterThan(0);
		const unknown = messages.filter((message) => {
			const label = LABELS.find((name) => message.startsWith(name)) ?? '';
			return ![message, message.slice(label.length)].some(isSaid);
		});
		expect(unknown).toEqual([]);
	},
);
