import { createHash } from 'crypto';
import type { IExecuteFunctions } from 'n8n-workflow';

/** Something that was paid for: a job, or a file that came back at once. */
export interface Paid<T = unknown> {
	/** What a person can look for: the job's ID. Missing for speech, which has none. */
	id?: string;
	value: T;
}

/** An error of a POST that may have been accepted, in the words that the person was told. */
export interface Doubt {
	message: string;
	description?: string;
}

/**
 * What a run has paid for so far, item by item.
 *
 * A `fingerprint` is a JSON list: what is paid for (`video`, `speech` …), then everything that goes into it.
 */
export interface Ledger {
	/** What this very item was already accepted for in an earlier try of this run. */
	find<T>(itemIndex: number, fingerprint: string): T | undefined;
	/** Writes down what was accepted, at once: the next line may throw. */
	add<T>(itemIndex: number, fingerprint: string, paid: Paid<T>): void;
	/** Writes down that a POST of this item may have been accepted although no answer told. */
	doubt(itemIndex: number, doubt: Doubt): void;
	/** The doubt about this item from an earlier try that n8n made by itself. */
	doubted(itemIndex: number): Doubt | undefined;
	/** What this run has paid for, in the order of the items: jobs, and speech, which has no ID. */
	jobs(): Array<{ itemIndex: number; id?: string }>;
	/** IDs of those jobs, and of earlier runs of the node in this execution. Goes on growing with them. */
	ids(): ReadonlySet<string>;
}

interface Entry extends Paid {
	itemIndex: number;
	what: string;
	/** The execution and the input of the item, to know it again where an expression gives another value. */
	item: string;
}

interface LedgerMemory {
	paid?: {
		runIndex: number;
		entries: Record<string, Entry>;
		/** By item, as {@link Entry.item} tells it. */
		doubts: Record<string, Doubt>;
	};
	/** IDs of jobs that earlier runs started, the last {@link EARLIER_IDS}. */
	earlierIds?: string[];
}

/** IDs of earlier runs that are kept: more than a page of the list, where they would be seen again. */
const EARLIER_IDS = 200;

const digest = (text: string) => createHash('sha256').update(text).digest('base64url');

/**
 * Opens the ledger of this run. RULE: an item whose job was accepted is not submitted again when n8n
 * runs the node once more for the same run ("Retry On Fail", or "Retry" of a failed execution): n8n
 * keeps the node's context between tries, so that is where the ledger lies. The run index tells tries
 * from the next round of a loop.
 *
 * A try that n8n makes by itself has the same execution and the same item, so what is paid for that item
 * counts, even where an expression gives another value each time. A person who retries a failed
 * execution may have changed the node first, so there the fingerprint tells. That person has also read
 * the error of an item that may have been accepted: it is sent again then, and only then.
 *
 * A run that succeeded keeps its ledger until the next one begins: "Retry On Fail" also runs a node
 * again whose first item went on with an error, and n8n 1 takes any `error` in an output for one.
 */
export function openLedger(ctx: IExecuteFunctions): Ledger {
	const memory = ctx.getContext('node') as LedgerMemory;
	const runIndex = ctx.getWorkflowDataProxy(0).$runIndex as number;
	if (memory.paid?.runIndex !== runIndex) {
		const before = Object.values(memory.paid?.entries ?? {}).flatMap(({ id }) => id ?? []);
		memory.earlierIds = [...(memory.earlierIds ?? []), ...before].slice(-EARLIER_IDS);
		memory.paid = { runIndex, entries: {}, doubts: {} };
	}
	const { entries, doubts } = memory.paid;
	const items = ctx.getInputData();
	const known = new Set([
		...(memory.earlierIds ?? []),
		...Object.values(entries).flatMap(({ id }) => id ?? []),
	]);
	const keyOf = (itemIndex: number, fingerprint: string) => `${itemIndex}:${digest(fingerprint)}`;
	const whatOf = (fingerprint: string) => fingerprint.split(',', 1)[0]!;
	const itemOf = (itemIndex: number) =>
		`${itemIndex}:${digest(JSON.stringify([ctx.getExecutionId(), items[itemIndex]?.json]))}`;
	return {
		find: <T>(itemIndex: number, fingerprint: string) => {
			const [what, item] = [whatOf(fingerprint), itemOf(itemIndex)];
			const entry =
				entries[keyOf(itemIndex, fingerprint)] ??
				Object.values(entries).find((other) => other.what === what && other.item === item);
			return entry?.value as T | undefined;
		},
		add: (itemIndex, fingerprint, paid) => {
			const [what, item] = [whatOf(fingerprint), itemOf(itemIndex)];
			entries[keyOf(itemIndex, fingerprint)] = { itemIndex, what, item, ...paid };
			if (paid.id !== undefined) known.add(paid.id);
		},
		doubt: (itemIndex, { message, description }) => {
			doubts[itemOf(itemIndex)] = { message, description };
		},
		doubted: (itemIndex) => doubts[itemOf(itemIndex)],
		jobs: () =>
			Object.values(entries)
				.map(({ itemIndex, id }) => ({ itemIndex, id }))
				.sort((a, b) => a.itemIndex - b.itemIndex),
		ids: () => known,
	};
}
