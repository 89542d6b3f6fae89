import { formFields } from './otherWays/upload';
import type { Step } from '../test/n8n/e2e/workflows';

/** Where a step sends its requests. */
export interface Account {
	/** Base URL of the API. */
	url: string;
	apiKey: string;
}

/** A way to move a file between n8n and the API. */
export interface Way {
	name: string;
	/** The node that uploads the field `data` as a text overlay job. */
	upload: (account: Account) => Step;
	/** Whether memory is measured on an idle server, too; it takes a while. */
	measuredAfterIdle?: boolean;
	/** The node that downloads a video, and one that reads the same video without its file. */
	download?: (account: Account, videoId: string) => { file: Step; noFile: Step };
}

const apiKeyHeader = ({ apiKey }: Account) => ({
	sendHeaders: true,
	headerParameters: { parameters: [{ name: 'x-api-key', value: apiKey }] },
});

const httpRequest = { type: 'n8n-nodes-base.httpRequest', typeVersion: 4.2 };

/** The name of {@link WAYS}' first entry in tables and plots. */
export const THIS_PACKAGE = 'n8n-nodes-mirage';
export const HTTP_REQUEST = 'HTTP Request node';
export const CURL = 'curl';

/** What is compared inside n8n; the floor outside of it is curl. */
export const WAYS: Way[] = [
	{
		name: THIS_PACKAGE,
		measuredAfterIdle: true,
		upload: () => ({
			name: 'Upload',
			type: 'mirageMetaTextOverlay',
			parameters: {
				operation: 'create',
				videoSource: 'binary',
				videoField: 'data',
				texts: { values: [{ text: formFields[0]![1]!, font: '', size: 0, color: '' }] },
				waitForCompletion: false,
				options: {},
			},
		}),
		download: (_account, videoId) => {
			const step = (operation: string): Step => ({
				name: 'Download',
				type: 'mirageList',
				parameters: {
					resource: 'video',
					operation,
					videoId: { __rl: true, mode: 'id', value: videoId },
					options: {},
				},
			});
			return { file: step('download'), noFile: step('get') };
		},
	},
	{
		name: HTTP_REQUEST,
		measuredAfterIdle: true,
		upload: (account) => ({
			name: 'Upload',
			...httpRequest,
			parameters: {
				method: 'POST',
				url: `${account.url}/v1/meta/text_overlays`,
				...apiKeyHeader(account),
				sendBody: true,
				contentType: 'multipart-form-data',
				bodyParameters: {
					parameters: [
						{ parameterType: 'formBinaryData', name: 'video', inputDataFieldName: 'data' },
						...formFields.map(([name, value]) => ({ parameterType: 'formData', name, value })),
					],
				},
				options: {},
			},
		}),
		download: (account, videoId) => {
			const step = (path: string, options: object): Step => ({
				name: 'Download',
				...httpRequest,
				parameters: {
					method: 'GET',
					url: `${account.url}/v1/videos/${videoId}${path}`,
					...apiKeyHeader(account),
					options: { ...options },
				},
			});
			return {
				file: step('/content', { response: { response: { responseFormat: 'file' } } }),
				noFile: step('', {}),
			};
		},
	},
	...(
		[
			['buffered Blob', 'CUSTOM.bufferedBlob'],
			['form-data stream', 'CUSTOM.formDataStream'],
		] as const
	).map(([name, type]) => ({
		name,
		upload: ({ url, apiKey }: Account) => ({
			name: 'Upload',
			type,
			parameters: { url: `${url}/v1/meta/text_overlays`, apiKey },
		}),
	})),
];
