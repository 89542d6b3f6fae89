import { createHmac, randomBytes } from 'node:crypto';

import { type Answer, redirectAnswer, textAnswer } from './answers';
import { renderedFile, type ServedFile } from './media';
import { type Common, type Exchange, type RunningServer, startServer } from './server';
import type { JobKind } from './types';

export interface ContentServer extends RunningServer {
	/** A URL for a rendered file that is valid for `lifetimeMs` by the clock. */
	signedUrl(path: string, lifetimeMs?: number): string;
	/** Where a redirect that never ends begins. */
	loopUrl: string;
}

export interface ContentOptions {
	port: number;
	signedUrlMs: number;
	contentBytes: number | undefined;
	/** Whether a rendered file (still) exists. */
	exists: (kind: JobKind, id: string) => boolean;
}

const FILE_PATH = /^\/(generated|captioned|overlay)\/([^/]+?)(?:\/\d+)?\.mp4$/;

/** Starts the second origin, which serves rendered files to anyone who has a signed URL. */
export async function startContentServer(
	common: Common,
	{ port, signedUrlMs, contentBytes, exists }: ContentOptions,
): Promise<ContentServer> {
	const secret = randomBytes(32);
	const sign = (path: string, expires: string) =>
		createHmac('sha256', secret).update(`${path}\n${expires}`).digest('hex');
	const files: Record<JobKind, ServedFile> = {
		generated: renderedFile('generated', contentBytes),
		captioned: renderedFile('captioned', contentBytes),
		overlay: renderedFile('overlay', contentBytes),
	};

	const handle = ({ entry, pathname, query, fault }: Exchange): Answer => {
		const hop = /^\/loop\/(\d+)$/.exec(pathname);
		if (hop || fault?.kind === 'redirectLoop') {
			return redirectAnswer(`${server.url}/loop/${Number(hop?.[1] ?? 0) + 1}`);
		}
		if (entry.method !== 'GET' && entry.method !== 'HEAD') {
			return storageError(405, 'MethodNotAllowed', 'The method is not allowed.');
		}
		const range = entry.headers.range as string | undefined;
		if (/^\/previews\/[^/]+\.mp4$/.test(pathname)) return fileAnswer(files.captioned, range);
		const expires = query.get('expires') ?? '';
		if (query.get('signature') !== sign(pathname, expires)) {
			return storageError(403, 'SignatureDoesNotMatch', 'The signature does not match.');
		}
		if (common.now() >= Number(expires) || fault?.kind === 'expired') {
			return storageError(403, 'AccessDenied', 'Request has expired');
		}
		const [, kind, id] = FILE_PATH.exec(pathname) ?? [];
		if (!id || !exists(kind as JobKind, id)) {
			return storageError(404, 'NoSuchKey', 'The file does not exist.');
		}
		return fileAnswer(files[kind as JobKind], range);
	};

	const server = await startServer('content', port, common, () => 'content', handle);
	return {
		...server,
		loopUrl: `${server.url}/loop/1`,
		signedUrl(path, lifetimeMs = signedUrlMs) {
			const expires = String(Math.floor(common.now() + lifetimeMs));
			return `${server.url}${path}?expires=${expires}&signature=${sign(path, expires)}`;
		},
	};
}

/** The whole file, or the one range that was asked for; several ranges at once get the whole. */
function fileAnswer(file: ServedFile, range: string | undefined): Answer {
	const headers = {
		'content-type': 'video/mp4',
		'accept-ranges': 'bytes',
		etag: `"${file.bytes.toString(16)}"`,
	};
	const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? [];
	if (!from && !to) {
		const stream = () => file.stream(0, file.bytes - 1);
		return { status: 200, headers, bytes: file.bytes, stream };
	}
	const start = from ? Number(from) : Math.max(0, file.bytes - Number(to));
	const end = from && to ? Math.min(Number(to), file.bytes - 1) : file.bytes - 1;
	if (start > end) {
		const contentRange = { 'content-range': `bytes */${file.bytes}` };
		return textAnswer(416, 'text/plain', 'Range not satisfiable', contentRange);
	}
	return {
		status: 206,
		headers: { ...headers, 'content-range': `bytes ${start}-${end}/${file.bytes}` },
		bytes: end - start + 1,
		stream: () => file.stream(start, end),
	};
}

/** Object stores answer errors in XML. */
function storageError(status: number, code: string, message: string): Answer {
	const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
	return textAnswer(status, 'application/xml', xml);
}
