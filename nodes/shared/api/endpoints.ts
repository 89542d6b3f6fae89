import type { MirageContext } from '../n8n/cancellation';
import { apiError } from '../transport/errors';
import type { Attempt } from '../transport/failures';
import type { Answer } from '../transport/networkErrors';
import type { ReadOptions } from '../transport/retry';
import { read } from '../transport/retry';
import { LIMITS } from '../transport/timeouts';
import { parseCaptionTemplate, parseTextOverlay, parseVideo } from './answers';
import type { RateLimiter } from './buckets';
import { captionsRefusal } from './captionsRefusal';
import { getJson, getObject, listOf } from './getJson';
import type { CaptionTemplate, TextOverlay, Video } from './objects';
import { isCaptioned } from './objects';
import type { KnownJobs } from './lostJob';
import { startJob, submitInTurn } from './startJob';
import type { CheckedFile } from './uploadFile';
import { formPart } from './uploadFile';

/** Most items that the API gives in one page (OpenAPI: `limit`, maximum 100). */
export const MAX_PAGE = 100;

/** What to tell when speech was lost on its way: it comes in the answer itself and has no ID. */
export const LOST_SPEECH =
	'Speech is not a job that could be looked for. Running this item again makes it, and bills it, again.';

/** A page of a list. */
export interface PageRequest {
	/** ID of the last item of the page before. */
	after?: string;
	/** 1 to {@link MAX_PAGE}, default {@link MAX_PAGE}. */
	limit?: number;
	/** By creation time. Default `desc`, newest first. */
	order?: 'asc' | 'desc';
}

/** How long the list is asked for a lost job: the person waits for the error. */
const LOST_JOB_READ: ReadOptions = { tries: 2, patienceMs: 10_000 };

const segment = (id: string) => encodeURIComponent(id);

const uploadLimits = () => ({ idleMs: LIMITS.uploadIdleMs, totalMs: LIMITS.uploadTotalMs });

/** Lists one page of videos. Throws `NodeApiError`. */
export async function listVideos(
	ctx: MirageContext,
	page?: PageRequest,
	options?: ReadOptions,
): Promise<Video[]> {
	return (await videoPage(ctx, page, options)).videos;
}

/** A page of videos, and the server's own time of it (its `Date` header), in ms since 1970. */
async function videoPage(
	ctx: MirageContext,
	{ after, limit = MAX_PAGE, order = 'desc' }: PageRequest = {},
	options?: ReadOptions,
): Promise<{ videos: Video[]; servedAt?: number }> {
	const doing = 'list videos';
	const qs = { limit, order, ...(after ? { after } : {}) };
	const { json, servedAt } = await getJson(ctx, '/v1/videos', doing, options, qs);
	return { videos: listOf(ctx, json, parseVideo, doing), servedAt };
}

/** Reads one video. Throws `NodeApiError`, 404 for an ID that does not exist. */
export async function getVideo(
	ctx: MirageContext,
	videoId: string,
	options?: ReadOptions,
): Promise<Video> {
	const path = `/v1/videos/${segment(videoId)}`;
	return await getObject(ctx, path, parseVideo, `read video "${videoId}"`, options);
}

/** Lists one page of caption templates and tells whether more follow. Throws `NodeApiError`. */
export async function listCaptionTemplates(
	ctx: MirageContext,
	{ after, limit = MAX_PAGE }: Omit<PageRequest, 'order'> = {},
	options?: ReadOptions,
): Promise<{ templates: CaptionTemplate[]; hasMore: boolean }> {
	const doing = 'list caption templates';
	const qs = { limit, ...(after ? { after } : {}) };
	const { json } = await getJson(ctx, '/v1/videos/captions/templates', doing, options, qs);
	const { data, has_more: hasMore } = (json ?? {}) as { data?: unknown; has_more?: unknown };
	return {
		templates: listOf(ctx, data, parseCaptionTemplate, doing),
		hasMore: hasMore === true,
	};
}

/** Reads one caption template. Throws `NodeApiError`, 404 for an ID that does not exist. */
export async function getCaptionTemplate(
	ctx: MirageContext,
	templateId: string,
): Promise<CaptionTemplate> {
	const path = `/v1/videos/captions/templates/${segment(templateId)}`;
	const doing = `read caption template "${templateId}"`;
	return await getObject(ctx, path, parseCaptionTemplate, doing);
}

/** Reads one text overlay job. Throws `NodeApiError`, 404 for an ID that does not exist. */
export async function getTextOverlay(
	ctx: MirageContext,
	overlayId: string,
	options?: ReadOptions,
): Promise<TextOverlay> {
	const path = `/v1/meta/text_overlays/${segment(overlayId)}`;
	return await getObject(ctx, path, parseTextOverlay, `read text overlay "${overlayId}"`, options);
}

/**
 * Asks where the file of a COMPLETE video lies: a signed address on another host, which must be fetched
 * without the key. Throws `NodeApiError`.
 */
export async function videoContentUrl(ctx: MirageContext, videoId: string): Promise<string> {
	const doing = `download video "${videoId}"`;
	const path = `/v1/videos/${segment(videoId)}/content`;
	const reason = 'The server did not say where the file is';
	const result = await read<string>(ctx, { path }, {}, async (answer) => {
		answer.body.destroy();
		const { location } = answer.headers;
		return answer.status >= 300 && location && URL.canParse(location)
			? { value: location }
			: { failure: { kind: 'unreadable', reason } };
	});
	if ('failure' in result) throw apiError(ctx.getNode(), result.failure, { doing });
	return result.value;
}

/** What Create Video sends. */
export interface CreateVideoInput {
	/** What the person looks like: a picture, or a clip of them. */
	appearance: { field: 'image_reference' | 'video_reference'; file: CheckedFile };
	/** The speech, or what makes it: called when the video is next to be sent, so that no speech is paid for early. */
	audio: CheckedFile | (() => Promise<CheckedFile>);
	model: string;
}

/**
 * Starts a video from what the person looks like and speech. Waits at the limiter for the rate limit. Throws `NodeApiError`;
 * when the job may exist although no answer came, the error says so and names what appeared since. `known`
 * are the jobs that somebody was given: they are no candidates, and the new one is added to them.
 */
export async function createVideo(
	ctx: MirageContext,
	limiter: RateLimiter,
	input: CreateVideoInput,
	known: KnownJobs,
): Promise<Video> {
	const { audio: speech, appearance } = input;
	let audio: CheckedFile;
	return await startJob<Video>(ctx, limiter, {
		bucket: 'createVideo',
		doing: 'create the video',
		parse: parseVideo,
		prepare:
			typeof speech === 'function'
				? async () => {
						audio = await speech();
					}
				: undefined,
		build: () => {
			if (typeof speech !== 'function') audio = speech;
			const form = new FormData();
			form.append(appearance.field, formPart(appearance.file, appearance.field));
			form.append('audio_reference', formPart(audio, 'audio_reference'));
			form.append('model', input.model);
			return { path: '/v1/videos', body: form, ...uploadLimits() };
		},
		known,
		lost: {
			list: async () => await videoPage(ctx, {}, LOST_JOB_READ),
			matches: (video) => !isCaptioned(video),
		},
	});
}

/** What Add Captions sends: the template, and either a video of the account or a file. */
export type AddCaptionsInput = { templateId: string } & (
	{ videoId: string } | { video: CheckedFile }
);

/** Starts captions for a video. Same promises as {@link createVideo}. */
export async function addCaptions(
	ctx: MirageContext,
	limiter: RateLimiter,
	input: AddCaptionsInput,
	known: KnownJobs,
): Promise<Video> {
	return await startJob<Video>(ctx, limiter, {
		bucket: 'addCaptions',
		doing: 'add captions',
		parse: parseVideo,
		build: () => {
			const form = new FormData();
			form.append('caption_template_id', input.templateId);
			if ('videoId' in input) form.append('video_id', input.videoId);
			else form.append('video', formPart(input.video, 'video'));
			return { path: '/v1/videos/captions', body: form, ...uploadLimits() };
		},
		known,
		lost: {
			list: async () => await videoPage(ctx, {}, LOST_JOB_READ),
			matches: (video) =>
				video.caption_template_id === input.templateId &&
				(!('videoId' in input) || video.source_video_id === input.videoId),
		},
		refusal: async (failure) =>
			await captionsRefusal(failure, input, async (id) => await getVideo(ctx, id, { tries: 1 })),
	});
}

/** One text of a text overlay job. Blank style values mean "decide for me" (provider's page). */
export interface OverlayText {
	text: string;
	font: string;
	/** Pixels, as text. */
	size: string;
	/** `#RRGGBB`. */
	color: string;
}

/**
 * Starts a text overlay job. The lists of texts, fonts, sizes and colors are repeated form fields that
 * the API aligns by index, so a blank value is sent as a blank entry. Same promises as
 * {@link createVideo}, but the API has no list of overlay jobs to look for candidates in.
 */
export async function createTextOverlay(
	ctx: MirageContext,
	limiter: RateLimiter,
	input: { video: CheckedFile; texts: OverlayText[] },
): Promise<TextOverlay> {
	return await startJob<TextOverlay>(ctx, limiter, {
		bucket: 'createTextOverlay',
		doing: 'create the text overlay',
		parse: parseTextOverlay,
		build: () => {
			const form = new FormData();
			form.append('video', formPart(input.video, 'video'));
			for (const { text, font, size, color } of input.texts) {
				form.append('texts', text);
				form.append('fonts', font);
				form.append('sizes', size);
				form.append('colors', color);
			}
			return { path: '/v1/meta/text_overlays', body: form, ...uploadLimits() };
		},
	});
}

/**
 * Makes speech from text; the answer's body is the WAV file, still on the wire, and `sentAt` the time of
 * the request in ms since 1970. Waits at the limiter for the rate limit. Throws `NodeApiError`.
 */
export async function generateSpeech(
	ctx: MirageContext,
	limiter: RateLimiter,
	input: { voiceId: string; text: string; model: string },
): Promise<{ answer: Answer; sentAt: number }> {
	const attempt: Attempt = {
		doing: 'generate speech',
		named: [{ thing: 'voice', id: input.voiceId }],
		sends: 'text',
	};
	return await submitInTurn(ctx, limiter, 'generateSpeech', {
		attempt,
		build: () => ({
			path: `/v1/audio/text-to-speech/${segment(input.voiceId)}`,
			body: { text: input.text, model: input.model },
			idleMs: LIMITS.speechIdleMs,
			totalMs: LIMITS.speechTotalMs,
		}),
		uncertain: async () => ({ note: LOST_SPEECH }),
	});
}
