import type {
	INodeProperties,
	INodePropertyCollection,
	INodePropertyMode,
	INodePropertyOptions,
} from 'n8n-workflow';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { MirageApi } from '../../../credentials/MirageApi.credentials';
import { allNodes, folderOf } from './allNodes';

const actions = allNodes.filter(({ description }) => !description.group.includes('trigger'));

/** A parameter with the way to it: `options → after`. */
type Placed = [where: string, parameter: INodeProperties];

/** All parameters of a panel, those inside collections too. */
function parametersOf(where: string, properties: INodeProperties[]): Placed[] {
	return properties.flatMap((parameter): Placed[] => {
		const here = `${where} → ${parameter.name}`;
		const inside =
			parameter.type === 'collection'
				? parametersOf(here, parameter.options as INodeProperties[])
				: parameter.type === 'fixedCollection'
					? (parameter.options as INodePropertyCollection[]).flatMap(({ values }) =>
							parametersOf(here, values),
						)
					: [];
		return [[here, parameter], ...inside];
	});
}
const parameters: Placed[] = [
	...allNodes.flatMap(({ description: { name, properties } }) => parametersOf(name, properties)),
	...parametersOf('mirageApi', new MirageApi().properties),
];
const ofTypes = (...types: string[]) => parameters.filter(([, { type }]) => types.includes(type));
const choices = ofTypes('options', 'multiOptions').flatMap(([where, { name, options }]) =>
	(options as INodePropertyOptions[]).map(
		(option) => [`${where} → ${option.value}`, name, option] as const,
	),
);

const SENTENCES = /[.?!] [A-Z]/;

describe('every parameter explains itself', () => {
	// n8n's own nodes leave these without one: the choices below them say what they do.
	const explained = parameters.filter(
		([, { name, type }]) =>
			!['resource', 'operation'].includes(name) && !['notice', 'collection'].includes(type),
	);
	it.each(explained)('%s', (_, { description, hint }) => {
		expect(description ?? hint).toMatch(/^[A-Z].{10,}/);
	});
});

describe('words follow the style of n8n', () => {
	it.each(parameters.filter(([, { description }]) => description))(
		'%s: a full stop only behind several sentences',
		(_, { description }) => {
			expect(description!.endsWith('.')).toBe(SENTENCES.test(description!));
		},
	);

	it.each(ofTypes('boolean'))('%s: a switch says "Whether …"', (_, { description }) => {
		expect(description).toMatch(/^Whether /);
	});

	it.each(parameters.filter(([, { type }]) => type !== 'notice'))(
		'%s: a label in title case',
		(_, { displayName }) => {
			const small = /^(a|an|and|as|at|by|for|from|in|of|on|or|the|they|to|with|vs)$/;
			const words = displayName.replace(/[()]/g, '').split(' ');
			for (const word of words)
				if (!small.test(word)) expect(word.charAt(0)).toBe(word.charAt(0).toUpperCase());
		},
	);

	it.each(ofTypes('string', 'number').filter(([, { placeholder }]) => placeholder))(
		'%s: an example starts with "e.g."',
		(_, { placeholder }) => {
			expect(placeholder).toMatch(/^e\.g\. \S/);
		},
	);

	it.each(choices)('%s: the choice has a name', (_, __, { name }) => {
		expect(name).toMatch(/^[A-Z]/);
	});
});

describe('what is typed in has an example', () => {
	const typed = ofTypes('string').filter(([, { typeOptions }]) => !typeOptions?.password);
	it.each(typed.filter(([where]) => !where.startsWith('mirageTrigger')))(
		'%s',
		(_, { placeholder }) => {
			expect(placeholder).toBeTruthy();
		},
	);
	it.each(ofTypes('resourceLocator'))('%s, in the mode for an ID', (_, { modes }) => {
		const { placeholder } = modes!.find(({ name }) => name === 'id') as INodePropertyMode;
		expect(placeholder).toMatch(/^e\.g\. /);
	});
});

describe('pickers', () => {
	it.each(ofTypes('resourceLocator'))('%s: from the list and by ID, searchable', (where, each) => {
		expect(each.modes!.map(({ name }) => name)).toEqual(['list', 'id']);
		const { searchListMethod, searchable } = each.modes![0]!.typeOptions!;
		expect(searchable).toBe(true);
		const node = allNodes.find(({ description }) => where.startsWith(`${description.name} `));
		expect(node!.methods?.listSearch?.[searchListMethod!]).toBeInstanceOf(Function);
	});
});

describe('operations', () => {
	const operations = choices.filter(([, name]) => name === 'operation');
	it.each(operations)('%s: has an action and a description', (_, __, { action, description }) => {
		expect(action).toMatch(/^[A-Z][a-z]+( [a-z]+)+$/);
		expect(description).toBeTruthy();
	});
	it('no two actions of a node read the same', () => {
		const names = operations.map(([where, , { action }]) => `${where.split(' ')[0]} ${action}`);
		expect(new Set(names).size).toBe(names.length);
	});
});

describe.each(allNodes.map(({ description }) => [description.name, description] as const))(
	'%s',
	(name, description) => {
		it('shows the mark of Mirage in both themes', () => {
			const { light, dark } = description.icon as { light: string; dark: string };
			for (const icon of [light, dark]) {
				const path = resolve(folderOf(name), icon.replace(/^file:/, ''));
				expect(existsSync(path)).toBe(true);
				expect(readFileSync(path, 'utf8')).toContain('<svg');
			}
			expect(light).not.toBe(dark);
		});

		it('says in its subtitle what it will do', () => {
			expect(description.subtitle).toMatch(/^=\{\{.*\$parameter/);
		});

		it('asks for the credential, and carries its label as its name', () => {
			expect(description.credentials).toEqual([{ name: 'mirageApi', required: true }]);
			expect(description.displayName).toMatch(/^Mirage /);
			expect(description.defaults.name).toBe(description.displayName);
			expect(description.description).toMatch(/^[A-Z].{20,}[^.]$/);
		});
	},
);

it('every action can be used by an agent, and the trigger cannot', () => {
	const usable = allNodes.filter(({ description }) => description.usableAsTool);
	expect(usable).toEqual(actions);
	expect(actions).toHaveLength(6);
});

it('the trigger is called a trigger in the node panel, and "trigger mirage" finds it', () => {
	const { name, properties } = allNodes.find(({ description }) =>
		description.group.includes('trigger'),
	)!.description;
	// n8n makes an action of each choice of such a parameter, and takes "Trigger" out of the node's name.
	for (const { displayName } of properties)
		expect(displayName).not.toMatch(/^(event|events|trigger on)$/i);
	const codex = JSON.parse(
		readFileSync(join(folderOf(name), 'MirageTrigger.node.json'), 'utf8'),
	) as { alias: string[] };
	expect(codex.alias).toContain('Trigger Mirage');
});

it('nodes that cost money say so in the panel', () => {
	for (const name of ['mirageCreateVideo', 'mirageAddCaptions']) {
		const { properties } = allNodes.find(
			({ description }) => description.name === name,
		)!.description;
		expect(properties[0]).toMatchObject({
			type: 'notice',
			displayName: expect.stringMatching(/USD/),
		});
	}
});

it('the credential has its mark, its documentation and its test', () => {
	const { icon, documentationUrl, test } = new MirageApi();
	for (const file of Object.values(icon as object) as string[])
		expect(existsSync(join(__dirname, '../../../credentials', file.replace('file:', '')))).toBe(
			true,
		);
	const page = documentationUrl.split('/blob/main/')[1]!;
	expect(existsSync(join(__dirname, '../../..', page))).toBe(true);
	expect(test.request.url).toBe('/v1/videos');
});
