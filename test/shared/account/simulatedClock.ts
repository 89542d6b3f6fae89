import { setImmediate as turn } from 'node:timers/promises';

import type { Clock } from '../../../nodes/shared/async/clock';

/** A clock that a test moves to the next moment at which somebody wakes, and that says when nobody will. */
export class SimulatedClock implements Clock {
	private time = 0;
	private readonly sleepers = new Set<{ until: number; wake: () => void }>();

	now() {
		return this.time;
	}

	async sleep(ms: number, signal?: AbortSignal) {
		if (signal?.aborted) return;
		await new Promise<void>((resolve) => {
			const sleeper = { until: this.time + Math.max(0, ms), wake: resolve };
			this.sleepers.add(sleeper);
			signal?.addEventListener('abort', () => {
				if (this.sleepers.delete(sleeper)) resolve();
			});
		});
	}

	/** Lets time pass until `work` is done. Throws when nobody will ever wake up. */
	async until<T>(work: Promise<T>): Promise<T> {
		let done = false;
		void work.then(
			() => (done = true),
			() => (done = true),
		);
		for (;;) {
			await turn();
			if (done) return await work;
			let next: { until: number; wake: () => void } | undefined;
			for (const sleeper of this.sleepers) if (!next || sleeper.until < next.until) next = sleeper;
			if (!next) throw new Error('Everybody waits for somebody else');
			this.sleepers.delete(next);
			this.time = Math.max(this.time, next.until);
			next.wake();
		}
	}
}

/** Seeded numbers from 0 to 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}
