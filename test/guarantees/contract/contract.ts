/**
 * Holds requests and answers against the project's description of the API, `mirage-api.json` (OpenAPI
 * 3.1, whose schemas are JSON Schema 2020-12).
 */
import Ajv, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';

import type { Answer } from '../../harness/emulator/answers';
import type { LoggedRequest } from '../../harness/emulator/types';
import api from './mirage-api.json';

type Schema = Record<string, unknown> | { $ref: string };

interface Parameter {
	name: string;
	in: 'query' | 'path';
	required?: boolean;
	schema: Schema;
}

interface Content {
	schema?: Schema;
	/** Media types of the files in a form, by field. */
	encoding?: Record<string, { contentType: string }>;
}

interface Response {
	content?: Record<string, Content>;
	headers?: Record<string, { required: boolean }>;
}

interface Operation {
	parameters?: Parameter[];
	requestBody?: { content: Record<string, Content> };
	responses: Record<string, Response | { $ref: string }>;
}

const DOCUMENT = 'https://contract.test/mirage-api.json';
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema({ ...api, $id: DOCUMENT });

/** Checks by the text of their schema: to compile one takes longer than the request that it judges. */
const checks = new Map<string, ValidateFunction>();

function compiled(schema: Schema): ValidateFunction {
	const text = JSON.stringify(schema);
	// References start at the document, so a schema out of its middle is compiled as a part of it.
	const check =
		checks.get(text) ?? ajv.compile(JSON.parse(text.replaceAll('"#/', `"${DOCUMENT}#/`)) as Schema);
	checks.set(text, check);
	return check;
}

/** Sentences about a value that does not fit its schema. */
function misfits(where: string, schema: Schema | undefined, value: unknown): string[] {
	if (!schema) return [];
	const check = compiled(schema);
	if (check(value)) return [];
	return check.errors!.map(({ instancePath, message = '', params }) =>
		`${where}${instancePath} ${message} ${JSON.stringify(params)}`.trim(),
	);
}

/** The operation of a request and the values in its path; fixed paths win over those with an ID. */
function operationOf({ method, path }: Pick<LoggedRequest, 'method' | 'path'>) {
	const segments = decoded(path.split('?')[0]!.split('/'));
	if (!segments) return undefined;
	const byFixedness = Object.entries(api.paths as unknown as Record<string, object>).sort(
		([a], [b]) => a.split('{').length - b.split('{').length,
	);
	for (const [template, operations] of byFixedness) {
		const names = template.split('/');
		const isId = (name: string) => name.startsWith('{');
		const operation = (operations as Record<string, Operation>)[method.toLowerCase()];
		const fits =
			names.length === segments.length &&
			names.every((name, at) => isId(name) || name === segments[at]);
		if (!fits || !operation) continue;
		const ids = names.flatMap((name, at) =>
			isId(name) ? [[name.slice(1, -1), segments[at]!] as const] : [],
		);
		return { operation, ids: Object.fromEntries(ids) };
	}
	return undefined;
}

function decoded(segments: string[]): string[] | undefined {
	try {
		return segments.map((segment) => decodeURIComponent(segment));
	} catch {
		return undefined;
	}
}

/** What in a request breaks the contract: one sentence each, none when it keeps it. */
export function requestProblems(request: LoggedRequest): string[] {
	const key = request.headers['x-api-key'];
	if (request.server === 'content')
		return key === undefined ? [] : ['x-api-key was sent to the host of the files'];
	const found = operationOf(request);
	if (!found) return ['the API has no such operation'];
	const { operation, ids } = found;
	return [
		...(key ? [] : ['x-api-key is missing']),
		...parameterProblems(operation.parameters ?? [], ids, request.path),
		...bodyProblems(operation, request),
	];
}

function parameterProblems(
	parameters: Parameter[],
	ids: Record<string, string>,
	path: string,
): string[] {
	const problems: string[] = [];
	const query = new URLSearchParams(path.split('?')[1] ?? '');
	for (const name of new Set(query.keys()))
		if (!parameters.some((each) => each.in === 'query' && each.name === name))
			problems.push(`query "${name}" is not known`);
	for (const { name, in: place, required, schema } of parameters) {
		const values = place === 'path' ? [ids[name]!] : query.getAll(name);
		if (values.length > 1) problems.push(`query "${name}" is there ${values.length} times`);
		if (values.length === 0 && required) problems.push(`${place} "${name}" is missing`);
		for (const value of values) {
			const typed = (schema as { type?: string }).type === 'integer' ? Number(value) : value;
			problems.push(...misfits(`${place} "${name}"`, schema, typed));
		}
	}
	return problems;
}

function bodyProblems({ requestBody }: Operation, request: LoggedRequest): string[] {
	if (!requestBody) return request.bodyBytes > 0 ? ['a body was sent where none belongs'] : [];
	const type = String(request.headers['content-type'] ?? '').split(';')[0]!;
	const content = requestBody.content[type];
	if (!content) return [`a body of type "${type}" is not taken`];
	// The emulator broke the connection before it had the body.
	if (request.fault === 'resetBeforeBody') return [];
	if (type !== 'multipart/form-data') return misfits('body', content.schema, request.json);
	// A form that could not be read, or whose sender left: the emulator refused it as well.
	if (!request.fields || !request.files) return [];

	const properties = (content.schema as { properties: Record<string, { type?: string }> })
		.properties;
	const body: Record<string, unknown> = {};
	const problems: string[] = [];
	for (const [field, values] of Object.entries(request.fields))
		body[field] =
			properties[field]?.type === 'array' || values.length > 1 ? values : (values[0] ?? '');
	for (const { field, mimeType, bytes } of request.files) {
		if (field in body) problems.push(`form field "${field}" is there more than once`);
		body[field] = `${bytes} bytes`;
		const types = content.encoding?.[field]?.contentType.split(', ') ?? [];
		if (!types.includes(mimeType)) problems.push(`file "${field}" has the type "${mimeType}"`);
		if (bytes === 0) problems.push(`file "${field}" is empty`);
	}
	return [...problems, ...misfits('form', content.schema, body)];
}

/** What in an answer to a known operation breaks the contract. */
export async function answerProblems(request: LoggedRequest, answer: Answer): Promise<string[]> {
	const found = request.server === 'api' ? operationOf(request) : undefined;
	if (!found) return [];
	const described = found.operation.responses[answer.status];
	if (!described) return [`the status ${answer.status} is not described`];
	const { content = {}, headers = {} } = (
		'$ref' in described
			? api.components.responses[described.$ref.split('/').pop() as never]
			: described
	) as Response;
	const problems = Object.entries(headers).flatMap(([name, { required }]) =>
		required && !answer.headers[name] ? [`the answer has no header "${name}"`] : [],
	);
	if (Object.keys(content).length === 0) return problems;
	const type = (answer.headers['content-type'] ?? '').split(';')[0]!;
	if (!content[type]) return [...problems, `an answer of type "${type}" is not described`];
	if (type !== 'application/json') return problems;
	const body = JSON.parse(await textOf(answer)) as unknown;
	return [...problems, ...misfits('answer', content[type].schema, body)];
}

async function textOf(answer: Answer): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of answer.stream()) chunks.push(Buffer.from(chunk as Buffer));
	return Buffer.concat(chunks).toString('utf8');
}
