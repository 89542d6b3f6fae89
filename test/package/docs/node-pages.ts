/**
 * `npm run docs`: writes the generated parts of `docs/nodes/*.md` and `docs/credential.md` anew, from the
 * node descriptions and from items that the nodes really put out. Everything outside the markers is
 * written by hand and stays as it is.
 *
 * A generated part lies between `<!-- generated: NAME -->` and `<!-- end of NAME -->`. Names are `facts`,
 * `parameters`, and `example KEY` with a key of `example-items.json`.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
	INodeProperties,
	INodePropertyCollection,
	INodePropertyOptions,
	INodeTypeDescription,
} from 'n8n-workflow';

import { credential, isToolForm, nodeDescriptions, PACKAGE } from './node-descriptions';

const PROJECT = join(__dirname, '..', '..', '..');
const EXAMPLE_ITEMS = join(__dirname, 'example-items.json');

/** A page of the documentation, and what its generated parts are made from. */
export interface NodePage {
	/** Path from the project's folder. */
	path: string;
	facts: string;
	properties: INodeProperties[];
}

/** `mirageCreateVideo` → `create-video`: a page is found by the name that the canvas shows. */
export function pageName({ displayName }: Pick<INodeTypeDescription, 'displayName'>): string {
	return displayName
		.replace(/^Mirage /, '')
		.toLowerCase()
		.replace(/ /g, '-');
}

/** All pages with generated parts: one for each node, and one for the credential. */
export const pages: NodePage[] = [
	...nodeDescriptions.map((description) => ({
		path: `docs/nodes/${pageName(description)}.md`,
		facts: factsOf(description),
		properties: description.properties.filter((each) => !isToolForm(each)),
	})),
	{
		path: 'docs/credential.md',
		facts: `| | |\n| --- | --- |\n| Name in n8n | ${credential.displayName} |\n| Name in saved workflows | \`${credential.name}\` |`,
		properties: credential.properties,
	},
];

function factsOf(description: INodeTypeDescription): string {
	const rows: Array<[string, string]> = [
		['What it does', `${description.description}.`],
		['Name in saved workflows', `\`${PACKAGE}.${description.name}\``],
		['Credential', '[Mirage API](../credential.md)'],
	];
	if (description.usableAsTool)
		rows.push(['As a tool of an AI agent', `\`${PACKAGE}.${description.name}Tool\``]);
	if (description.polling)
		rows.push(['Starts a workflow', 'yes, by asking at a set time (polling)']);
	return ['| | |', '| --- | --- |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join(
		'\n',
	);
}

/** The generated parts of a page, by name. `examples` is what `example-items.json` holds. */
export function partsOf(page: NodePage, examples: Record<string, unknown>): Map<string, string> {
	const shown = page.properties.filter(({ type }) => type !== 'notice' && type !== 'collection');
	const tables = [table(shown, page.properties)];
	for (const property of page.properties) {
		if (property.type !== 'fixedCollection' && property.type !== 'collection') continue;
		const when = whenShown(property, page.properties);
		const [first] = property.options as INodePropertyCollection[];
		const inner =
			property.type === 'fixedCollection' ? first!.values : (property.options as INodeProperties[]);
		const title = `${property.displayName} (\`${property.name}\`)`;
		tables.push(
			`**${title}**${when ? ` – ${when}` : ''}`,
			table(inner, [...page.properties, ...inner]),
		);
	}
	return new Map([
		['facts', page.facts],
		['parameters', tables.join('\n\n')],
		...Object.entries(examples).map(([key, item]): [string, string] => [
			`example ${key}`,
			`\`\`\`json\n${JSON.stringify(item, null, 2)}\n\`\`\``,
		]),
	]);
}

function table(properties: INodeProperties[], all: INodeProperties[]): string {
	return [
		'| parameter | what it takes | default | limits |',
		'| --- | --- | --- | --- |',
		...properties.map((property) =>
			row([
				`**${property.displayName}** (\`${property.name}\`)`,
				whatItTakes(property, all),
				defaultOf(property),
				limitsOf(property),
			]),
		),
	].join('\n');
}

const row = (cells: string[]) =>
	`| ${cells.map((cell) => cell.replace(/\|/g, '\\|').replace(/\n/g, '<br>')).join(' | ')} |`;

const sentence = (text: string) => (text === '' || /[.!?]$/.test(text) ? text : `${text}.`);

function whatItTakes(property: INodeProperties, all: INodeProperties[]): string {
	const lines = [whenShown(property, all), sentence(property.description ?? '')];
	if (property.hint) lines.push(sentence(property.hint));
	for (const option of choicesOf(property))
		lines.push(
			`• *${option.name}* (\`${String(option.value)}\`)${option.description ? `: ${sentence(option.description)}` : ''}`,
		);
	if (property.type === 'resourceLocator')
		lines.push('• *From List*: pick one; type to search.', '• *By ID*: enter the ID.');
	if (property.type === 'fixedCollection') lines.push('See the table below.');
	return lines.filter(Boolean).join('\n');
}

function choicesOf(property: INodeProperties): INodePropertyOptions[] {
	if (property.type !== 'options' && property.type !== 'multiOptions') return [];
	return property.options as INodePropertyOptions[];
}

/** When a parameter is on the panel, in words; empty for one that always is. */
function whenShown(property: INodeProperties, all: INodeProperties[]): string {
	const { show: allShow = {}, hide = {} } = property.displayOptions ?? {};
	// Each parameter of the panel that has a form for tools is for everything else.
	const show = Object.fromEntries(Object.entries(allShow).filter(([path]) => path !== '@tool'));
	const conditions = (rules: typeof show, joiner: string) =>
		Object.entries(rules).map(([path, values]) => {
			const name = path.replace(/^\//, '');
			const candidates = all.filter((other) => other.name === name);
			const label = candidates[0]?.displayName ?? name;
			const named = (values ?? []).map((value) => {
				const not = (value as { _cnd?: { not?: unknown } } | null)?._cnd?.not;
				return not === undefined
					? `*${valueName(value, candidates)}*`
					: `not *${valueName(not, candidates)}*`;
			});
			return `*${label}* ${joiner} ${named.join(' or ')}`;
		});
	return [
		...(Object.keys(show).length > 0 ? [`Only when ${conditions(show, 'is').join(' and ')}.`] : []),
		...(Object.keys(hide).length > 0 ? [`Not when ${conditions(hide, 'is').join(' or ')}.`] : []),
	].join(' ');
}

function valueName(value: unknown, properties: INodeProperties[]): string {
	if (typeof value === 'boolean') return value ? 'on' : 'off';
	const choices = properties.flatMap(choicesOf);
	return String(choices.find((choice) => choice.value === value)?.name ?? value);
}

function defaultOf(property: INodeProperties): string {
	let value = property.default as unknown;
	if (typeof value === 'object' && value !== null && 'mode' in value)
		value = (value as { value?: unknown }).value;
	if (Array.isArray(value))
		return value.map((entry) => `*${valueName(entry, [property])}*`).join(', ') || 'none';
	if (value === '' || value === undefined || value === null || typeof value === 'object')
		return 'none';
	if (typeof value === 'boolean') return value ? 'on' : 'off';
	if (typeof value === 'string' && value.startsWith('='))
		return `\`${value.slice(1)}\` (an expression)`;
	if (choicesOf(property).length > 0) return `*${valueName(value, [property])}*`;
	return `\`${String(value as string | number)}\``;
}

function limitsOf(property: INodeProperties): string {
	const { minValue, maxValue, maxAllowedFields } = property.typeOptions ?? {};
	const unit = /\((Minutes|Seconds)\)/.exec(property.displayName)?.[1]?.toLowerCase();
	const limits: string[] = [];
	if (property.required) limits.push('required');
	if (unit) limits.push(`in ${unit}`);
	if (minValue !== undefined)
		limits.push(maxValue === undefined ? `at least ${minValue}` : `${minValue} to ${maxValue}`);
	if (maxAllowedFields !== undefined) limits.push(`at most ${maxAllowedFields}`);
	return limits.join(', ') || '–';
}

/**
 * Puts the generated parts into a page's text.
 *
 * @throws Error for a marker that names no part, or that is not closed
 */
export function withParts(text: string, parts: ReadonlyMap<string, string>): string {
	const opened = [...text.matchAll(/<!-- generated: (.+?) -->/g)].map(([, name]) => name!);
	let result = text;
	for (const name of opened) {
		const part = parts.get(name);
		if (part === undefined) throw new Error(`Nothing is generated under the name "${name}"`);
		const [start, end] = [`<!-- generated: ${name} -->`, `<!-- end of ${name} -->`];
		const from = result.indexOf(start) + start.length;
		const to = result.indexOf(end);
		if (to < from) throw new Error(`"${start}" has no "${end}" behind it`);
		result = `${result.slice(0, from)}\n\n${part}\n\n${result.slice(to)}`;
	}
	return result;
}

/** A page's text on disk, and what it has to be. Throws like {@link withParts}. */
export function readPage(page: NodePage): { text: string; wanted: string } {
	const text = readFileSync(join(PROJECT, page.path), 'utf8');
	const examples = JSON.parse(readFileSync(EXAMPLE_ITEMS, 'utf8')) as Record<string, unknown>;
	return { text, wanted: withParts(text, partsOf(page, examples)) };
}

/** Runs the nodes once more and stores what they put out; see `example-items.test.ts`. */
function renewExampleItems(): void {
	const jest = join(PROJECT, 'node_modules', 'jest', 'bin', 'jest.js');
	const run = spawnSync(process.execPath, [jest, 'test/package/docs/example-items.test.ts'], {
		cwd: PROJECT,
		env: { ...process.env, WRITE_EXAMPLE_ITEMS: EXAMPLE_ITEMS },
		encoding: 'utf8',
	});
	if (run.status !== 0) throw new Error(`The example items could not be made:\n${run.stderr}`);
}

if (require.main === module) {
	renewExampleItems();
	for (const page of pages) {
		const { text, wanted } = readPage(page);
		if (text !== wanted) writeFileSync(join(PROJECT, page.path), wanted);
		console.log(`${text === wanted ? 'up to date' : 'written   '}  ${page.path}`);
	}
}
