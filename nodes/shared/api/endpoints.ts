import type { IDataObject } from 'n8n-workflow';

import type { MirageContext } from '../n8n/cancellation';
import { apiError } from '../transport/errors';
import type { Answer } from '../transport/networkErrors';
import type { RateLimiter } from '../transport/rateLimiter';
import type { ReadOptions } from '../transport/retry';
import { failureOf, jsonOf, readAs } from '../transport/retry';
import { LIMITS } from '../transport/timeouts';
import { unreadable, withId } from './answers';
import type { CaptionTemplate, TextOverlay, Video } from './objects';
import { isCaptioned } from './objects';
import { pass, startJob } from './startJob';
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

const segment = (id: string) => encodeURIComponent(id);

const uploadLimits = () => ({ idleMs: LIMITS.uploadIdleMs, totalMs: LIMITS.uploadTotalMs });

/** Lists one page of videos. Throws `NodeApiError`. */
export async function listVideos(
	ctx: MirageContext,
	page: PageRequest = {},
	options?: ReadOptions,
): Promise<Video[]> {
	const { after, limit = MAX_PAGE, order = 'desc' } = page;
	const doing = 'list videos';
	const json = await getJson(
		ctx,
		'/v1/videos',
		doing,
		{ limit, order, ...(after ? { after } : {}) },
		options,
	);
	if (!Array.isArray(json)) throw unreadable(ctx, doing, 'The list of videos is not a list');
	return json.map((entry) => withId<Video>(ctx, entry, doing));
}

/** Reads one video. Throws `NodeApiError`, 404 for an ID that does not exist. */
export async function getVideo(
	ctx: MirageContext,
	videoId: string,
	options?: ReadOptions,
): Promise<Video> {
	const doing = `read video "${videoId}"`;
	return withId<Video>(
		ctx,
		await getJson(ctx, `/v1/videos/${segment(videoId)}`, doing, undefined, options),
		doing,
	);
}

/** Lists one page of caption templates and tells whether more follow. Throws `NodeApiError`. */
export async function listCaptionTemplates(
	ctx: MirageContext,
	page: Omit<PageRequest, 'order'> = {},
	options?: ReadOptions,
): Promise<{ templates: CaptionTemplate[]; hasMore: boolean }> {
	const { after, limit = MAX_PAGE } = page;
	const doing = 'list caption templates';
	const json = (await getJson(
		ctx,
		'/v1/videos/captions/templates',
		doing,
		{ limit, ...(after ? { after } : {}) },
		options,
	)) as { data?: unknown; has_more?: unknown } | null;
	if (!Array.isArray(json?.data))
		throw unreadable(ctx, doing, 'The list of caption templates is not a list');
	return {
		templates: json.data.map((entry) => withId<CaptionTemplate>(ctx, entry, doing)),
		hasMore: json.has_more === true,
	};
}

/** Reads one caption template. Throws `NodeApiError`, 404 for an ID that does not exist. */
export async function getCaptionTemplate(
	ctx: MirageContext,
	templateId: string,
	options?: ReadOptions,
): Promise<CaptionTemplate> {
	const doing = `read caption template "${templateId}"`;
	return withId<CaptionTemplate>(
		ctx,
		await getJson(
			ctx,
			`/v1/videos/captions/templates/${segment(templateId)}`,
			doing,
			undefined,
			options,
		),
		doing,
	);
}

/** Reads one text overlay job. Throws `NodeApiError`, 404 for an ID that does not exist. */
export async function getTextOverlay(
	ctx: MirageContext,
	overlayId: string,
	options?: ReadOptions,
): Promise<TextOverlay> {
	const doing = `read text overlay "${overlayId}"`;
	return withId<TextOverlay>(
		ctx,
		await getJson(ctx, `/v1/meta/text_overlays/${segment(overlayId)}`, doing, undefined, options),
		doing,
	);
}

/**
 * Asks where the file of a COMPLETE video lies: a signed address on another host, which must be fetched
 * without the key. Throws `NodeApiError`.
 */
export async function videoContentUrl(ctx: MirageContext, videoId: string): Promise<string> {
	const doing = `download video "${videoId}"`;
	const path = `/v1/videos/${segment(videoId)}/content`;
	const result = await readAs<string>(ctx, { path }, {}, async (answer) => {
		if (answer.status >= 400) return { failure: await failureOf(ctx, answer) };
		answer.body.destroy();
		const { location } = answer.headers;
		return answer.status >= 300 && location && URL.canParse(location)
			? { value: location }
			: { failure: { unreadable: 'The server did not say where the file is' } };
	});
	if ('failure' in result) throw apiError(ctx.getNode(), result.failure, { doing });
	return result.value;
}

/** What Create Video sends. */
export interface CreateVideoInput {
	image: CheckedFile;
	audio: CheckedFile;
	model: string;
}

/**
 * Starts a video from portrait and speech. Waits at the limiter for the rate limit. Throws `NodeApiError`;
 * when the job may exist although no answer came, the error says so and names what appeared since.
 */
export async function createVideo(
	ctx: MirageContext,
	limiter: RateLimiter,
	input: CreateVideoInput,
	knownIds: ReadonlySet<string>,
): Promise<Video> {
	return await startJob<Video>(ctx, limiter, {
		bucket: 'createVideo',
		doing: 'create the video',
		build: () => {
			const form = new FormData();
			form.append('image_reference', formPart(input.image, 'image_reference'));
			form.append('audio_reference', formPart(input.audio, 'audio_reference'));
			form.append('model', input.model);
			return { path: '/v1/videos', body: form, ...uploadLimits() };
		},
		candidates: async (sinceS) =>
			await videosSince(ctx, sinceS, knownIds, (video) => !isCaptioned(video)),
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
	knownIds: ReadonlySet<string>,
): Promise<Video> {
	return await startJob<Video>(ctx, limiter, {
		bucket: 'addCaptions',
		doing: 'add captions',
		build: () => {
			const form = new FormData();
			form.append('caption_template_id', input.templateId);
			if ('videoId' in input) form.append('video_id', input.videoId);
			else form.append('video', formPart(input.video, 'video'));
			return { path: '/v1/videos/captions', body: form, ...uploadLimits() };
		},
		candidates: async (sinceS) =>
			await videosSince(
				ctx,
				sinceS,
				knownIds,
				(video) =>
					video.caption_template_id === input.templateId &&
					(!('videoId' in input) || video.source_video_id === input.videoId),
			),
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
	const doing = 'generate speech';
	return await pass(
		ctx,
		limiter,
		'generateSpeech',
		doing,
		() => ({
			path: `/v1/audio/text-to-speech/${segment(input.voiceId)}`,
			body: { text: input.text, model: input.model },
			idleMs: LIMITS.speechIdleMs,
			totalMs: LIMITS.speechTotalMs,
		}),
		async (_, sentAt) => ({ doing, mayHaveStartedAt: sentAt, note: LOST_SPEECH }),
	);
}

/** Reads JSON with a GET, and throws the error for everything else. */
async function getJson(
	ctx: MirageContext,
	path: string,
	doing: string,
	qs?: IDataObject,
	options: ReadOptions = {},
): Promise<unknown> {
	const result = await readAs<unknown>(ctx, { path, qs }, options, async (answer) => {
		if (answer.status < 200 || answer.status >= 300)
			return { failure: await failureOf(ctx, answer) };
		const body = await jsonOf(ctx, answer);
		return 'failure' in body ? body : { value: body.json };
	});
	if ('failure' in result) throw apiError(ctx.getNode(), result.failure, { doing });
	return result.value;
}

async function videosSince(
	ctx: MirageContext,
	sinceS: number,
	knownIds: ReadonlySet<string>,
	matches: (video: Video) => boolean,
): Promise<string[]> {
	const videos = await listVideos(ctx, {}, { tries: 2, patienceMs: 10_000 });
	return videos
		.filter((video) => video.created_at >= sinceS && !knownIds.has(video.id) && matches(video))
		.map(({ id }) => id);
}
