import type {
	IAuthenticate,
	Icon,
	ICredentialDataDecryptedObject,
	ICredentialTestRequest,
	ICredentialType,
	IHttpRequestOptions,
	INodeProperties,
} from 'n8n-workflow';
import { ApplicationError } from 'n8n-workflow';

import { readBaseUrl } from './baseUrl';

/** The API key and the address it belongs to. */
export class MirageApi implements ICredentialType {
	name = 'mirageApi';

	displayName = 'Mirage API';

	icon: Icon = { light: 'file:../icons/mirage.svg', dark: 'file:../icons/mirage.dark.svg' };

	documentationUrl =
		'https://github.com/n8n-nodes-mirage/n8n-nodes-mirage/blob/main/docs/credential.md';

	properties: INodeProperties[] = [
		{
			displayName: 'API Key',
			name: 'apiKey',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			required: true,
			placeholder: 'e.g. mira_…',
			description: 'Key from the API section of the Mirage platform dashboard',
		},
		{
			displayName: 'Base URL',
			name: 'baseUrl',
			type: 'string',
			default: 'https://api.mirage.app',
			placeholder: 'e.g. https://api.mirage.app',
			description:
				'Address of the Mirage API. The key is sent to this address only. Change it only to try the nodes against the local emulator.',
		},
	];

	/**
	 * Adds the key to a request, and only where it belongs: a request to any origin but the Base URL's
	 * is refused, whoever built it.
	 */
	authenticate: IAuthenticate = async (
		credentials: ICredentialDataDecryptedObject,
		request: IHttpRequestOptions,
	): Promise<IHttpRequestOptions> => {
		const base = readBaseUrl(credentials.baseUrl);
		if ('problem' in base) throw new ApplicationError(base.problem, { level: 'warning' });
		const target = new URL(request.url, request.baseURL ?? base.origin);
		if (target.origin !== base.origin)
			throw new ApplicationError(
				`The Mirage API key is only sent to ${base.origin}, not to ${target.origin}`,
				{ level: 'warning' },
			);
		return {
			...request,
			headers: { ...request.headers, 'x-api-key': String(credentials.apiKey ?? '').trim() },
		};
	};

	test: ICredentialTestRequest = {
		request: {
			baseURL: '={{ $credentials.baseUrl.trim() }}',
			url: '/v1/videos',
			qs: { limit: 1 },
			disableFollowRedirect: true,
		},
		rules: [
			{
				type: 'responseCode',
				properties: {
					value: 401,
					message:
						'Mirage did not accept the API key. Copy it again from the Mirage platform dashboard.',
				},
			},
			{
				type: 'responseCode',
				properties: {
					value: 403,
					message:
						'Mirage does not allow this API key to list videos. Check the plan of the account.',
				},
			},
			{
				type: 'responseCode',
				properties: {
					value: 404,
					message: 'There is no Mirage API at the Base URL. Check it.',
				},
			},
		],
	};
}
