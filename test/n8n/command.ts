import { spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface CommandOptions {
	/** Working directory. */
	cwd: string;
	/** File that everything the command prints is appended to. */
	logFile: string;
	/** Environment of the command; the own one if absent. */
	env?: NodeJS.ProcessEnv;
	/** The command is ended after this time, in ms. */
	timeoutMs: number;
}

/** How many of a failed command's last lines go into the error. */
const TAIL_LINES = 15;

/**
 * Runs a program to its end and writes what it prints to a log file.
 *
 * @returns its standard output
 * @throws Error with the last lines and the log file's path, if it fails or takes too long
 */
export async function runCommand(
	command: string,
	args: string[],
	{ cwd, logFile, env = process.env, timeoutMs }: CommandOptions,
): Promise<string> {
	await mkdir(dirname(logFile), { recursive: true });
	const log = createWriteStream(logFile, { flags: 'a' });
	const shown = [command, ...args].join(' ');
	log.write(`$ ${shown}\n`);
	// On Windows npm and npx are batch files, which only a shell starts.
	const child = spawn(command, args, {
		cwd,
		env,
		shell: process.platform === 'win32',
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	let stdout = '';
	const lines = keepLastLines(log);
	child.stdout.setEncoding('utf8').on('data', (text: string) => {
		stdout += text;
		lines.add(text);
	});
	child.stderr.setEncoding('utf8').on('data', (text: string) => lines.add(text));
	const endWithParent = () => child.kill();
	process.once('exit', endWithParent);
	let timedOut = false;
	const timer = setTimeout(() => {
		timedOut = true;
		child.kill('SIGKILL');
	}, timeoutMs);
	const outcome = await new Promise<number | string | Error>((resolve) => {
		child.once('error', resolve);
		child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
	});
	clearTimeout(timer);
	process.off('exit', endWithParent);
	await new Promise((resolve) => log.end(resolve));
	if (outcome === 0) return stdout;
	const reason = timedOut
		? `took longer than ${Math.round(timeoutMs / 1000)} s`
		: outcome instanceof Error
			? outcome.message
			: `ended with ${outcome}`;
	throw new Error(`"${shown}" ${reason}.\n${lines.last()}\nLog: ${logFile}`);
}

function keepLastLines(log: WriteStream) {
	let tail = '';
	return {
		add(text: string) {
			log.write(text);
			tail = (tail + text).split('\n').slice(-TAIL_LINES).join('\n');
		},
		last: () => tail.trim(),
	};
}
