import type { IDataObject } from 'n8n-workflow';

import type { MirageContext } from '../n8n/cancellation';
import { apiError } from '../transport/errors';
import { httpFailure, readJson } from '../transport/readJson';
import type { ReadOptions } from '../transport/retry';
import { read } from '../transport/retry';
import type { Parse } from './answers';
import { NO_ID, unreadableError } from './answers';

/** Reads one object with a GET, and throws the error for everything else. */
export async function getObject<T>(
	ctx: MirageContext,
	path: string,
	parse: Parse<T>,
	doing: string,
	options?: ReadOptions,
): Promise<T> {
	const { json } = await getJson(ctx, path, doing, options);
	const object = parse(json);
	if (!object) throw unreadableError(ctx, doing, NO_ID);
	return object;
}

/** The objects of a list. Throws `NodeApiError` when it is no list, or holds one without an ID. */
export function listOf<T>(ctx: MirageContext, json: unknown, parse: Parse<T>, doing: string): T[] {
	if (!Array.isArray(json)) throw unreadableError(ctx, doing, 'The answer is not a list');
	return json.map((entry) => {
		const object = parse(entry);
		if (!object) throw unreadableError(ctx, doing, NO_ID);
		return object;
	});
}

/** JSON of the API, and the server's own time of it (its `Date` header), in ms since 1970. */
interface Served {
	json: unknown;
	servedAt?: number;
}

/** Reads JSON with a GET, and throws the error for everything else. */
export async function getJson(
	ctx: MirageContext,
	path: string,
	doing: string,
	options: ReadOptions = {},
	qs?: IDataObject,
): Promise<Served> {
	const result = await read<Served>(ctx, { path, qs }, options, async (answer) => {
		if (answer.status >= 300) return { failure: await httpFailure(answer) };
		const body = await readJson(answer);
		if ('failure' in body) return body;
		const servedAt = Date.parse(answer.headers.date ?? '');
		if (servedAt > 0) options.onServerTime?.(servedAt);
		return { value: { json: body.value, ...(servedAt > 0 ? { servedAt } : {}) } };
	});
	if ('failure' in result) throw apiError(ctx.getNode(), result.failure, { doing });
	return result.value;
}
