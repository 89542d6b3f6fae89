import type { CodexData } from 'n8n-workflow';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { allNodes, folderOf } from './allNodes';

/** The search of the editor's node list. */
const { sublimeSearch } = jest.requireActual<{
	sublimeSearch: <T>(
		words: string,
		data: readonly T[],
		keys: Array<{ key: string; weight: number }>,
	) => Array<{ score: number; item: T }>;
}>('@n8n/utils/dist/search/sublime-search');

interface Codex extends CodexData {
	node: string;
	nodeVersion: string;
	codexVersion: string;
}

const nodes = allNodes.map(({ description }) => {
	const { name, displayName } = description;
	const file = `M${name.slice(1)}.node.json`;
	const codex = JSON.parse(readFileSync(join(folderOf(name), file), 'utf8')) as Codex;
	return { key: name, properties: { displayName, codex } };
});

/** Categories that n8n's own nodes use; others would make a shelf of their own in the node list. */
const CATEGORIES = [
	'AI',
	'Analytics',
	'Communication',
	'Data & Storage',
	'Development',
	'Finance & Accounting',
	'Marketing',
	'Miscellaneous',
	'Productivity',
	'Sales',
	'Utility',
];

describe.each(nodes)('$key', ({ key, properties: { codex } }) => {
	it('is described under the name that n8n loads it by', () => {
		expect(codex).toMatchObject({
			node: `n8n-nodes-mirage.${key}`,
			nodeVersion: '1.0',
			codexVersion: '1.0',
		});
	});

	it('stands in a category of n8n', () => {
		expect(codex.categories!.length).toBeGreaterThan(0);
		for (const category of codex.categories!) expect(CATEGORIES).toContain(category);
	});

	it('links to pages that exist', () => {
		const { primaryDocumentation, credentialDocumentation = [] } = codex.resources!;
		expect(primaryDocumentation!.length).toBeGreaterThan(0);
		for (const { url } of [...primaryDocumentation!, ...credentialDocumentation]) {
			const [, page] = url.split('/blob/main/');
			expect(existsSync(join(__dirname, '../../..', page!))).toBe(true);
		}
	});

	it('names no alias twice', () => {
		const aliases = codex.alias!.map((alias) => alias.toLowerCase());
		expect(new Set(aliases).size).toBe(aliases.length);
	});
});

/** The fields and weights by which the editor of n8n 2.41 searches its node list. */
const KEYS = [
	{ key: 'properties.displayName', weight: 1.3 },
	{ key: 'properties.codex.alias', weight: 1 },
];
const found = (words: string) => sublimeSearch(words, nodes, KEYS).map(({ item }) => item.key);

it.each([
	['talking head', 'mirageCreateVideo'],
	['avatar', 'mirageCreateVideo'],
	['ai video', 'mirageCreateVideo'],
	['lip sync', 'mirageCreateVideo'],
	['ugc', 'mirageCreateVideo'],
	['captions', 'mirageAddCaptions'],
	['subtitles', 'mirageAddCaptions'],
	['subtitle', 'mirageAddCaptions'],
	['voice over', 'mirageTextToSpeech'],
	['voiceover', 'mirageTextToSpeech'],
	['text to speech', 'mirageTextToSpeech'],
	['tts', 'mirageTextToSpeech'],
	['text overlay', 'mirageMetaTextOverlay'],
	['wait', 'mirageWaitForVideo'],
	['download video', 'mirageWaitForVideo'],
	['list videos', 'mirageList'],
	['caption templates', 'mirageList'],
])('who types "%s" finds %s first', (words, node) => {
	expect(found(words)[0]).toBe(node);
});

it.each(['mirage', 'MIRAGE'])('who types "%s" finds all nodes', (words) => {
	expect(found(words)).toHaveLength(nodes.length);
});
