import type { IBinaryData, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { accountOf } from '../shared/account/account';
import type { JobEnd } from '../shared/account/waitForJobs';
import { waitForTextOverlays } from '../shared/account/waitForJobs';
import { getTextOverlay } from '../shared/api/endpoints';
import type { TextOverlay, TextOverlayResult } from '../shared/api/objects';
import { jsonOf, reasonOf } from '../shared/api/objects';
import { untilAborted } from '../shared/async/untilAborted';
import { pollPauses, timeoutMinutes } from '../shared/descriptions/waitOptions';
import { downloadRendered } from '../shared/files/download';
import type { NodeError } from '../shared/items/runErrors';
import { failedItem } from '../shared/items/runErrors';
import type { Rest } from '../shared/items/runItems';
import { waitTogether } from '../shared/items/waitTogether';
import { cancelSignal, throwIfCancelled } from '../shared/n8n/cancellation';

/** What an item wants of its job once it is complete. */
export interface StartedOverlay {
	itemIndex: number;
	overlayId: string;
	/** The texts that were sent; missing for a job that was started before. */
	texts?: string[];
	/** Binary field for the rendered files; missing when none are needed. */
	fileField?: string;
}

/** Waits for the jobs of all items together; each item's output is one item for every text. */
export function overlayOutputs(ctx: IExecuteFunctions): (started: StartedOverlay) => Rest {
	const waitMinutes = timeoutMinutes(ctx);
	const jobs = waitTogether<TextOverlay>(
		async (ids, options) => await waitForTextOverlays(ctx, ids, options),
		{ ...pollPauses(ctx), timeoutMs: waitMinutes * 60_000 },
	);
	return (started) => {
		jobs.add(started.overlayId);
		return async () => {
			const end = await jobs.endOf(started.overlayId);
			if (end.kind !== 'read' || resultsIn(end.job).size === 0)
				throw overlayError(ctx, started, end, waitMinutes);
			return await textsOf(ctx, started, end.job);
		};
	};
}

/** Places that are believed: a job has four texts at most. */
const MOST_TEXTS = 100;

/** The results of a job by the place of their text, from 0; whatever is no result is left out. */
function resultsIn({ results }: TextOverlay): Map<number, TextOverlayResult> {
	const given: unknown[] = Array.isArray(results) ? results : [];
	const isResult = (each: unknown): each is TextOverlayResult =>
		typeof each === 'object' && each !== null;
	// A list is made that reaches to the last place: a wrong one must not fill n8n's memory.
	const placeOf = ({ index }: TextOverlayResult, place: number) =>
		Number.isInteger(index) && index >= 0 && index < MOST_TEXTS ? index : place;
	return new Map(
		given.filter(isResult).map((result, place) => [placeOf(result, place), result] as const),
	);
}

/** Why a job has no results. */
function overlayError(
	ctx: IExecuteFunctions,
	{ itemIndex, overlayId }: StartedOverlay,
	end: JobEnd<TextOverlay>,
	waitMinutes: number,
): NodeError {
	if (end.kind === 'unknown' || end.kind === 'unreadable') return end.error;
	const withWords = (words: string, description?: string) =>
		new NodeOperationError(
			ctx.getNode(),
			`Text overlay "${overlayId}" ${words} [item ${itemIndex}]`,
			{ itemIndex, description },
		);
	if (end.kind === 'open')
		return withWords(
			`was not finished after ${waitMinutes} minutes (${end.job?.status ?? 'state not known'})`,
			'It keeps rendering at Mirage. Read it later with the operation "Get", which costs nothing, or raise "Timeout (Minutes)".',
		);
	const { status, error } = end.job;
	if (status === 'COMPLETE')
		return withWords(
			'is complete, but Mirage gave no results for it',
			'Read it once more with the operation "Get", which costs nothing.',
		);
	const reason = error ? `: ${reasonOf(error)}` : '';
	return withWords(
		status === 'CANCELLED'
			? `was cancelled${reason}`
			: `failed${reason || ': Mirage gave no reason'}`,
	);
}

/**
 * One output item for every text, in their order. A text that failed or is missing is an error: for that
 * text alone when the node goes on after errors, else for the node.
 */
async function textsOf(
	ctx: IExecuteFunctions,
	started: StartedOverlay,
	overlay: TextOverlay,
): Promise<INodeExecutionData[]> {
	const { itemIndex, overlayId, texts = [], fileField } = started;
	const results = resultsIn(overlay);
	const count = Math.max(texts.length, ...[...results.keys()].map((index) => index + 1));
	const places = Array.from({ length: count }, (_, index) => index);
	const textAt = (index: number) => results.get(index)?.text ?? texts[index];
	const problems = places.map((index) => textError(ctx, started, overlay, index, textAt(index)));
	const first = problems.find(Boolean);
	if (first && !ctx.continueOnFail()) throw first;
	const files = await Promise.all(
		places.map(async (index) =>
			fileField && !problems[index]
				? await fileOfText(ctx, started, results.get(index)!, index)
				: undefined,
		),
	);
	const output: INodeExecutionData[] = [];
	for (const index of places) {
		const text = textAt(index);
		const result = results.get(index);
		const json = { index, ...(text ? { text } : {}), ...(result && jsonOf(result)), id: overlayId };
		const file = files[index];
		const error = problems[index] ?? (file && 'error' in file ? file.error : undefined);
		if (error && !ctx.continueOnFail()) throw error;
		if (error) output.push(failedItem(ctx, json, error));
		else if (!file || 'error' in file) output.push({ json });
		else output.push({ json, binary: { [fileField!]: file.file } });
	}
	// A job that ended early has no results for some texts; they must not go missing without a word.
	const allFine = [...results.values()].every(({ status }) => status === 'COMPLETE');
	if (overlay.status !== 'COMPLETE' && allFine && results.size === count) {
		const error = new NodeOperationError(
			ctx.getNode(),
			`Text overlay "${overlayId}" ended as ${overlay.status} after ${count} of its texts [item ${itemIndex}]`,
			{ itemIndex, description: overlay.error?.message },
		);
		if (!ctx.continueOnFail()) throw error;
		output.push(failedItem(ctx, { id: overlayId }, error));
	}
	return output;
}

/** What is wrong with one text, if anything. */
function textError(
	ctx: IExecuteFunctions,
	started: StartedOverlay,
	overlay: TextOverlay,
	index: number,
	text: string | undefined,
): NodeOperationError | undefined {
	const result = resultsIn(overlay).get(index);
	const withWords = (words: string) => errorOfText(ctx, started, index, text, words);
	if (!result)
		return withWords(
			overlay.status === 'COMPLETE'
				? 'is missing in the answer of Mirage, although the job is complete'
				: `was not rendered: the job ended as ${overlay.status}`,
		);
	const { status, error } = result;
	return status === 'COMPLETE'
		? undefined
		: withWords(`failed${error ? `: ${reasonOf(error)}` : ''}`);
}

/** The file of a rendered text, fetched beside others of the account, or why there is none. */
async function fileOfText(
	ctx: IExecuteFunctions,
	started: StartedOverlay,
	{ text, video_url: known }: TextOverlayResult,
	index: number,
): Promise<{ file: IBinaryData } | { error: NodeOperationError }> {
	const { overlayId } = started;
	const { downloads } = await accountOf(ctx);
	// Addresses are signed for a while: only where a try has failed, the job is read anew.
	let next = known;
	const address = async () => {
		const url = next ?? resultsIn(await getTextOverlay(ctx, overlayId)).get(index)?.video_url ?? '';
		next = undefined;
		return url;
	};
	try {
		const fileName = `${overlayId}-${index + 1}.mp4`;
		const download = downloads(async () => {
			throwIfCancelled(ctx);
			return await downloadRendered(ctx, address, fileName);
		});
		const file = await untilAborted(download, cancelSignal(ctx));
		throwIfCancelled(ctx);
		return { file: file! };
	} catch (problem) {
		throwIfCancelled(ctx);
		const words = `is rendered, but could not be downloaded: ${(problem as Error).message}`;
		return { error: errorOfText(ctx, started, index, text, words) };
	}
}

function errorOfText(
	ctx: IExecuteFunctions,
	{ itemIndex, overlayId }: StartedOverlay,
	index: number,
	text: string | undefined,
	words: string,
): NodeOperationError {
	return new NodeOperationError(
		ctx.getNode(),
		`Text ${index + 1}${text ? ` ("${text}")` : ''} of text overlay "${overlayId}" ${words} [item ${itemIndex}]`,
		{
			itemIndex,
			description:
				'The job was billed. To get its other texts, set "On Error" to "Continue" in the settings of this node and read the job with the operation "Get", which costs nothing.',
		},
	);
}
