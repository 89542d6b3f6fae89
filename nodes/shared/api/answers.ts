import { NodeApiError } from 'n8n-workflow';

import type { MirageContext } from '../n8n/cancellation';
import { apiError } from '../transport/errors';

/** An object of the API with `id` set, taken from the older name `video_id` where `id` is missing. */
export function withId<T extends { id: string }>(
	ctx: MirageContext,
	value: unknown,
	doing: string,
): T {
	const object = idOf(value);
	if (!object) throw unreadable(ctx, doing, 'The answer holds no ID');
	return object as T;
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
