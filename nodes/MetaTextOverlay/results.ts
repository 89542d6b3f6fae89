import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { getTextOverlay } from '../shared/api/endpoints';
import { cancelSignal, throwIfCancelled } from '../shared/n8n/cancellation';
import { downloadRendered } from '../shared/files/download';
import type { ItemEnd } from '../shared/items/runErrors';
import { failedItem } from '../shared/items/runErrors';
import type { JobEnd } from '../shared/account/waitForJobs';
import { waitForJobs } from '../shared/account/waitForJobs';
import type { TextOverlay, TextOverlayResult } from '../shared/api/objects';
import { jsonOf } from '../shared/api/objects';
import { pollPauses, timeoutMinutes } from '../shared/descriptions/waitOptions';

/** What an item wants of its job once it is complete. */
export interface WantedOverlay {
	overlayId: string;
	/** Binary field for the rendered files; missing when none are wanted. */
	fileField?: string;
}

/** Waits for the jobs of all items together, and gives each its output: one item for every text. */
export async function waitForOverlays(
	ctx: IExecuteFunctions,
	wanted: ReadonlyMap<number, WantedOverlay>,
): Promise<Map<number, ItemEnd>> {
	const timeout = timeoutMinutes(ctx);
	const jobs = await waitForJobs<TextOverlay>(
		[...wanted.values()].map(({ overlayId }) => overlayId),
		{ read: async (id) => await getTextOverlay(ctx, id, { tries: 1 }) },
		{ ...pollPauses(ctx), timeoutMs: timeout * 60_000, signal: cancelSignal(ctx) },
	);
	throwIfCancelled(ctx);
	const ends = new Map<number, ItemEnd>();
	for (const [itemIndex, { overlayId, fileField }] of wanted) {
		throwIfCancelled(ctx);
		const end = jobs.get(overlayId)!;
		const problem = problemWith(ctx, itemIndex, overlayId, end, timeout);
		ends.set(
			itemIndex,
			problem
				? { error: problem }
				: await textsOf(ctx, itemIndex, (end as { job: TextOverlay }).job, fileField),
		);
	}
	return ends;
}

/** What keeps a job from having results, if anything. */
function problemWith(
	ctx: IExecuteFunctions,
	itemIndex: number,
	overlayId: string,
	end: JobEnd<TextOverlay>,
	timeout: number,
) {
	const name = `Text overlay "${overlayId}"`;
	const fail = (message: string, description?: string) =>
		new NodeOperationError(ctx.getNode(), `${name} ${message} [item ${itemIndex}]`, {
			itemIndex,
			description,
		});
	if (end.kind === 'unknown' || end.kind === 'unreadable') return end.error;
	if (end.kind === 'open')
		return fail(
			`was not finished after ${timeout} minutes (${end.job?.status ?? 'state not known'})`,
			'It keeps rendering at Mirage. Read it later with the operation "Get", which costs nothing, or raise "Timeout (Minutes)".',
		);
	const { status, error, results = [] } = end.job;
	if (results.length > 0) return undefined;
	if (status === 'COMPLETE') return fail('is complete, but Mirage gave no results for it');
	const reason = error ? `: ${error.message} (${error.code})` : '';
	return fail(status === 'CANCELLED' ? `was cancelled${reason}` : `failed${reason}`);
}

/**
 * One output item for every text, in their order. A text that failed is an error: for that text alone
 * when the node goes on after errors, else for the node.
 */
async function textsOf(
	ctx: IExecuteFunctions,
	itemIndex: number,
	overlay: TextOverlay,
	fileField: string | undefined,
): Promise<ItemEnd> {
	const results = [...(overlay.results ?? [])].sort((a, b) => a.index - b.index);
	const output: INodeExecutionData[] = [];
	for (const result of results) {
		throwIfCancelled(ctx);
		const json = { ...jsonOf(result), id: overlay.id };
		const text = await oneText(ctx, itemIndex, overlay.id, result, fileField);
		if ('error' in text) {
			if (!ctx.continueOnFail()) return text;
			output.push(failedItem(ctx, json, text.error));
		} else output.push({ json, ...(text.file ? { binary: { [fileField!]: text.file } } : {}) });
	}
	// A job that ended early has no results for some texts; they must not go missing without a word.
	if (overlay.status !== 'COMPLETE' && results.every(({ status }) => status === 'COMPLETE')) {
		const error = new NodeOperationError(
			ctx.getNode(),
			`Text overlay "${overlay.id}" ended as ${overlay.status} after ${results.length} of its texts [item ${itemIndex}]`,
			{ itemIndex, description: overlay.error?.message },
		);
		if (!ctx.continueOnFail()) return { error };
		output.push(failedItem(ctx, { id: overlay.id }, error));
	}
	return { output };
}

async function oneText(
	ctx: IExecuteFunctions,
	itemIndex: number,
	overlayId: string,
	{ index, text, status, error }: TextOverlayResult,
	fileField: string | undefined,
) {
	const fail = (message: string) => ({
		error: new NodeOperationError(
			ctx.getNode(),
			`Text ${index + 1} ("${text}") of text overlay "${overlayId}" ${message} [item ${itemIndex}]`,
			{
				itemIndex,
				description:
					'The other texts of the job are rendered. To get them, set "On Error" to "Continue" in the settings of this node and read the job with the operation "Get", which costs nothing.',
			},
		),
	});
	if (status !== 'COMPLETE')
		return fail(`failed${error ? `: ${error.message} (${error.code})` : ''}`);
	if (!fileField) return { file: undefined };
	// Addresses are signed for a while: each try reads the job anew.
	const address = async () => {
		const job = await getTextOverlay(ctx, overlayId);
		return job.results?.find((result) => result.index === index)?.video_url ?? '';
	};
	try {
		const file = await downloadRendered(ctx, address, `${overlayId}-${index + 1}.mp4`);
		return { file };
	} catch (problem) {
		throwIfCancelled(ctx);
		return fail(`is rendered, but could not be downloaded: ${(problem as Error).message}`);
	}
}

/** The output of an item whose job is not waited for: the job as it is. */
export function jobOutput(overlay: TextOverlay): INodeExecutionData[] {
	return [{ json: jsonOf(overlay) }];
}
