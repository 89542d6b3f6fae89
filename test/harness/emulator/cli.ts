/** `npm run emulator`: a Mirage API on this machine, to try the nodes without a key and without paying. */
import { parseArgs } from 'node:util';

import { DEFAULT_API_KEY, startEmulator } from './emulator';
import type { LoggedRequest, RateLimits } from './types';

const DEFAULT_PORT = 8787;

const HELP = `A local Mirage API for trying workflows without a key and without paying.

Usage: npm run emulator -- [options]

  --port <number>             port of the API on 127.0.0.1 (default ${DEFAULT_PORT}; 0: a free one)
  --key <text>                API key that is accepted (default ${DEFAULT_API_KEY})
  --render-seconds <number>   how long a video or overlay takes (default 10)
  --rate-limits <which>       off (default), real, or a speed such as 60: a minute passes in a second
  --help                      show this text
`;

interface Settings {
	port: number;
	apiKey: string;
	renderMs: number;
	rateLimits: RateLimits;
}

/** Reads the command line; undefined when help was asked for. Throws Error with what to change. */
export function readSettings(args: string[]): Settings | undefined {
	const { values } = parseArgs({
		args,
		options: {
			port: { type: 'string', default: String(DEFAULT_PORT) },
			key: { type: 'string', default: DEFAULT_API_KEY },
			'render-seconds': { type: 'string', default: '10' },
			'rate-limits': { type: 'string', default: 'off' },
			help: { type: 'boolean', default: false },
		},
	});
	if (values.help) return undefined;
	const port = Number(values.port);
	if (!/^\d+$/.test(values.port) || port > 65_535) {
		throw new Error('--port must be a whole number from 0 to 65535');
	}
	if (values.key === '') throw new Error('--key must not be empty');
	const seconds = Number(values['render-seconds']);
	if (values['render-seconds'].trim() === '' || !(seconds >= 0)) {
		throw new Error('--render-seconds must be a number, 0 or more');
	}
	const limits = values['rate-limits'];
	const speed = Number(limits);
	if (limits !== 'off' && limits !== 'real' && !(speed > 0)) {
		throw new Error('--rate-limits must be off, real, or a number above 0');
	}
	return {
		port,
		apiKey: values.key,
		renderMs: seconds * 1000,
		rateLimits: limits === 'off' || limits === 'real' ? limits : { speed },
	};
}

/** One line for a request: time, what was asked, what was answered, and the job that it started. */
export function requestLine(request: LoggedRequest): string {
	const time = new Date(request.at).toISOString().slice(11, 19);
	// Signatures of content URLs are long and tell nothing.
	const path = request.server === 'content' ? request.path.split('?')[0] : request.path;
	const parts = [time, request.server.padEnd(7), request.method.padEnd(4), path];
	parts.push(`→ ${request.status ?? 'no answer'}`);
	if (request.accepted) parts.push(`started ${request.accepted}`);
	const uploaded = request.files?.map((file) => `${file.fileName} ${size(file.bytes)}`) ?? [];
	if (uploaded.length > 0) parts.push(`(${uploaded.join(', ')})`);
	return parts.join(' ');
}

function size(bytes: number): string {
	return bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

async function main(): Promise<void> {
	const settings = readSettings(process.argv.slice(2));
	if (!settings) {
		console.log(HELP);
		return;
	}
	const onRequest = (request: LoggedRequest) => console.log(requestLine(request));
	const emulator = await startEmulator({ ...settings, onRequest });
	console.log(`The Mirage emulator is running.

In n8n, create a credential "Mirage API" with
  API Key   ${emulator.apiKey}
  Base URL  ${emulator.url}

Rendered files come from ${emulator.contentUrl}. Press Ctrl+C to stop.
`);
	for (const signal of ['SIGINT', 'SIGTERM'] as const) {
		process.once(signal, () => void emulator.close());
	}
}

if (require.main === module) {
	main().catch((error: NodeJS.ErrnoException) => {
		const inUse = error.code === 'EADDRINUSE';
		console.error(inUse ? 'The port is in use. Choose another with --port.' : error.message);
		process.exitCode = 1;
	});
}
