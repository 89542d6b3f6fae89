import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A web server with files of the user's, on another origin than the API. */
export interface FileServer {
	url: string;
	/** Every request, in order: path, and all headers. */
	requests: Array<{ path: string; headers: IncomingMessage['headers'] }>;
	close(): Promise<void>;
}

/** Starts a file server on loopback that answers with `handle`; 404 for paths that it does not know. */
export async function startFileServer(
	handlers: Record<string, (response: ServerResponse, request: IncomingMessage) => void>,
): Promise<FileServer> {
	const requests: FileServer['requests'] = [];
	const server = createServer((request, response) => {
		const path = request.url!;
		requests.push({ path, headers: request.headers });
		const handle = handlers[path.split('?')[0]!];
		if (handle) handle(response, request);
		else response.writeHead(404).end();
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		requests,
		async close() {
			server.close();
			server.closeAllConnections();
			if (server.listening) await once(server, 'close');
		},
	};
}

/** Answers with the whole file and its length, and knows nothing of ranges. */
export const whole =
	(content: Buffer, headers: Record<string, string> = {}) =>
	(response: ServerResponse) => {
		response.writeHead(200, { ...headers, 'content-length': content.length }).end(content);
	};

/** As a storage service answers: the whole file, or the range that was asked for. */
export const ranged = (content: Buffer) => (response: ServerResponse, request: IncomingMessage) => {
	const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
	if (from === undefined) return whole(content)(response);
	const part = content.subarray(Number(from), Number(to) + 1);
	response.writeHead(206, {
		'content-length': part.length,
		'content-range': `bytes ${from}-${Number(from) + part.length - 1}/${content.length}`,
	});
	response.end(part);
};
