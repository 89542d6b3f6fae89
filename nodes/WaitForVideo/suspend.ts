import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';

import type { Video } from '../shared/api/objects';
import { isFinal } from '../shared/api/objects';
import { systemClock } from '../shared/async/clock';
import { timeoutMinutes } from '../shared/descriptions/waitOptions';
import type { JobEnd } from '../shared/account/waitForJobs';
import { throwIfCancelled } from '../shared/n8n/cancellation';
import { FINISHED, checkLoopBack, finishedRunsLast } from './loopBack';
import { LOOK_MS, LOOK_PAUSES, Run, minutes } from './videoWait';

/**
 * Looks once. When all videos have ended, gives them out of "Finished". Otherwise suspends the execution:
 * n8n stores it, and when it is due hands the input of this node to "Still Processing" without running
 * the node; that output leads back to the node, which then looks again.
 *
 * Nothing but the input and the time of the first look is kept between looks, so a restart loses nothing.
 * Deadlines count from the creation of each video.
 */
export async function suspend(ctx: IExecuteFunctions): Promise<INodeExecutionData[][]> {
	checkLoopBack(ctx);
	const run = new Run(ctx, { downloadLater: true });
	const timeout = timeoutMinutes(ctx);
	const ends = await run.watch({ ...LOOK_PAUSES, timeoutMs: LOOK_MS, until: 'read' });

	const now = systemClock.now();
	const memory = ctx.getContext('node') as { firstLookAt?: number };
	memory.firstLookAt ??= now;
	const startOf = (end: JobEnd<Video>) =>
		end.kind !== 'unknown' && end.job ? end.job.created_at * 1_000 : memory.firstLookAt!;
	const dueOf = (end: JobEnd<Video>) => startOf(end) + timeout * 60_000;

	const open = new Set<string>();
	for (const [id, end] of ends) {
		const rendering = end.kind === 'open' || (end.kind === 'read' && !isFinal(end.job));
		if (!rendering) continue;
		if (dueOf(end) > now) open.add(id);
		else ends.set(id, { kind: 'open', job: end.job });
	}
	const time = `${minutes(timeout)} after it was created`;
	if (open.size === 0) {
		delete memory.firstLookAt;
		return [[], run.outputOf(await run.results(ends, time), ends)];
	}

	if (ctx.getNodeParameter('options.releaseFinished', 0, false) === true) {
		const results = await run.results(ends, time, run.readyToLeave(ends, open, time));
		const leaving = results.filter((result) => 'output' in result || ctx.continueOnFail());
		if (leaving.length > 0) {
			if (finishedRunsLast(ctx))
				ctx.addExecutionHints({
					message: `Items leave as they finish, but the node behind "${FINISHED}" starts only after the last one: n8n runs the higher node first. Move that node above this one.`,
					location: 'outputPane',
					type: 'warning',
				});
			const left = new Set(leaving.map(({ itemIndex }) => itemIndex));
			const staying = ctx
				.getInputData()
				.map((item, itemIndex) => ({ ...item, pairedItem: { item: itemIndex } }))
				.filter((_, itemIndex) => !left.has(itemIndex));
			return [staying, run.outputOf(leaving, ends)];
		}
	}

	const openEnds = [...ends].filter(([id]) => open.has(id)).map(([, end]) => end);
	const oldest = Math.min(...openEnds.map(startOf));
	const due = Math.min(now + suspensionMs(now - oldest), ...openEnds.map(dueOf));
	throwIfCancelled(ctx);
	await ctx.putExecutionToWait(new Date(due));
	return [ctx.getInputData()];
}

/** A suspended execution looks at most once a minute: n8n itself looks for due executions that often. */
const SHORTEST_SUSPENSION_MS = 60_000;

/** The longest suspension, for videos that take very long. */
const LONGEST_SUSPENSION_MS = 300_000;

/**
 * How long to suspend an execution whose oldest open job is `ageMs` old: a tenth of that age, from one to
 * five minutes. So a finished job is noticed late by a tenth of its render time at most, or a minute,
 * and an hour of waiting stores the execution about 20 times instead of 60.
 */
export function suspensionMs(ageMs: number): number {
	return Math.min(Math.max(ageMs / 10, SHORTEST_SUSPENSION_MS), LONGEST_SUSPENSION_MS);
}
