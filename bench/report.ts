import type { Plot } from './plots';
import type { Results } from './measurements';
import type { Summary } from './statistics';
import type { Transfer } from './transfers';
import { MB } from './inputFiles';

/** Writes the results as Markdown; `plots` are linked as files beside it. */
export function reportResults(results: Results, plots: Plot[]): string {
	const { machine, transfers, waiting, polling, concurrency, weight, idle, checks } = results;
	const picture = (file: string) =>
		plots.filter((plot) => plot.file === file).map(({ title }) => `![${title}](${file})`);
	const sections: string[][] = [
		[
			`Measured ${results.measuredAt.slice(0, 10)}${results.quick ? ' in the quick form' : ''}, on ${machine.cores} cores of ${machine.processor} with ${machine.memoryGiB} GiB, through n8n ${machine.n8n}. Median (lowest to highest). How it is measured: bench/README.md.`,
		],
		[
			'## Promises',
			table(
				['', 'promise', 'measured', 'fails the run', 'why it is missed'],
				checks.map((check) => [
					check.kept ? 'kept' : '**missed**',
					check.promise,
					check.measured,
					check.required ? 'yes' : '',
					check.why ?? '',
				]),
			),
		],
	];
	if (transfers) {
		sections.push(
			[
				'## Upload',
				...picture('upload-memory.svg'),
				...picture('upload-time.svg'),
				transferTable(transfers.uploads),
			],
			['## Download', ...picture('download-time.svg'), transferTable(transfers.downloads)],
		);
	}
	if (waiting?.[0]) {
		const others = Object.keys(waiting[0].others);
		sections.push([
			'## Waiting',
			...picture('waiting-requests.svg'),
			table(
				[
					'videos',
					'requests',
					...others.map((other) => `${other} (computed)`),
					'late by',
					'last pause',
				],
				waiting.map((row) => [
					`${row.videos}`,
					`${row.requests}`,
					...others.map((other) => `${row.others[other]}`),
					`${(row.lateMs / 1_000).toFixed(1)} s`,
					`${(row.lastPauseMs / 1_000).toFixed(1)} s`,
				]),
			),
			`The last video ended after ${waiting[0].slowestMs / 1_000} s. All four runs and the emulator together took ${waiting[0].processorMsPerSecond.toFixed(1)} ms of processor time a second.`,
		]);
	}
	if (polling) {
		sections.push([
			'## Trigger',
			table(
				[
					'videos in the account',
					'activation',
					'idle poll',
					'idle poll, ms',
					'first poll that sees the renders',
					'completions at once',
					'until all are out',
					'ms',
					'state',
				],
				polling.map((row) => [
					row.history.toLocaleString('en'),
					count(row.activationRequests, 'request'),
					count(row.idleRequests, 'request'),
					spread(row.idleMs),
					count(row.renderingRequests, 'request'),
					row.completions.toLocaleString('en'),
					`${count(row.completionRequests, 'request')} in ${count(row.completionPolls, 'poll')}`,
					row.completionMs.toFixed(0),
					`${row.stateBytes} bytes`,
				]),
			),
		]);
	}
	if (concurrency) {
		sections.push([
			'## Concurrency',
			table(
				['node', 'concurrency', 'items', 'time at the server each', 'time', 'requests'],
				concurrency.map((row) => [
					row.node,
					`${row.concurrency}`,
					`${row.items}`,
					`${row.serverMs} ms`,
					`${(row.ms / 1_000).toFixed(1)} s`,
					`${row.requests}`,
				]),
			),
		]);
	}
	if (weight) {
		sections.push([
			'## Weight',
			table(
				[
					'package',
					'nodes',
					'tarball, kB',
					'installed, kB',
					'files',
					'packages',
					'load, ms',
					'load, MiB',
				],
				weight.map((row) => [
					`${row.name} ${row.version}`,
					`${row.nodes}`,
					(row.packedBytes / 1_000).toFixed(0),
					(row.installedBytes / 1_000).toFixed(0),
					`${row.installedFiles}`,
					`${row.installedPackages}`,
					spread(row.loadMs),
					spread(row.loadMiB, 1),
				]),
			),
		]);
	}
	if (idle) {
		sections.push([
			'## While nothing happens',
			table(
				['n8n does', 'memory, MiB', 'processor, ms each second', 'requests'],
				idle.map((row) => [
					row.doing,
					row.memoryMiB.toFixed(0),
					row.processorMsPerSecond.toFixed(1),
					`${row.requests}`,
				]),
			),
			'The rows stand for one process, measured one after the other.',
		]);
	}
	return `# Measured\n\n${sections.map((lines) => lines.join('\n\n')).join('\n\n')}\n`;
}

function transferTable(transfers: Transfer[]): string {
	return table(
		[
			'MB',
			'way',
			'memory added, MiB',
			'the same, n8n was idle',
			'time, ms',
			'MB/s',
			'of which request, ms',
			'processor, ms',
		],
		transfers.map((row) => [
			`${row.megabytes}`,
			row.way,
			row.addedMiB ? spread(row.addedMiB) : '',
			row.addedAfterIdleMiB ? spread(row.addedAfterIdleMiB) : '',
			spread(row.ms),
			((row.megabytes * MB) / 1_000 / row.ms.median).toFixed(0),
			spread(row.requestMs),
			row.processorMs ? spread(row.processorMs) : '',
		]),
	);
}

function spread({ median, min, max }: Summary, digits = 0): string {
	const [middle, low, high] = [median, min, max].map((value) =>
		// No "-0": what is rounded away has no sign.
		value.toFixed(digits).replace(/^-(0(?:\.0+)?)$/, '$1'),
	);
	return `${middle} (${low} to ${high})`;
}

const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;

function table(head: string[], rows: string[][]): string {
	const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
	return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
