import { randomUUID } from 'node:crypto';

import { type Clock, ending } from './jobs';
import type {
	ApiTextOverlay,
	ApiTextOverlayResult,
	EmulatedOverlay,
	Outcome,
	OverlayText,
} from './types';

interface StoredOverlay {
	id: string;
	createdMs: number;
	requestId: number;
	renderMs: number;
	texts: OverlayText[];
	outcome: Outcome | undefined;
	/** When `setOutcome` ended the job, in milliseconds; it beats the clock. */
	endedMs?: number;
}

/** The first part of an overlay's render time is spent in the queue. */
const QUEUED_SHARE = 0.2;

const JOB_FAILED = { code: 'job_failed', message: 'The texts could not be rendered.' };
const TEXT_FAILED = { code: 'render_failed', message: 'The text could not be rendered.' };

/** The text overlay jobs of the account. */
export class Overlays {
	private readonly byId = new Map<string, StoredOverlay>();

	/** `resultUrl` makes the address of the rendered file of one text, signed anew at every read. */
	constructor(
		private readonly now: Clock,
		private readonly resultUrl: (overlayId: string, index: number) => string,
	) {}

	/** Starts a job under an id made by `newOverlayId`. */
	start(
		id: string,
		job: Pick<StoredOverlay, 'requestId' | 'renderMs' | 'texts' | 'outcome'>,
	): ApiTextOverlay {
		const overlay = { ...job, id, createdMs: this.now() };
		this.byId.set(overlay.id, overlay);
		return this.show(overlay);
	}

	/** The job as it stands now, or undefined. */
	get(id: string): ApiTextOverlay | undefined {
		const overlay = this.byId.get(id);
		return overlay && this.show(overlay);
	}

	/** Sets the state at once; false when there is no such job. */
	setOutcome(id: string, outcome: Outcome): boolean {
		const overlay = this.byId.get(id);
		if (!overlay) return false;
		overlay.outcome = outcome;
		overlay.endedMs = this.now();
		return true;
	}

	/** Every job that was started. */
	accepted(): EmulatedOverlay[] {
		return [...this.byId.values()].map((overlay) => ({
			...this.show(overlay),
			texts: overlay.texts,
			requestId: overlay.requestId,
		}));
	}

	private show(overlay: StoredOverlay): ApiTextOverlay {
		const { createdMs, renderMs, outcome } = overlay;
		const endMs = overlay.endedMs ?? createdMs + renderMs;
		const share = Math.max(0, this.now() - createdMs) / Math.max(1, renderMs);
		const ended = this.now() >= endMs;
		let status = share < QUEUED_SHARE ? 'QUEUED' : 'PROCESSING';
		const end = ending(outcome);
		if (ended) status = end.status;

		// Texts are rendered one after another, so their results appear before the job is over.
		// A job that fails as a whole has none.
		const count = overlay.texts.length;
		const rendering = (share - QUEUED_SHARE) / (1 - QUEUED_SHARE);
		const done = ended ? count : Math.min(count, Math.max(0, Math.floor(rendering * count)));
		const itemized = end.status === 'COMPLETE' || outcome?.results !== undefined;
		const failure = status === 'FAILED' ? JOB_FAILED : null;
		return {
			id: overlay.id,
			object: 'text_overlay',
			status,
			created_at: Math.floor(createdMs / 1000),
			completed_at: ended && end.final ? Math.floor(endMs / 1000) : null,
			results: overlay.texts
				.slice(0, itemized ? done : 0)
				.map((_, index) => this.result(overlay, index)),
			error: (ended ? outcome?.error : null) ?? failure,
		};
	}

	private result(overlay: StoredOverlay, index: number): ApiTextOverlayResult {
		const own = overlay.outcome?.results?.find((result) => result.index === index);
		const failed = own?.status === 'FAILED';
		return {
			index,
			text: overlay.texts[index]!.text,
			status: failed ? 'FAILED' : 'COMPLETE',
			video_url: failed ? null : this.resultUrl(overlay.id, index),
			error: failed ? (own.error ?? TEXT_FAILED) : null,
		};
	}
}

/** A fresh id in the API's form. */
export function newOverlayId(): string {
	return randomUUID();
}
