import './node-version';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { openEditor } from './editor';
import { packPackage } from './pack';
import { startN8n, type WorkflowFile } from './server';

const PROJECT = join(__dirname, '..', '..');
const EXAMPLES = join(PROJECT, 'examples');
/** Bytes; a page with all pictures should load at once. */
const MAX_BYTES = 300_000;

/** Imports every example into a real n8n and takes a picture of its canvas: `examples/images/<name>.png`. */
async function main(): Promise<void> {
	const folder = await mkdtemp(join(tmpdir(), 'mirage-examples-'));
	const closing: Array<() => Promise<unknown>> = [
		async () => await rm(folder, { recursive: true, force: true }),
	];
	try {
		const tarball = await packPackage(folder, join(folder, 'build.log'), console.log);
		const server = await startN8n({
			version: '2.41.1',
			userFolder: folder,
			packageTarballs: [tarball],
		});
		closing.push(async () => await server.stop());
		const editor = await openEditor(server, { theme: 'light' });
		closing.push(async () => await editor.close());
		for (const file of (await readdir(EXAMPLES)).filter((name) => name.endsWith('.json'))) {
			const text = await readFile(join(EXAMPLES, file), 'utf8');
			const { id } = await server.importWorkflow(JSON.parse(text) as WorkflowFile);
			await editor.openWorkflow(id);
			await editor.dismissToasts();
			await editor.fit();
			const picture = join(EXAMPLES, 'images', `${basename(file, '.json')}.png`);
			await editor.page.screenshot({ path: picture, scale: 'css' });
			const { size } = await stat(picture);
			console.log(`examples/images/${basename(picture)} (${Math.round(size / 1000)} kB)`);
			if (size > MAX_BYTES) throw new Error(`${picture} is larger than ${MAX_BYTES} bytes`);
		}
		for (const problem of editor.problems) console.log(`! ${problem}`);
	} finally {
		for (const close of closing.reverse()) await close().catch(() => {});
	}
}

main().catch((error: unknown) => {
	console.error(error);
	process.exitCode = 1;
});
