/**
 * `node test/package/release/check.mjs [tag]`: whether the project in the current folder can be released under this
 * tag. Version, lock file, changelog and tag must say the same, and the repository must be the one that
 * builds it, since npm compares it with the provenance statement.
 *
 * Without a tag, `GITHUB_REF_NAME` counts when GitHub built a tag; otherwise the tag is not checked.
 * Exits 1 and prints a line for each problem.
 */
import fs from 'node:fs';

const { GITHUB_REF_TYPE, GITHUB_REF_NAME, GITHUB_REPOSITORY } = process.env;
const tag = process.argv[2] ?? (GITHUB_REF_TYPE === 'tag' ? GITHUB_REF_NAME : undefined);

const manifest = JSON.parse(fs.readFileSync('package.json', 'utf8'));
const lock = JSON.parse(fs.readFileSync('package-lock.json', 'utf8'));
const changelog = fs.readFileSync('CHANGELOG.md', 'utf8');
const { version } = manifest;
const problems = [];

if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version))
	problems.push(`package.json: "${version}" is not a version like 1.2.3`);
if (tag !== undefined && tag !== `v${version}`)
	problems.push(`the tag is ${tag}, and package.json needs v${version}`);
for (const found of [lock.version, lock.packages?.['']?.version])
	if (found !== version)
		problems.push(`package-lock.json has version ${found}, and package.json ${version}`);

const [, top = '', notes = ''] =
	/^## (.+)\n([\s\S]*?)(?=^## |^\[[^\]]+\]: |$(?![\s\S]))/m.exec(changelog) ?? [];
const entry = /^\[?([^\]\s]+)\]? - (\d{4}-\d\d-\d\d)$/.exec(top);
if (!entry)
	problems.push(`CHANGELOG.md: its top entry "${top}" does not look like "[1.2.3] - 2026-01-31"`);
else {
	if (entry[1] !== version)
		problems.push(`CHANGELOG.md: its top entry is ${entry[1]}, and package.json has ${version}`);
	if (Number.isNaN(Date.parse(entry[2]))) problems.push(`CHANGELOG.md: ${entry[2]} is no date`);
	if (!/^- /m.test(notes)) problems.push(`CHANGELOG.md: the entry ${entry[1]} says nothing`);
}

const repository = /github\.com[/:](.+?)(\.git)?$/.exec(manifest.repository?.url ?? '')?.[1];
if (!repository) problems.push('package.json: the repository is not an address on GitHub');
else if (GITHUB_REPOSITORY && GITHUB_REPOSITORY !== repository)
	problems.push(
		`package.json names the repository ${repository}, and this one is ${GITHUB_REPOSITORY}`,
	);
if (manifest.private) problems.push('package.json: the package is private');

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else
	console.log(
		`${manifest.name} ${version} of ${entry[2]} can be released${tag ? ` as ${tag}` : ''}`,
	);
