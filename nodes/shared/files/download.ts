import type { IBinaryData, IExecuteFunctions, IPollFunctions } from 'n8n-workflow';

import { videoContentUrl } from '../api/endpoints';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import { backoffMs } from '../async/backoff';
import { systemClock } from '../async/clock';
import { apiError } from '../transport/errors';
import type { ApiFailure } from '../transport/failures';
import { followBoxes } from '../media/completeness';
import { kindOf, KINDS } from '../media/formats';
import type { StoreProblem } from './store';
import { storeBody } from './store';
import { getPublic } from '../transport/fetchPublic';
import { LIMITS } from '../transport/timeouts';

type DownloadContext = IExecuteFunctions | IPollFunctions;

/**
 * Times that a file is fetched before the node gives up. Reading is free, and each try asks for a new
 * address, so that statuses which else would stay (403 and 404 of one that expired) are worth a try as well.
 */
const TRIES = 4;
/** What went wrong with one try. */
type FailedTry = Extract<ApiFailure, { kind: 'http' | 'unreadable' }>;

/**
 * Streams the file of a COMPLETE video into n8n's binary store. The signed address is asked for with
 * the key and fetched without it. A file that breaks off, is cut short or whose address has expired is
 * asked for anew and fetched again. Throws `NodeApiError` when that does not help.
 */
export async function downloadVideo(ctx: DownloadContext, videoId: string): Promise<IBinaryData> {
	return await fetchFile(ctx, {
		doing: `download video "${videoId}"`,
		fileName: `${videoId.replace(/[^\w.-]/g, '_')}.mp4`,
		url: async () => await videoContentUrl(ctx, videoId),
	});
}

/**
 * Streams a rendered file into n8n's binary store, from an address that the API handed out. The key is
 * not sent. Repeats and throws like {@link downloadVideo}; `url` is called for every try, so that an
 * address that has expired can be read anew.
 */
export async function downloadRendered(
	ctx: DownloadContext,
	url: () => Promise<string>,
	fileName: string,
): Promise<IBinaryData> {
	return await fetchFile(ctx, {
		doing: `download "${fileName}"`,
		fileName,
		url,
	});
}

async function fetchFile(
	ctx: DownloadContext,
	source: { doing: string; fileName: string; url: () => Promise<string> },
): Promise<IBinaryData> {
	for (let used = 1; ; used++) {
		const result = await fetchOnce(ctx, await source.url(), source.fileName);
		if ('binary' in result) return result.binary;
		if (used >= TRIES)
			throw apiError(ctx.getNode(), result, {
				doing: source.doing,
				note: `Tried ${TRIES} times. The video is still at Mirage: it can be fetched again later, and nothing is billed for that.`,
			});
		const pauseMs = backoffMs(used, { firstMs: LIMITS.firstPauseMs });
		await systemClock.sleep(pauseMs, cancelSignal(ctx));
		throwIfCancelled(ctx);
	}
}

async function fetchOnce(
	ctx: DownloadContext,
	url: string,
	fileName: string,
): Promise<{ binary: IBinaryData } | FailedTry> {
	const answer = await getPublic(ctx, url);
	// A redirect that leads nowhere is not the API's answer, which the words of a status would tell of.
	if (!answer || (answer.status >= 300 && answer.status < 400)) {
		answer?.body.destroy();
		return { kind: 'unreadable', reason: 'The file server could not be reached' };
	}
	if (answer.status !== 200) {
		answer.body.destroy();
		return { kind: 'http', status: answer.status };
	}
	const name = { fileName, mimeType: KINDS.mp4.mimeType };
	const result = await storeBody(ctx, answer.body, name, {
		follow: (start) => (/^(mp4|mov)$/.test(kindOf(start) ?? '') ? followBoxes() : undefined),
	});
	if ('problem' in result) return { kind: 'unreadable', reason: PROBLEM_WORDS[result.problem] };
	return result.isCutOff ? { kind: 'unreadable', reason: 'The file was cut short' } : result;
}

const PROBLEM_WORDS: Record<StoreProblem, string> = {
	'broke off': 'The file broke off',
	'too large': 'The file is too large',
	'wrong content': 'The address holds something other than a video',
};
