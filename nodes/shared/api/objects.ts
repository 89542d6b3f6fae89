import type { IDataObject } from 'n8n-workflow';

/**
 * The API's objects as `answers.ts` reads them. Shapes come from the provider's OpenAPI document (schemas
 * MAVideo, MACaptionTemplate, MetaTextOverlay); times are Unix seconds. RULE: `created_at` is
 * undefined, whatever its type says, where the API gives none that can be read.
 */

/** Why a job failed, in the API's own words. */
export interface JobError extends IDataObject {
	code: string;
	message: string;
}

/** Why a job failed, in a few words. */
export const reasonOf = ({ code, message }: JobError): string => `${message} (${code})`;

/**
 * State of a job. COMPLETE, FAILED and CANCELLED are final. Every other word means "not finished
 * yet", also one that does not exist today (the provider's pages disagree on the list).
 */
export type JobStatus = 'COMPLETE' | 'FAILED' | 'CANCELLED' | (string & {});

/** A generated or captioned video. `id` is always set, also where the API only sends `video_id`. */
export interface Video extends IDataObject {
	id: string;
	status: JobStatus;
	created_at: number;
	completed_at?: number | null;
	/** Percent, 0 to 100. */
	progress?: number | null;
	error?: JobError | null;
	/** Set on videos made from portrait and speech. */
	model?: string | null;
	/** Set on videos made by adding captions to an existing video. */
	source_video_id?: string | null;
	/** Set on captioned videos. */
	caption_template_id?: string | null;
	share_link_url?: string | null;
}

/** A caption style. */
export interface CaptionTemplate extends IDataObject {
	id: string;
	name: string;
	preview_url?: string | null;
	created_at: number;
}

/** What became of one text of a text overlay job. */
export interface TextOverlayResult extends IDataObject {
	/** Zero-based place of the text in the request. */
	index: number;
	text: string;
	status: JobStatus;
	video_url?: string | null;
	error?: JobError | null;
}

/** A job that renders one to four texts onto a video. */
export interface TextOverlay extends IDataObject {
	id: string;
	status: JobStatus;
	created_at: number;
	completed_at?: number | null;
	results: TextOverlayResult[];
	error?: JobError | null;
}

/** Whether a job has reached a state that it never leaves. */
export function isFinal(job: { status: JobStatus }): boolean {
	return job.status === 'COMPLETE' || job.status === 'FAILED' || job.status === 'CANCELLED';
}

/** Whether a video was made by captioning (upload or existing video) and not from portrait and speech. */
export function isCaptioned(video: Video): boolean {
	return Boolean(video.caption_template_id);
}

/**
 * A job as an item's JSON. `error` is left out when it is null: n8n 1 takes an item with any `error` for
 * a failed one, and would run the node again with "Retry On Fail". So is a time that is not known.
 */
export function jsonOf<T extends { error?: JobError | null }>(job: T): IDataObject {
	const json: IDataObject = { ...job };
	if (!json.error) delete json.error;
	if (json.created_at === undefined) delete json.created_at;
	return json;
}
