import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, extname } from 'node:path';

const TYPES: Record<string, string> = {
	'.jpg': 'image/jpeg',
	'.jpeg': 'image/jpeg',
	'.png': 'image/png',
};

/**
 * Serves one picture from this machine on a free loopback port, so that a workflow can fetch it by URL.
 *
 * @returns its URL, and a function that stops serving it
 * @throws Error if the file does not exist or is no JPEG or PNG by its name
 */
export async function servePortrait(
	file: string,
): Promise<{ url: string; close: () => Promise<void> }> {
	const type = TYPES[extname(file).toLowerCase()];
	if (!type) throw new Error(`The portrait must be a .jpg or .png file: ${file}`);
	const found = await stat(file).catch(() => undefined);
	if (!found?.isFile()) throw new Error(`There is no portrait at ${file}`);
	const server = createServer((_request, response) => {
		response.setHeader('content-type', type);
		response.setHeader('content-length', found.size);
		createReadStream(file).pipe(response);
	});
	await new Promise<void>((resolve, reject) => {
		server.once('error', reject);
		server.listen(0, '127.0.0.1', resolve);
	});
	const { port } = server.address() as AddressInfo;
	return {
		url: `http://127.0.0.1:${port}/${encodeURIComponent(basename(file))}`,
		close: async () => {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
