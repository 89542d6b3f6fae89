import { NodeApiError } from 'n8n-workflow';

import type { MirageContext } from '../n8n/cancellation';
import { apiError } from '../transport/errors';

/**
 * An object of the API with `id` set, taken from the older name `video_id` where `id` is missing, and its
 * times in Unix seconds. A time that cannot be read is left out.
 */
export function withId<T extends { id: string }>(
	ctx: MirageContext,
	value: unknown,
	doing: string,
): T {
	const object = idOf(value);
	if (!object) throw unreadable(ctx, doing, 'The answer holds no ID');
	const times: Record<string, unknown> = object;
	for (const name of ['created_at', 'completed_at'])
		if (times[name] !== undefined && times[name] !== null) times[name] = unixSeconds(times[name]);
	return object as T;
}

/**
 * A time of the API in whole Unix seconds: 1767225600, "1767225600" and "2026-01-01T00:00:00Z" are the
 * same. A date without a zone is UTC. `undefined` for anything else.
 */
export function unixSeconds(value: unknown): number | undefined {
	if (typeof value !== 'number' && (typeof value !== 'string' || value.trim() === ''))
		return undefined;
	const zone = /\dT[\d:.]+$/.test(String(value)) ? 'Z' : '';
	const ms = Number.isNaN(Number(value)) ? Date.parse(`${value}${zone}`) : Number(value) * 1_000;
	return Number.isFinite(ms) ? Math.floor(ms / 1_000) : undefined;
}

export function idOf(value: unknown): { id: string } | undefined {
	if (typeof value !== 'object' || value === null) return undefined;
	const { id, video_id: olderId } = value as Record<string, unknown>;
	const found = typeof id === 'string' && id !== '' ? id : olderId;
	return typeof found === 'string' && found !== '' ? { ...value, id: found } : undefined;
}

export function unreadable(ctx: MirageContext, doing: string, reason: string): NodeApiError {
	return apiError(ctx.getNode(), { unreadable: reason }, { doing });
}
