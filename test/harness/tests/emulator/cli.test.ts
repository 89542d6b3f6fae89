import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { readSettings, requestLine } from '../../emulator/cli';
import { Client } from '../../emulator/client';
import { startEmulator } from '../../emulator/emulator';
import type { LoggedRequest } from '../../emulator/types';

const CLI = join(__dirname, '../../emulator/cli.ts');

it('starts without limits and with a render time that shows progress, unless told otherwise', () => {
	expect(readSettings([])).toEqual({
		port: 8787,
		apiKey: 'mira_test_key',
		renderMs: 10_000,
		rateLimits: 'off',
	});
	const args = '--port 0 --key mira_x --render-seconds 0.5 --rate-limits 60';
	expect(readSettings(args.split(' '))).toEqual({
		port: 0,
		apiKey: 'mira_x',
		renderMs: 500,
		rateLimits: { speed: 60 },
	});
	expect(readSettings(['--rate-limits', 'real'])!.rateLimits).toBe('real');
	expect(readSettings(['--help'])).toBeUndefined();
});

it.each([
	['--port', 'abc'],
	['--port', '70000'],
	['--key', ''],
	['--render-seconds', '-1'],
	['--render-seconds', ''],
	['--rate-limits', '0'],
	['--rate-limits', 'fast'],
	['--prot', '1'],
])('refuses %s %s and names the option', (name, value) => {
	expect(() => readSettings([`${name}=${value}`])).toThrow(name);
});

it('writes a line for each request that tells the upload and the job, not the signature', async () => {
	const lines: string[] = [];
	const onRequest = (request: LoggedRequest) => lines.push(requestLine(request));
	const emulator = await startEmulator({ renderMs: 0, now: () => 0, onRequest });
	const client = new Client(emulator);
	const { id } = (await client.createVideo()).json();
	const redirect = await client.get(`/v1/videos/${id}/content`);
	await client.get(redirect.headers.location as string);
	await emulator.close();
	expect(lines).toEqual([
		`00:00:00 api     POST /v1/videos → 200 started ${id} (portrait.jpg 30 kB, voice.mp3 14 kB)`,
		`00:00:00 api     GET  /v1/videos/${id}/content → 302`,
		`00:00:00 content GET  /generated/${id}.mp4 → 200`,
	]);
});

it('runs as a program: prints what n8n needs, logs, and stops when told to', async () => {
	const args = ['--import', 'tsx', CLI, '--port=0', '--key=mira_mine'];
	const program = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
	const lines: string[] = [];
	const reader = createInterface({ input: program.stdout });
	const until = async (pattern: RegExp) => {
		for (;;) {
			const found = lines.map((line) => pattern.exec(line)).find((match) => match);
			if (found) return found[1]!;
			await once(reader, 'line');
		}
	};
	reader.on('line', (line) => lines.push(line));
	const apiKey = await until(/API Key +(\S+)/);
	const url = await until(/Base URL +(\S+)/);
	expect(apiKey).toBe('mira_mine');
	const client = new Client({ url, apiKey });
	expect((await client.get('/v1/videos?limit=1')).json()).toEqual([]);
	expect(await until(/api +GET +(\S+) → 200/)).toBe('/v1/videos?limit=1');
	program.kill('SIGINT');
	expect(await once(program, 'exit')).toEqual([0, null]);
});

it('says which option to change when the port is in use', async () => {
	const emulator = await startEmulator();
	const { port } = new URL(emulator.url);
	const args = ['--import', 'tsx', CLI, `--port=${port}`];
	const program = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
	let said = '';
	program.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
	expect(await once(program, 'close')).toEqual([1, null]);
	expect(said).toContain('--port');
	await emulator.close();
});
