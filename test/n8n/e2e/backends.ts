import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chownSync, createWriteStream, existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { connect } from 'node:net';
import { join } from 'node:path';
import { runCommand } from '../command';
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
	execFileSync(join(programs, 'initdb'), ['-D', data, '-U', USER, '-A', 'trust', '--no-sync'], {
		...owner,
		cwd: folder,
		stdio: 'ignore',
	});
	const settings = {
		port: postgresPort,
		listen_addresses: '127.0.0.1',
		unix_socket_directories: '',
		fsync: 'off',
		max_connections: 200,
	};
	const children = [
		start(
			join(programs, 'postgres'),
			[
				'-D',
				data,
				...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
			],
			{ folder, logFile, owner },
		),
		start(
			'redis-server',
			[
				...['--port', String(redisPort), '--bind', '127.0.0.1', '--dir', folder],
				...['--save', '', '--appendonly', 'no'],
			],
			{ folder, logFile, owner },
		),
	];
	const close = async () => {
		// SIGINT is PostgreSQL's fast shutdown; Redis ends by it too.
		await Promise.all(
			children.map(async (child) => {
				if (child.exitCode !== null) return;
				const ended = new Promise((done) => child.once('close', done));
				child.kill('SIGINT');
				await ended;
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
	return execFileSync('pg_config', ['--bindir'], { encoding: 'utf8' }).trim();
}

function idsOf(user: string): { uid: number; gid: number } {
	const id = (which: string) => Number(execFileSync('id', [which, user], { encoding: 'utf8' }));
	return { uid: id('-u'), gid: id('-g') };
}

function start(
	program: string,
	args: string[],
	{
		folder,
		logFile,
		owner,
	}: { folder: string; logFile: string; owner?: { uid: number; gid: number } },
): ChildProcess {
	const child = spawn(program, args, { cwd: folder, ...owner, stdio: ['ignore', 'pipe', 'pipe'] });
	const log = createWriteStream(logFile, { flags: 'a' });
	child.stdout.pipe(log, { end: false });
	child.stderr.pipe(log, { end: false });
	const endWithParent = () => child.kill('SIGKILL');
	process.once('exit', endWithParent);
	child.once('close', () => process.off('exit', endWithParent));
	return child;
}

async function listens(port: number): Promise<boolean> {
	return await new Promise((done) => {
		const socket = connect(port, '127.0.0.1', () => done(true)).once('error', () => done(false));
		socket.once('connect', () => socket.end());
	});
}
