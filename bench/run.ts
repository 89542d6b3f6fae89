import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { packPackage } from '../test/n8n/pack';
import { checkResults } from './checks';
import { measureConcurrency } from './concurrency';
import { measureIdle } from './idle';
import { N8N_VERSION } from './measuredServer';
import type { Results } from './measurements';
import { plotResults } from './plots';
import type { Progress } from './progress';
import { reportResults } from './report';
import { measureTransfers } from './transfers';
import { measurePolling } from './trigger';
import { measureWaiting } from './waiting';
import { measureWeight } from './weight';

/** Published community nodes of about this package's kind, to weigh against. */
const OTHER_PACKAGES = [
	'n8n-nodes-creatomate',
	'n8n-nodes-evolution-api',
	'@mendable/n8n-nodes-firecrawl',
];

/** What a part is measured with. */
interface Plan {
	/** The package, as `npm pack` makes it. */
	tarball: string;
	/** The short form, which CI runs. */
	quick: boolean;
	progress: Progress;
}

/** The parts, in their order: each gives its field of the results, or nothing when the short form leaves it out. */
const PARTS: Record<string, (plan: Plan) => Promise<Partial<Results>>> = {
	transfers: async ({ tarball, quick, progress }) => ({
		transfers: await measureTransfers({
			tarball,
			sizes: quick
				? [{ megabytes: 300, runs: 2 }]
				: [1, 10, 50, 300, 1000].map((megabytes) => ({
						megabytes,
						runs: megabytes === 300 ? 5 : 3,
					})),
			progress,
		}),
	}),
	waiting: async ({ quick, progress }) => ({
		waiting: await measureWaiting({
			counts: [1, 10, 100, 500],
			firstEndMs: quick ? 5_000 : 30_000,
			lastEndMs: quick ? 20_000 : 240_000,
			progress,
		}),
	}),
	trigger: async ({ quick, progress }) => ({
		polling: await measurePolling({
			histories: [0, 1_000, 100_000],
			completions: 1_000,
			idlePolls: quick ? 5 : 20,
			progress,
		}),
	}),
	concurrency: async ({ progress }) => ({
		concurrency: await measureConcurrency({ items: 50, concurrencies: [1, 3, 10], progress }),
	}),
	weight: async ({ tarball, quick, progress }) => ({
		weight: await measureWeight({
			tarball,
			others: OTHER_PACKAGES,
			runs: quick ? 3 : 9,
			progress,
		}),
	}),
	idle: async ({ tarball, quick, progress }) =>
		quick ? {} : { idle: await measureIdle({ tarball, measuredMs: 60_000, progress }) },
};

const HELP = `Measures the package against what a user would pick instead.

  npm run bench               everything: about 40 minutes, 5 GB of disk
  npm run bench -- --quick    a part of everything in under five minutes, as CI does

Options
  --part NAME      only this part, may be repeated: ${Object.keys(PARTS).join(', ')}
  --package FILE   measure this tarball instead of packing the sources: an older version, say
  --output FOLDER  where the results go (default: bench/results, and bench/results/quick for the quick form)
  --from FILE      takes a results.json, measures only the parts named with it, and writes tables and plots anew

Ends with an error if memory or a count of requests is over its limit; never for time.`;

async function main(): Promise<void> {
	const { values } = parseArgs({
		options: {
			quick: { type: 'boolean', default: false },
			part: { type: 'string', multiple: true },
			package: { type: 'string' },
			output: { type: 'string' },
			from: { type: 'string' },
			help: { type: 'boolean', default: false },
		},
	});
	if (values.help) return console.log(HELP);
	const parts = Object.keys(PARTS).filter((part) => values.part?.includes(part) ?? true);
	const unknown = values.part?.find((part) => !(part in PARTS));
	if (unknown) throw new Error(`There is no part "${unknown}".\n\n${HELP}`);

	const earlier = values.from
		? (JSON.parse(await readFile(values.from, 'utf8')) as Results)
		: undefined;
	const quick = earlier?.quick ?? values.quick;
	const output = values.output ?? join(__dirname, 'results', ...(quick ? ['quick'] : []));
	await mkdir(output, { recursive: true });
	const keep = async (measured: Results) => {
		const results = { ...earlier, ...measured };
		results.checks = checkResults(results);
		await writeFile(join(output, 'results.json'), `${JSON.stringify(results, null, '\t')}\n`);
	};
	if (earlier && !values.part) await keep(earlier);
	else await packAndMeasure(values.package, parts, quick, keep);
	const results = JSON.parse(await readFile(join(output, 'results.json'), 'utf8')) as Results;
	const plots = plotResults(results);
	for (const { file, svg } of plots) await writeFile(join(output, file), svg);
	const report = reportResults(results, plots);
	await writeFile(join(output, 'results.md'), report);
	console.log(`\n${report}`);
	if (results.checks.some(({ kept, required }) => required && !kept)) process.exitCode = 1;
}

async function packAndMeasure(
	tarball: string | undefined,
	parts: string[],
	quick: boolean,
	keep: (results: Results) => Promise<void>,
): Promise<void> {
	const workFolder = await mkdtemp(join(tmpdir(), 'mirage-bench-'));
	try {
		await measure(
			tarball ? resolve(tarball) : await packPackage(workFolder, join(workFolder, 'pack.log')),
			parts,
			quick,
			keep,
		);
	} finally {
		await rm(workFolder, { recursive: true, force: true });
	}
}

/** Measures the parts in order; `keep` gets what there is after each, so that a failure loses one part only. */
async function measure(
	tarball: string,
	parts: string[],
	quick: boolean,
	keep: (results: Results) => Promise<void>,
): Promise<void> {
	const startedAt = Date.now();
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
	for (const part of parts) {
		const progress = (doing: string) => {
			const seconds = String(Math.round((Date.now() - startedAt) / 1_000));
			console.log(`${seconds.padStart(5)} s  ${part}: ${doing}`);
		};
		Object.assign(results, await PARTS[part]!({ tarball, quick, progress }));
		await keep(results);
	}
}

main().then(
	// n8n's engine leaves timers behind that would keep the process open.
	() => process.exit(),
	(error: Error) => {
		console.error(error.message);
		process.exit(1);
	},
);
