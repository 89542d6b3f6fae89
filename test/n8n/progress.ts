/** How often a running step says so: each second on a terminal, each 10 s in a log file. */
const TERMINAL_INTERVAL_MS = 1_000;
const LOG_INTERVAL_MS = 10_000;

/** Says what a step is doing at the moment, in a few words; shown beside the elapsed time. */
export type ReportDetail = (detail: string) => void;

/** Elapsed time as people say it: `7 s`, `2 min 5 s`. */
export function elapsed(startedAt: number, now = Date.now()): string {
	const seconds = Math.round((now - startedAt) / 1000);
	return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/**
 * Runs one step of a command and shows that it is alive: on a terminal one line that moves each second,
 * elsewhere a line each 10 s. Ends with a line that tells how long it took.
 *
 * @throws what `work` throws, after marking the step as failed
 */
export async function step<T>(
	title: string,
	work: (report: ReportDetail) => Promise<T>,
): Promise<T> {
	const terminal = process.stdout.isTTY;
	const startedAt = Date.now();
	let detail = '';
	const line = (mark: string) =>
		`${mark} ${title} (${[elapsed(startedAt), detail].filter(Boolean).join(', ')})`;
	const show = () => {
		if (!terminal) return console.log(line('…'));
		const width = process.stdout.columns || 80;
		process.stdout.write(`\r\x1b[K${line('…').slice(0, width - 1)}`);
	};
	const finish = (mark: string) => {
		clearInterval(ticker);
		if (terminal) process.stdout.write('\r\x1b[K');
		console.log(line(mark));
	};
	if (terminal) show();
	else console.log(`… ${title}`);
	const ticker = setInterval(show, terminal ? TERMINAL_INTERVAL_MS : LOG_INTERVAL_MS);
	try {
		const result = await work((next) => {
			detail = next;
		});
		finish('✓');
		return result;
	} catch (error) {
		finish('✗');
		throw error;
	}
}
