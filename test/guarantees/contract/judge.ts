/**
 * A second opinion on `mirage-api.json`: express-openapi-validator, with a multipart parser and a reading of
 * OpenAPI of its own, stands between the nodes and an emulator.
 */
import express, { type NextFunction, type Request, type Response } from 'express';
import * as OpenApiValidator from 'express-openapi-validator';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** Names a request on its way from the first server to the second. */
const NUMBER = 'x-request-number';
/** Headers that belong to a connection, or to a body as it was on the way. */
const OWN_HEADERS = [NUMBER, 'host', 'connection', 'transfer-encoding', 'content-length', 'expect'];

export interface Judge {
	/** Base URL for the nodes. */
	url: string;
	/** What was wrong with requests and answers: a sentence each. */
	problems: string[];
	/** Every operation that was judged, such as `GET /v1/videos`, once. */
	operations: Set<string>;
	close(): Promise<void>;
}

/** Starts a judge in front of the API at `target`. It passes on only what it finds right. */
export async function startJudge(target: string): Promise<Judge> {
	const problems: string[] = [];
	const operations = new Set<string>();
	const bodies = new Map<string, Buffer>();
	const judging = await listen(judgingApp({ target, bodies, problems, operations }));

	// The validator eats a body, and the emulator wants it byte for byte: so this server keeps a copy.
	let count = 0;
	const keeping = await listen((request, response) => {
		void (async () => {
			const number = String((count += 1));
			const body = await bodyOf(request);
			bodies.set(number, body);
			const headers = { ...sentHeaders(request), [NUMBER]: number };
			const url = `${judging.url}${request.url}`;
			const answer = await passOn(url, { method: request.method, headers, body });
			response.writeHead(answer.status, answeredHeaders(answer));
			response.end(Buffer.from(await answer.arrayBuffer()));
		})();
	});
	return {
		url: keeping.url,
		problems,
		operations,
		close: async () => void (await Promise.all([keeping.close(), judging.close()])),
	};
}

function judgingApp({
	target,
	bodies,
	problems,
	operations,
}: Pick<Judge, 'problems' | 'operations'> & { target: string; bodies: Map<string, Buffer> }) {
	const named = (request: Request, sentence: string) =>
		problems.push(`${request.method} ${request.originalUrl}: ${sentence}`);
	const app = express();
	app.use(express.json());
	app.use(
		OpenApiValidator.middleware({
			apiSpec: join(__dirname, 'mirage-api.json'),
			validateApiSpec: true,
			// A form shows no difference between one text and a list of one.
			validateRequests: { allowUnknownQueryParameters: false, coerceTypes: 'array' },
			validateResponses: {
				onError: (error, _body, request) => named(request, `answer: ${error.message}`),
			},
			validateSecurity: true,
		}),
	);
	app.use((request, response, next) => {
		const { openapi } = request as Request & { openapi: { openApiRoute: string } };
		operations.add(`${request.method} ${openapi.openApiRoute}`);
		answer(request, response).catch(next);
	});
	app.use((error: Error, request: Request, response: Response, next: NextFunction) => {
		named(request, error.message);
		if (response.headersSent) return next(error);
		response.writeHead(500, { 'content-type': 'application/json' });
		response.end(JSON.stringify({ detail: error.message }));
	});
	return app;

	async function answer(request: Request, response: Response): Promise<void> {
		const body = bodies.get(String(request.headers[NUMBER]));
		const headers = sentHeaders(request);
		const answered = await passOn(`${target}${request.originalUrl}`, {
			method: request.method,
			headers,
			body,
		});
		response.status(answered.status);
		for (const [name, value] of Object.entries(answeredHeaders(answered)))
			response.setHeader(name, value);
		// Only what goes through `json` is judged.
		if (answered.headers.get('content-type')?.startsWith('application/json'))
			response.json(await answered.json());
		else response.end(Buffer.from(await answered.arrayBuffer()));
	}
}

const withoutOwn = (headers: Record<string, string>) =>
	Object.fromEntries(Object.entries(headers).filter(([name]) => !OWN_HEADERS.includes(name)));
const sentHeaders = ({ headers }: IncomingMessage) => withoutOwn(headers as Record<string, string>);
const answeredHeaders = ({ headers }: globalThis.Response) =>
	withoutOwn(Object.fromEntries(headers));

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of request) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks);
}

/** Sends a request on as it is, and follows no redirect. */
async function passOn(
	url: string,
	{ method, headers, body }: { method?: string; headers: Record<string, string>; body?: Buffer },
) {
	const sent = body && body.length > 0 ? body : undefined;
	return await fetch(url, { method, headers, body: sent, redirect: 'manual' });
}

async function listen(listener: RequestListener) {
	const server: Server = createServer(listener);
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		close: async () => {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
