import { setTimeout as sleep } from 'node:timers/promises';

import { type Answer, jsonAnswer, redirectAnswer } from './answers';
import { captionTemplates } from './captionTemplates';
import type { ContentServer } from './contentServer';
import { Invalid, Refused } from './invalid';
import { newOverlayId, type Overlays } from './overlays';
import type { RateLimits } from './rateLimits';
import {
	checkAddCaptions,
	checkCreateVideo,
	checkLimit,
	checkOrder,
	checkOverlay,
	checkSpeech,
} from './requestChecks';
import { type Common, type Exchange, type RunningServer, startServer } from './server';
import { speech } from './speech';
import type { JobKind, Outcome, RateLimitedFeature } from './types';
import { newVideoId, type Videos } from './videos';

/** What the operations work on. */
export interface Account {
	/** Models that videos can be made with. */
	models: string[];
	apiKey: string;
	videos: Videos;
	overlays: Overlays;
	limits: RateLimits;
	retryAfter: boolean;
	templates: number;
	speechMs: number;
	content: ContentServer;
	/** How long the next job takes (milliseconds) and how it ends. */
	nextJob: (id: string, kind: JobKind) => { renderMs: number; outcome: Outcome | undefined };
}

interface Operation {
	method: string;
	path: string;
	limit?: RateLimitedFeature;
	/** `id` is the last segment in braces of the path, decoded. */
	answer: (exchange: Exchange, id: string) => Answer | Promise<Answer>;
}

/** Starts the API: the ten operations of the provider's OpenAPI document. */
export async function startApiServer(
	common: Common,
	port: number,
	account: Account,
): Promise<RunningServer> {
	const operations = operationsOf(account).map((operation) => ({
		...operation,
		route: `${operation.method} ${operation.path}`,
		pattern: new RegExp(`^${operation.path.replace(/\{\w+\}/, '([^/]+)')}$`),
	}));
	const find = (method: string, pathname: string) =>
		operations.find((each) => each.method === method && each.pattern.test(pathname));

	const handle = ({ entry, pathname, ...rest }: Exchange): Answer | Promise<Answer> => {
		const operation = find(entry.method, pathname);
		if (!operation) {
			const known = operations.some((each) => each.pattern.test(pathname));
			throw known ? new Refused(405, 'Method Not Allowed') : new Refused(404, 'Not Found');
		}
		if (entry.headers['x-api-key'] !== account.apiKey) throw new Refused(401, 'Invalid API key');
		const waitMs = operation.limit ? account.limits.take(operation.limit) : 0;
		if (waitMs > 0) return rateLimited(waitMs, account.retryAfter);
		const id = operation.pattern.exec(pathname)?.[1] ?? '';
		return operation.answer({ entry, pathname, ...rest }, id);
	};
	const routeOf = (method: string, pathname: string) => find(method, pathname)?.route ?? 'unknown';
	return startServer('api', port, common, routeOf, handle);
}

/** In the order of matching: fixed paths before those with an id. */
function operationsOf(account: Account): Operation[] {
	const { videos, overlays, content } = account;
	const templates = captionTemplates(account.templates, content.url);

	return [
		{
			method: 'POST',
			path: '/v1/videos',
			limit: 'createVideo',
			answer({ form, entry }) {
				const { model } = checkCreateVideo(form, account.models);
				const id = (entry.accepted = newVideoId());
				const job = {
					kind: 'generated' as const,
					requestId: entry.id,
					...account.nextJob(id, 'generated'),
					model,
					sourceVideoId: null,
					captionTemplateId: null,
				};
				return jsonAnswer(200, videos.start(id, job));
			},
		},
		{
			method: 'GET',
			path: '/v1/videos',
			answer({ query }) {
				const invalid = new Invalid();
				const limit = checkLimit(query, invalid);
				const order = checkOrder(query, invalid);
				invalid.throwIfAny();
				const page = videos.page(order, limit, query.get('after') ?? undefined);
				if (!page) throw new Refused(404, 'Video not found');
				return jsonAnswer(200, page);
			},
		},
		{
			method: 'POST',
			path: '/v1/videos/captions',
			limit: 'submitCaptions',
			answer({ form, entry }) {
				const { templateId, videoId } = checkAddCaptions(form);
				if (!templates.some((template) => template.id === templateId)) {
					throw new Refused(404, 'Caption template not found');
				}
				const source = videoId === undefined ? undefined : videos.get(videoId);
				if (videoId !== undefined && !source) throw new Refused(404, 'Video not found');
				if (source && source.status !== 'COMPLETE') {
					const invalid = new Invalid();
					invalid.add(['body', 'video_id'], 'Source video must have status COMPLETE');
					invalid.throwIfAny();
				}
				const id = (entry.accepted = newVideoId());
				const job = {
					kind: 'captioned' as const,
					requestId: entry.id,
					...account.nextJob(id, 'captioned'),
					model: null,
					sourceVideoId: videoId ?? null,
					captionTemplateId: templateId,
				};
				return jsonAnswer(200, videos.start(id, job));
			},
		},
		{
			method: 'GET',
			path: '/v1/videos/captions/templates',
			answer({ query }) {
				const invalid = new Invalid();
				const limit = checkLimit(query, invalid);
				invalid.throwIfAny();
				const after = query.get('after');
				const cursor = templates.findIndex((template) => template.id === after);
				if (after !== null && cursor < 0) throw new Refused(404, 'Caption template not found');
				const data = templates.slice(cursor + 1, cursor + 1 + limit);
				const has_more = cursor + 1 + limit < templates.length;
				return jsonAnswer(200, { data, object: 'list', has_more });
			},
		},
		{
			method: 'GET',
			path: '/v1/videos/captions/templates/{template_id}',
			answer(_, id) {
				const template = templates.find((each) => each.id === id);
				if (!template) throw new Refused(404, 'Caption template not found');
				return jsonAnswer(200, template);
			},
		},
		{
			method: 'GET',
			path: '/v1/videos/{video_id}/content',
			answer({ fault }, id) {
				const video = videos.get(id);
				if (!video) throw new Refused(404, 'Video not found');
				if (video.status !== 'COMPLETE') throw new Refused(409, 'Video is not complete');
				if (fault?.kind === 'redirectLoop') return redirectAnswer(content.loopUrl);
				const lifetimeMs = fault?.kind === 'expired' ? -1 : undefined;
				const path = `/${videos.kind(id)}/${encodeURIComponent(id)}.mp4`;
				return redirectAnswer(content.signedUrl(path, lifetimeMs));
			},
		},
		{
			method: 'GET',
			path: '/v1/videos/{video_id}',
			limit: 'readStatus',
			answer(_, id) {
				const video = videos.get(id);
				if (!video) throw new Refused(404, 'Video not found');
				return jsonAnswer(200, video);
			},
		},
		{
			method: 'POST',
			path: '/v1/audio/text-to-speech/{voice_id}',
			async answer({ json, entry, signal }, voiceId) {
				const { text } = checkSpeech(json);
				// The API lists no voices, so any id is taken but those made to test a wrong one.
				if (/^unknown/i.test(voiceId)) throw new Refused(404, 'Voice not found');
				entry.accepted = `speech_${entry.id}`;
				await sleep(account.speechMs, undefined, { signal });
				return { status: 200, headers: { 'content-type': 'audio/wav' }, ...speech(text) };
			},
		},
		{
			method: 'POST',
			path: '/v1/meta/text_overlays',
			limit: 'submitOverlay',
			answer({ form, entry }) {
				const { texts } = checkOverlay(form);
				const id = (entry.accepted = newOverlayId());
				const job = { requestId: entry.id, texts, ...account.nextJob(id, 'overlay') };
				return jsonAnswer(200, overlays.start(id, job));
			},
		},
		{
			method: 'GET',
			path: '/v1/meta/text_overlays/{text_overlay_id}',
			limit: 'readOverlay',
			answer(_, id) {
				const overlay = overlays.get(id);
				if (!overlay) throw new Refused(404, 'Text overlay not found');
				return jsonAnswer(200, overlay);
			},
		},
	];
}

/** The documented body of a 429; `Retry-After` in whole seconds only when asked for. */
function rateLimited(waitMs: number, retryAfter: boolean): Answer {
	const error = { type: 'rate_limit_exceeded', message: 'Rate limit exceeded.' };
	const headers: Record<string, string> = {};
	if (retryAfter) headers['retry-after'] = String(Math.ceil(waitMs / 1000));
	return jsonAnswer(429, { error }, headers);
}
