import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { packPackage } from '../test/n8n/pack';
import { checkResults, type Check } from './checks';
import { measureConcurrency, type ConcurrentRun } from './concurrency';
import { N8N_VERSION } from './measuredServer';
import { plotResults } from './plots';
import { measureTransfers, type Transfers } from './transfers';
import { reportResults } from './report';
import { measurePolling, type Polling } from './trigger';
import { measureWaiting, type Waiting } from './waiting';
import { measureWeight, type Weight } from './weight';

/** Everything that one run of the benchmark has measured; a part is absent if it was not asked for. */
export interface Results {
	measuredAt: string;
	quick: boolean;
	machine: { processor: string; cores: number; memoryGiB: number; node: string; n8n: string };
	transfers?: Transfers;
	waiting?: Waiting[];
	polling?: Polling[];
	concurrency?: ConcurrentRun[];
	weight?: Weight[];
	checks: Check[];
}

const PARTS = ['transfers', 'waiting', 'trigger', 'concurrency', 'weight'] as const;
type Part = (typeof PARTS)[number];

const HELP = `Measures the package against what a user would pick instead.

  npm run bench               everything: about half an hour, 5 GB of disk
  npm run bench -- --quick    a part of everything in under five minutes, as CI does

Options
  --part NAME      only this part, may be repeated: ${PARTS.join(', ')}
  --package FILE   measure this tarball instead of packing the sources: an older version, say
  --output FOLDER  where the results go (default: bench/results)

Ends with an error if memory or a count of requests is over its limit; never for time.`;

/** Published community nodes of about this package's kind, to weigh against. */
const OTHER_PACKAGES = [
	'n8n-nodes-creatomate',
	'n8n-nodes-evolution-api',
	'@mendable/n8n-nodes-firecrawl',
];

async function main(): Promise<void> {
	const { values } = parseArgs({
		options: {
			quick: { type: 'boolean', default: false },
			part: { type: 'string', multiple: true },
			package: { type: 'string' },
			output: { type: 'string', default: join(__dirname, 'results') },
			help: { type: 'boolean', default: false },
		},
	});
	if (values.help) return console.log(HELP);
	const parts = (values.part ?? PARTS) as Part[];
	const unknown = parts.find((part) => !PARTS.includes(part));
	if (unknown) throw new Error(`There is no part "${unknown}".\n\n${HELP}`);

	const workFolder = await mkdtemp(join(tmpdir(), 'mirage-bench-'));
	try {
		const tarball = values.package
			? resolve(values.package)
			: await packPackage(workFolder, join(workFolder, 'pack.log'));
		const results = await measure(tarball, parts, values.quick);
		await mkdir(values.output, { recursive: true });
		await writeFile(
			join(values.output, 'results.json'),
			`${JSON.stringify(results, null, '\t')}\n`,
		);
		const plots = plotResults(results);
		for (const { file, svg } of plots) await writeFile(join(values.output, file), svg);
		const report = reportResults(results, plots);
		await writeFile(join(values.output, 'results.md'), report);
		console.log(`\n${report}`);
		if (results.checks.some(({ kept, required }) => required && !kept)) process.exitCode = 1;
	} finally {
		await rm(workFolder, { recursive: true, force: true });
	}
}

async function measure(tarball: string, parts: Part[], quick: boolean): Promise<Results> {
	const startedAt = Date.now();
	const progressOf = (part: Part) => (doing: string) =>
		console.log(
			`${String(Math.round((Date.now() - startedAt) / 1_000)).padStart(5)} s  ${part}: ${doing}`,
		);
	const when = async <T>(
		part: Part,
		work: (progress: (doing: string) => void) => Promise<T>,
	): Promise<T | undefined> => (parts.includes(part) ? await work(progressOf(part)) : undefined);

	const results: Results = {
		measuredAt: new Date().toISOString(),
		quick,
		machine: {
			processor: cpus()[0]?.model ?? 'unknown',
			cores: cpus().length,
			memoryGiB: Math.round(totalmem() / 1024 ** 3),
			node: process.version,
			n8n: N8N_VERSION,
		},
		checks: [],
	};
	results.transfers = await when(
		'transfers',
		async (progress) =>
			await measureTransfers({
				tarball,
				sizes: quick
					? [{ megabytes: 300, runs: 3 }]
					: [1, 10, 50, 300, 1000].map((megabytes) => ({
							megabytes,
							runs: megabytes === 1000 ? 3 : 5,
						})),
				progress,
			}),
	);
	results.waiting = await when(
		'waiting',
		async (progress) =>
			await measureWaiting({
				counts: [1, 10, 100, 500],
				firstEndMs: quick ? 5_000 : 30_000,
				lastEndMs: quick ? 35_000 : 240_000,
				progress,
			}),
	);
	results.polling = await when(
		'trigger',
		async (progress) =>
			await measurePolling({
				histories: [0, 1_000, 100_000],
				completions: 1_000,
				idlePolls: quick ? 5 : 20,
				progress,
			}),
	);
	results.concurrency = await when(
		'concurrency',
		async (progress) =>
			await measureConcurrency({ items: 50, concurrencies: [1, 3, 10], progress }),
	);
	results.weight = await when(
		'weight',
		async (progress) =>
			await measureWeight({ tarball, others: OTHER_PACKAGES, runs: quick ? 3 : 9, progress }),
	);
	results.checks = checkResults(results);
	return results;
}

main().then(
	// n8n's engine leaves timers behind that would keep the process open.
	() => process.exit(),
	(error: Error) => {
		console.error(error.message);
		process.exit(1);
	},
);
