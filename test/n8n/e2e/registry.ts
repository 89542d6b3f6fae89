import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { runCommand, startProgram } from '../command';
import { installN8n, N8N_VERSIONS, type N8nVersion } from '../install';
import { until } from './stage';

/** Where n8n keeps the address of the registry it installs from; without a licence it takes no other. */
const SETTINGS = 'node_modules/n8n/dist/modules/community-packages/community-packages.config.js';

const START_TIMEOUT_MS = 60_000;

/**
 * A local npm registry that a server takes for npm's own. Verdaccio holds the packages; a proxy leads
 * connections to that registry to it, under a certificate of its own, and refuses every other.
 * So n8n's own commands run unchanged, and nothing leaves the machine.
 */
export interface LocalRegistry {
	/** Variables with which a process and its children reach this registry, and nothing else. */
	env: Record<string, string>;
	/** Does the same for npm in one folder: n8n 1 asks for updates without passing on its variables. */
	useIn(folder: string): Promise<void>;
	/** Publishes a tarball of `npm pack`, as its author would. */
	publish(tarball: string): Promise<void>;
	close(): Promise<void>;
}

/** Starts a {@link LocalRegistry}; its files go into `folder`. Needs openssl. */
export async function startRegistry(folder: string): Promise<LocalRegistry> {
	await mkdir(folder, { recursive: true });
	const logFile = join(folder, 'registry.log');
	const npmHost = await npmHostOf(N8N_VERSIONS[0]);
	const { key, cert, certFile } = await makeCertificate(npmHost, folder, logFile);

	const port = await freePort();
	const config = join(folder, 'verdaccio.yaml');
	// Everyone may publish; nothing is asked of other registries. JSON is YAML too.
	await writeFile(
		config,
		JSON.stringify({
			storage: join(folder, 'storage'),
			auth: { htpasswd: { file: join(folder, 'htpasswd') } },
			packages: { '**': { access: '$all', publish: '$all', unpublish: '$all' } },
			log: { type: 'stdout', format: 'pretty', level: 'http' },
			web: { enable: false },
		}),
	);
	const verdaccio = startProgram(
		process.execPath,
		[
			require.resolve('verdaccio/bin/verdaccio'),
			'--config',
			config,
			'--listen',
			`127.0.0.1:${port}`,
		],
		{ cwd: folder, logFile },
	);
	const url = `http://127.0.0.1:${port}/`;
	await until('the registry answers', START_TIMEOUT_MS, async () =>
		fetch(`${url}-/ping`).then(
			({ ok }) => ok || undefined,
			() => undefined,
		),
	);

	const front = createTlsServer({ key, cert }, (incoming, outgoing) => {
		const headers = { ...incoming.headers, 'x-forwarded-proto': 'https' };
		incoming.pipe(
			request({ port, host: '127.0.0.1', method: incoming.method, path: incoming.url, headers })
				.once('response', (response) => {
					outgoing.writeHead(response.statusCode!, response.headers);
					response.pipe(outgoing);
				})
				.once('error', () => outgoing.destroy()),
		);
	});
	const frontPort = await listen(front);
	const proxy = createHttpServer((_request, response) => response.writeHead(403).end());
	proxy.on('connect', (asked, socket, head) => {
		if (asked.url !== `${npmHost}:443`) {
			socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
			return;
		}
		const tunnel = connect(frontPort, '127.0.0.1', () => {
			socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
			tunnel.write(head);
			tunnel.pipe(socket).pipe(tunnel);
		});
		tunnel.on('error', () => socket.destroy());
		socket.on('error', () => tunnel.destroy());
	});
	const proxyUrl = `http://127.0.0.1:${await listen(proxy)}`;
	const env = {
		HTTPS_PROXY: proxyUrl,
		https_proxy: proxyUrl,
		HTTP_PROXY: proxyUrl,
		http_proxy: proxyUrl,
		NO_PROXY: '127.0.0.1,localhost',
		no_proxy: '127.0.0.1,localhost',
		NODE_EXTRA_CA_CERTS: certFile,
		npm_config_userconfig: join(folder, 'npmrc'),
	};
	const settings = [
		`https-proxy=${proxyUrl}`,
		'noproxy=127.0.0.1,localhost',
		`cafile=${certFile}`,
		`cache=${join(folder, 'npm-cache')}`,
		'update-notifier=false',
	];
	const token = [`//127.0.0.1:${port}/:_authToken=local`];
	await writeFile(join(folder, 'npmrc'), [...settings, ...token, ''].join('\n'));
	return {
		env,
		useIn: async (where) => {
			await mkdir(where, { recursive: true });
			await writeFile(join(where, '.npmrc'), [...settings, ''].join('\n'));
		},
		publish: async (tarball) => {
			await runCommand('npm', ['publish', tarball, '--registry', url, '--ignore-scripts'], {
				cwd: folder,
				logFile,
				env: { ...process.env, ...env },
				timeoutMs: 60_000,
			});
		},
		close: async () => {
			for (const server of [proxy, front]) {
				server.closeAllConnections();
				server.close();
			}
			verdaccio.kill('SIGTERM');
			await verdaccio;
		},
	};
}

/** Host of the registry that n8n names as its own. */
async function npmHostOf(version: N8nVersion): Promise<string> {
	const file = join((await installN8n(version)).directory, SETTINGS);
	const address = /registry = '(https:[^']+)'/.exec(await readFile(file, 'utf8'))?.[1];
	if (!address) throw new Error(`${SETTINGS} names no registry`);
	return new URL(address).host;
}

async function makeCertificate(npmHost: string, folder: string, logFile: string) {
	const keyFile = join(folder, 'key.pem');
	const certFile = join(folder, 'cert.pem');
	await runCommand(
		'openssl',
		[
			...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'],
			...['-subj', `/CN=${npmHost}`, '-addext', `subjectAltName=DNS:${npmHost}`],
			...['-keyout', keyFile, '-out', certFile],
		],
		{ cwd: folder, logFile, timeoutMs: 60_000 },
	);
	return { key: await readFile(keyFile), cert: await readFile(certFile), certFile };
}

async function listen(server: ReturnType<typeof createTcpServer>): Promise<number> {
	await new Promise<void>((done, fail) => {
		server.once('error', fail);
		server.listen(0, '127.0.0.1', done);
	});
	return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
	const server = createTcpServer();
	const port = await listen(server);
	await new Promise((done) => server.close(done));
	return port;
}
