import {
	ICredentialsHelper,
	isExpression,
	NodeHelpers,
	UnexpectedError,
	Workflow,
	type ICredentialDataDecryptedObject,
	type ICredentials,
	type ICredentialsExpressionResolveValues,
	type ICredentialType,
	type IExecuteData,
	type IHttpRequestOptions,
	type INode,
	type INodeCredentialsDetails,
	type INodeProperties,
	type IWorkflowDataProxyAdditionalKeys,
	type IWorkflowExecuteAdditionalData,
	type WorkflowExecuteMode,
} from 'n8n-workflow';

import { MirageApi } from '../../../credentials/MirageApi.credentials';
import { nodeTypes, storedTypeName } from './node-types';

const { getAdditionalKeys } = globalThis.n8nRequire<{
	getAdditionalKeys: (
		additionalData: IWorkflowExecuteAdditionalData,
		mode: WorkflowExecuteMode,
		runExecutionData: null,
		options: { isCredential: boolean },
	) => IWorkflowDataProxyAdditionalKeys;
}>('./execution-engine/node-execution-context/utils/get-additional-keys.js');

/** What a node stores of its credential: a reference, never the values. */
export const credentialReference = { id: 'mirage-account', name: 'Mirage account' };

/**
 * The stored credential of a test: one `mirageApi` with the given values.
 *
 * Does what the server's `CredentialsHelper` does (`n8n/dist/credentials-helper.js` of 2.41.1), without
 * its database, overwrites, external secrets and OAuth: applies the type's defaults, resolves
 * expressions in the stored values with the real engine, and authenticates a request with the type's
 * `authenticate`, be it a function or a `generic` block.
 */
export class StoredCredential extends ICredentialsHelper {
	constructor(private readonly stored: ICredentialDataDecryptedObject) {
		super();
	}

	async authenticate(
		credentials: ICredentialDataDecryptedObject,
		typeName: string,
		requestOptions: IHttpRequestOptions,
		workflow?: Workflow,
		node?: INode,
	): Promise<IHttpRequestOptions> {
		const { authenticate } = this.type(typeName);
		if (typeof authenticate === 'function') return await authenticate(credentials, requestOptions);
		if (authenticate?.type !== 'generic') return requestOptions;

		const resolve = (value: string): string => {
			if (!isExpression(value)) return value;
			const resolved = workflow!.expression.getSimpleParameterValue(
				node!,
				value,
				'internal',
				{ $credentials: credentials },
				undefined,
				'',
			);
			return resolved ? String(resolved) : '';
		};
		const request = requestOptions as unknown as Record<string, Record<string, string>>;
		request.headers ??= {};
		for (const [part, entries] of Object.entries(authenticate.properties)) {
			request[part] ??= {};
			for (const [key, value] of Object.entries(entries as Record<string, string>))
				request[part][resolve(key)] = resolve(value);
		}
		return requestOptions;
	}

	async getDecrypted(
		additionalData: IWorkflowExecuteAdditionalData,
		nodeCredentials: INodeCredentialsDetails,
		typeName: string,
		mode: WorkflowExecuteMode,
		executeData?: IExecuteData,
		raw?: boolean,
		resolveValues?: ICredentialsExpressionResolveValues,
	): Promise<ICredentialDataDecryptedObject> {
		if (nodeCredentials.id !== credentialReference.id)
			throw new UnexpectedError(`No stored credential with id "${nodeCredentials.id}"`);
		if (raw) return { ...this.stored };

		const values = NodeHelpers.getNodeParameters(
			this.getCredentialsProperties(typeName),
			{ ...this.stored } as never,
			true,
			false,
			null,
			null,
		) as ICredentialDataDecryptedObject;
		const keys = getAdditionalKeys(additionalData, mode, null, { isCredential: true });
		if (resolveValues) {
			const { workflow, runExecutionData, runIndex, itemIndex, node, connectionInputData } =
				resolveValues;
			return workflow.expression.getParameterValue(
				values as never,
				runExecutionData,
				runIndex,
				itemIndex,
				node.name,
				connectionInputData,
				mode,
				keys,
				executeData,
				false,
				values,
			) as unknown as ICredentialDataDecryptedObject;
		}

		const node: INode = {
			id: 'credential',
			name: 'Credential',
			type: storedTypeName('noOp'),
			typeVersion: 1,
			position: [0, 0],
			parameters: {},
		};
		const workflow = new Workflow({ nodes: [node], connections: {}, active: false, nodeTypes });
		await workflow.expression.acquireIsolate();
		try {
			return workflow.expression.getComplexParameterValue(
				node,
				values as never,
				mode,
				keys,
				undefined,
				undefined,
				values,
			) as ICredentialDataDecryptedObject;
		} finally {
			await workflow.expression.releaseIsolate();
		}
	}

	getCredentialsProperties(typeName: string): INodeProperties[] {
		return this.type(typeName).properties;
	}

	getParentTypes(): string[] {
		return [];
	}

	isCredentialUsableByNode(): boolean {
		return true;
	}

	async preAuthentication(): Promise<undefined> {}

	async runPreAuthentication(): Promise<undefined> {}

	async getCredentials(): Promise<ICredentials> {
		throw new UnexpectedError('Nothing but OAuth asks for the encrypted credential');
	}

	async updateCredentials(): Promise<void> {
		throw new UnexpectedError('A node must not change its credential');
	}

	async updateCredentialsOauthTokenData(): Promise<void> {
		throw new UnexpectedError('A node must not change its credential');
	}

	private type(name: string): ICredentialType {
		if (name !== 'mirageApi') throw new UnexpectedError(`Unknown credential type "${name}"`);
		return new MirageApi();
	}
}
