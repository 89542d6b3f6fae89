import {
	NodeApiError,
	type IDataObject,
	type IExecuteFunctions,
	type ILoadOptionsFunctions,
	type INodeExecutionData,
	type INodeListSearchResult,
	type INodeType,
	type INodeTypeDescription,
	type IPollFunctions,
	type JsonObject,
} from 'n8n-workflow';
import type { Readable } from 'node:stream';

const common = {
	group: ['transform'],
	version: 1,
	description: 'Proves the engine harness',
	inputs: ['main'],
	outputs: ['main'],
	credentials: [{ name: 'mirageApi', required: true }],
} satisfies Partial<INodeTypeDescription>;

/** Uploads a file of each item as a stream to `POST /echo?title=…` and stores the answer's body as a stream. */
export class Echo implements INodeType {
	description: INodeTypeDescription = {
		...common,
		displayName: 'Echo',
		name: 'echo',
		defaults: { name: 'Echo' },
		usableAsTool: true,
		properties: [
			{ displayName: 'Title', name: 'title', type: 'string', default: '' },
			{ displayName: 'Field', name: 'field', type: 'string', default: '' },
		],
	};

	methods = {
		listSearch: {
			async titles(
				this: ILoadOptionsFunctions,
				filter?: string,
				paginationToken?: string,
			): Promise<INodeListSearchResult> {
				const { baseUrl } = await this.getCredentials<{ baseUrl: string }>('mirageApi');
				const { titles } = (await this.helpers.httpRequestWithAuthentication.call(
					this,
					'mirageApi',
					{ url: `${baseUrl}/titles`, qs: { filter, after: paginationToken }, json: true },
				)) as { titles: string[] };
				return {
					results: titles.map((title) => ({ name: title, value: title })),
					paginationToken: titles.at(-1),
				};
			},
		},
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const output: INodeExecutionData[] = [];
		const { baseUrl } = await this.getCredentials<{ baseUrl: string }>('mirageApi');
		for (let index = 0; index < this.getInputData().length; index++) {
			const title = this.getNodeParameter('title', index) as string;
			const field = this.getNodeParameter('field', index) as string;
			try {
				let body: Buffer | Readable = Buffer.from(title);
				if (field) {
					const { id, data } = this.helpers.assertBinaryData(index, field);
					body = id ? await this.helpers.getBinaryStream(id) : Buffer.from(data, 'base64');
				}
				const answer = (await this.helpers.httpRequestWithAuthentication.call(this, 'mirageApi', {
					method: 'POST',
					url: `${baseUrl}/echo`,
					qs: { title },
					body,
					encoding: 'stream',
					returnFullResponse: true,
					ignoreHttpStatusErrors: true,
				})) as { body: Readable; headers: IDataObject; statusCode: number };
				if (answer.statusCode >= 400) {
					answer.body.resume();
					throw new NodeApiError(this.getNode(), {}, { httpCode: String(answer.statusCode) });
				}
				output.push({
					json: { title, key: answer.headers['x-key-arrived'] },
					binary: {
						answer: await this.helpers.prepareBinaryData(answer.body, `${title}.bin`),
					},
					pairedItem: { item: index },
				});
			} catch (error) {
				if (!this.continueOnFail()) {
					// A NodeApiError is not wrapped in another: its item is set on it.
					const apiError = new NodeApiError(this.getNode(), error as JsonObject);
					apiError.context.itemIndex = index;
					throw apiError;
				}
				output.push({
					json: { error: (error as Error).message },
					pairedItem: { item: index },
				});
			}
		}
		return [output];
	}
}

/** Fails with an error that holds its credential. */
export class Leaky implements INodeType {
	description: INodeTypeDescription = {
		...common,
		displayName: 'Leaky',
		name: 'leaky',
		defaults: { name: 'Leaky' },
		properties: [],
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const credential = await this.getCredentials('mirageApi');
		const error = new NodeApiError(this.getNode(), { message: 'No' });
		error.context.request = { headers: { 'x-api-key': credential.apiKey } };
		throw error;
	}
}

/** Fails as often as `failures` says, counting its tries in the node context. */
export class Flaky implements INodeType {
	description: INodeTypeDescription = {
		...common,
		displayName: 'Flaky',
		name: 'flaky',
		defaults: { name: 'Flaky' },
		credentials: [],
		properties: [{ displayName: 'Failures', name: 'failures', type: 'number', default: 0 }],
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const context = this.getContext('node');
		context.tries = ((context.tries as number | undefined) ?? 0) + 1;
		if ((context.tries as number) <= (this.getNodeParameter('failures', 0) as number))
			throw new NodeApiError(this.getNode(), { message: `Try ${String(context.tries)} failed` });
		this.addExecutionHints({ message: 'Took some tries' });
		return [[{ json: { tries: context.tries } }]];
	}
}

/** Asks `GET /slow` and throws an error of its own when the execution is stopped. */
export class Slow implements INodeType {
	description: INodeTypeDescription = {
		...common,
		displayName: 'Slow',
		name: 'slow',
		defaults: { name: 'Slow' },
		properties: [],
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const { baseUrl } = await this.getCredentials<{ baseUrl: string }>('mirageApi');
		try {
			const answer = (await this.helpers.httpRequestWithAuthentication.call(this, 'mirageApi', {
				url: `${baseUrl}/slow`,
				abortSignal: this.getExecutionCancelSignal(),
			})) as IDataObject;
			return [[{ json: answer }]];
		} catch {
			throw new NodeApiError(this.getNode(), { message: 'Gave up' });
		}
	}
}

/** Suspends the execution on its first output until `GET /ready` says so, then uses the second. */
export class Suspender implements INodeType {
	description: INodeTypeDescription = {
		...common,
		displayName: 'Suspender',
		name: 'suspender',
		defaults: { name: 'Suspender' },
		outputs: ['main', 'main'],
		properties: [],
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const { baseUrl } = await this.getCredentials<{ baseUrl: string }>('mirageApi');
		const { ready } = (await this.helpers.httpRequestWithAuthentication.call(this, 'mirageApi', {
			url: `${baseUrl}/ready`,
			json: true,
		})) as { ready: boolean };
		if (ready) return [[], this.getInputData()];
		await this.putExecutionToWait(new Date(Date.now() + 60_000));
		return [this.getInputData(), []];
	}
}

/** Emits the titles of `GET /titles` that it has not seen yet. */
export class TitleTrigger implements INodeType {
	description: INodeTypeDescription = {
		...common,
		displayName: 'Title Trigger',
		name: 'titleTrigger',
		defaults: { name: 'Title Trigger' },
		group: ['trigger'],
		polling: true,
		inputs: [],
		properties: [],
	};

	async poll(this: IPollFunctions): Promise<INodeExecutionData[][] | null> {
		const { baseUrl } = await this.getCredentials<{ baseUrl: string }>('mirageApi');
		const { titles } = (await this.helpers.httpRequestWithAuthentication.call(this, 'mirageApi', {
			url: `${baseUrl}/titles`,
			json: true,
		})) as { titles: string[] };
		const state = this.getWorkflowStaticData('node') as { seen?: string[] };
		const seen = state.seen ?? [];
		const fresh = titles.filter((title) => !seen.includes(title));
		state.seen = titles;
		return fresh.length > 0 ? [fresh.map((title) => ({ json: { title } }))] : null;
	}
}
