/**
 * Plays 10,000 seeded histories of an account: executions that wait for a video each, under render times
 * and progress of all sorts, with the shared watch and with the growing pauses that each execution would
 * keep for itself without it. `FIGURES=1 npx jest test/shared/account/renderHistories` prints the figures.
 */

import type { Job } from '../../../nodes/shared/account/jobSource';
import { JobWatch } from '../../../nodes/shared/account/jobWatch';
import { pauseAfter } from '../../../nodes/shared/account/pollSchedule';
import { waitForJobs } from '../../../nodes/shared/account/waitForJobs';
import { VirtualClock } from './virtualClock';
import { node, TIMING } from './waitingNode';

const START = 1_750_000_000_000;

/** A generator of numbers from 0 to 1 that a seed decides (mulberry32). */
function seeded(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}

type Random = () => number;
type Progress = (share: number, random: Random) => number | null;
const normal = (random: Random) =>
	Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/**
 * What an account's renders are like: times in ms, progress by the share of the time that has passed, and
 * how late the shared watch may be at the median, as a share of how late the growing pauses are.
 */
const WORLDS: Record<
	string,
	{ renderMs: (random: Random) => number; progress: Progress; late: number }
> = {
	'uniform, true progress': {
		renderMs: (random) => 5_000 + random() * 115_000,
		progress: (share) => share * 100,
		late: 0.1,
	},
	'log-normal, true progress': {
		renderMs: (random) => 60_000 * Math.exp(0.5 * normal(random)),
		progress: (share) => share * 100,
		late: 0.1,
	},
	'log-normal, no progress': {
		renderMs: (random) => 60_000 * Math.exp(0.3 * normal(random)),
		progress: () => null,
		late: 0.5,
	},
	'log-normal, progress stalls at 60': {
		renderMs: (random) => 60_000 * Math.exp(0.5 * normal(random)),
		progress: (share) => Math.min(share * 150, 60 + Math.max(0, share - 0.8) * 195),
		late: 0.6,
	},
	'log-normal, progress lies': {
		renderMs: (random) => 60_000 * Math.exp(0.5 * normal(random)),
		progress: (share, random) => (random() < 0.3 ? random() * 99 : 99 * (1 - Math.exp(-4 * share))),
		late: 0.6,
	},
	'uniform, soon at 99': {
		renderMs: (random) => 20_000 + random() * 160_000,
		progress: (share) => Math.min(99, share * 250),
		late: 0.6,
	},
};

interface Played {
	/** How late each execution was told, in ms. */
	lateMs: number[];
	reads: number;
}

async function play(seed: number, world: string): Promise<{ shared: Played; alone: Played }> {
	const random = seeded(seed);
	const { renderMs, progress } = WORLDS[world]!;
	const clock = new VirtualClock(START);
	const serverAheadMs = Math.floor((random() - 0.5) * 7_200_000);
	const finished = Math.floor(random() * 30);
	const videos = Array.from({ length: finished + 1 + Math.floor(random() * 6) }, (_, index) => {
		const takesMs = renderMs(random);
		const createdMs =
			index < finished ? START - 3_600_000 : START + (index - finished) * random() * 20_000;
		return { id: `video_${index}`, createdMs, takesMs, endsMs: createdMs + takesMs };
	});
	let reads = 0;
	const show = ({ id, createdMs, takesMs, endsMs }: (typeof videos)[number]): Job => {
		const now = clock.now();
		const ended = now >= endsMs;
		const seconds = (ms: number) => Math.floor((ms + serverAheadMs) / 1_000);
		const shown = ended ? 100 : progress((now - createdMs) / takesMs, random);
		return {
			id,
			status: ended ? 'COMPLETE' : 'PROCESSING',
			created_at: seconds(createdMs),
			completed_at: ended ? seconds(endsMs) : null,
			progress: shown === null ? null : Math.floor(shown),
		};
	};
	const ask = async (onServerTime: (ms: number) => void) => {
		reads += 1;
		await clock.sleep(50 + random() * 150);
		onServerTime(Math.floor((clock.now() + serverAheadMs) / 1_000) * 1_000);
	};
	const source = {
		node,
		read: async (id: string, onServerTime: (ms: number) => void) => {
			await ask(onServerTime);
			return show(videos.find((video) => video.id === id)!);
		},
		list: async (_: string | undefined, onServerTime: (ms: number) => void) => {
			await ask(onServerTime);
			return videos.filter(({ createdMs }) => createdMs <= clock.now()).map(show);
		},
	};
	const watch = new JobWatch<Job>();
	const lateMs = await Promise.all(
		videos.slice(finished).map(async ({ id, createdMs, endsMs }) => {
			await clock.sleep(createdMs - START + 500);
			const ends = await waitForJobs(watch, [id], source, { ...TIMING, clock });
			expect(ends.get(id)!.kind).toBe('read');
			return clock.now() - endsMs;
		}),
	);
	const alone = videos.slice(finished).map(({ takesMs }) => {
		let atMs = 500;
		let count = 1;
		for (; atMs < takesMs; count++) atMs += pauseAfter(count - 1, TIMING);
		return { count, lateMs: atMs - takesMs };
	});
	return {
		shared: { lateMs, reads },
		alone: {
			lateMs: alone.map((each) => each.lateMs),
			reads: alone.reduce((sum, { count }) => sum + count, 0),
		},
	};
}

const quantile = (values: number[], share: number) =>
	values.sort((a, b) => a - b)[Math.floor(share * (values.length - 1))]!;

const HISTORIES = 10_000;
/** Played side by side, each by its own clock; that saves turns of Node's event loop. */
const AT_ONCE = 100;
const names = Object.keys(WORLDS);
const table: string[] = [];
afterAll(() => {
	if (process.env.FIGURES) process.stdout.write(`${table.join('\n')}\n`);
});

test.each(names)(
	'news is sooner and reads are fewer than without the watch: %s',
	async (world) => {
		const shared: Played = { lateMs: [], reads: 0 };
		const alone: Played = { lateMs: [], reads: 0 };
		const seeds = Array.from(
			{ length: Math.ceil(HISTORIES / names.length) },
			(_, seed) => seed + 1,
		);
		while (seeds.length > 0)
			for (const played of await Promise.all(
				seeds.splice(0, AT_ONCE).map(async (seed) => await play(seed, world)),
			)) {
				shared.lateMs.push(...played.shared.lateMs);
				shared.reads += played.shared.reads;
				alone.lateMs.push(...played.alone.lateMs);
				alone.reads += played.alone.reads;
			}
		const figures = ({ lateMs, reads }: Played) => ({
			median: quantile(lateMs, 0.5),
			most: quantile(lateMs, 0.95),
			worst: quantile(lateMs, 1),
			reads: reads / lateMs.length,
		});
		const [now, before] = [figures(shared), figures(alone)];
		const cell = ({ median, most, worst, reads }: typeof now) =>
			`${[median, most, worst].map((ms) => (ms / 1_000).toFixed(1)).join(' / ')} s, ${reads.toFixed(1)} reads`;
		table.push(`| ${world} | ${cell(now)} | ${cell(before)} |`);

		expect(now.median).toBeLessThanOrEqual(before.median * WORLDS[world]!.late);
		expect(now.most).toBeLessThanOrEqual(before.most);
		expect(now.worst).toBeLessThanOrEqual(TIMING.maxPollIntervalMs + 500);
		expect(now.reads).toBeLessThanOrEqual(before.reads);
	},
	120_000,
);
