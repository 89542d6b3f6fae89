import { sleep } from 'n8n-workflow';

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

/** The machine's own clock. */
export const systemClock: Clock = {
	now: () => Date.now(),
	async sleep(ms, signal) {
		const until = Date.now() + ms;
		let onAbort = () => {};
		const aborted = new Promise<void>((resolve) => {
			onAbort = resolve;
			signal?.addEventListener('abort', onAbort, { once: true });
		});
		try {
			for (;;) {
				const left = until - Date.now();
				if (left <= 0 || signal?.aborted) return;
				await Promise.race([sleep(Math.min(left, SLICE_MS)), aborted]);
			}
		} finally {
			signal?.removeEventListener('abort', onAbort);
		}
	},
};
