import assert from 'node:assert/strict';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../command';
import { N8N_VERSIONS } from '../install';
import { figure } from './figures';
import { startRegistry } from './registry';
import { failureOf, itemsOf, openStage, packedPackage, runFolder, until } from './stage';
import { chain, createFromText, waitForVideo } from './workflows';

const PACKAGE = 'n8n-nodes-mirage';
const EARLIER = '0.0.9';

interface Installed {
	packageName: string;
	installedVersion: string;
	installedNodes: Array<{ type: string }>;
	updateAvailable?: string;
}

test('A user installs, updates and uninstalls the package', { timeout: 10 * 60_000 }, async (t) => {
	const folder = await runFolder('registry');
	const registry = await startRegistry(folder);
	t.after(registry.close);
	const { earlier, version: current } = await earlierTarball(folder);
	await registry.publish(earlier);

	let first = true;
	for (const version of N8N_VERSIONS) {
		await t.test(`n8n ${version}`, async (t) => {
			const stage = await openStage(version, {
				server: { packageTarballs: [], env: registry.env },
				credential: false,
			});
			t.after(stage.close);
			const { server, emulator, portraitUrl } = stage;
			// n8n answers before it has written this file to its end (`writeStaticJSON` in its FrontendService
			// does not wait), so a reader may find half of it, as the editor does.
			const untilTypes = async (count: number) =>
				await until(`the editor is told of ${count} nodes`, 10_000, async () => {
					const response = await fetch(`${server.url}/types/nodes.json`, {
						headers: { cookie: server.sessionCookie },
					});
					return namesIn(await response.text())?.length === count ? true : undefined;
				});
			const nodesFolder = join(stage.folder, '.n8n', 'nodes');
			const packageFolder = join(nodesFolder, 'node_modules', PACKAGE);
			await registry.useIn(nodesFolder);

			await t.test('installed through the community nodes page, at once usable', async () => {
				const installed = await server.rest<Installed>('POST', '/community-packages', {
					name: PACKAGE,
					version: EARLIER,
				});
				assert.equal(installed.installedVersion, EARLIER);
				assert.equal(installed.installedNodes.length, 7);
				await untilTypes(7);
			});
			const credential = await server.createCredential('mirageApi', 'Mirage API', {
				apiKey: emulator.apiKey,
				baseUrl: emulator.url,
			});
			const workflow = await server.importWorkflow(
				chain('Saved', [createFromText(portraitUrl, 'Hello.'), waitForVideo()], credential),
			);
			const runs = async () => {
				const execution = await server.waitForExecution(await server.runWorkflow(workflow.id));
				assert.equal(execution.status, 'success', failureOf(execution));
				assert.ok(itemsOf(execution, 'Wait for Video')[0]?.binary?.data);
			};
			await t.test('a workflow is saved and runs', runs);

			if (first) await registry.publish(packedPackage());
			first = false;
			await t.test('an update is offered, and the saved workflow goes on working', async () => {
				const [listed] = await server.rest<Installed[]>('GET', '/community-packages');
				assert.equal(listed?.updateAvailable, current);
				const updated = await server.rest<Installed>('PATCH', '/community-packages', {
					name: PACKAGE,
					version: current,
				});
				assert.equal(updated.installedVersion, current);
				const onDisk = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as {
					version: string;
				};
				assert.equal(onDisk.version, current);
				await runs();
			});
			await t.test('the update is still there after a restart', async () => {
				await server.restart();
				await untilTypes(7);
				await runs();
			});
			await t.test('uninstalled, nothing of it is left', async () => {
				await server.rest('DELETE', `/community-packages?name=${PACKAGE}`);
				await untilTypes(0);
				assert.deepEqual(await server.rest('GET', '/community-packages'), []);
				await assert.rejects(access(packageFolder));
			});
			figure('Installed as users install', {
				n8n: version,
				installed: EARLIER,
				'updated to': current,
				'saved workflow': 'runs before, after, and after a restart',
				uninstalled: 'yes',
			});
		});
	}
});

/** The package's nodes in n8n's list of node types, without their twins for agents; undefined if half is there. */
function namesIn(json: string): string[] | undefined {
	let types: Array<{ name: string }>;
	try {
		types = JSON.parse(json) as Array<{ name: string }>;
	} catch {
		return undefined;
	}
	return types
		.map(({ name }) => name)
		.filter((name) => name.startsWith(`${PACKAGE}.`) && !name.endsWith('Tool'));
}

/** The package under test, packed again as an earlier version. */
async function earlierTarball(folder: string): Promise<{ earlier: string; version: string }> {
	const unpacked = join(folder, 'earlier');
	const run = { cwd: folder, logFile: join(folder, 'pack.log'), timeoutMs: 60_000 };
	await mkdir(unpacked, { recursive: true });
	await runCommand('tar', ['-xzf', packedPackage(), '-C', unpacked, '--strip-components=1'], run);
	const manifestPath = join(unpacked, 'package.json');
	const manifest = JSON.parse(await readFile(manifestPath, 'utf8')) as { version: string };
	await writeFile(manifestPath, JSON.stringify({ ...manifest, version: EARLIER }, null, 2));
	const printed = await runCommand(
		'npm',
		['pack', unpacked, '--json', '--ignore-scripts', '--loglevel=error'],
		run,
	);
	const [packed] = Object.values(JSON.parse(printed)) as Array<{ filename: string }>;
	return { earlier: join(folder, packed!.filename), version: manifest.version };
}
