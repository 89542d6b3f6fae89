import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { type Answer, jsonAnswer, send, textAnswer } from './answers';
import type { Faults } from './faults';
import { Refused } from './invalid';
import type { Clock } from './jobs';
import { type MultipartForm, readMultipart } from './multipart';
import { observers } from './observers';
import type { Fault, LoggedRequest } from './types';

/** A JSON body longer than this is refused with 413. */
const JSON_MAX_BYTES = 1024 * 1024;

/** One request, its body read. */
export interface Exchange {
	entry: LoggedRequest;
	/** Decoded path without the query. */
	pathname: string;
	query: URLSearchParams;
	/** The multipart body; empty for a body of another kind. */
	form: MultipartForm;
	/** The JSON body; undefined for a body of another kind. */
	json: unknown;
	/** The fault that is being played. */
	fault: Fault | undefined;
	/** What was answered, unless a fault changed it. */
	answer?: Answer;
	/** Aborted when the server closes. */
	signal: AbortSignal;
}

/** What both origins share: the log, the faults, the clock and the end. */
export interface Common {
	now: Clock;
	requests: LoggedRequest[];
	faults: Faults;
	hashFiles: boolean;
	onRequest?: (request: LoggedRequest) => void;
	/** Aborted by `close`. */
	closing: AbortController;
	nextRequestId: () => number;
}

export interface RunningServer {
	/** `http://127.0.0.1:<port>`. */
	url: string;
	close(): Promise<void>;
}

/** Starts an HTTP server on loopback that logs each request, plays faults and sends what `handle` answers. */
export async function startServer(
	name: LoggedRequest['server'],
	port: number,
	common: Common,
	routeOf: (method: string, pathname: string) => string,
	handle: (exchange: Exchange) => Promise<Answer> | Answer,
): Promise<RunningServer> {
	const { signal } = common.closing;
	const server = createServer(
		{ requestTimeout: 0, keepAliveTimeout: 60_000 },
		(request, response) => {
			const { pathname, query } = parseTarget(request.url!);
			const entry: LoggedRequest = {
				id: common.nextRequestId(),
				at: common.now(),
				server: name,
				method: request.method!,
				path: request.url!,
				route: routeOf(request.method!, pathname),
				headers: { ...request.headers },
				bodyBytes: 0,
			};
			common.requests.push(entry);
			const fault = common.faults.take(entry.route);
			if (fault) entry.fault = fault.kind;
			const form = { fields: {}, files: [] };
			const exchange: Exchange = { entry, pathname, query, form, json: undefined, fault, signal };
			// Whoever left early is told nothing; the log shows it by the missing status.
			exchangeOnce(request, response, exchange, common, handle)
				.catch(() => response.destroy())
				.finally(() => {
					common.onRequest?.(entry);
					for (const observe of observers) observe(entry, exchange.answer);
				});
		},
	);
	await new Promise<void>((resolve, reject) => {
		server.once('error', reject);
		server.listen(port, '127.0.0.1', resolve);
	});
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		close: async () => {
			common.closing.abort();
			const closed = new Promise<void>((resolve) => server.close(() => resolve()));
			server.closeAllConnections();
			await closed;
		},
	};
}

async function exchangeOnce(
	request: IncomingMessage,
	response: ServerResponse,
	exchange: Exchange,
	common: Common,
	handle: (exchange: Exchange) => Promise<Answer> | Answer,
): Promise<void> {
	const { entry, fault, signal } = exchange;
	const reply = async (answer: Answer, delivery = {}) => {
		entry.status = answer.status;
		if (!fault) exchange.answer = answer;
		response.setHeader('date', new Date(common.now()).toUTCString());
		await send(response, answer, signal, delivery);
	};
	const answerOrRefusal = async () => {
		try {
			if (refusedBody) throw refusedBody;
			return await handle(exchange);
		} catch (error) {
			if (error instanceof Refused) return jsonAnswer(error.status, { detail: error.detail });
			throw error;
		}
	};

	if (fault?.kind === 'resetBeforeBody') {
		request.socket.resetAndDestroy();
		return;
	}
	let refusedBody: Refused | undefined;
	try {
		await readBody(request, exchange, common.hashFiles);
	} catch (error) {
		if (!(error instanceof Refused)) throw error;
		refusedBody = error;
	}

	switch (fault?.kind) {
		case 'status': {
			const headers = { ...fault.headers };
			if (fault.retryAfter !== undefined) headers['retry-after'] = String(fault.retryAfter);
			const body = fault.body ?? { detail: `Status ${fault.status} was asked for` };
			if (typeof body !== 'string') return reply(jsonAnswer(fault.status, body, headers));
			return reply(textAnswer(fault.status, 'text/plain', body, headers));
		}
		case 'resetAfterBody':
			if (fault.accepted) await answerOrRefusal();
			request.socket.resetAndDestroy();
			return;
		case 'hang':
			if (fault.accepted) await answerOrRefusal();
			await new Promise((resolve) => response.once('close', resolve));
			return;
		case 'statusAfterAccept':
			await answerOrRefusal();
			return reply(jsonAnswer(fault.status, { detail: 'Internal Server Error' }));
		case 'html': {
			const { status } = await answerOrRefusal();
			const page = '<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>\n';
			return reply(textAnswer(fault.status ?? status, 'text/html', page));
		}
		case 'garbage': {
			const { status } = await answerOrRefusal();
			return reply(textAnswer(status, 'application/json', '{"id": "video_'));
		}
		case 'truncate':
			return reply(await answerOrRefusal(), { cutAfter: fault.bytes });
		case 'slow':
			return reply(await answerOrRefusal(), { bytesPerSecond: fault.bytesPerSecond });
		case 'delay':
			await sleep(fault.ms, undefined, { signal });
			return reply(await answerOrRefusal());
		default:
			return reply(await answerOrRefusal());
	}
}

/** Reads the whole body by its type; throws Refused for one that cannot be read. */
async function readBody(
	request: IncomingMessage,
	exchange: Exchange,
	hashFiles: boolean,
): Promise<void> {
	const { entry } = exchange;
	const contentType = request.headers['content-type'] ?? '';
	if (/^multipart\/form-data\b/i.test(contentType)) {
		exchange.form = await readMultipart(request, hashFiles, (count) => {
			entry.bodyBytes += count;
		});
		entry.fields = exchange.form.fields;
		entry.files = exchange.form.files.map(({ field, fileName, mimeType, bytes, sha256 }) => {
			return { field, fileName, mimeType, bytes, sha256 };
		});
		return;
	}
	const chunks: Buffer[] = [];
	for await (const chunk of request as AsyncIterable<Buffer>) {
		entry.bodyBytes += chunk.length;
		if (entry.bodyBytes <= JSON_MAX_BYTES) chunks.push(chunk);
	}
	if (entry.bodyBytes > JSON_MAX_BYTES) throw new Refused(413, 'Request body too large');
	if (!/^application\/(\S+\+)?json\b/i.test(contentType)) return;
	try {
		exchange.json = JSON.parse(Buffer.concat(chunks).toString('utf8'));
	} catch {
		throw new Refused(422, [{ loc: ['body', 0], msg: 'JSON decode error', type: 'json_invalid' }]);
	}
	entry.json = exchange.json;
}

/** The path is decoded before it is matched, as Starlette does, so an encoded slash is a slash. */
function parseTarget(target: string): { pathname: string; query: URLSearchParams } {
	const [raw = '', ...rest] = target.split('?');
	let pathname = raw;
	try {
		pathname = decodeURIComponent(raw);
	} catch {
		// Left as it was sent; no route matches it.
	}
	return { pathname, query: new URLSearchParams(rest.join('?')) };
}
