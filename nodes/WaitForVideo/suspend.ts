import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';

import type { JobEnd } from '../shared/account/waitForJobs';
import type { Video } from '../shared/api/objects';
import { isFinal } from '../shared/api/objects';
import { systemClock } from '../shared/async/clock';
import { timeoutMinutes } from '../shared/descriptions/waitOptions';
import { runItems } from '../shared/items/runItems';
import { throwIfCancelled } from '../shared/n8n/cancellation';
import { judge } from '../shared/videos/judge';
import { FINISHED, checkWiring, finishedRunsLast } from './loopBack';
import { CHECK_ONCE, videosOf } from './videoItems';

/** What is kept in the node's context from one status check of an execution to the next. */
interface Memory {
	/** When this execution first saw a video rendering, by its ID, in ms since 1970. */
	firstChecks?: Record<string, number>;
}

/**
 * Checks once. When all videos have ended, gives them out of "Finished". Otherwise suspends the execution:
 * n8n stores it, and when it is due hands the input of this node to "Rendering" without running the node;
 * that output leads back to the node, which then checks again.
 *
 * Nothing but the input and the times of the first checks is kept, so a restart loses nothing. Deadlines
 * count from those times and not from the creation of a video, which is told by another clock.
 *
 * One passage: 2 videos, 60 s apart → check, suspend 60 s → check, the first is finished, suspend 60 s →
 * check, both leave by "Finished".
 */
export async function suspend(ctx: IExecuteFunctions): Promise<INodeExecutionData[][]> {
	checkWiring(ctx);
	const waitMinutes = timeoutMinutes(ctx);
	const videos = videosOf(ctx, { ...CHECK_ONCE, waitMinutes });
	const releases = ctx.getNodeParameter('options.releaseFinished', 0, false) === true;
	const memory = ctx.getContext('node') as Memory;
	const now = systemClock.now();
	let open: ReadonlyMap<string, number> = new Map();
	let checked: Promise<ReadonlyMap<string, JobEnd<Video>>> | undefined;
	const check = async () => {
		const ends = await videos.ends();
		open = openVideos(ends, memory, now, waitMinutes * 60_000);
		return ends;
	};
	const output = await runItems(ctx, {
		...videos.plan,
		run: async (item) => {
			videos.follow(item);
			return async () => {
				const read = (await (checked ??= check())).get(item.videoId)!;
				const isOverdue = read.kind === 'read' && !isFinal(read.job) && !open.has(item.videoId);
				const end: JobEnd<Video> = isOverdue ? { kind: 'open', job: read.job } : read;
				const isFatal = end.kind === 'unknown' && !ctx.continueOnFail();
				if (open.size > 0 && !isFatal) {
					if (!releases || open.has(item.videoId)) return [];
					// An error ends the execution, so it has to wait for the others.
					if (!ctx.continueOnFail())
						return judge(item, end) ? [] : await videos.output(item, end).catch(() => []);
				}
				return await videos.output(item, end);
			};
		},
	});
	if (open.size === 0) return [[], output];
	if (releases && output.length > 0) {
		if (finishedRunsLast(ctx))
			ctx.addExecutionHints({
				message: `Items leave as they finish, but the node behind "${FINISHED}" starts only after the last one: n8n runs the higher node first. Move that node above this one.`,
				location: 'outputPane',
				type: 'warning',
			});
		const left = new Set(output.map(({ pairedItem }) => (pairedItem as { item: number }).item));
		const staying = ctx
			.getInputData()
			.map((item, itemIndex) => ({ ...item, pairedItem: { item: itemIndex } }))
			.filter((_, itemIndex) => !left.has(itemIndex));
		return [staying, output];
	}
	const oldest = Math.min(...open.values());
	const due = Math.min(now + suspensionMs(now - oldest), oldest + waitMinutes * 60_000);
	throwIfCancelled(ctx);
	await ctx.putExecutionToWait(new Date(due));
	return [ctx.getInputData()];
}

/**
 * The videos that may go on rendering, with the time of their first check in ms. It is kept in `memory`, also
 * for those that were open for `timeoutMs`, until the last video has ended or was open for so long.
 */
function openVideos(
	ends: ReadonlyMap<string, JobEnd<Video>>,
	memory: Memory,
	now: number,
	timeoutMs: number,
): ReadonlyMap<string, number> {
	const firstChecks = (memory.firstChecks ??= {});
	for (const [id, end] of ends) {
		const renders = end.kind === 'open' || (end.kind === 'read' && !isFinal(end.job));
		// With n8n's clock set back since, the time counts from now.
		if (renders) firstChecks[id] = Math.min(firstChecks[id] ?? now, now);
		else delete firstChecks[id];
	}
	const open = new Map(
		[...ends.keys()].flatMap((id) => {
			const firstCheck = firstChecks[id];
			return firstCheck !== undefined && now < firstCheck + timeoutMs ? [[id, firstCheck]] : [];
		}),
	);
	if (open.size === 0) for (const id of ends.keys()) delete firstChecks[id];
	return open;
}

/** A suspended execution checks at most once a minute: n8n itself looks for due executions that often. */
const SHORTEST_SUSPENSION_MS = 60_000;

/** The longest suspension, for videos that take very long. */
const LONGEST_SUSPENSION_MS = 300_000;

/**
 * How long to suspend an execution that has waited `waitedMs` for its oldest open video: a tenth of that
 * time, from one to five minutes. So a finished video is noticed late by a tenth of its render time at
 * most, or a minute, and an hour of waiting stores the execution 29 times instead of 60.
 */
export function suspensionMs(waitedMs: number): number {
	return Math.min(Math.max(waitedMs / 10, SHORTEST_SUSPENSION_MS), LONGEST_SUSPENSION_MS);
}
