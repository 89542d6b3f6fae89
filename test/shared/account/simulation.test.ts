import { simulate, type Execution, type Figures, type Scenario } from './simulation';
import { play, ROWS } from './table';
import { seededRandom } from './simulatedClock';

const SEEDS = 2_000;
const INTERVAL_MS = 30_000;

/** Executions, processes, a server, stops and lost answers, all from one seed. */
function chanceScenario(seed: number): Scenario {
	const random = seededRandom(seed);
	const upTo = (most: number) => Math.floor(random() * (most + 1));
	const processes = 1 + upTo(2);
	const executions = Array.from({ length: 1 + upTo(7) }, (): Execution => {
		const at = upTo(120_000);
		return {
			at,
			items: 1 + upTo(3),
			concurrency: 1 + upTo(3),
			process: upTo(processes - 1),
			stopAt: random() < 0.2 ? at + upTo(240_000) : undefined,
		};
	});
	const perMinute = [1, 2, 2, 2, 10][upTo(4)]!;
	return {
		seed,
		executions,
		perMinute,
		tokens: random() < 0.3 ? random() * perMinute : undefined,
		bucket: random() < 0.2 ? 'generateSpeech' : 'createVideo',
		retryAfter: random() < 0.3,
		uploadMs: (chance) => 100 + 8_000 * chance,
		speechMs: random() < 0.3 ? 1_000 + upTo(20_000) : undefined,
		patienceMs: random() < 0.1 ? 0 : 3_600_000,
		lost: random() < 0.3 ? 0.2 : 0,
	};
}

/** What does not hold in a simulated run, in words. */
function broken(scenario: Scenario, figures: Figures): string[] {
	const { executions, patienceMs, speechMs, bucket } = scenario;
	const { accepted, lost, failed, ends, tokensTaken, sent, refused, speeches } = figures;
	const unstopped = ends.filter(({ execution }) => executions[execution]!.stopAt === undefined);
	const items = executions
		.filter(({ stopAt }) => stopAt === undefined)
		.reduce((sum, { items: count = 1 }) => sum + count, 0);
	const problems: Array<[boolean, string]> = [
		[tokensTaken !== accepted + lost, 'a job was paid for that nobody was told of'],
		[sent !== tokensTaken + refused, 'a request vanished'],
		[accepted + lost + failed !== ends.length, 'an item ended in no way'],
		[unstopped.length !== items, 'an item of an execution that was not stopped has no end'],
		[
			patienceMs! > 0 && unstopped.some(({ kind }) => kind === 'rateLimited'),
			'an item was refused although the queue moved',
		],
		[
			refused > (bucket === 'generateSpeech' ? 8 : 2) * (3 + ends.length),
			'more requests were refused than probes explain',
		],
		[speechMs !== undefined && speeches > ends.length, 'speech was made twice for an item'],
	];
	return problems.filter(([isBroken]) => isBroken).map(([, words]) => words);
}

it(`${SEEDS} seeds: jobs paid are jobs named, everybody is served or told, nobody is left hanging`, async () => {
	const failures: string[] = [];
	for (let seed = 1; seed <= SEEDS; seed++) {
		const scenario = chanceScenario(seed);
		try {
			const problems = broken(scenario, await simulate(scenario));
			if (problems.length > 0) failures.push(`seed ${seed}: ${problems.join('; ')}`);
		} catch (error) {
			failures.push(`seed ${seed}: ${String(error)}`);
		}
	}
	expect(failures).toEqual([]);
}, 60_000);

/** What each row promises: refused requests, share of the ideal time, requests passed by later ones. */
const PROMISES: Record<string, (figures: Figures) => boolean> = {
	'12 executions at once': ({ refused, tookMs, idealMs, outOfOrder }) =>
		refused <= 3 && tookMs <= 1.05 * idealMs && outOfOrder === 0,
	'30 executions, one every 10 s': ({ refused, outOfOrder }) => refused <= 3 && outOfOrder === 0,
	'140 executions at once': ({ refused, outOfOrder }) => refused <= 5 && outOfOrder === 0,
	'70 rows in one run, 8 single executions beside it': ({ tookMs, idealMs, ends }) =>
		tookMs <= 1.1 * idealMs &&
		ends.every(
			({ execution, joinedAt, endedAt }) =>
				execution === 0 || endedAt - joinedAt <= 3.2 * INTERVAL_MS,
		),
	'12 at once, then one every 30.6 s': ({ outOfOrder, tookMs, idealMs }) =>
		outOfOrder === 0 && tookMs <= 1.05 * idealMs,
	'3 speeches, one a second, Retry-After': ({ tookMs }) => tookMs < 10_000,
	'20 speeches, one per 6 s, Retry-After: 6': ({ tookMs, idealMs }) => tookMs <= 1.1 * idealMs,
	'20 executions with speech of 8 s': ({ refused, speeches, tookMs, idealMs }) =>
		refused <= 3 && speeches === 20 && tookMs <= 1.05 * idealMs,
	'50 rows, a larger plan of 20 a minute': ({ tookMs, idealMs }) => tookMs <= 1.2 * idealMs,
	'50 rows, nothing left at the start': ({ tookMs, idealMs }) => tookMs <= 1.4 * idealMs,
	'50 rows, one token left': ({ tookMs, idealMs }) => tookMs <= 1.4 * idealMs,
	'60 executions in 2 processes': ({ refused, sent }) => refused <= 0.16 * sent,
	'50 rows, uploads of 1 to 5 s': ({ tookMs, idealMs, refused }) =>
		tookMs <= 1.1 * idealMs && refused <= 5,
	'50 rows, uploads of 20 s': ({ tookMs, idealMs }) => tookMs <= 1.2 * idealMs,
	'250 captions at 100 a minute, 10 at a time': ({ tookMs, idealMs }) => tookMs <= 1.2 * idealMs,
};

it.each(ROWS)('keeps what it promises: $name', async (row) => {
	const promise = PROMISES[row.name] ?? (() => true);
	const all = await play(row);
	const missed = all
		.filter((figures) => figures.failed > 0 || !promise(figures))
		.map(({ ends, ...figures }) => ({ ...figures, items: ends.length }));
	expect(missed).toEqual([]);
});

it('every promise belongs to a row', () => {
	const names = ROWS.map(({ name }) => name);
	expect(names).toEqual(expect.arrayContaining(Object.keys(PROMISES)));
});
