import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { NodeApiError, NodeOperationError } from 'n8n-workflow';

import { createPool } from '../async/pool';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { IdempotencyRecord } from './idempotency';
import type { ItemEnd } from './runErrors';
import { asNodeError, explain, failedItem, firstError, startedJobs } from './runErrors';

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
	record?: IdempotencyRecord;
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
	if (refused && !goOn) throw explain(results, plan.record);

	const started = new Map<number, Started>();
	let stopped = false;
	await inParallel(count, plan.concurrency, async (itemIndex) => {
		if (results[itemIndex] || stopped || cancelSignal(ctx)?.aborted) return;
		try {
			started.set(itemIndex, await plan.run(checked[itemIndex] as Checked, itemIndex));
		} catch (error) {
			results[itemIndex] = { error: asNodeError(ctx, error, itemIndex) };
			if (!goOn) stopped = true;
		}
	});
	if (cancelSignal(ctx)?.aborted && plan.record?.jobs().length)
		ctx.logger.warn(`The execution was stopped. ${startedJobs(plan.record)}`);
	throwIfCancelled(ctx);
	if (firstError(results) && !goOn) {
		const left = results.flatMap((result, itemIndex) =>
			result || started.has(itemIndex) ? [] : [itemIndex],
		);
		throw explain(results, plan.record, left);
	}
	const ends = plan.finish
		? await plan.finish(started)
		: new Map([...started].map(([i, output]) => [i, { output: output as INodeExecutionData[] }]));
	throwIfCancelled(ctx);
	for (const [itemIndex, end] of ends) results[itemIndex] = end;
	if (firstError(results) && !goOn) throw explain(results, plan.record);
	const output = results.flatMap((result, itemIndex) => {
		if (!result) return [];
		const items =
			'output' in result ? result.output : [errorItem(ctx, result.error, itemIndex, plan)];
		const note = plan.record?.noteOf(itemIndex);
		for (const item of items) {
			item.pairedItem = { item: itemIndex };
			if (note) item.json = { ...item.json, note };
		}
		return items;
	});
	plan.record?.finished(output);
	return output;
}

/** Runs `work` for 0 … `count` - 1 in order, at most `limit` at a time. */
async function inParallel(count: number, limit: number, work: (index: number) => Promise<void>) {
	const pool = createPool(limit);
	await Promise.all(Array.from({ length: count }, (_, index) => pool(async () => work(index))));
}

/** The output of an item that failed while the others go on. */
function errorItem<Checked, Started>(
	ctx: IExecuteFunctions,
	error: NodeApiError | NodeOperationError,
	itemIndex: number,
	plan: ItemPlan<Checked, Started>,
): INodeExecutionData {
	const ids = Object.fromEntries(
		(plan.record?.jobs() ?? [])
			.filter(({ itemIndex: index, id }) => index === itemIndex && id !== undefined)
			.map(({ id }) => ['id', id]),
	);
	return failedItem(ctx, { ...ids, ...plan.onFail?.(itemIndex, error) }, error);
}
