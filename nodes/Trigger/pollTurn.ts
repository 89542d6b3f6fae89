import type { IDataObject, IPollFunctions } from 'n8n-workflow';
import { deepCopy } from 'n8n-workflow';

import { systemClock } from '../shared/async/clock';
import type { CompletionsState } from './state';
import { parseState } from './state';

/** A poll that may read and fire. No other poll of its node may at the same time. */
export interface PollTurn {
	/** The newest state of the node. */
	state: CompletionsState | undefined;
	startedAt: number;
	/** What the poll may take, in ms. */
	budgetMs: number;
	/**
	 * Writes the state that goes with the result. `false` when the result must be dropped: another poll has
	 * taken over, or n8n may have given this one up. Nothing may wait between this and the return.
	 */
	write(state: CompletionsState): boolean;
	end(): void;
}

/** What this process knows of one trigger node. */
interface KnownNode {
	/** What the node's last poll knew when it returned, and when that was, in ms since 1970. */
	state?: CompletionsState;
	returnedAt?: number;
	/** The poll under way: the static data that n8n gave it, and when its time is over. */
	underWay?: { data: object; until: number };
}

/** The budget of a poll that no scheduler watches (n8n 2.41: `PollContext`), in ms. Older versions do not tell. */
const DEFAULT_BUDGET_MS = 300_000;
/** Between n8n's read of a cursor and the start of its poll passes less than this, in ms. */
const STALE_CURSOR_MS = 30_000;
/** Trigger nodes that are remembered, the last polled ones and those that poll. State is about 5 kB, at most 150 kB. */
const MAX_NODES = 200;

const nodes = new Map<string, KnownNode>();

/**
 * Begins a poll; `undefined` when another one of this node is under way, which finds what this one would.
 * Nothing may wait before it is called.
 *
 * n8n hands out state in three ways, and it can be older than what this process knows:
 *
 * | n8n runs polls            | state                                  | which state counts                     |
 * |---------------------------|----------------------------------------|----------------------------------------|
 * | from memory (classic)     | one object, shared by all polls        | n8n's                                  |
 * | by its scheduler          | a copy from the database for each poll | the newer of n8n's and this process's  |
 * | … with durable cursors    | a copy, saved after every poll         | the newer; n8n's after half a minute   |
 *
 * By the scheduler, a copy is old when it was read before the last poll was saved, when that poll had no
 * items (n8n does not save it), and when another trigger of the workflow wrote its own copy of the whole
 * static data. With cursors n8n saves state and execution together; when it still has a state from before
 * the last items, it dropped them, and their videos must fire again.
 *
 * A classic poll with a new object belongs to a new activation, and n8n drops what a poll of the former
 * one returns: so it takes over, and the other's result is void.
 */
export function beginPoll(ctx: IPollFunctions): PollTurn | undefined {
	const data = ctx.getWorkflowStaticData('node');
	const { id, name } = ctx.getNode();
	const key = JSON.stringify([ctx.getWorkflow().id, id, name]);
	const startedAt = systemClock.now();
	const { getPollBudgetMs } = ctx as { getPollBudgetMs?: () => number };
	const budgetMs = getPollBudgetMs?.call(ctx) ?? DEFAULT_BUDGET_MS;
	const isScheduled = budgetMs !== DEFAULT_BUDGET_MS;

	const known: KnownNode = nodes.get(key) ?? {};
	const other = known.underWay;
	if (other && startedAt < other.until && (isScheduled || other.data === data)) return undefined;
	const underWay = { data, until: startedAt + budgetMs };
	nodes.delete(key);
	nodes.set(key, { ...known, underWay });
	for (const [oldest, { underWay: its }] of nodes) {
		if (nodes.size <= MAX_NODES) break;
		// Forgotten while it polls, a node would lose what it found.
		if (!its || startedAt >= its.until) nodes.delete(oldest);
	}

	const isCurrent = () => nodes.get(key)?.underWay === underWay;
	const justReturned = startedAt - (known.returnedAt ?? -Infinity) < STALE_CURSOR_MS;
	const handedOut = parseState(deepCopy(data.completions));
	const ahead = (known.state?.firings ?? 0) - (handedOut?.firings ?? 0);
	const isNewer = ahead === 0 || (ahead > 0 && (justReturned || !hasCursor(data)));
	return {
		state: isScheduled && known.state && isNewer ? known.state : handedOut,
		startedAt,
		budgetMs,
		write: (state) => {
			const returnedAt = systemClock.now();
			if (!isCurrent() || (isScheduled && returnedAt >= underWay.until)) return false;
			data.completions = state;
			nodes.set(key, { state, returnedAt });
			return true;
		},
		end: () => {
			if (isCurrent()) nodes.set(key, { ...nodes.get(key), underWay: undefined });
		},
	};
}

/** Whether n8n saves state after every poll (durable cursors): its copy then is a plain object, not static data. */
const hasCursor = (data: IDataObject) => !('__dataChanged' in data);
