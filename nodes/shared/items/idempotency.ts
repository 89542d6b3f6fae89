import { createHash } from 'crypto';
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import type { NodeRun } from '../n8n/nodeRun';
import { nodeRunOf } from '../n8n/nodeRun';
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
	/** Why an item has what an earlier call of the tool paid for: set only where it has. */
	noteOf(itemIndex: number): string | undefined;
	/** Takes files out of the record that n8n cannot ask for again, once the run gave this output. */
	finished(output: INodeExecutionData[]): void;
}

/** Something that was accepted, or may have been. It lies in the node's context, so it is JSON. */
interface RecordEntry {
	/** {@link NodeRun.key}; `agent` is its agent's. */
	run: string;
	agent?: string;
	executionId: string;
	itemIndex: number;
	/** The input of the item, to know it again where an expression gives another value. */
	item: string;
	kind: BilledKind;
	inputs: string;
	/** What a person can look for: the job's ID. Missing for speech. */
	id?: string;
	/** What `create` gave. Missing when nothing is known of it, or when it was let go. */
	value?: unknown;
	/** Set when nobody knows whether it was accepted: the words that the person was told. */
	uncertain?: { message: string; description?: string };
}

/** What lies in the node's context. */
interface RecordMemory {
	/** Of this run; of a tool, of every call, the last {@link EARLIER}. */
	entries?: RecordEntry[];
	/** IDs of jobs that earlier runs started, the last {@link EARLIER}. */
	earlierIds?: string[];
}

/** What is kept of earlier runs: more than a page of the list, where their jobs would be seen again. */
const EARLIER = 200;

/** What is being sent for calls of a tool, by the entries of their execution. */
const underWay = new WeakMap<RecordEntry[], Map<string, Promise<unknown>>>();
const sendingFor = (entries: RecordEntry[]) => {
	const sending = underWay.get(entries) ?? new Map<string, Promise<unknown>>();
	underWay.set(entries, sending);
	return sending;
};

const digest = (value: unknown) =>
	createHash('sha256').update(JSON.stringify(value)).digest('base64url');

/**
 * Opens the idempotency record of this run. RULE: an item whose job was accepted is not submitted again
 * when n8n runs the node once more for the same run ("Retry On Fail", or "Retry" of a failed execution):
 * n8n keeps the node's context between tries, so that is where the record lies. {@link nodeRunOf} tells
 * tries from the next round of a loop, and from the next call of a tool.
 *
 * A try that n8n makes by itself has the same execution and the same item, so what is paid for that item
 * counts, even where an expression gives another value each time. A person who retries a failed
 * execution may have changed the node first, so there the inputs tell. That person has also read the
 * error of an item that may have been accepted: it is sent again then, and only then.
 *
 * A tool is called anew where nobody looks: by the model, and by n8n when it repeats the agent. What tells
 * such a call from an earlier one are the inputs. When they are the same, then
 *
 * - what may have been accepted is not sent again in the execution;
 * - what was accepted before a person's "Retry" is given to one call, once;
 * - what was accepted in the same run of an agent with "Retry On Fail" is given again, with a note;
 * - else it is a call of its own, and is paid.
 *
 * A run that succeeded keeps its record until the next one begins: "Retry On Fail" also runs a node
 * again whose first item went on with an error, and n8n 1 takes any `error` in an output for one.
 */
export function openIdempotencyRecord(ctx: IExecuteFunctions): IdempotencyRecord {
	const memory = ctx.getContext('node') as RecordMemory;
	const run = nodeRunOf(ctx);
	const [entries, earlierIds] = entriesFor(memory, run);
	const executionId = ctx.getExecutionId();
	const items = ctx.getInputData();
	const known = new Set([...earlierIds, ...entries.flatMap(({ id }) => id ?? [])]);
	const notes = new Map<number, string>();
	const given = new Set<RecordEntry>();
	const sending = sendingFor(entries);

	/** What an earlier try of the item, or an earlier call, leaves to give or to say. */
	const earlierOf = (mine: RecordEntry): RecordEntry | undefined => {
		const ofItem = entries.filter((e) => e.run === run.key && e.itemIndex === mine.itemIndex);
		const sameItem = (e: RecordEntry) => e.item === mine.item && e.executionId === executionId;
		const found =
			ofItem.find((e) => 'value' in e && e.kind === mine.kind && e.inputs === mine.inputs) ??
			ofItem.find((e) => 'value' in e && e.kind === mine.kind && sameItem(e)) ??
			ofItem.find((e) => e.uncertain && sameItem(e));
		if (found || !run.agent) return found;
		const alike = entries.filter((e) => e.kind === mine.kind && e.inputs === mine.inputs);
		const before = alike.find((e) => 'value' in e && e.executionId !== executionId);
		if (before) {
			note(mine, before, 'before this execution was retried');
			return Object.assign(before, { run: run.key, agent: run.agent.key, executionId });
		}
		const uncertain = alike.find((e) => e.uncertain && e.executionId === executionId);
		if (uncertain) return uncertain;
		const repeated = alike.find((e) => 'value' in e && e.agent === run.agent!.key);
		if (!repeated || !run.agent.mayRepeat) return undefined;
		note(mine, repeated, 'in the same run of the agent, which has "Retry On Fail"');
		return repeated;
	};
	const note = ({ itemIndex }: RecordEntry, { kind, id }: RecordEntry, when: string) => {
		const what = kind === 'speech' ? 'speech' : `job ${id}`;
		const text = `An earlier call with the same inputs paid for this ${what}, ${when}. It is given again, not made and billed again. For another one, change the inputs.`;
		notes.set(itemIndex, text);
		ctx.addExecutionHints({ message: text, location: 'outputPane', type: 'info' });
	};

	return {
		async once<T extends { id?: string }>(
			itemIndex: number,
			{ kind, inputs }: Billed,
			create: () => Promise<T>,
		) {
			const mine: RecordEntry = {
				run: run.key,
				agent: run.agent?.key,
				executionId,
				itemIndex,
				item: digest(items[itemIndex]?.json),
				kind,
				inputs: digest(inputs),
			};
			const call = JSON.stringify([mine.agent, kind, mine.inputs]);
			for (let other; run.agent?.mayRepeat && (other = sending.get(call));)
				await other.catch(() => undefined);
			const earlier = earlierOf(mine);
			if (earlier?.uncertain) throw uncertainError(ctx, earlier.uncertain, itemIndex);
			if (earlier) {
				given.add(earlier);
				return earlier.value as T;
			}
			const creating = (async () => {
				const value = await create();
				const id = kind === 'speech' ? undefined : value.id;
				entries.push({ ...mine, id, value });
				if (id === undefined) return value;
				known.add(id);
				letGo(entries, (e) => e.run === run.key && e.itemIndex === itemIndex);
				return value;
			})();
			creating.catch((error: unknown) => {
				if (!mayHaveStarted(error)) return;
				const { message, description } = error;
				entries.push({ ...mine, uncertain: { message, description: description ?? undefined } });
			});
			sending.set(call, creating);
			return await creating.finally(() => sending.delete(call));
		},
		jobs: () =>
			entries
				.filter((e) => !e.uncertain && (e.run === run.key || given.has(e)))
				.map(({ itemIndex, id }) => ({ itemIndex, id }))
				.sort((a, b) => a.itemIndex - b.itemIndex),
		ids: () => known,
		noteOf: (itemIndex) => notes.get(itemIndex),
		finished([first]) {
			const runsAgain = ctx.getNode().retryOnFail === true && first?.json.error !== undefined;
			if (!runsAgain && !run.agent) letGo(entries, () => true);
		},
	};
}

/** The entries that count for a run, and the IDs of those that do no more. */
function entriesFor(memory: RecordMemory, run: NodeRun): [RecordEntry[], string[]] {
	const all = memory.entries ?? [];
	const left = run.agent
		? all.splice(0, all.length - EARLIER)
		: all.filter((entry) => entry.run !== run.key);
	const entries = run.agent ? all : all.filter((entry) => entry.run === run.key);
	const ids = [...(memory.earlierIds ?? []), ...left.flatMap(({ id }) => id ?? [])];
	Object.assign(memory, { entries, earlierIds: ids.slice(-EARLIER) });
	return [entries, memory.earlierIds ?? []];
}

/** Lets go of speech that n8n holds in memory, and with it in the record: its entry stays. */
function letGo(entries: RecordEntry[], which: (entry: RecordEntry) => boolean): void {
	for (const entry of entries)
		if (
			entry.kind === 'speech' &&
			which(entry) &&
			!(entry.value as { id?: string } | undefined)?.id
		)
			delete entry.value;
}

/** The error of an earlier try, once more: the item is not sent again. */
function uncertainError(
	ctx: IExecuteFunctions,
	{ message, description }: NonNullable<RecordEntry['uncertain']>,
	itemIndex: number,
): NodeOperationError {
	const error = new NodeOperationError(ctx.getNode(), message, { itemIndex, description });
	error.message = message;
	return error;
}
