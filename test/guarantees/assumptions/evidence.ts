import { randomUUID } from 'node:crypto';

/** Patience with one answer, in ms. */
const TIMEOUT_MS = 30_000;

/** The service and the key that is checked. */
export interface Service {
	/** Without a slash at its end. */
	baseUrl: string;
	apiKey: string;
}

export interface Reply {
	status: number;
	headers: Headers;
	/** The body as JSON; undefined for anything else. */
	json: unknown;
	/** The first bytes of a file. */
	start: Buffer;
}

export interface Video {
	id?: unknown;
	video_id?: unknown;
	status?: unknown;
	created_at?: unknown;
	completed_at?: unknown;
	caption_template_id?: unknown;
}

/** Everything that was asked; what the account has no example for is absent. */
export interface Evidence {
	/** When the first answer was there, in ms since 1970 by the own clock. */
	at: number;
	/** Of the service, with its port. */
	host: string;
	list: Reply;
	/** The newest 100 videos of the account. */
	videos: Video[];
	oldestFirst: Reply;
	noKey: Reply;
	wrongKey: Reply;
	/** `limit=0`. */
	noLimit: Reply;
	/** `limit=101`. */
	overLimit: Reply;
	unknownCursor: Reply;
	unknownVideo: Reply;
	unknownTemplate: Reply;
	unknownOverlay: Reply;
	templates: Reply;
	/** POST requests that lack what they need. */
	incomplete: Reply[];
	/** The page after the newest video. */
	afterFirst?: Reply;
	/** The page after the last video of a page that was not full. */
	afterLast?: Reply;
	/** Where the file of a finished video is. */
	content?: Reply;
	/** What is there, asked for without the key. */
	file?: Reply;
	/** The file of a video that still renders. */
	unfinished?: Reply;
}

/** A form without the file that its operation is about: no service can start anything with it. */
const INCOMPLETE_FORMS = {
	'/v1/videos': { model: 'mirage-video-1-latest' },
	'/v1/videos/captions': { caption_template_id: 'ctpl_unknown' },
	'/v1/meta/text_overlays': { texts: 'Hello' },
};

export const idOf = (video: Video) => video.id ?? video.video_id;

/** The entries of a bare array, or of `{data}`. */
export function entriesOf({ json }: Reply): Video[] {
	const list = Array.isArray(json) ? json : (json as { data?: unknown } | undefined)?.data;
	return Array.isArray(list) ? (list as Video[]) : [];
}

/**
 * Asks a service only what costs nothing, one request after the other. Of POST requests, it sends only
 * those without a file or a text.
 *
 * @throws Error when the service cannot be reached or refuses the key
 */
export async function gatherEvidence(service: Service): Promise<Evidence> {
	const get = async (path: string, key: string | undefined = service.apiKey) =>
		await request(`${service.baseUrl}${path}`, key === '' ? {} : { 'x-api-key': key });
	const unknown = (kind: string) => `${kind}_${randomUUID()}`;

	const list = await get('/v1/videos?limit=100');
	const at = Date.now();
	if (list.status !== 200)
		throw new Error(`The service answers ${list.status} to this key. Nothing can be decided.`);
	const videos = entriesOf(list);
	const path = (video: Video | undefined) =>
		video && `/v1/videos/${encodeURIComponent(String(idOf(video)))}/content`;
	const complete = path(videos.find(({ status }) => status === 'COMPLETE'));
	const rendering = path(videos.find(({ status }) => status === 'PROCESSING'));
	const pageAfter = async (video: Video) =>
		await get(`/v1/videos?limit=100&after=${encodeURIComponent(String(idOf(video)))}`);
	const content = complete ? await get(complete) : undefined;
	const location = content?.headers.get('location');

	return {
		at,
		host: new URL(service.baseUrl).host,
		list,
		videos,
		oldestFirst: await get('/v1/videos?limit=100&order=asc'),
		noKey: await get('/v1/videos?limit=1', ''),
		wrongKey: await get('/v1/videos?limit=1', 'mira_a_key_that_nobody_has'),
		noLimit: await get('/v1/videos?limit=0'),
		overLimit: await get('/v1/videos?limit=101'),
		unknownCursor: await get(`/v1/videos?after=${unknown('video')}`),
		unknownVideo: await get(`/v1/videos/${unknown('video')}`),
		unknownTemplate: await get(`/v1/videos/captions/templates/${unknown('ctpl')}`),
		unknownOverlay: await get(`/v1/meta/text_overlays/${randomUUID()}`),
		templates: await get('/v1/videos/captions/templates'),
		incomplete: await postIncomplete(service),
		afterFirst: videos[0] && (await pageAfter(videos[0])),
		afterLast:
			videos.length > 0 && videos.length < 100 ? await pageAfter(videos.at(-1)!) : undefined,
		content,
		// Another host: it gets no key, and only the beginning of the file is asked for.
		file:
			location && URL.canParse(location)
				? await request(location, { range: 'bytes=0-63' })
				: undefined,
		unfinished: rendering ? await get(rendering) : undefined,
	};
}

async function postIncomplete({ baseUrl, apiKey }: Service): Promise<Reply[]> {
	const replies: Reply[] = [];
	for (const [path, fields] of Object.entries(INCOMPLETE_FORMS)) {
		const body = new FormData();
		for (const [name, value] of Object.entries(fields)) body.append(name, value);
		replies.push(await request(`${baseUrl}${path}`, { 'x-api-key': apiKey }, body));
	}
	const speech = `${baseUrl}/v1/audio/text-to-speech/voice_unknown`;
	const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' };
	return [...replies, await request(speech, headers, '{}')];
}

/** Sends one request, a POST if there is a body, and follows no redirect. */
async function request(
	url: string,
	headers: Record<string, string>,
	body?: FormData | string,
): Promise<Reply> {
	const response = await fetch(url, {
		method: body === undefined ? 'GET' : 'POST',
		headers,
		body,
		redirect: 'manual',
		signal: AbortSignal.timeout(TIMEOUT_MS),
	});
	const { status } = response;
	const isJson = response.headers.get('content-type')?.startsWith('application/json');
	if (isJson) {
		const json = (await response.json().catch(() => undefined)) as unknown;
		return { status, headers: response.headers, json, start: Buffer.alloc(0) };
	}
	const reader = response.body?.getReader();
	const first = (await reader?.read())?.value ?? Buffer.alloc(0);
	await reader?.cancel();
	return { status, headers: response.headers, json: undefined, start: Buffer.from(first) };
}
