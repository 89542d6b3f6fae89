import type { IExecuteFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import type { CheckedFile } from '../api/uploadFile';
import { KINDS, SNIFF_BYTES } from '../media/formats';
import { cancelSignal, throwIfCancelled } from '../n8n/cancellation';
import { requiredText } from '../n8n/parameters';
import type { PublicAnswer } from '../transport/fetchPublic';
import { getPublic, lengthOf } from '../transport/fetchPublic';
import { guard, readStart } from '../transport/responseBody';
import { LIMITS } from '../transport/timeouts';
import { fileFromBinary } from './binaryField';
import type { FileRule } from './checkFile';
import { checkStart, inputError, megabytes } from './checkFile';
import { stored } from './store';

/**
 * Checks the file behind a URL by its first bytes. It is fetched without the API key. When the server
 * tells the length the file is streamed from there at upload; otherwise it goes through n8n's binary
 * store first. Errors as in {@link fileFromItem}.
 */
export async function fileFromUrl(
	ctx: IExecuteFunctions,
	itemIndex: number,
	parameter: string,
	rule: FileRule,
): Promise<CheckedFile> {
	const url = requiredText(ctx, parameter, `${rule.label} URL`, itemIndex);
	const say = (problem: string, advice: string) =>
		inputError(ctx, itemIndex, rule, problem, advice);
	if (!/^https?:$/.test(protocolOf(url)))
		throw say(
			'the URL is not a web address',
			'Enter an address that starts with https:// or http://.',
		);
	const startBytes = rule.startBytes ?? SNIFF_BYTES;
	const peek = await get(ctx, url, say, { range: `bytes=0-${startBytes - 1}` });
	let start: Buffer;
	try {
		start = await readStart(peek.body, startBytes, {
			idleMs: LIMITS.fileIdleMs,
			signal: cancelSignal(ctx),
		});
	} catch {
		throwIfCancelled(ctx);
		throw say(
			'the file behind the URL broke off',
			'Check that the address opens the file in a browser.',
		);
	}
	const size = lengthOf(peek);
	const kind = checkStart(ctx, itemIndex, start, size, rule);
	if (size === undefined) {
		const whole = await get(ctx, url, say);
		const binary = await stored(
			ctx,
			whole.body,
			{ fileName: `file.${KINDS[kind].extension}`, mimeType: KINDS[kind].mimeType },
			{ maxBytes: rule.maxBytes },
		);
		if ('problem' in binary)
			throw say(
				binary.problem === 'too large' && rule.maxBytes
					? `the file behind the URL is larger than ${megabytes(rule.maxBytes)}`
					: 'the file behind the URL broke off',
				`Use ${rule.wanted}.`,
			);
		const file = await fileFromBinary(ctx, itemIndex, binary.binary, rule);
		// The store gives a new ID every time; the item is known again by its address.
		return { ...file, fingerprint: `${url}:${binary.bytes}` };
	}
	return {
		kind,
		size,
		start,
		open: () => chunksFromUrl(ctx, url, size, say),
		fingerprint: `${url}:${size}`,
	};
}

type Say = (problem: string, advice: string) => NodeOperationError;

async function* chunksFromUrl(
	ctx: IExecuteFunctions,
	url: string,
	size: number,
	say: Say,
): AsyncIterable<Uint8Array> {
	const { body } = await get(ctx, url, say);
	const unwatch = guard(body, {
		idleMs: LIMITS.fileIdleMs,
		totalMs: LIMITS.fileTotalMs,
		signal: cancelSignal(ctx),
	});
	let bytes = 0;
	try {
		for await (const chunk of body) {
			const piece = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer);
			bytes += piece.length;
			if (bytes > size) break;
			yield piece;
		}
	} catch {
		throwIfCancelled(ctx);
		throw say(
			'the file behind the URL broke off while it was sent',
			'Nothing was started. Run the node again. If that does not help, fetch the file with an HTTP Request node and use its binary field.',
		);
	} finally {
		unwatch();
		body.destroy();
	}
	if (bytes !== size)
		throw say(
			'the file behind the URL changed while it was sent',
			'Nothing was started. Run the node again. If that does not help, fetch the file with an HTTP Request node and use its binary field.',
		);
}

/** Fetches a URL of the user's. Throws the given error for everything but a success. */
async function get(
	ctx: IExecuteFunctions,
	url: string,
	say: Say,
	headers: Record<string, string> = {},
): Promise<PublicAnswer> {
	const answer = await getPublic(ctx, url, headers);
	if (!answer)
		throw say(
			'the URL could not be reached',
			'Check the address. n8n itself must be able to open it, without a login.',
		);
	if (answer.status === 200 || answer.status === 206) return answer;
	answer.body.destroy();
	if (answer.status >= 300 && answer.status < 400)
		throw say(
			'the URL redirects and leads to no file',
			'Check that the address opens the file itself, without a login.',
		);
	if (answer.status === 416) throw say('the file behind the URL is empty', 'Check the address.');
	throw say(
		`the URL answered with status ${answer.status}`,
		'Check that the address opens the file itself, without a login.',
	);
}

function protocolOf(url: string): string {
	try {
		return new URL(url).protocol;
	} catch {
		return '';
	}
}
