import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';

import { createPool } from '../async/pool';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import type { IdempotencyRecord } from './idempotency';
import type { ErrorWords, ItemEnd, NodeError } from './runErrors';
import { asNodeError, failedItem, firstError, runError, startedJobs } from './runErrors';

/**
 * What is left to do for an item once all items have been run, such as waiting for a job: it takes no place
 * from other items, and all items do it at the same time. Gives the item's output.
 */
export type Rest = () => Promise<INodeExecutionData[]>;

/** How the items of one run become output. */
export interface ItemPlan<Checked> {
	/** Items that may be checked or run at the same time. */
	concurrency: number;
	/** Reads and checks one item's input, without starting anything. */
	check(itemIndex: number): Promise<Checked>;
	/** Looks at all items together once they are checked; the `NodeError` that it throws refuses the run before anything is sent. */
	approve?(): void;
	/** Does the work for one item and gives its output items, or the rest of the work. */
	run(checked: Checked, itemIndex: number): Promise<INodeExecutionData[] | Rest>;
	/** Jobs that this run has started, to be named when it fails. */
	record?: IdempotencyRecord;
	/** What to put into an error item besides the message: the IDs that the person needs. */
	onFail?(itemIndex: number, error: unknown): IDataObject;
	/** Words for the error of a run whose jobs ended badly. Default: those of {@link runError}. */
	summary?(errors: NodeError[]): ErrorWords;
}

/**
 * Runs the items of a node, in three steps: all inputs are checked; then up to `concurrency` items are run
 * together; then what is left to do for them is done, for all at the same time. The order of the output is
 * that of the items, each linked to its item.
 *
 * With "Continue" on error every item stands alone and gives its error as its output. Otherwise a step
 * begins only when the one before went well, no item is begun after the first error, what is under way is
 * finished, and the error names every job that was started.
 */
export async function runItems<Checked>(
	ctx: IExecuteFunctions,
	plan: ItemPlan<Checked>,
): Promise<INodeExecutionData[]> {
	const count = ctx.getInputData().length;
	const goOn = ctx.continueOnFail();
	const { concurrency, record } = plan;
	const checked = new Map<number, Checked>();
	const rests = new Map<number, Rest>();
	const ends: Array<ItemEnd | undefined> = Array.from({ length: count });
	const isOver = () => cancelSignal(ctx)?.aborted || (!goOn && firstError(ends) !== undefined);

	const step = async (places: number, work: (itemIndex: number) => Promise<void>) => {
		const pool = createPool(places);
		const one = async (itemIndex: number) => {
			try {
				if (!ends[itemIndex]) await work(itemIndex);
			} catch (error) {
				ends[itemIndex] = { error: asNodeError(ctx, error, itemIndex) };
			}
		};
		await Promise.all(ends.map(async (_, itemIndex) => await pool(async () => one(itemIndex))));
		if (cancelSignal(ctx)?.aborted && record?.jobs().length)
			ctx.logger.warn(`The execution was stopped. ${startedJobs(record)}`);
		throwIfCancelled(ctx);
	};

	await step(concurrency, async (i) => void checked.set(i, await plan.check(i)));
	if (isOver()) throw runError(ends, record);
	try {
		plan.approve?.();
	} catch (error) {
		// An earlier try of the run may have started jobs.
		throw runError([{ error: error as NodeError }], record);
	}

	await step(concurrency, async (i) => {
		if (isOver()) return;
		const done = await plan.run(checked.get(i) as Checked, i);
		if (typeof done === 'function') rests.set(i, done);
		else ends[i] = { output: done };
	});
	const left = [...ends.keys()].filter((i) => !ends[i] && !rests.has(i));
	if (isOver()) throw runError(ends, record, left);

	await step(count, async (i) => void (ends[i] = { output: await rests.get(i)!() }));
	if (isOver()) throw runError(ends, record, [], plan.summary?.bind(plan));

	const output = ends.flatMap((end, itemIndex) => {
		const items =
			'output' in end! ? end.output : [errorItem(ctx, end!.error, itemIndex, record, plan.onFail)];
		const note = record?.noteOf(itemIndex);
		for (const item of items) {
			item.pairedItem = { item: itemIndex };
			if (note) item.json = { ...item.json, note };
		}
		return items;
	});
	record?.finished(output);
	return output;
}

/** The output of an item that failed while the others go on. */
function errorItem(
	ctx: IExecuteFunctions,
	error: NodeError,
	itemIndex: number,
	record: IdempotencyRecord | undefined,
	onFail: ItemPlan<unknown>['onFail'],
): INodeExecutionData {
	const ids = Object.fromEntries(
		(record?.jobs() ?? [])
			.filter(({ itemIndex: index, id }) => index === itemIndex && id !== undefined)
			.map(({ id }) => ['id', id]),
	);
	return failedItem(ctx, { ...ids, ...onFail?.(itemIndex, error) }, error);
}
