/** What the emulator takes and tells: options, the API's own objects, the request log, outcomes and faults. */

/** A video as the API writes it (`MAVideo` of the provider's OpenAPI document). Times are Unix seconds. */
export interface ApiVideo {
	id: string;
	object: 'video';
	/** PROCESSING, COMPLETE, FAILED, CANCELLED, or whatever a test makes it. */
	status: string;
	created_at: number;
	completed_at: number | null;
	/** Percent, 0 to 100. */
	progress: number | null;
	error: ApiJobError | null;
	model: string | null;
	source_video_id: string | null;
	caption_template_id: string | null;
	share_link_url: string | null;
	/** Deprecated name of `id`; the API still sends both. */
	video_id: string;
}

export interface ApiJobError {
	code: string;
	message: string;
}

export interface ApiCaptionTemplate {
	id: string;
	object: 'caption_template';
	name: string;
	preview_url: string | null;
	/** Unix seconds. */
	created_at: number;
}

/** A text overlay job as the API writes it (`MetaTextOverlay`). Times are Unix seconds. */
export interface ApiTextOverlay {
	id: string;
	object: 'text_overlay';
	status: string;
	created_at: number;
	completed_at: number | null;
	results: ApiTextOverlayResult[];
	error: ApiJobError | null;
}

export interface ApiTextOverlayResult {
	/** Zero-based position in the texts of the request. */
	index: number;
	text: string;
	status: 'COMPLETE' | 'FAILED';
	video_url: string | null;
	error: ApiJobError | null;
}

export type JobKind = 'generated' | 'captioned' | 'overlay';

/** A video job that the server accepted, as it stands now. */
export interface EmulatedVideo extends ApiVideo {
	kind: 'generated' | 'captioned';
	/** `id` of the request in the log that started the job. */
	requestId: number;
	/** True after `deleteVideo`: no longer served, still billed. */
	deleted: boolean;
}

/** One text of an overlay request, as the server understood it; null means "decide for me". */
export interface OverlayText {
	text: string;
	font: string | null;
	/** Pixels. */
	size: number | null;
	/** `#RRGGBB`. */
	color: string | null;
}

/** An overlay job that the server accepted, as it stands now. */
export interface EmulatedOverlay extends ApiTextOverlay {
	texts: OverlayText[];
	/** `id` of the request in the log that started the job. */
	requestId: number;
}

/** How a job ends. */
export interface Outcome {
	/** COMPLETE, FAILED, CANCELLED, PROCESSING (never ends), or a status that does not exist today. */
	status: string;
	error?: ApiJobError;
	/** The job never ends; once its render time is over it shows `status`, or PROCESSING when that is final. */
	stuck?: boolean;
	/** Overlays only: texts that end differently from their job. */
	results?: { index: number; status: 'COMPLETE' | 'FAILED'; error?: ApiJobError }[];
}

export interface EmulatorOptions {
	/** The one key that is accepted. Default `mira_test_key`. */
	apiKey?: string;
	/** Port of the API on 127.0.0.1. Default 0: a free one. */
	port?: number;
	/** Port of the content origin on 127.0.0.1. Default 0: a free one. */
	contentPort?: number;
	/** Clock in milliseconds for jobs, rate limits and URL lifetimes. Default `Date.now`. */
	now?: () => number;
	/** How long a job takes by the clock, in milliseconds; `index` counts started jobs from 0. Default 1000. */
	renderMs?: number | ((job: { id: string; index: number; kind: JobKind }) => number);
	/** How long text-to-speech takes before it answers, in real milliseconds. Default 0. */
	speechMs?: number;
	/** `real` applies the provider's limits, `{ speed: 60 }` lets a minute of them pass in a second. Default `off`. */
	rateLimits?: RateLimits;
	/** Send `Retry-After` (whole seconds) with the server's own 429; the provider documents none. Default false. */
	retryAfter?: boolean;
	/** Models that this server knows. Default: both; a server of before has only `mirage-video-1-latest`. */
	models?: string[];
	/** How many caption templates exist. Default 12. */
	templates?: number;
	/** Lifetime of a content URL by the clock, in milliseconds. Default 60,000. */
	signedUrlMs?: number;
	/** Serve every video as a valid MP4 of exactly this many bytes, padded in a `free` box and streamed. */
	contentBytes?: number;
	/** Compute `sha256` of uploaded files; off saves processor time in benchmarks (then ''). Default true. */
	hashFiles?: boolean;
	/** Called after each request was answered or cut off. */
	onRequest?: (request: LoggedRequest) => void;
}

export type RateLimits =
	'off' | 'real' | { speed: number; perMinute?: Partial<Record<RateLimitedFeature, number>> };

/** What has a token bucket of its own (provider's page on rate limits). */
export type RateLimitedFeature =
	'createVideo' | 'readStatus' | 'submitCaptions' | 'submitOverlay' | 'readOverlay';

/** One uploaded file as it arrived; the bytes themselves are not kept. */
export interface LoggedFile {
	field: string;
	fileName: string;
	mimeType: string;
	bytes: number;
	/** Hex, or '' with `hashFiles: false`. */
	sha256: string;
}

export interface LoggedRequest {
	/** Counts from 1 over both servers. */
	id: number;
	/** Arrival by the clock, in milliseconds. */
	at: number;
	server: 'api' | 'content';
	method: string;
	/** As sent, with the query. */
	path: string;
	/** `POST /v1/videos`, `GET /v1/videos/{video_id}` …, `content`, or `unknown`. */
	route: string;
	headers: Record<string, string | string[] | undefined>;
	/** Bytes of the request body that were read. */
	bodyBytes: number;
	/** Multipart text fields in order of arrival. */
	fields?: Record<string, string[]>;
	files?: LoggedFile[];
	/** The parsed JSON body. */
	json?: unknown;
	/** The status sent; absent when no answer was sent. */
	status?: number;
	/** Id of the job that this request started, whatever the client was told; `speech_<n>` for speech. */
	accepted?: string;
	/** Kind of the fault that was played. */
	fault?: string;
}

export interface FaultRule {
	/** A route as in the log, or `*`. Default `*`. */
	route?: string;
	/** How often it plays. Default 1; Infinity is allowed. */
	times?: number;
	/** Matching requests to let through first. Default 0. */
	after?: number;
	fault: Fault;
}

export type Fault =
	/** Body read, nothing accepted, this answer sent. */
	| {
			kind: 'status';
			status: number;
			body?: unknown;
			headers?: Record<string, string>;
			retryAfter?: number | string;
	  }
	/** Connection reset before the request body is read; nothing accepted. */
	| { kind: 'resetBeforeBody' }
	/** Body read, job started when `accepted`, then the connection is reset without an answer. */
	| { kind: 'resetAfterBody'; accepted: boolean }
	/** Job started, and this status answered. */
	| { kind: 'statusAfterAccept'; status: number }
	/** Full Content-Length, but only this many bytes of the body, then the connection is cut. */
	| { kind: 'truncate'; bytes: number }
	| { kind: 'slow'; bytesPerSecond: number }
	/** Real milliseconds before the request is handled. */
	| { kind: 'delay'; ms: number }
	/** Body read, no answer, connection left open; job started when `accepted`. */
	| { kind: 'hang'; accepted?: boolean }
	/** HTML instead of the answer (job started for POSTs). Default status: that of the answer. */
	| { kind: 'html'; status?: number }
	/** Unreadable JSON instead of the answer (job started for POSTs). */
	| { kind: 'garbage' }
	/** Content only: redirects that never end. */
	| { kind: 'redirectLoop' }
	/** Content only: the signed URL is out of date. */
	| { kind: 'expired' };

export interface Emulator {
	/** Base URL of the API, without a trailing slash. */
	url: string;
	/** Origin that serves the rendered files. */
	contentUrl: string;
	apiKey: string;
	/** Every request to both origins in order of arrival; may be emptied by `requests.length = 0`. */
	requests: LoggedRequest[];
	/** Every video job that was accepted, in order; seeded videos are not among them. */
	videos(): EmulatedVideo[];
	/** Every overlay job that was accepted, in order. */
	overlays(): EmulatedOverlay[];
	/** Adds a fault; rules are tried in the order they were added. */
	fault(rule: FaultRule): void;
	clearFaults(): void;
	/** Sets the state of a video or overlay at once. Throws RangeError for an unknown id. */
	setOutcome(id: string, outcome: Outcome): void;
	/** How the next job ends that is started; calls queue up. */
	nextOutcome(outcome: Outcome): void;
	/** Adds videos that exist already; absent fields get those of a video completed just now. */
	seedVideos(videos: Partial<ApiVideo>[]): void;
	/** Removes a video from the API; unknown ids do nothing. */
	deleteVideo(id: string): void;
	/** Stops both servers and destroys open sockets. */
	close(): Promise<void>;
}
