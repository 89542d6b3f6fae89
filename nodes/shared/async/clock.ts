import { sleep } from 'n8n-workflow';

import { untilAborted } from './untilAborted';

/** Time as the package reads it. Tests pass one that they move by hand. */
export interface Clock {
	/** Milliseconds since 1970. */
	now(): number;
	/**
	 * Waits `ms` milliseconds, or until `signal` aborts if that comes first. Never rejects: who waits
	 * looks at the signal afterwards.
	 */
	sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/**
 * n8n's `sleep` cannot be ended early on the versions this package supports, and a node may not use
 * timers of its own: a wait ends in slices, so that nothing outlives a cancelled execution by more.
 */
const SLICE_MS = 1_000;

/** Waits in slices of a clock that never goes back, so that setting the machine's clock changes no wait. */
async function sleepInSlices(ms: number, signal?: AbortSignal): Promise<void> {
	const until = performance.now() + ms;
	for (;;) {
		const left = until - performance.now();
		if (left <= 0 || signal?.aborted) return;
		await untilAborted(sleep(Math.min(left, SLICE_MS)), signal);
	}
}

/** The machine's own clock: what the time is. */
export const systemClock: Clock = { now: () => Date.now(), sleep: sleepInSlices };

/** How much time passes. Its `now` counts from the start of the process, and never goes back. */
export const steadyClock: Clock = { now: () => performance.now(), sleep: sleepInSlices };
