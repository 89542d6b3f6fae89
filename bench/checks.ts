import type { Check, Results } from './measurements';
import type { Summary } from './statistics';
import type { Transfer } from './transfers';
import { CURL, HTTP_REQUEST, THIS_PACKAGE } from './ways';

const HEAP_AGAIN_AND_AGAIN =
	"V8 goes through all of n8n's heap again for every 35 MB that pass, which is more than half of the time; n8n's own HTTP Request node has it too";

const BUSY = 'n8n was busy';

const STILL_GROWING =
	'n8n itself still grows after its start, in whatever way a file moves: see the other ways in the table';

const GARBAGE = 'V8 frees passed pieces only when some 35 MB have piled up';

/** Memory in MiB that a file may add to a busy n8n: what is promised, and what makes the benchmark fail. */
const PROMISED_MIB = 16;

const LIMIT_MIB = 32;

/** The same for one that was idle: V8's own garbage of a transfer is more than what it kept room for. */
const LIMIT_AFTER_IDLE_MIB = 96;

/** Share of the requests that waiting for 100 videos may send, of one read per open video per round. */
const WAITING_SHARE = 1 / 20;

/** Requests of a poll that finds nothing new, whatever the account holds. */
const IDLE_POLL_REQUESTS = 2;

const COMPARED_MB = 300;

/** Holds the results against what is promised. Parts that were not measured give no checks. */
export function checkResults({ transfers, waiting, polling, concurrency }: Results): Check[] {
	const checks: Check[] = [];
	if (transfers) {
		checks.push(...memoryChecks('Upload', transfers.uploads));
		checks.push(...memoryChecks('Download', transfers.downloads));
		const upload = (way: string) => at(transfers.uploads, way);
		const download = (way: string) => at(transfers.downloads, way);
		checks.push(
			faster('Upload', 'HTTP Request', upload(THIS_PACKAGE), upload(HTTP_REQUEST), 'requestMs', 3),
			faster('Upload', 'curl -F', upload(THIS_PACKAGE), upload(CURL), 'requestMs', 0.9),
			faster('Download', 'curl', download(THIS_PACKAGE), download(CURL), 'ms', 0.8),
		);
	}
	for (const { videos, requests, others, lateMs, lastPauseMs } of waiting ?? []) {
		const perRound = Object.values(others)[0]!;
		if (videos === 100) {
			checks.push({
				promise:
					'Waiting for 100 videos: at most 1/20 of the requests of one read per video per round',
				measured: `${requests} of ${perRound}: 1/${Math.round(perRound / requests)}`,
				kept: requests <= perRound * WAITING_SHARE,
				required: true,
			});
		}
		checks.push({
			promise: `Waiting for ${videos}: done within one pause after the last video`,
			measured: `${seconds(lateMs)} late, the pause was ${seconds(lastPauseMs)}`,
			kept: lateMs < lastPauseMs,
			required: false,
		});
	}
	for (const { history, idleRequests } of polling ?? []) {
		checks.push({
			promise: `Idle poll over ${history.toLocaleString('en')} videos: at most ${IDLE_POLL_REQUESTS} requests`,
			measured: `${idleRequests}`,
			kept: idleRequests <= IDLE_POLL_REQUESTS,
			required: true,
		});
	}
	for (const { node, concurrency: limit, items, requests } of concurrency ?? []) {
		checks.push({
			promise: `${node}, concurrency ${limit}: one request for each of ${items} items`,
			measured: `${requests}`,
			kept: requests === items,
			required: true,
		});
	}
	return checks;
}

function memoryChecks(direction: string, transfers: Transfer[]): Check[] {
	return transfers
		.filter(({ way }) => way === THIS_PACKAGE)
		.flatMap(({ megabytes, addedMiB, addedAfterIdleMiB }) => {
			const check = (
				when: string,
				{ median }: Summary,
				limit: number,
				required: boolean,
			): Check => ({
				promise: `${direction} of ${megabytes} MB, ${when}: at most ${limit} MiB added`,
				measured: `${median.toFixed(0).replace('-0', '0')} MiB`,
				kept: median <= limit,
				required,
				...(median > limit && {
					why: when === BUSY && megabytes < COMPARED_MB ? STILL_GROWING : GARBAGE,
				}),
			});
			return [
				check(BUSY, addedMiB!, PROMISED_MIB, false),
				check(BUSY, addedMiB!, LIMIT_MIB, true),
				check('n8n was idle', addedAfterIdleMiB!, PROMISED_MIB, false),
				check('n8n was idle', addedAfterIdleMiB!, LIMIT_MIB, false),
				check('n8n was idle', addedAfterIdleMiB!, LIMIT_AFTER_IDLE_MIB, true),
			];
		});
}

/** Whether the first is at least `factor` times as fast as the second. */
function faster(
	direction: string,
	other: string,
	own: Transfer,
	others: Transfer,
	figure: 'ms' | 'requestMs',
	factor: number,
): Check {
	const ratio = others[figure].median / own[figure].median;
	const what = figure === 'requestMs' ? ' (the request itself)' : '';
	return {
		promise: `${direction} of ${own.megabytes} MB${what}: at least ${factor} times as fast as ${other}`,
		measured: `${ratio.toFixed(2)} times`,
		kept: ratio >= factor,
		required: false,
		...(ratio < factor && { why: HEAP_AGAIN_AND_AGAIN }),
	};
}

/** The way's figures at the size that is compared, or at the largest one that was measured. */
function at(transfers: Transfer[], way: string): Transfer {
	const own = transfers.filter((transfer) => transfer.way === way);
	return own.find(({ megabytes }) => megabytes === COMPARED_MB) ?? own.at(-1)!;
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
