import type { ApiJobError, Outcome } from './types';

/** Milliseconds since 1970. */
export type Clock = () => number;

export interface JobState {
	status: string;
	/** Unix seconds; only of a job that completed. */
	completedAt: number | null;
	/** Percent. */
	progress: number;
	error: ApiJobError | null;
}

const DEFAULT_ERRORS: Record<string, ApiJobError> = {
	FAILED: { code: 'generation_failed', message: 'The video could not be generated.' },
};

const FINAL = ['COMPLETE', 'FAILED', 'CANCELLED'];

/** What a job shows once its time is over, and whether that is the end of it. */
export function ending(outcome: Outcome | undefined): { status: string; final: boolean } {
	const status = outcome?.status ?? 'COMPLETE';
	const final = FINAL.includes(status);
	if (!outcome?.stuck) return { status, final };
	return { status: final ? 'PROCESSING' : status, final: false };
}

/**
 * The state of a video job as a function of time: PROCESSING with growing progress, then its outcome.
 * A job that ends otherwise than COMPLETE keeps the progress it had and gets no `completed_at`.
 */
export function jobState(
	createdMs: number,
	renderMs: number,
	outcome: Outcome | undefined,
	nowMs: number,
): JobState {
	const elapsed = Math.max(0, nowMs - createdMs);
	const progress = Math.min(99, Math.floor((elapsed / Math.max(1, renderMs)) * 100));
	if (elapsed < renderMs) {
		return { status: 'PROCESSING', completedAt: null, progress, error: null };
	}
	const { status } = ending(outcome);
	if (status !== 'COMPLETE') {
		const error = outcome?.error ?? DEFAULT_ERRORS[status] ?? null;
		return { status, completedAt: null, progress: 99, error };
	}
	const completedAt = Math.floor((createdMs + renderMs) / 1000);
	return { status, completedAt, progress: 100, error: null };
}
