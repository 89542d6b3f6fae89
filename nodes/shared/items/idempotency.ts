import { createHash } from 'crypto';
import type { IExecuteFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { mayHaveStarted } from '../transport/errors';

/** What Mirage bills. Speech comes back at once and has no ID; the others are jobs. */
export type BilledKind = 'video' | 'captions' | 'textOverlay' | 'speech';

/** Something to pay for: its kind, and everything that goes into it, as JSON. */
export interface Billed {
	kind: BilledKind;
	inputs: unknown;
}

/** What a run has paid for so far, item by item. */
export interface IdempotencyRecord {
	/**
	 * Gives what this very item was accepted for in an earlier try of this run, or else calls `create` and
	 * writes down what it gives on the very next line, before anything else can fail.
	 *
	 * Throws what `create` throws. When that POST may have been accepted although no answer told, this is
	 * written down too, and every later try of the item throws the same words and sends nothing.
	 */
	once<T extends { id?: string }>(
		itemIndex: number,
		billed: Billed,
		create: () => Promise<T>,
	): Promise<T>;
	/** What this run has paid for, in the order of the items: jobs, and speech, which has no ID. */
	jobs(): Array<{ itemIndex: number; id?: string }>;
	/** IDs of those jobs, and of earlier runs of the node in this execution. Goes on growing with them. */
	ids(): ReadonlySet<string>;
}

interface Entry {
	itemIndex: number;
	kind: BilledKind;
	/** What a person can look for: the job's ID. Missing for speech. */
	id?: string;
	value: unknown;
	/** The execution and the input of the item, to know it again where an expression gives another value. */
	item: string;
}

/** A POST that may have been accepted, in the words that the person was told. */
interface UncertainSubmission {
	message: string;
	description?: string;
}

/** What lies in the node's context. */
interface RecordMemory {
	paid?: {
		runIndex: number;
		entries: Record<string, Entry>;
		/** By item, as {@link Entry.item} tells it. */
		uncertain: Record<string, UncertainSubmission>;
	};
	/** IDs of jobs that earlier runs started, the last {@link EARLIER_IDS}. */
	earlierIds?: string[];
}

/** IDs of earlier runs that are kept: more than a page of the list, where they would be seen again. */
const EARLIER_IDS = 200;

const digest = (text: string) => createHash('sha256').update(text).digest('base64url');

/**
 * Opens the idempotency record of this run. RULE: an item whose job was accepted is not submitted again
 * when n8n runs the node once more for the same run ("Retry On Fail", or "Retry" of a failed execution):
 * n8n keeps the node's context between tries, so that is where the record lies. The run index tells tries
 * from the next round of a loop.
 *
 * A try that n8n makes by itself has the same execution and the same item, so what is paid for that item
 * counts, even where an expression gives another value each time. A person who retries a failed
 * execution may have changed the node first, so there the inputs tell. That person has also read the
 * error of an item that may have been accepted: it is sent again then, and only then.
 *
 * A run that succeeded keeps its record until the next one begins: "Retry On Fail" also runs a node
 * again whose first item went on with an error, and n8n 1 takes any `error` in an output for one.
 */
export function openIdempotencyRecord(ctx: IExecuteFunctions): IdempotencyRecord {
	const memory = ctx.getContext('node') as RecordMemory;
	const runIndex = ctx.getWorkflowDataProxy(0).$runIndex as number;
	if (memory.paid?.runIndex !== runIndex) {
		const before = Object.values(memory.paid?.entries ?? {}).flatMap(({ id }) => id ?? []);
		memory.earlierIds = [...(memory.earlierIds ?? []), ...before].slice(-EARLIER_IDS);
		memory.paid = { runIndex, entries: {}, uncertain: {} };
	}
	const { entries, uncertain } = memory.paid;
	const items = ctx.getInputData();
	const known = new Set([
		...(memory.earlierIds ?? []),
		...Object.values(entries).flatMap(({ id }) => id ?? []),
	]);
	const keyOf = (itemIndex: number, { kind, inputs }: Billed) =>
		`${itemIndex}:${digest(JSON.stringify([kind, inputs]))}`;
	const itemKey = (itemIndex: number) =>
		`${itemIndex}:${digest(JSON.stringify([ctx.getExecutionId(), items[itemIndex]?.json]))}`;
	return {
		async once<T extends { id?: string }>(
			itemIndex: number,
			billed: Billed,
			create: () => Promise<T>,
		) {
			const [key, item] = [keyOf(itemIndex, billed), itemKey(itemIndex)];
			const { kind } = billed;
			const entry =
				entries[key] ??
				Object.values(entries).find((other) => other.kind === kind && other.item === item);
			if (entry) return entry.value as T;
			const earlier = uncertain[item];
			if (earlier) throw uncertainError(ctx, earlier, itemIndex);
			const creating = create();
			creating.catch((error: unknown) => {
				if (!mayHaveStarted(error)) return;
				const { message, description } = error;
				uncertain[item] = { message, description: description ?? undefined };
			});
			const value = await creating;
			const id = kind === 'speech' ? undefined : value.id;
			entries[key] = { itemIndex, kind, id, value, item };
			if (id !== undefined) known.add(id);
			return value;
		},
		jobs: () =>
			Object.values(entries)
				.map(({ itemIndex, id }) => ({ itemIndex, id }))
				.sort((a, b) => a.itemIndex - b.itemIndex),
		ids: () => known,
	};
}

/** The error of an earlier try, once more: the item is not sent again. */
function uncertainError(
	ctx: IExecuteFunctions,
	{ message, description }: UncertainSubmission,
	itemIndex: number,
): NodeOperationError {
	const error = new NodeOperationError(ctx.getNode(), message, { itemIndex, description });
	error.message = message;
	return error;
}
