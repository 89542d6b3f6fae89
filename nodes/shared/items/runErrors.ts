import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { NodeApiError, NodeOperationError } from 'n8n-workflow';

import { httpStatusOf } from '../transport/errors';
import type { IdempotencyRecord } from './idempotency';

/** The errors that n8n knows. */
export type NodeError = NodeApiError | NodeOperationError;

/** How one item ends: with output items, whose `pairedItem` runItems sets, or with an error. */
export type ItemEnd = { output: INodeExecutionData[] } | { error: NodeError };

/** Headline and details of an error. */
export interface ErrorWords {
	message: string;
	description: string;
}

/** The error that counts: that of the first item which has one. */
export function firstError(ends: Array<ItemEnd | undefined>) {
	const itemIndex = ends.findIndex((end) => end && 'error' in end);
	const end = ends[itemIndex];
	return end && 'error' in end ? { itemIndex, error: end.error } : undefined;
}

/** Any error as one of n8n's two, tied to its item. */
export function asNodeError(ctx: IExecuteFunctions, error: unknown, itemIndex: number): NodeError {
	if (error instanceof NodeApiError || error instanceof NodeOperationError) {
		error.context.itemIndex ??= itemIndex;
		return error;
	}
	const message = error instanceof Error ? error.message : String(error);
	return new NodeOperationError(ctx.getNode(), message, { itemIndex });
}

/** What was paid for and where it is: "item 0 → video_a; …", or an empty text. */
export function startedJobs(record: IdempotencyRecord | undefined): string {
	const paid = record?.jobs() ?? [];
	const jobs = paid.flatMap(({ itemIndex, id }) => (id ? [`item ${itemIndex} → ${id}`] : []));
	const speeches = paid.flatMap(({ itemIndex, id }) => (id ? [] : [itemIndex]));
	return [
		jobs.length > 0 &&
			`Started by this run, billed, and still rendering at Mirage: ${jobs.join('; ')}.`,
		speeches.length > 0 && `Speech was made, and billed, for item ${rangesOf(speeches)}.`,
	]
		.filter(Boolean)
		.join('\n');
}

/**
 * The first error of a run, with what it means for the other items. `left` are those never begun;
 * `summary` words the errors of all items in its own way.
 */
export function runError(
	ends: Array<ItemEnd | undefined>,
	record: IdempotencyRecord | undefined,
	left: number[] = [],
	summary?: (errors: NodeError[]) => ErrorWords,
): NodeError {
	const { itemIndex, error } = firstError(ends)!;
	if (summary) {
		const words = summary(ends.flatMap((end) => (end && 'error' in end ? [end.error] : [])));
		return Object.assign(error, words);
	}
	const notStarted = [...left];
	const others: string[] = [];
	ends.forEach((end, index) => {
		if (!end || !('error' in end) || index === itemIndex) return;
		if (httpStatusOf(end.error) === 429) notStarted.push(index);
		else
			others.push(
				[`Item ${index} failed too: ${end.error.message}.`, end.error.description]
					.filter(Boolean)
					.join(' '),
			);
	});
	const started = startedJobs(record);
	const lines = [
		error.description,
		ends.length > 1 && `Item ${itemIndex} failed.`,
		...others,
		started,
		notStarted.length > 0 ? `Not started: item ${rangesOf(notStarted.sort((a, b) => a - b))}.` : '',
		started && 'Retrying this execution does not start or make them again.',
	];
	error.description = lines.filter(Boolean).join('\n');
	return error;
}

/** `[1, 2, 3, 7]` as "1–3, 7". */
export function rangesOf(indexes: number[]): string {
	const parts: string[] = [];
	for (let at = 0; at < indexes.length;) {
		let end = at;
		while (indexes[end + 1] === indexes[end]! + 1) end++;
		parts.push(end > at ? `${indexes[at]}–${indexes[end]}` : `${indexes[at]}`);
		at = end + 1;
	}
	return parts.join(', ');
}

/**
 * An output item that says what went wrong, beside the IDs that the person needs.
 *
 * n8n chooses the error output by the item's `error`, then replaces the JSON of every item that still
 * has one by the bare message, and the IDs would be gone. So `error` is only there where an output has
 * to be chosen, and not enumerable: the copy that n8n makes for the error output is without it.
 */
export function failedItem(
	ctx: IExecuteFunctions,
	json: IDataObject,
	error: NodeError,
): INodeExecutionData {
	const { message, description } = error;
	const item: INodeExecutionData = {
		json: { ...json, error: message, ...(description ? { details: description } : {}) },
	};
	if (ctx.getNode().onError === 'continueErrorOutput')
		Object.defineProperty(item, 'error', { value: error, enumerable: false });
	return item;
}
