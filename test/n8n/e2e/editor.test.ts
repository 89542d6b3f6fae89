import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openEditor } from '../editor';
import { importExample } from '../example';
import { N8N_VERSIONS } from '../install';
import { openStage, until } from './stage';
import { chain, createFromText, waitForVideo } from './workflows';

/** What users look for, and a node that they must be offered. */
const SEARCHES: Record<string, string> = {
	mirage: 'Mirage Create Video',
	'trigger mirage': 'Mirage Trigger',
	'talking head': 'Mirage Create Video',
	subtitles: 'Mirage Add Captions',
	'text to speech': 'Mirage Text to Speech',
};
const FOUND_NAMES = [
	'Mirage Trigger',
	'Mirage Add Captions',
	'Mirage Create Video',
	'Mirage List',
	'Mirage Meta Text Overlay',
	'Mirage Text to Speech',
	'Mirage Wait for Video',
];

for (const version of N8N_VERSIONS) {
	test(`The editor of n8n ${version} in a browser`, { timeout: 6 * 60_000 }, async (t) => {
		const stage = await openStage(version);
		t.after(stage.close);
		const { server, emulator, credential, portraitUrl } = stage;
		const editor = await openEditor(server);
		t.after(editor.close);
		const { page } = editor;
		const empty = chain('Empty', [{ name: 'Nothing', type: 'n8n-nodes-base.noOp' }], credential);
		await editor.openWorkflow((await server.importWorkflow(empty)).id);

		for (const [text, node] of Object.entries(SEARCHES)) {
			await t.test(`the node panel finds "${text}"`, async () => {
				assert.ok((await editor.searchNodes(text)).includes(node));
			});
		}

		await t.test('every node can be added, with its icon, and its panel opens', async () => {
			for (const name of FOUND_NAMES) {
				assert.ok((await editor.searchNodes(name)).includes(name), `${name} is found`);
				await editor.addFoundNode(name);
				assert.ok(await page.getByTestId('node-parameters').isVisible(), `parameters of ${name}`);
				await editor.closePanel();
			}
			await editor.fit();
			assert.equal(await editor.node().count(), 2 + FOUND_NAMES.length);
			const icons = page.locator('.vue-flow__node img');
			const broken = await icons.evaluateAll((images) =>
				(images as HTMLImageElement[])
					.filter(({ complete, naturalWidth }) => !complete || naturalWidth === 0)
					.map(({ src }) => src),
			);
			assert.deepEqual(broken, []);
			assert.ok((await icons.count()) >= FOUND_NAMES.length);
		});

		await t.test('a wrong key is refused and a right one accepted when it is saved', async () => {
			await editor.openPanel('Mirage Add Captions');
			const form = await editor.newCredential();
			await form.fill('apiKey', 'mira_wrong');
			await form.fill('baseUrl', emulator.url);
			await form.save();
			await form.refused();
			await form.fill('apiKey', emulator.apiKey);
			await form.save();
			await form.accepted();
			await form.close();
			await editor.closePanel();
		});

		await t.test('a caption template is picked from the searchable list', async () => {
			await editor.openPanel('Mirage Add Captions');
			const picker = page.getByTestId('resource-locator-captionTemplateId');
			await picker.getByTestId('rlc-input').click();
			const items = page.getByTestId('rlc-item');
			await items.first().waitFor();
			const wanted = (await items.nth(2).innerText()).trim();
			await page.getByTestId('rlc-search').fill(wanted);
			await until('only it is listed', 10_000, async () =>
				(await items.allInnerTexts()).every((text) => text.includes(wanted)) ? true : undefined,
			);
			await items.first().click();
			assert.equal(await picker.getByTestId('rlc-input').inputValue(), wanted);
			await editor.closePanel();
		});

		await t.test('the pipeline runs, and the output panel shows the video', async () => {
			const captionTemplate = await firstTemplate(emulator.url, emulator.apiKey);
			const example = await importExample(
				server,
				{ script: 'Hello.', portraitUrl, voiceId: 'demo-voice', captionTemplate },
				credential,
			);
			await editor.openWorkflow(example.id);
			assert.equal(await editor.runWorkflow(), 'success');
			await editor.openPanel('Captioned MP4');
			await editor.viewFile();
			const video = page.locator('video');
			await video.waitFor();
			const seen = await until('the video has a picture', 20_000, async () => {
				const { readyState, videoWidth, videoHeight, duration } = await video.evaluate(
					(element: HTMLVideoElement) => ({
						readyState: element.readyState,
						videoWidth: element.videoWidth,
						videoHeight: element.videoHeight,
						duration: element.duration,
					}),
				);
				return readyState >= 2 ? { videoWidth, videoHeight, duration } : undefined;
			});
			assert.equal(seen.videoWidth * 16, seen.videoHeight * 9);
			assert.ok(seen.duration > 0);
			await editor.closePanel();
		});

		await t.test('an error says in the panel what to do', async () => {
			const broken = chain(
				'Broken',
				[createFromText('http://127.0.0.1:9/portrait.jpg', 'Hello.')],
				credential,
			);
			await editor.openWorkflow((await server.importWorkflow(broken)).id);
			assert.equal(await editor.runWorkflow(), 'error');
			await editor.openPanel('Create Video');
			const shown = await page.getByTestId('node-error-message').first().innerText();
			assert.match(shown, /image/i);
			await editor.closePanel();
		});

		await t.test('the suspend loop is wired by hand, with the mouse', async () => {
			const loop = chain(
				'Loop',
				[createFromText(portraitUrl, 'Slow.'), waitForVideo({ whileProcessing: 'suspend' })],
				credential,
			);
			const id = (await server.importWorkflow(loop)).id;
			await editor.openWorkflow(id);
			const wires = await editor.wires();
			await editor.drawWire('Wait for Video', 0, 'Wait for Video');
			assert.equal(await editor.wires(), wires + 1);
			const labels = await editor.node('Wait for Video').innerText();
			assert.match(labels, /Rendering[\s\S]*Finished/);
		});

		await t.test('the browser complains of nothing', () => {
			assert.deepEqual(
				editor.problems.filter((problem) => !expected(problem)),
				[],
			);
		});
	});
}

/** What the steps above provoke, and what n8n complains of by itself, without this package too. */
const EXPECTED = [
	/credentials\/test/,
	/\/schemas\/n8n-nodes-base\./,
	/\/executions\/last-successful/,
	/\/ai\/sessions\/metadata/,
	/Plan lacks license/,
];
const expected = (problem: string) => EXPECTED.some((pattern) => pattern.test(problem));

async function firstTemplate(url: string, key: string): Promise<{ id: string; name: string }> {
	const response = await fetch(`${url}/v1/videos/captions/templates?limit=1`, {
		headers: { 'x-api-key': key },
	});
	return ((await response.json()) as { data: Array<{ id: string; name: string }> }).data[0]!;
}
