/**
 * The figures of the limiter at the documented rate of two videos a minute.
 * `npx tsx test/shared/account/table.ts` prints them.
 */
import type { Figures, Scenario } from './simulation';
import { simulate } from './simulation';

const singles = (count: number, everyMs = 0, fromMs = 0) =>
	Array.from({ length: count }, (_, index) => ({
		at: fromMs + index * everyMs + (everyMs ? 0 : index),
	}));
const inProcesses = (processes: number, count: number) =>
	singles(count).map((execution, index) => ({ ...execution, process: index % processes }));

/** Each row of the table, and what must hold. */
export const ROWS: Array<{ name: string; scenario: Scenario }> = [
	{ name: '12 executions at once', scenario: { executions: singles(12) } },
	{ name: '30 executions, one every 10 s', scenario: { executions: singles(30, 10_000) } },
	{ name: '140 executions at once', scenario: { executions: singles(140) } },
	{
		name: '70 rows in one run, 8 single executions beside it',
		scenario: { executions: [{ at: 0, items: 70 }, ...singles(8, 200_000, 60_000)] },
	},
	{
		name: '12 at once, then one every 30.6 s',
		scenario: { executions: [...singles(12), ...singles(100, 30_600, 30_600)] },
	},
	{ name: '60 executions in 2 processes', scenario: { executions: inProcesses(2, 60) } },
	{ name: '60 executions in 4 processes', scenario: { executions: inProcesses(4, 60) } },
	{
		name: '3 speeches, one a second, Retry-After',
		scenario: {
			executions: [{ at: 0, items: 3 }],
			perMinute: 60,
			capacity: 1,
			retryAfter: true,
			bucket: 'generateSpeech',
		},
	},
	{
		name: '20 speeches, one per 6 s, Retry-After: 6',
		scenario: {
			executions: [{ at: 0, items: 20 }],
			perMinute: 10,
			capacity: 1,
			retryAfter: true,
			bucket: 'generateSpeech',
		},
	},
	{
		name: '20 speeches, one per 6 s, no Retry-After',
		scenario: {
			executions: [{ at: 0, items: 20 }],
			perMinute: 10,
			capacity: 1,
			bucket: 'generateSpeech',
		},
	},
	{
		name: '20 executions with speech of 8 s',
		scenario: { executions: singles(20), speechMs: 8_000 },
	},
	{
		name: '50 rows, a larger plan of 20 a minute',
		scenario: { executions: [{ at: 0, items: 50 }], perMinute: 20 },
	},
	{
		name: '50 rows, a smaller plan of 1 a minute',
		scenario: { executions: [{ at: 0, items: 50 }], perMinute: 1 },
	},
	{
		name: '50 rows, nothing left at the start',
		scenario: { executions: [{ at: 0, items: 50 }], tokens: 0 },
	},
	{ name: '50 rows, one token left', scenario: { executions: [{ at: 0, items: 50 }], tokens: 1 } },
	{
		name: '50 rows, uploads of 1 to 5 s',
		scenario: { executions: [{ at: 0, items: 50 }], uploadMs: (r) => 1000 + 4000 * r },
	},
	{
		name: '50 rows, uploads of 20 s',
		scenario: { executions: [{ at: 0, items: 50 }], uploadMs: () => 20_000 },
	},
	{
		name: '250 captions at 100 a minute, 10 at a time',
		scenario: {
			executions: [{ at: 0, items: 250, concurrency: 10 }],
			perMinute: 100,
			bucket: 'addCaptions',
		},
	},
	{
		name: '50 captions, nothing left, uploads of 3 s',
		scenario: {
			executions: [{ at: 0, items: 50, concurrency: 10 }],
			perMinute: 100,
			tokens: 0,
			bucket: 'addCaptions',
			uploadMs: () => 3000,
		},
	},
];

/** Seeds that each row is played with. */
export const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1);

/** Plays a row with every seed. */
export async function play({ scenario }: (typeof ROWS)[number]): Promise<Figures[]> {
	const all: Figures[] = [];
	for (const seed of SEEDS) all.push(await simulate({ ...scenario, seed }));
	return all;
}

/** `median (least to most)` */
export function spread(values: number[], digits = 0): string {
	const sorted = [...values].sort((a, b) => a - b);
	const [median, least, most] = [sorted[sorted.length >> 1]!, sorted[0]!, sorted.at(-1)!];
	return `${median.toFixed(digits)} (${least.toFixed(digits)} to ${most.toFixed(digits)})`;
}

/** The table of docs/rate-limit.md. */
async function print() {
	process.stdout.write(
		'| case | refused | share refused, % | of the shortest time |\n| --- | --- | --- | --- |\n',
	);
	for (const row of ROWS) {
		const all = await play(row);
		const cells = [
			row.name,
			spread(all.map(({ refused }) => refused)),
			spread(all.map(({ refused, sent }) => (100 * refused) / sent)),
			spread(
				all.map(({ tookMs, idealMs }) => tookMs / Math.max(idealMs, 1)),
				2,
			),
		];
		process.stdout.write(`| ${cells.join(' | ')} |\n`);
	}
}

if (require.main === module) void print();
