import execa, { type ExecaChildProcess, type ExecaError } from 'execa';
import { createWriteStream } from 'node:fs';
import { appendFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Where a program runs. */
export interface ProgramOptions {
	/** Working directory. */
	cwd: string;
	/** File that everything the program prints is appended to. */
	logFile: string;
	/** Environment of the program; the own one if absent. */
	env?: NodeJS.ProcessEnv;
	/** User and group that it runs as. */
	owner?: { uid: number; gid: number };
	/** Gives it a process group of its own; whoever asks for that ends it too. */
	detached?: boolean;
}

export interface CommandOptions extends ProgramOptions {
	/** The command is ended after this time, in ms. */
	timeoutMs: number;
}

/** A program that goes on. */
export type Program = ExecaChildProcess;

/** How many of a failed command's last lines go into the error. */
const TAIL_LINES = 15;

/** Starts a program whose output goes to the log file; a failure is in its result, not thrown. */
function start(command: string, args: string[], options: ProgramOptions, more: execa.Options) {
	const { cwd, env = process.env, owner, logFile } = options;
	const child = execa(command, args, {
		...{ cwd, env, extendEnv: false, ...owner, ...more },
		...{ stdin: 'ignore', all: true, reject: false },
	});
	child.all!.pipe(createWriteStream(logFile, { flags: 'a' }));
	return child;
}

/**
 * Runs a program to its end and writes what it prints to a log file.
 *
 * @returns its standard output
 * @throws Error with the last lines and the log file's path, if it fails or takes too long
 */
export async function runCommand(
	command: string,
	args: string[],
	{ timeoutMs, ...options }: CommandOptions,
): Promise<string> {
	await mkdir(dirname(options.logFile), { recursive: true });
	await appendFile(options.logFile, `$ ${[command, ...args].join(' ')}\n`);
	const result = await start(command, args, options, { timeout: timeoutMs, killSignal: 'SIGKILL' });
	if (!result.failed) return result.stdout;
	// "Command failed with exit code 1: npm pack", or that it timed out or was not found.
	const { shortMessage } = result as ExecaError;
	const tail = (result.all ?? '').trim().split('\n').slice(-TAIL_LINES).join('\n');
	throw new Error(`${shortMessage}\n${tail}\nLog: ${options.logFile}`);
}

/**
 * Starts a program that goes on and writes what it prints to a log file. Unless it is detached, it ends
 * with this process at the latest.
 */
export function startProgram(command: string, args: string[], options: ProgramOptions): Program {
	return start(command, args, options, { buffer: false, detached: options.detached ?? false });
}
