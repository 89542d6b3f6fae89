import { createReadStream } from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';

import FormData from 'form-data';
import { type Dispatcher, request } from 'undici';

import type { ApiCaptionTemplate, ApiTextOverlay, ApiVideo, Emulator } from './types';
import { MEDIA } from './media';

export interface Received<T = unknown> {
	status: number;
	headers: Record<string, string | string[] | undefined>;
	body: Buffer;
	/** The body as JSON; throws SyntaxError when it is not. */
	json: () => T;
}

export interface Part {
	content: Buffer | Readable | string;
	fileName?: string;
}

/** A client that knows nothing of the emulator but its address and key: `undici` and `form-data`. */
export class Client {
	constructor(private readonly emulator: Pick<Emulator, 'url' | 'apiKey'>) {}

	/** Any request; `target` is a path of the API or a full URL. Only the API's paths get the key. */
	async send<T = unknown>(
		method: Dispatcher.HttpMethod,
		target: string,
		options: { headers?: Record<string, string>; body?: Buffer | Readable | string } = {},
	): Promise<Received<T>> {
		const own = target.startsWith('/');
		const response = await request(own ? this.emulator.url + target : target, {
			method,
			body: options.body,
			headers: { ...(own && { 'x-api-key': this.emulator.apiKey }), ...options.headers },
		});
		const body = Buffer.from(await response.body.arrayBuffer());
		return {
			status: response.statusCode,
			headers: response.headers,
			body,
			json: () => JSON.parse(body.toString('utf8')) as T,
		};
	}

	get<T = unknown>(target: string, headers?: Record<string, string>): Promise<Received<T>> {
		return this.send<T>('GET', target, { headers });
	}

	/** A multipart POST; a name may come several times. */
	post<T = unknown>(path: string, parts: [name: string, part: Part | string][]) {
		const form = new FormData();
		for (const [name, part] of parts) {
			if (typeof part === 'string') form.append(name, part);
			else form.append(name, part.content, { filepath: part.fileName });
		}
		// form-data's own stream never closes, which undici waits for.
		const body = form.pipe(new PassThrough());
		return this.send<T>('POST', path, { headers: form.getHeaders(), body });
	}

	postJson<T = unknown>(path: string, value: unknown) {
		const headers = { 'content-type': 'application/json' };
		return this.send<T>('POST', path, { headers, body: JSON.stringify(value) });
	}

	createVideo(changes: Record<string, Part | string | undefined> = {}) {
		const parts = {
			image_reference: fixture('portraitJpeg'),
			audio_reference: fixture('voiceMp3'),
		};
		return this.post<ApiVideo>('/v1/videos', partsOf({ ...parts, ...changes }));
	}

	addCaptions(templateId: string, source: Record<string, Part | string | undefined>) {
		const parts = { caption_template_id: templateId, ...source };
		return this.post<ApiVideo>('/v1/videos/captions', partsOf(parts));
	}

	createOverlay(parts: [name: string, part: Part | string][]) {
		const all: [string, Part | string][] = [['video', fixture('generated')], ...parts];
		return this.post<ApiTextOverlay>('/v1/meta/text_overlays', all);
	}

	speak(text: string, voiceId = 'voice_1') {
		const path = `/v1/audio/text-to-speech/${voiceId}`;
		return this.postJson(path, { text, model: 'mirage-audio-1' });
	}

	async templates(): Promise<ApiCaptionTemplate[]> {
		const list = await this.get<{ data: ApiCaptionTemplate[] }>('/v1/videos/captions/templates');
		return list.json().data;
	}
}

export function fixture(name: keyof typeof MEDIA): Part {
	return { content: createReadStream(MEDIA[name]), fileName: MEDIA[name].split('/').pop() };
}

/** A file part with these bytes. */
export function file(content: Buffer | string, fileName = 'file.bin'): Part {
	return { content: Buffer.from(content), fileName };
}

/** A clock that stands still until it is moved. */
export function stoppedClock(startMs = 1_800_000_000_000) {
	let ms = startMs;
	return {
		now: () => ms,
		/** Moves on by so many milliseconds. */
		pass: (by: number) => void (ms += by),
	};
}

function partsOf(parts: Record<string, Part | string | undefined>): [string, Part | string][] {
	return Object.entries(parts).filter(
		(entry): entry is [string, Part | string] => entry[1] !== undefined,
	);
}
