import { startApiServer } from './apiServer';
import { type ContentServer, startContentServer } from './contentServer';
import { Faults } from './faults';
import { Overlays } from './overlays';
import { RateLimits } from './rateLimits';
import { VIDEO_MODELS } from './requestChecks';
import type { Common } from './server';
import type { Emulator, EmulatorOptions, JobKind, LoggedRequest, Outcome } from './types';
import { Videos } from './videos';

export { MEDIA, MEDIA_FOLDER } from './media';
export { REQUESTS_PER_MINUTE } from './rateLimits';
export { CAPTIONS_MAX_BYTES, CAPTIONS_MAX_SECONDS, OVERLAY_MAX_TEXTS } from './requestChecks';
export { MS_PER_CHARACTER, SAMPLE_RATE } from './speech';
export type * from './types';

export const DEFAULT_API_KEY = 'mira_test_key';

/**
 * Starts a local Mirage API and the second origin that serves rendered files, both on 127.0.0.1.
 * Throws RangeError for options out of range and Node's own error for a port in use.
 */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
	const now = options.now ?? Date.now;
	const apiKey = options.apiKey ?? DEFAULT_API_KEY;
	const requests: LoggedRequest[] = [];
	const faults = new Faults();
	const outcomes: Outcome[] = [];
	let requestCount = 0;
	let jobCount = 0;

	const common: Common = {
		now,
		requests,
		faults,
		hashFiles: options.hashFiles ?? true,
		onRequest: options.onRequest,
		closing: new AbortController(),
		nextRequestId: () => ++requestCount,
	};
	const limits = new RateLimits(now, options.rateLimits ?? 'off');
	const videos = new Videos(now);
	const overlays: Overlays = new Overlays(now, (id, index) =>
		content.signedUrl(`/overlay/${id}/${index}.mp4`),
	);
	const content: ContentServer = await startContentServer(common, {
		port: options.contentPort ?? 0,
		signedUrlMs: options.signedUrlMs ?? 60_000,
		contentBytes: options.contentBytes,
		exists: (kind, id) => (kind === 'overlay' ? overlays.get(id) : videos.get(id)) !== undefined,
	});
	const nextJob = (id: string, kind: JobKind) => {
		const index = jobCount++;
		const { renderMs = 1000 } = options;
		return {
			renderMs: typeof renderMs === 'number' ? renderMs : renderMs({ id, index, kind }),
			outcome: outcomes.shift(),
		};
	};
	const api = await startApiServer(common, options.port ?? 0, {
		apiKey,
		videos,
		overlays,
		limits,
		retryAfter: options.retryAfter ?? false,
		models: options.models ?? VIDEO_MODELS,
		templates: options.templates ?? 12,
		speechMs: options.speechMs ?? 0,
		content,
		nextJob,
	}).catch(async (error: unknown) => {
		await content.close();
		throw error;
	});

	return {
		url: api.url,
		contentUrl: content.url,
		apiKey,
		requests,
		videos: () => videos.accepted(),
		overlays: () => overlays.accepted(),
		fault: (rule) => faults.add(rule),
		clearFaults: () => faults.clear(),
		setOutcome(id, outcome) {
			if (!videos.setOutcome(id, outcome) && !overlays.setOutcome(id, outcome)) {
				throw new RangeError(`There is no job ${id}`);
			}
		},
		nextOutcome: (outcome) => void outcomes.push(outcome),
		seedVideos: (seeds) => videos.seed(seeds),
		deleteVideo: (id) => videos.delete(id),
		async close() {
			await Promise.all([api.close(), content.close()]);
		},
	};
}
