import './node-version';
import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { MEDIA } from '../harness/emulator/media';
import { startEmulator } from '../harness/emulator/emulator';
import { chain, createFromText, waitForVideo } from './e2e/workflows';
import { openEditor, type Editor } from './editor';
import { exampleScript, importExample, readExample } from './example';
import { N8N_VERSIONS } from './install';
import { packPackage } from './pack';
import { servePortrait } from './portrait';
import { startN8n, type StoredCredential, type StoredWorkflow, type WorkflowFile } from './server';

const HELP = `Takes the pictures of the docs in n8n's editor, over the Mirage emulator, in light and dark.

  npx tsx test/n8n/screenshots.ts [--output docs/images] [--version 2.41.1] [--theme light|dark] [--tarball FILE]

  --chromium   path of the browser (default /usr/bin/chromium)

Needs "npm ci --prefix test/n8n".`;

const PROJECT = resolve(__dirname, '..', '..');
const SUSPEND_EXAMPLE = join(PROJECT, 'examples', 'suspend-while-rendering.json');
/** A page with all pictures should load at once. */
const MAX_BYTES = 300_000;

const THEMES = ['light', 'dark'] as const;

async function main(): Promise<void> {
	const { values } = parseArgs({
		options: {
			output: { type: 'string', default: join(PROJECT, 'docs', 'images') },
			version: { type: 'string', default: '2.41.1' },
			theme: { type: 'string' },
			chromium: { type: 'string' },
			tarball: { type: 'string' },
			help: { type: 'boolean', default: false },
		},
	});
	if (values.help) return console.log(HELP);
	const version = N8N_VERSIONS.find((known) => known === values.version);
	if (!version) throw new Error(`--version is one of ${N8N_VERSIONS.join(', ')}`);
	const themes = THEMES.filter((theme) => !values.theme || theme === values.theme);
	if (themes.length === 0) throw new Error(`--theme is one of ${THEMES.join(', ')}`);
	const output = resolve(values.output);
	await mkdir(output, { recursive: true });

	const folder = await mkdtemp(join(tmpdir(), 'mirage-screenshots-'));
	const closing: Array<() => Promise<unknown>> = [
		async () => await rm(folder, { recursive: true, force: true }),
	];
	try {
		const tarball =
			values.tarball ?? (await packPackage(folder, join(folder, 'build.log'), console.log));
		const emulator = await startEmulator();
		const portrait = await servePortrait(MEDIA.portraitJpeg);
		closing.push(emulator.close, portrait.close);
		console.log(`Starting n8n ${version}`);
		const server = await startN8n({
			version,
			userFolder: folder,
			packageTarballs: [resolve(tarball)],
		});
		closing.push(async () => await server.stop());

		const credential = await server.createCredential('mirageApi', 'Mirage API', {
			apiKey: emulator.apiKey,
			baseUrl: emulator.url,
		});
		const captionTemplate = await firstTemplate(emulator.url, emulator.apiKey);
		const store = async (workflow: WorkflowFile) => await server.importWorkflow(workflow);
		const pipeline = await importExample(
			server,
			{
				script: exampleScript(await readExample()),
				portraitUrl: portrait.url,
				voiceId: 'demo-voice',
				captionTemplate,
			},
			credential,
		);
		const others = await store(
			chain(
				'List and text overlay',
				[
					{ name: 'List', type: 'mirageList', parameters: { limit: 3 } },
					{
						name: 'Newest',
						type: 'n8n-nodes-base.limit',
						parameters: {},
					},
					waitForVideo(),
					{
						name: 'Meta Text Overlay',
						type: 'mirageMetaTextOverlay',
						parameters: {
							texts: {
								values: [
									{ text: 'New: our spring collection' },
									{ text: 'Only this week', size: 64, color: '#FFD400' },
								],
							},
						},
					},
				],
				credential,
			),
		);
		const trigger = await store(
			chain('Trigger', [{ name: 'Mirage Trigger', type: 'mirageTrigger' }], credential),
		);
		const broken = await store(
			chain('Error', [createFromText('http://127.0.0.1:9/portrait.jpg', 'Hello.')], credential),
		);
		const suspending = JSON.parse(await readFile(SUSPEND_EXAMPLE, 'utf8')) as WorkflowFile;
		for (const node of suspending.nodes) {
			if (!node.type.startsWith('n8n-nodes-mirage.')) continue;
			node.credentials = { mirageApi: { id: credential.id, name: credential.name } };
		}
		const suspend = await store(suspending);

		for (const theme of themes) {
			const editor = await openEditor(server, { theme, chromium: values.chromium });
			closing.push(editor.close);
			const shoot = async (title: string) => {
				const file = join(output, `${title}-${theme}.png`);
				await editor.page.screenshot({ path: file, scale: 'css' });
				const { size } = await stat(file);
				console.log(`${relative(process.cwd(), file)} (${Math.round(size / 1000)} kB)`);
				if (size > MAX_BYTES) throw new Error(`${file} is larger than ${MAX_BYTES} bytes`);
			};
			const shootPanel = async (name: string, title: string, show?: () => Promise<void>) => {
				await editor.openPanel(name);
				await show?.();
				await shoot(title);
				await editor.closePanel();
			};
			const run = async (workflow: StoredWorkflow, wanted = 'success') => {
				await editor.openWorkflow(workflow.id);
				const end = await editor.runWorkflow();
				if (end !== wanted) throw new Error(`"${workflow.name}" ended with ${end}`);
				await editor.dismissToasts();
				await editor.fit();
			};

			await run(pipeline);
			await shoot('pipeline');
			await shootPanel('Text to Speech', 'text-to-speech');
			await shootPanel('Create Video', 'create-video');
			await shootPanel('Wait for Video', 'wait-for-video');
			await shootPanel('Add Captions', 'add-captions');
			await shootPanel('Captioned MP4', 'output', async () => await editor.viewFile());
			await run(others);
			await shootPanel('List', 'list');
			await shootPanel('Meta Text Overlay', 'meta-text-overlay');
			await editor.openWorkflow(trigger.id);
			await shootPanel('Mirage Trigger', 'trigger', async () => {
				await editor.fetchTestEvent();
				// Opened again, the panel has no advice about pinning.
				await editor.closePanel();
				await editor.openPanel('Mirage Trigger');
			});
			await run(broken, 'error');
			await shootPanel('Create Video', 'error');
			await editor.openWorkflow(suspend.id);
			await shoot('suspend');
			// The node keeps the credential that its panel creates, so it is in no other picture.
			const setup = await store(
				chain('Setup', [{ name: 'Text to Speech', type: 'mirageTextToSpeech' }], credential),
			);
			await editor.openWorkflow(setup.id);
			await shootCredential(editor, emulator, async () => await shoot('credential'));
			// So that the next one gets the same name.
			for (const { id } of await server.rest<StoredCredential[]>('GET', '/credentials')) {
				if (id !== credential.id) await server.rest('DELETE', `/credentials/${id}`);
			}
			for (const problem of editor.problems) console.log(`! ${problem}`);
			// A workflow that is open in two browsers can be changed in one of them only.
			await editor.close();
		}
	} finally {
		for (const close of closing.reverse()) await close().catch(() => {});
	}
}

/** A new credential, after its test has succeeded. */
async function shootCredential(
	editor: Editor,
	{ url, apiKey }: { url: string; apiKey: string },
	shoot: () => Promise<void>,
): Promise<void> {
	await editor.openPanel('Text to Speech');
	const dialog = await editor.newCredential();
	await dialog.fill('baseUrl', url);
	await dialog.fill('apiKey', apiKey);
	await dialog.save();
	await dialog.accepted();
	await editor.dismissToasts();
	await shoot();
	await dialog.close();
}

async function firstTemplate(url: string, apiKey: string): Promise<{ id: string; name: string }> {
	const response = await fetch(`${url}/v1/videos/captions/templates?limit=1`, {
		headers: { 'x-api-key': apiKey },
	});
	const { data } = (await response.json()) as { data: Array<{ id: string; name: string }> };
	return data[0]!;
}

main().catch((error: Error) => {
	console.error(error.message);
	process.exitCode = 1;
});
