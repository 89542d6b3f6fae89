import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, selectors, type BrowserContext, type Locator, type Page } from 'playwright-core';
import type { N8nServer } from './server';

/** What a test or a picture chooses about the browser. */
export interface EditorOptions {
	theme?: 'light' | 'dark';
	/** Path of the browser. Default: Debian's Chromium. */
	chromium?: string;
}

/** Wide enough for input, parameters and output side by side. */
const VIEWPORT = { width: 1440, height: 900 };
const LOAD_TIMEOUT_MS = 60_000;
const RUN_TIMEOUT_MS = 120_000;
/** Time for what moves on the screen to come to rest. */
const SETTLE_MS = 800;

const BROWSER_ARGUMENTS = [
	'--headless',
	'--no-sandbox',
	'--disable-gpu',
	'--disable-quic',
	'--no-first-run',
	'--disable-background-networking',
	'--disable-component-update',
	'--disable-sync',
];

/** Opens n8n's editor in headless Chromium, as the owner of a server. The caller closes it. */
export async function openEditor(
	server: N8nServer,
	{ theme = 'light', chromium: executablePath = '/usr/bin/chromium' }: EditorOptions = {},
): Promise<Editor> {
	// n8n writes it with two hyphens.
	selectors.setTestIdAttribute('data-test-id');
	const profile = await mkdtemp(join(tmpdir(), 'mirage-browser-'));
	const context = await chromium.launchPersistentContext(profile, {
		executablePath,
		args: BROWSER_ARGUMENTS,
		viewport: VIEWPORT,
		colorScheme: theme,
	});
	const separator = server.sessionCookie.indexOf('=');
	await context.addCookies([
		{
			name: server.sessionCookie.slice(0, separator),
			value: server.sessionCookie.slice(separator + 1),
			url: server.url,
		},
	]);
	const page = context.pages()[0] ?? (await context.newPage());
	return new Editor(server, context, page, profile);
}

/** n8n's editor in a browser, and what a user does in it. */
export class Editor {
	/** What the browser complained about in what the server sent: script errors, answers of 400 and above. */
	readonly problems: string[] = [];

	constructor(
		private readonly server: N8nServer,
		private readonly context: BrowserContext,
		readonly page: Page,
		private readonly profile: string,
	) {
		page.on('pageerror', (error) => this.problems.push(`script error: ${error.message}`));
		page.on('console', (message) => {
			// What comes from elsewhere, such as n8n's own news, is not of this package.
			if (message.type() === 'error' && message.location().url.startsWith(server.url)) {
				this.problems.push(`console: ${message.text()} ${message.location().url}`);
			}
		});
		page.on('response', (response) => {
			if (response.status() >= 400 && response.url().startsWith(server.url)) {
				this.problems.push(`${response.status()} ${response.url().slice(server.url.length)}`);
			}
		});
	}

	/** Opens a stored workflow and fits it to the window. */
	async openWorkflow(workflowId: string): Promise<void> {
		await this.page.goto(`${this.server.url}/workflow/${workflowId}`);
		await this.node().first().waitFor({ timeout: LOAD_TIMEOUT_MS });
		await this.settle();
		await this.fit();
	}

	/** Shows the whole workflow. */
	async fit(): Promise<void> {
		await this.page.keyboard.press('1');
		await this.settle();
	}

	/** A node on the canvas by its name, or all of them. */
	node(name?: string): Locator {
		const nodes = this.page.locator('.vue-flow__node').filter({
			has: this.page.getByTestId('canvas-node'),
		});
		return name === undefined
			? nodes
			: this.page.locator(`.vue-flow__node:has([data-node-name="${name}"])`);
	}

	/** Opens the panel of a node and returns it. */
	async openPanel(name: string): Promise<Locator> {
		await this.node(name).dblclick({ force: true });
		const panel = this.page.getByTestId('ndv');
		await panel.waitFor({ timeout: 20_000 });
		await this.settle();
		return panel;
	}

	/** Closes the panel, if one is open. */
	async closePanel(): Promise<void> {
		const panel = this.page.getByTestId('ndv');
		if (await panel.isVisible()) await this.page.keyboard.press('Escape');
		await panel.waitFor({ state: 'hidden', timeout: 20_000 });
		await this.settle();
	}

	/** Names that the node panel finds for a search, best first. */
	async searchNodes(text: string): Promise<string[]> {
		const search = this.page.getByTestId('node-creator-search-bar');
		if (!(await search.isVisible())) {
			await this.page.getByTestId('node-creator-plus-button').click();
			await search.waitFor({ timeout: 20_000 });
		}
		await search.fill(text);
		await this.settle();
		return (await this.page.getByTestId('node-creator-item-name').allTextContents()).map((name) =>
			name.trim(),
		);
	}

	/**
	 * Picks a found node and adds it to the canvas, which opens its panel. Of a node that n8n lists with
	 * actions, the first one is taken.
	 */
	async addFoundNode(foundName: string): Promise<Locator> {
		const names = this.page.getByTestId('node-creator-item-name');
		await names.getByText(foundName, { exact: true }).click();
		await this.page.getByTestId('node-creator-search-bar').waitFor({ state: 'hidden' });
		await this.settle();
		await this.page.getByText('Add to workflow').or(names).first().click();
		const panel = this.page.getByTestId('ndv');
		await panel.waitFor({ timeout: 20_000 });
		await this.settle();
		return panel;
	}

	/** Presses "Execute workflow" and waits until the editor says how it ended. */
	async runWorkflow(): Promise<'success' | 'error'> {
		await this.page.getByTestId('execute-workflow-button').click();
		const said = this.page.getByText(/Workflow executed successfully|Problem in node/).first();
		await said.waitFor({ timeout: RUN_TIMEOUT_MS });
		const end = (await said.innerText()).includes('successfully') ? 'success' : 'error';
		await this.settle();
		return end;
	}

	/** Shows the file of the output in the open panel. */
	async viewFile(): Promise<void> {
		const output = this.page.getByTestId('output-panel');
		await output.getByText('Binary', { exact: true }).click();
		await output.getByTestId('ndv-view-binary-data').first().click();
		await this.settle();
	}

	/** Opens the form of a new credential from an open panel. */
	async newCredential(): Promise<CredentialForm> {
		await this.page.getByTestId('node-credentials-select').first().click();
		await this.page.getByTestId('node-credentials-select-item-new').first().click();
		const dialog = this.page.getByTestId('editCredential-modal');
		await dialog.waitFor();
		await this.settle();
		return {
			fill: async (name, value) =>
				await dialog.getByTestId(`parameter-input-${name}`).locator('input').fill(value),
			save: async () => await dialog.getByTestId('credential-save-button').click(),
			refused: async () =>
				await dialog
					.getByText(/Couldn.t connect with these settings/)
					.first()
					.waitFor({ timeout: 20_000 }),
			accepted: async () => {
				const said = dialog.getByText(/Connection tested successfully/).first();
				await Promise.race([
					said.waitFor({ timeout: 20_000 }),
					dialog.waitFor({ state: 'hidden', timeout: 20_000 }),
				]);
				await this.settle();
				// n8n 2 closes the form when the test has succeeded. Opened again, it says so.
				if (await said.isVisible()) return;
				await this.page.getByTestId('credential-edit-button').first().click();
				await said.waitFor({ timeout: 20_000 });
				await this.settle();
			},
			close: async () => {
				await this.page.keyboard.press('Escape');
				await dialog.waitFor({ state: 'hidden' });
			},
		};
	}

	/** Presses "Fetch Test Event" in the open panel of a polling trigger, and waits for the item. */
	async fetchTestEvent(): Promise<void> {
		const panel = this.page.getByTestId('ndv');
		await panel
			.getByRole('button', { name: /fetch test event/i })
			.first()
			.click();
		await panel
			.getByText(/1 item/)
			.first()
			.waitFor({ timeout: 20_000 });
		await this.settle();
	}

	/** Closes what n8n says in the corner. */
	async dismissToasts(): Promise<void> {
		const close = this.page.locator('.el-notification__closeBtn');
		while ((await close.count()) > 0) {
			await close.first().click();
			await this.settle();
		}
	}

	/** How many wires the canvas shows. */
	async wires(): Promise<number> {
		return await this.page.locator('.vue-flow__edge').count();
	}

	/** Draws a wire from an output of a node to the input of another, with the mouse. */
	async drawWire(from: string, output: number, to: string): Promise<void> {
		const dot = async (locator: Locator) => {
			const box = (await locator.boundingBox())!;
			return [box.x + box.width / 2, box.y + box.height / 2] as const;
		};
		const start = await dot(this.node(from).locator('.vue-flow__handle.source').nth(output));
		const end = await dot(this.node(to).locator('.vue-flow__handle.target').first());
		await this.page.mouse.move(...start);
		await this.page.mouse.down();
		await this.page.mouse.move(start[0] + 40, start[1] - 60, { steps: 8 });
		await this.page.mouse.move(...end, { steps: 12 });
		await this.page.mouse.up();
		await this.settle();
	}

	async settle(): Promise<void> {
		await this.page.waitForTimeout(SETTLE_MS);
	}

	readonly close = async (): Promise<void> => {
		await this.context.close();
		await rm(this.profile, { recursive: true, force: true });
	};
}

/** The form of a credential. */
export interface CredentialForm {
	/** Fills in a field by its name in the credential type. */
	fill(name: string, value: string): Promise<void>;
	/** Saves, which also tests. */
	save(): Promise<void>;
	/** Waits until the form says that the test failed. */
	refused(): Promise<void>;
	/** Waits until the form says that the test succeeded. */
	accepted(): Promise<void>;
	close(): Promise<void>;
}
