import type { Clock } from '../../../nodes/shared/async/clock';

/**
 * A clock for many who wait at once: when nothing can go on without time passing, it jumps to the moment
 * at which the first of them wakes.
 */
export class VirtualClock implements Clock {
	/** Every sleep that was asked for, in ms, but those of 0. */
	readonly pauses: number[] = [];
	private readonly sleepers = new Set<{ at: number; wake: () => void }>();
	private moving = false;
	/** Time stands still while fewer than this sleep: the others are busy in real time. */
	private mustSleep = 0;

	constructor(public time: number) {}

	/** Says how many sleep when all that can run has run; needed where real requests are under way. */
	expectSleepers(count: number): void {
		this.mustSleep = count;
		this.move();
	}

	now(): number {
		return this.time;
	}

	async sleep(ms: number, signal?: AbortSignal): Promise<void> {
		if (ms > 0) this.pauses.push(ms);
		if (signal?.aborted) return;
		await new Promise<void>((resolve) => {
			const sleeper = { at: this.time + Math.max(0, ms), wake: () => {} };
			sleeper.wake = () => {
				this.sleepers.delete(sleeper);
				signal?.removeEventListener('abort', sleeper.wake);
				resolve();
			};
			signal?.addEventListener('abort', sleeper.wake, { once: true });
			this.sleepers.add(sleeper);
			this.move();
		});
	}

	/** Moves on once all that can run now has run. */
	private move(): void {
		if (this.moving) return;
		this.moving = true;
		setImmediate(() => {
			this.moving = false;
			if (this.sleepers.size < this.mustSleep) return;
			let first: { at: number; wake: () => void } | undefined;
			for (const sleeper of this.sleepers) if (!first || sleeper.at < first.at) first = sleeper;
			if (!first) return;
			this.time = Math.max(this.time, first.at);
			first.wake();
			this.move();
		});
	}
}
