import type { IBinaryData, IExecuteFunctions, IPollFunctions } from 'n8n-workflow';

import { videoContentUrl } from '../api/endpoints';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import { systemClock } from '../async/clock';
import { apiError } from '../transport/errors';
import { followBoxes } from '../media/completeness';
import { kindOf, KINDS } from '../media/formats';
import type { StoreProblem } from './store';
import { stored } from './store';
import { getPublic, lengthOf } from '../transport/fetchPublic';
import { LIMITS } from '../transport/timeouts';

type DownloadContext = IExecuteFunctions | IPollFunctions;

/** Times that a file is fetched before the node gives up. Reading is free, so a few are worth it. */
const TRIES = 4;
/** What went wrong with one try. */
type Miss = { problem: StoreProblem } | { status: number } | { unreachable: true };

/**
 * Streams the file of a COMPLETE video into n8n's binary store. The signed address is asked for with
 * the key and fetched without it. A file that breaks off, is cut short or whose address has expired is
 * asked for anew and fetched again. Throws `NodeApiError` when that does not help.
 */
export async function downloadVideo(
	ctx: DownloadContext,
	videoId: string,
	fileName = `${videoId.replace(/[^\w.-]/g, '_')}.mp4`,
): Promise<IBinaryData> {
	return await fetchFile(ctx, {
		doing: `download video "${videoId}"`,
		fileName,
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
	url: string | (() => Promise<string>),
	fileName: string,
): Promise<IBinaryData> {
	return await fetchFile(ctx, {
		doing: `download "${fileName}"`,
		fileName,
		url: typeof url === 'string' ? async () => url : url,
	});
}

async function fetchFile(
	ctx: DownloadContext,
	source: { doing: string; fileName: string; url: () => Promise<string> },
): Promise<IBinaryData> {
	let pauseMs = LIMITS.firstPauseMs;
	for (let used = 1; ; used++) {
		const result = await fetchOnce(ctx, await source.url(), source.fileName);
		if ('binary' in result) return result.binary;
		if (used >= TRIES) throw missError(ctx, source.doing, result);
		await systemClock.sleep(pauseMs, cancelSignal(ctx));
		throwIfCancelled(ctx);
		pauseMs *= 2;
	}
}

async function fetchOnce(
	ctx: DownloadContext,
	url: string,
	fileName: string,
): Promise<{ binary: IBinaryData } | Miss> {
	const answer = await getPublic(ctx, url);
	if (!answer) return { unreachable: true };
	if (answer.status !== 200) {
		answer.body.destroy();
		// A redirect that leads nowhere is not the API's answer, which these words would tell of.
		if (answer.status >= 300 && answer.status < 400) return { unreachable: true };
		return { status: answer.status };
	}
	return await stored(
		ctx,
		answer.body,
		{ fileName, mimeType: KINDS.mp4.mimeType },
		{
			expectedBytes: lengthOf(answer),
			follow: (start) => {
				const kind = kindOf(start);
				return kind === 'mp4' || kind === 'mov' ? followBoxes() : undefined;
			},
		},
	);
}

const PROBLEM_WORDS: Record<StoreProblem, string> = {
	'broke off': 'The file broke off',
	truncated: 'The file was cut short',
	'too large': 'The file is too large',
	'wrong content': 'The address holds something else than a video',
};

function missError(ctx: DownloadContext, doing: string, miss: Miss) {
	const note = `Tried ${TRIES} times. The video is still at Mirage: it can be fetched again later, and nothing is billed for that.`;
	if ('status' in miss) return apiError(ctx.getNode(), { status: miss.status }, { doing, note });
	const unreadable =
		'problem' in miss ? PROBLEM_WORDS[miss.problem] : 'The file server could not be reached';
	return apiError(ctx.getNode(), { unreadable }, { doing, note });
}
