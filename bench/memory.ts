import { readFile, writeFile } from 'node:fs/promises';

const MIB = 1_048_576;

/**
 * Memory of another process, in MiB, from Linux' own books (`man 5 proc`): what it holds now and the most
 * it has held since {@link resetPeak}. No sampling, so no short peak is missed.
 *
 * @throws Error from the file system on any other system than Linux, or when the process is gone
 */
export async function memoryOf(pid: number): Promise<{ nowMiB: number; peakMiB: number }> {
	const status = await readFile(`/proc/${pid}/status`, 'utf8');
	const mib = (name: string) =>
		(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1_024) / MIB;
	return { nowMiB: mib('VmRSS'), peakMiB: mib('VmHWM') };
}

/** Lets the peak of a process begin anew at what it holds now. */
export async function resetPeak(pid: number): Promise<void> {
	await writeFile(`/proc/${pid}/clear_refs`, '5');
}

/** Linux counts processor time in ticks of this many ms (`sysconf(_SC_CLK_TCK)` is 100 everywhere). */
const TICK_MS = 10;

/** Processor time that a process has used so far, in ms. */
export async function processorMsOf(pid: number): Promise<number> {
	const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
	// The second field is the program's name in parentheses and may hold blanks.
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
