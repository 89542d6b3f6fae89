import execa from 'execa';
import { chownSync, existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { connect } from 'node:net';
import { join } from 'node:path';
import { runCommand, startProgram } from '../command';
import { freePorts } from '../server';
import { until } from './stage';

/** PostgreSQL and Redis of one test, both on loopback and on free ports. */
export interface Backends {
	/** Variables that make an n8n use them, in queue mode. */
	env: Record<string, string>;
	close(): Promise<void>;
}

const USER = 'n8n';
/** Where Debian puts the programs of each PostgreSQL version. */
const DEBIAN_POSTGRESQL = '/usr/lib/postgresql';
const START_TIMEOUT_MS = 60_000;

/** Starts an empty PostgreSQL and an empty Redis, whose data goes when they are closed. */
export async function startBackends(): Promise<Backends> {
	// PostgreSQL refuses to run as root and needs a folder that its user can reach.
	const folder = await mkdtemp(join(tmpdir(), 'mirage-e2e-data-'));
	const owner = process.getuid?.() === 0 ? idsOf('postgres') : undefined;
	if (owner) chownSync(folder, owner.uid, owner.gid);
	const [postgresPort, redisPort] = (await freePorts(2)) as [number, number];
	const data = join(folder, 'postgresql');
	const logFile = join(folder, 'log');
	const programs = postgresPrograms();
	await runCommand(join(programs, 'initdb'), ['-D', data, '-U', USER, '-A', 'trust', '--no-sync'], {
		cwd: folder,
		logFile,
		owner,
		timeoutMs: START_TIMEOUT_MS,
	});
	const settings = {
		port: postgresPort,
		listen_addresses: '127.0.0.1',
		unix_socket_directories: '',
		fsync: 'off',
		max_connections: 200,
	};
	const children = [
		startProgram(
			join(programs, 'postgres'),
			[
				'-D',
				data,
				...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
			],
			{ cwd: folder, logFile, owner },
		),
		startProgram(
			'redis-server',
			[
				...['--port', String(redisPort), '--bind', '127.0.0.1', '--dir', folder],
				...['--save', '', '--appendonly', 'no'],
			],
			{ cwd: folder, logFile, owner },
		),
	];
	const close = async () => {
		// SIGINT is PostgreSQL's fast shutdown; Redis ends by it too.
		await Promise.all(
			children.map(async (child) => {
				child.kill('SIGINT');
				await child;
			}),
		);
		await rm(folder, { recursive: true, force: true });
	};
	try {
		await until('PostgreSQL and Redis listen', START_TIMEOUT_MS, async () =>
			(await listens(postgresPort)) && (await listens(redisPort)) ? true : undefined,
		);
		await runCommand(
			join(programs, 'psql'),
			[
				'-h',
				'127.0.0.1',
				'-p',
				String(postgresPort),
				'-U',
				USER,
				'postgres',
				'-c',
				`create database ${USER}`,
			],
			{ cwd: tmpdir(), logFile, timeoutMs: 30_000 },
		);
	} catch (error) {
		await close();
		throw error;
	}
	return {
		env: {
			EXECUTIONS_MODE: 'queue',
			DB_TYPE: 'postgresdb',
			DB_POSTGRESDB_HOST: '127.0.0.1',
			DB_POSTGRESDB_PORT: String(postgresPort),
			DB_POSTGRESDB_USER: USER,
			DB_POSTGRESDB_PASSWORD: 'local',
			DB_POSTGRESDB_DATABASE: USER,
			QUEUE_BULL_REDIS_HOST: '127.0.0.1',
			QUEUE_BULL_REDIS_PORT: String(redisPort),
			N8N_ENCRYPTION_KEY: 'only-for-this-test',
		},
		close,
	};
}

function postgresPrograms(): string {
	if (existsSync(DEBIAN_POSTGRESQL)) {
		const versions = readdirSync(DEBIAN_POSTGRESQL).sort((a, b) => Number(a) - Number(b));
		return join(DEBIAN_POSTGRESQL, versions.at(-1)!, 'bin');
	}
	return execa.sync('pg_config', ['--bindir']).stdout;
}

function idsOf(user: string): { uid: number; gid: number } {
	const id = (which: string) => Number(execa.sync('id', [which, user]).stdout);
	return { uid: id('-u'), gid: id('-g') };
}

async function listens(port: number): Promise<boolean> {
	return await new Promise((done) => {
		const socket = connect(port, '127.0.0.1', () => done(true)).once('error', () => done(false));
		socket.once('connect', () => socket.end());
	});
}
