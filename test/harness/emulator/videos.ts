import { randomBytes } from 'node:crypto';

import { type Clock, ending, type JobState, jobState } from './jobs';
import type { ApiVideo, EmulatedVideo, Outcome } from './types';

interface StoredVideo {
	id: string;
	/** Milliseconds. */
	createdMs: number;
	/** Order of arrival; decides between videos of the same millisecond. */
	sequence: number;
	/** A video put in with its state; it changes by `setOutcome` only. */
	seed?: ApiVideo;
	job?: StartedVideo;
	deleted: boolean;
}

/** What a request to start a video job asked for. */
export interface StartedVideo {
	kind: 'generated' | 'captioned';
	requestId: number;
	renderMs: number;
	outcome: Outcome | undefined;
	/** Set by `setOutcome`: a state that no longer changes with time. */
	pinned?: JobState;
	model: string | null;
	sourceVideoId: string | null;
	captionTemplateId: string | null;
}

/**
 * The videos of the account, kept in the order of their creation, so that a page costs a binary search
 * and the videos on it, however many there are.
 */
export class Videos {
	private readonly byId = new Map<string, StoredVideo>();
	private byCreation: StoredVideo[] = [];
	private readonly started: StoredVideo[] = [];
	private sequence = 0;

	constructor(private readonly now: Clock) {}

	/** Starts a job under an id made by `newVideoId`. */
	start(id: string, job: StartedVideo): ApiVideo {
		const video = { id, createdMs: this.now(), sequence: this.sequence++, job, deleted: false };
		this.byId.set(id, video);
		this.started.push(video);
		this.byCreation.splice(this.position(video), 0, video);
		return this.show(video);
	}

	/** Adds existing videos; the whole list is sorted once. An id that is there already is replaced. */
	seed(videos: Partial<ApiVideo>[]): void {
		const nowSeconds = Math.floor(this.now() / 1000);
		let replaced = false;
		for (const given of videos) {
			const id = given.id ?? given.video_id ?? newVideoId();
			const status = given.status ?? 'COMPLETE';
			const created = given.created_at ?? nowSeconds;
			const seed: ApiVideo = {
				id,
				object: 'video',
				status,
				created_at: created,
				completed_at: status === 'COMPLETE' ? Math.max(created, nowSeconds) : null,
				progress: status === 'COMPLETE' ? 100 : 0,
				error: null,
				model: given.source_video_id || given.caption_template_id ? null : 'mirage-video-1-latest',
				source_video_id: null,
				caption_template_id: null,
				share_link_url: null,
				...given,
				video_id: id,
			};
			const previous = this.byId.get(id);
			if (previous) previous.deleted = replaced = true;
			const video = {
				id,
				createdMs: created * 1000,
				sequence: this.sequence++,
				seed,
				deleted: false,
			};
			this.byId.set(id, video);
			this.byCreation.push(video);
		}
		if (replaced) this.byCreation = this.byCreation.filter((video) => !video.deleted);
		this.byCreation.sort(compare);
	}

	/** The video as it stands now, or undefined. */
	get(id: string): ApiVideo | undefined {
		const video = this.byId.get(id);
		return video && this.show(video);
	}

	/** Which rendered file belongs to a video. */
	kind(id: string): 'generated' | 'captioned' {
		const video = this.byId.get(id);
		return video?.job?.kind ?? (video?.seed?.caption_template_id ? 'captioned' : 'generated');
	}

	/** One page strictly after a video, or undefined when that video does not exist. */
	page(order: 'asc' | 'desc', limit: number, after: string | undefined): ApiVideo[] | undefined {
		let from = order === 'asc' ? 0 : this.byCreation.length;
		if (after !== undefined) {
			const cursor = this.byId.get(after);
			if (!cursor) return undefined;
			from = this.position(cursor) + (order === 'asc' ? 1 : 0);
		}
		const slice =
			order === 'asc'
				? this.byCreation.slice(from, from + limit)
				: this.byCreation.slice(Math.max(0, from - limit), from).reverse();
		return slice.map((video) => this.show(video));
	}

	/** Sets the state at once; false when there is no such video. */
	setOutcome(id: string, outcome: Outcome): boolean {
		const video = this.byId.get(id);
		if (!video) return false;
		const current = this.show(video);
		const { status } = ending(outcome);
		const complete = status === 'COMPLETE';
		const state: JobState = {
			status,
			completedAt: complete ? Math.floor(this.now() / 1000) : null,
			progress: complete ? 100 : Math.min(99, current.progress ?? 0),
			error: outcome.error ?? null,
		};
		if (video.job) video.job.pinned = state;
		if (video.seed) {
			const { completedAt: completed_at, ...rest } = state;
			video.seed = { ...video.seed, ...rest, completed_at };
		}
		return true;
	}

	delete(id: string): void {
		const video = this.byId.get(id);
		if (!video) return;
		video.deleted = true;
		this.byId.delete(id);
		this.byCreation.splice(this.position(video), 1);
	}

	/** Every job that was started, deleted ones included. */
	accepted(): EmulatedVideo[] {
		return this.started.map((video) => ({
			...this.show(video),
			kind: video.job!.kind,
			requestId: video.job!.requestId,
			deleted: video.deleted,
		}));
	}

	/** Index of the first video that is not before this one. */
	private position(video: StoredVideo): number {
		let low = 0;
		let high = this.byCreation.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if (compare(this.byCreation[middle]!, video) < 0) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	private show(video: StoredVideo): ApiVideo {
		if (video.seed) return { ...video.seed };
		const job = video.job!;
		const state = job.pinned ?? jobState(video.createdMs, job.renderMs, job.outcome, this.now());
		return {
			id: video.id,
			object: 'video',
			status: state.status,
			created_at: Math.floor(video.createdMs / 1000),
			completed_at: state.completedAt,
			progress: state.progress,
			error: state.error,
			model: job.model,
			source_video_id: job.sourceVideoId,
			caption_template_id: job.captionTemplateId,
			share_link_url: null,
			video_id: video.id,
		};
	}
}

function compare(a: StoredVideo, b: StoredVideo): number {
	return a.createdMs - b.createdMs || a.sequence - b.sequence;
}

/** A fresh id in the API's form. */
export function newVideoId(): string {
	return `video_${randomBytes(10).toString('hex')}`;
}
