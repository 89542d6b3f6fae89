import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { NodeApiError, NodeOperationError } from 'n8n-workflow';

import { cancelSignal, throwIfCancelled } from './cancellation';
import { httpStatusOf, mayHaveStarted } from './errors';
import type { Doubt, Ledger } from './ledger';

/** How one item ends: with output items (without `pairedItem`), or with an error. */
export type ItemEnd =
	{ output: INodeExecutionData[] } | { error: NodeApiError | NodeOperationError };

/** How the items of one run become output. */
export interface ItemPlan<Checked, Started = INodeExecutionData[]> {
	/** Items that may be under way at the same time. */
	concurrency: number;
	/** Reads and checks one item's input, without starting anything. */
	check(itemIndex: number): Promise<Checked>;
	/** Does the work for one item and gives its output items, or what {@link finish} needs. */
	run(checked: Checked, itemIndex: number): Promise<Started>;
	/** Turns what all items started into their ends, together. Left out where `run` gives output items. */
	finish?(started: ReadonlyMap<number, Started>): Promise<ReadonlyMap<number, ItemEnd>>;
	/** Jobs that this run has started, to be named when it fails. */
	ledger?: Ledger;
	/** What to put into an error item besides the message: the IDs that the person needs. */
	onFail?(itemIndex: number, error: unknown): IDataObject;
}

/**
 * Runs the items of a node: all inputs are checked before the first one is run, then up to
 * `concurrency` are under way together; the order of the output is that of the items, each linked to
 * its item.
 *
 * With "Continue" on error every item stands alone and gives its error as its output. Otherwise nothing
 * new is started after the first error, what is under way is finished, and the error names every job
 * that was started.
 */
export async function runItems<Checked, Started = INodeExecutionData[]>(
	ctx: IExecuteFunctions,
	plan: ItemPlan<Checked, Started>,
): Promise<INodeExecutionData[]> {
	const count = ctx.getInputData().length;
	const goOn = ctx.continueOnFail();
	const results: Array<ItemEnd | undefined> = Array.from({ length: count });
	const checked: Array<Checked | undefined> = Array.from({ length: count });

	await inParallel(count, plan.concurrency, async (itemIndex) => {
		try {
			checked[itemIndex] = await plan.check(itemIndex);
		} catch (error) {
			results[itemIndex] = { error: asNodeError(ctx, error, itemIndex) };
		}
	});
	throwIfCancelled(ctx);
	const refused = firstError(results);
	if (refused && !goOn) throw explain(results, plan.ledger);

	const started = new Map<number, Started>();
	let stopped = false;
	await inParallel(count, plan.concurrency, async (itemIndex) => {
		if (results[itemIndex] || stopped || cancelSignal(ctx)?.aborted) return;
		try {
			const doubt = plan.ledger?.doubted(itemIndex);
			if (doubt) throw doubtError(ctx, doubt, itemIndex);
			started.set(itemIndex, await plan.run(checked[itemIndex] as Checked, itemIndex));
		} catch (error) {
			const nodeError = asNodeError(ctx, error, itemIndex);
			if (mayHaveStarted(nodeError)) plan.ledger?.doubt(itemIndex, nodeError as Doubt);
			results[itemIndex] = { error: nodeError };
			if (!goOn) stopped = true;
		}
	});
	if (cancelSignal(ctx)?.aborted && plan.ledger?.jobs().length)
		ctx.logger.warn(`The execution was stopped. ${startedJobs(plan.ledger)}`);
	throwIfCancelled(ctx);
	if (firstError(results) && !goOn) {
		const left = results.flatMap((result, itemIndex) =>
			result || started.has(itemIndex) ? [] : [itemIndex],
		);
		throw explain(results, plan.ledger, left);
	}
	const ends = plan.finish
		? await plan.finish(started)
		: new Map([...started].map(([i, output]) => [i, { output: output as INodeExecutionData[] }]));
	throwIfCancelled(ctx);
	for (const [itemIndex, end] of ends) results[itemIndex] = end;
	if (firstError(results) && !goOn) throw explain(results, plan.ledger);
	return results.flatMap((result, itemIndex) => {
		if (!result) return [];
		const items =
			'output' in result ? result.output : [errorItem(ctx, result.error, itemIndex, plan)];
		for (const item of items) item.pairedItem = { item: itemIndex };
		return items;
	});
}

/** Runs `work` for 0 … `count` - 1 in order, at most `limit` at a time. */
async function inParallel(count: number, limit: number, work: (index: number) => Promise<void>) {
	let next = 0;
	const lane = async () => {
		while (next < count) await work(next++);
	};
	await Promise.all(Array.from({ length: Math.min(limit, count) }, lane));
}

function firstError(results: Array<ItemEnd | undefined>) {
	const itemIndex = results.findIndex((result) => result && 'error' in result);
	const result = results[itemIndex];
	return result && 'error' in result ? { itemIndex, error: result.error } : undefined;
}

/** Any error as one of n8n's two, tied to its item. */
function asNodeError(
	ctx: IExecuteFunctions,
	error: unknown,
	itemIndex: number,
): NodeApiError | NodeOperationError {
	if (error instanceof NodeApiError || error instanceof NodeOperationError) {
		error.context.itemIndex ??= itemIndex;
		return error;
	}
	const message = error instanceof Error ? error.message : String(error);
	return new NodeOperationError(ctx.getNode(), message, { itemIndex });
}

/** What was paid for and where it is: "item 0 → video_a; …", or an empty text. */
function startedJobs(ledger: Ledger | undefined): string {
	const paid = ledger?.jobs() ?? [];
	const jobs = paid.flatMap(({ itemIndex, id }) => (id ? [`item ${itemIndex} → ${id}`] : []));
	const speeches = paid.flatMap(({ itemIndex, id }) => (id ? [] : [itemIndex]));
	return [
		jobs.length > 0 &&
			`Started by this run, billed, and still rendering at Mirage: ${jobs.join('; ')}.`,
		speeches.length > 0 && `Speech was made, and billed, for item ${ranges(speeches)}.`,
	]
		.filter(Boolean)
		.join('\n');
}

/** The error of an earlier try, once more: the item is not sent again. */
function doubtError(ctx: IExecuteFunctions, doubt: Doubt, itemIndex: number): NodeOperationError {
	const { message, description } = doubt;
	const error = new NodeOperationError(ctx.getNode(), message, { itemIndex, description });
	error.message = message;
	return error;
}

/** The first error of a run, with what it means for the other items. `left` are those never begun. */
function explain(
	results: Array<ItemEnd | undefined>,
	ledger: Ledger | undefined,
	left: number[] = [],
): NodeApiError | NodeOperationError {
	const { itemIndex, error } = firstError(results)!;
	const notStarted = [...left];
	const others: string[] = [];
	results.forEach((result, index) => {
		if (!result || !('error' in result) || index === itemIndex) return;
		if (httpStatusOf(result.error) === 429) notStarted.push(index);
		else
			others.push(
				[`Item ${index} failed too: ${result.error.message}.`, result.error.description]
					.filter(Boolean)
					.join(' '),
			);
	});
	const started = startedJobs(ledger);
	const lines = [
		error.description,
		results.length > 1 && `Item ${itemIndex} failed.`,
		...others,
		started,
		notStarted.length > 0 ? `Not started: item ${ranges(notStarted.sort((a, b) => a - b))}.` : '',
		started && 'Retrying this execution does not start or make them again.',
	];
	error.description = lines.filter(Boolean).join('\n');
	return error;
}

/** `[1, 2, 3, 7]` as "1–3, 7". */
function ranges(indexes: number[]): string {
	const parts: string[] = [];
	for (let at = 0; at < indexes.length;) {
		let end = at;
		while (indexes[end + 1] === indexes[end]! + 1) end++;
		parts.push(end > at ? `${indexes[at]}–${indexes[end]}` : `${indexes[at]}`);
		at = end + 1;
	}
	return parts.join(', ');
}

/** The output of an item that failed while the others go on. */
function errorItem<Checked, Started>(
	ctx: IExecuteFunctions,
	error: NodeApiError | NodeOperationError,
	itemIndex: number,
	plan: ItemPlan<Checked, Started>,
): INodeExecutionData {
	const ids = Object.fromEntries(
		(plan.ledger?.jobs() ?? [])
			.filter(({ itemIndex: index, id }) => index === itemIndex && id !== undefined)
			.map(({ id }) => ['id', id]),
	);
	return failedItem(ctx, { ...ids, ...plan.onFail?.(itemIndex, error) }, error);
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
	error: NodeApiError | NodeOperationError,
): INodeExecutionData {
	const { message, description } = error;
	const item: INodeExecutionData = {
		json: { ...json, error: message, ...(description ? { details: description } : {}) },
	};
	if (ctx.getNode().onError === 'continueErrorOutput')
		Object.defineProperty(item, 'error', { value: error, enumerable: false });
	return item;
}
