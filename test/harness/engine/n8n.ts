/**
 * The release of n8n under test: the engine's own modules, loaded by `environment.js`. Types are those of
 * the newer line; where the older one differs, the caller says so.
 */
import { LoggerProxy } from 'n8n-workflow';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';

declare global {
	var n8nRequire: <T>(name: string) => T;
	/** Has work done when nothing uses the engine any more: after a test file, or when the process ends. */
	var onCleanup: (work: () => void) => void;
	var engineLog: { lines: string[] } | undefined;
}

/** The n8n release line of this test run, from the version of its `n8n-core` package. */
export const n8nRelease: '1.123' | '2.41' = globalThis
	.n8nRequire<{ version: string }>('../package.json')
	.version.startsWith('1.')
	? '1.123'
	: '2.41';

/** Where n8n keeps its settings and binary files during one test file. Removed after the file. */
export const userFolder = mkdtempSync(join(tmpdir(), 'n8n-engine-'));
onCleanup(() => rmSync(userFolder, { recursive: true, force: true }));

// n8n reads these once per process, when its settings are first asked for.
process.env.N8N_USER_FOLDER = userFolder;
process.env.N8N_ENCRYPTION_KEY = 'engine-tests';
process.env.N8N_LOG_CRON_ACTIVE_INTERVAL = '0';

/** `n8n-core` of the line under test. */
export const core = globalThis.n8nRequire<typeof import('n8n-core')>('./index.js');

/** n8n's service container of the line under test. */
export const { Container } = globalThis.n8nRequire<typeof import('@n8n/di')>('@n8n/di');

// Services keep the logger they were built with, so it outlives a test file and its lines do not.
const log = (globalThis.engineLog ??= { lines: [] });
log.lines = [];

/** What n8n and the nodes logged so far in this test file: one string per call, level first. */
export const logLines = (): readonly string[] => log.lines;

const write =
	(level: string) =>
	(message: string, metadata: object = {}) => {
		log.lines.push(`${level} ${message} ${inspect(metadata, { depth: 8 })}`);
	};
const logger = {
	error: write('error'),
	warn: write('warn'),
	info: write('info'),
	debug: write('debug'),
	scoped: () => logger,
};
const { Logger } =
	globalThis.n8nRequire<typeof import('@n8n/backend-common')>('@n8n/backend-common');
Container.set(Logger, logger as never);
LoggerProxy.init(logger as never);

// Its cleaning timer holds the process of the older line open.
const { SSHClientsManager } = globalThis.n8nRequire<{
	SSHClientsManager: new () => { cleanupTimer: NodeJS.Timeout };
}>('./execution-engine/ssh-clients-manager.js');
Container.get(SSHClientsManager).cleanupTimer.unref();
