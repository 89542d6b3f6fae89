import fastGlob from 'fast-glob';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

import { homepage, scripts } from '../../../package.json';

const PROJECT = join(__dirname, '..', '..', '..');
const REPOSITORY = homepage.replace(/#.*$/, '');
const OTHERS = ['**/node_modules/**', 'dist/**', 'coverage/**', 'test/n8n/installs/**', '.demo/**'];
const files = (patterns: string[]) =>
	fastGlob.sync(patterns, { cwd: PROJECT, ignore: OTHERS, dot: true }).sort();
const pages = files(['**/*.md']);
const read = (path: string) => readFileSync(join(PROJECT, path), 'utf8');

/** A page without its code, which holds no links. */
const prose = (text: string) =>
	text
		.replace(/^```[\s\S]*?^```/gm, '')
		.replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]]/g, ''));

/** Targets of the links and pictures of a page: Markdown's own, and those of HTML tags. */
function targetsIn(text: string): string[] {
	return [
		...prose(text).matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g),
		...prose(text).matchAll(/^\[[^\]]+\]:\s*(\S+)/gm),
		...prose(text).matchAll(/\b(?:href|src|srcset)="([^"\s]+)/g),
	].map(([, target]) => target!);
}

/** The anchors that GitHub makes from the headings of a page. */
function anchorsOf(text: string): Set<string> {
	const seen = new Map<string, number>();
	const withoutCode = text.replace(/^```[\s\S]*?^```/gm, '');
	const anchors = [...withoutCode.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)].map(([, heading]) => {
		const slug = heading!
			.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
			.toLowerCase()
			.replace(/[^\p{L}\p{N}\s_-]/gu, '')
			.replace(/\s/g, '-');
		const count = seen.get(slug) ?? 0;
		seen.set(slug, count + 1);
		return count === 0 ? slug : `${slug}-${count}`;
	});
	return new Set([
		...anchors,
		...[...text.matchAll(/\b(?:id|name)="([^"]+)"/g)].map(([, anchor]) => anchor!),
	]);
}

/** Whether a path exists with just this spelling: some disks do not tell `A` from `a`, GitHub does. */
function exists(path: string): boolean {
	const full = join(PROJECT, path);
	if (!existsSync(full)) return false;
	return path === '' || readdirSync(dirname(full)).includes(basename(full));
}

/** What is wrong with a link of a page; `undefined` for a good one and for one that leaves the repository. */
function problemWith(page: string, target: string): string | undefined {
	const own = [`${REPOSITORY}/blob/main/`, `${REPOSITORY}/tree/main/`].find((start) =>
		target.startsWith(start),
	);
	if (!own && /^[a-z][a-z+.-]*:/i.test(target)) return undefined;
	const [path = '', anchor] = decodeURI(own ? target.slice(own.length) : target).split('#');
	if (path.startsWith('/')) return `${page}: "${target}" starts at the root of a server`;
	const file =
		path === '' ? page : relative(PROJECT, join(PROJECT, own ? '' : dirname(page), path));
	if (file.startsWith('..')) return `${page}: "${target}" leads out of the repository`;
	if (!exists(file)) return `${page}: there is no ${file}`;
	if (anchor && file.endsWith('.md') && !anchorsOf(read(file)).has(anchor))
		return `${page}: ${file} has no heading #${anchor}`;
	return undefined;
}

test('no link or picture inside the repository is dead', () => {
	expect(pages).toContain('README.md');
	const problems = pages.flatMap((page) =>
		targetsIn(read(page)).flatMap((target) => problemWith(page, target) ?? []),
	);
	expect(problems).toEqual([]);
});

test('the pages that n8n opens from the panel and the credential exist', () => {
	const sources = files(['nodes/**/*.{ts,json}', 'credentials/**/*.ts', 'package.json']);
	const problems = sources.flatMap((source) =>
		[...read(source).matchAll(/https:\/\/github\.com\/[^\s'"`)]+/g)].flatMap(
			([target]) => problemWith(source, target) ?? [],
		),
	);
	expect(problems).toEqual([]);
});

test('every page can be reached from the README', () => {
	const reached = new Set(['README.md']);
	for (const page of reached)
		for (const target of page.endsWith('.md') ? targetsIn(read(page)) : []) {
			if (/^([a-z]+:|#)/i.test(target)) continue;
			const file = relative(PROJECT, join(PROJECT, dirname(page), target.split('#')[0]!));
			const folder = pages.filter((other) => dirname(other) === file);
			for (const next of pages.includes(file) ? [file] : folder) reached.add(next);
		}
	const hidden = pages.filter((page) => !reached.has(page) && !page.startsWith('.github/'));
	expect(hidden).toEqual([]);
});

test('every command that a page names exists', () => {
	const texts = [...pages, ...files(['.github/**/*.yml', '.ci/*'])];
	const problems = texts.flatMap((path) =>
		[...read(path).matchAll(/npm run (?:--?[\w-]+ )*([\w:-]+)/g)]
			.filter(([, name]) => !(name! in scripts))
			.map(([command]) => `${path}: "${command}"`),
	);
	expect(problems).toEqual([]);
});

describe('what the check of links notices', () => {
	const page = 'docs/nodes/list.md';
	test.each([
		['a file that is gone', '../gone.md', 'there is no docs/gone.md'],
		['another spelling of a file', '../Credential.md', 'there is no docs/Credential.md'],
		['a heading that is gone', '../credential.md#gone', 'no heading #gone'],
		['a way out of the repository', '../../../elsewhere.md', 'leads out'],
		[
			'an own address of a page that is gone',
			`${REPOSITORY}/blob/main/docs/gone.md`,
			'there is no',
		],
	])('%s', (_, target, problem) => {
		expect(problemWith(page, target)).toContain(problem);
	});

	test('good links, links to other sites, and code that looks like a link, are left alone', () => {
		for (const target of [
			'../credential.md',
			'../credential.md#get-a-key',
			'https://n8n.io',
			'#errors-and-what-to-do',
		])
			expect(problemWith(page, target)).toBeUndefined();
		expect(targetsIn('`[a](b.md)`\n```\n[c](d.md)\n```\n[e](f.md "title") ![g](h.png)')).toEqual([
			'f.md',
			'h.png',
		]);
	});
});
