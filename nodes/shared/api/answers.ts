import type { IDataObject } from 'n8n-workflow';

import type { MirageContext } from '../n8n/cancellation';
import { apiError } from '../transport/errors';
import type {
	CaptionTemplate,
	JobError,
	JobStatus,
	TextOverlay,
	TextOverlayResult,
	Video,
} from './objects';

/*
 * The edge: every answer is parsed once, here, into what the types of `objects.ts` promise. Fields that
 * no type names are kept as they came.
 */

/** What a status is called that the API left out: a word that is not final, so the job goes on. */
const NO_STATUS = 'UNKNOWN';

/** What is wrong with an answer that names no object. */
export const NO_ID = 'The answer holds no ID';

type Fields = Record<string, unknown>;

/** How an object of one kind is read; `undefined` for what holds no ID. */
export type Parse<T> = (value: unknown) => T | undefined;

/** Reads a video. */
export const parseVideo: Parse<Video> = (value) => {
	const fields = fieldsWithId(value);
	return fields && { ...fields, ...jobFields(fields), ...progressIn(fields) };
};

/** Reads a text overlay job. Results that are no objects are left out. */
export const parseTextOverlay: Parse<TextOverlay> = (value) => {
	const fields = fieldsWithId(value);
	if (!fields) return undefined;
	const results = Array.isArray(fields.results) ? fields.results.flatMap(resultOf) : [];
	return { ...fields, ...jobFields(fields), results };
};

/** Reads a caption template. One without a name is called by its ID. */
export const parseCaptionTemplate: Parse<CaptionTemplate> = (value) => {
	const fields = fieldsWithId(value);
	if (!fields) return undefined;
	const { id, name } = fields;
	return { ...fields, name: textOf(name) ?? id, ...createdIn(fields) };
};

/** The error for an answer that cannot be read. `reason` is a sentence without full stop. */
export function unreadableError(ctx: MirageContext, doing: string, reason: string) {
	return apiError(ctx.getNode(), { kind: 'unreadable', reason }, { doing });
}

/** An object with its ID, taken from the older name `video_id` where `id` is missing. */
function fieldsWithId(value: unknown): (Fields & IDataObject & { id: string }) | undefined {
	if (!isObject(value)) return undefined;
	const id = textOf(value.id) ?? textOf(value.video_id);
	return id === undefined ? undefined : { ...(value as IDataObject), id };
}

/** What all jobs have in common. */
function jobFields(fields: Fields) {
	return {
		status: statusOf(fields.status),
		...createdIn(fields),
		...('completed_at' in fields ? { completed_at: unixSeconds(fields.completed_at) ?? null } : {}),
		...('error' in fields ? { error: parseJobError(fields.error) } : {}),
	};
}

/** When the object was created. RULE: see `objects.ts`; a time that cannot be read is no time. */
function createdIn(fields: Fields) {
	return { created_at: unixSeconds(fields.created_at) as number };
}

function progressIn({ progress }: Fields): { progress?: number | null } {
	return progress === undefined ? {} : { progress: numberOf(progress) ?? null };
}

function resultOf(value: unknown, place: number): TextOverlayResult[] {
	if (!isObject(value)) return [];
	return [
		{
			...(value as IDataObject),
			index: numberOf(value.index) ?? place,
			text: textOf(value.text) ?? '',
			status: statusOf(value.status),
			video_url: textOf(value.video_url) ?? null,
			error: parseJobError(value.error),
		},
	];
}

function statusOf(value: unknown): JobStatus {
	return textOf(value) ?? NO_STATUS;
}

/** The error of a job: an object with both its texts, also where the API sends only a text. */
function parseJobError(value: unknown): JobError | null {
	if (!isObject(value)) {
		const message = textOf(value);
		return message === undefined ? null : { code: 'unknown', message };
	}
	const message = textOf(value.message) ?? textOf(value.detail) ?? JSON.stringify(value);
	return { ...(value as IDataObject), code: textOf(value.code) ?? 'unknown', message };
}

/**
 * A time of the API in whole Unix seconds: 1767225600, "1767225600", "2026-01-01T00:00:00Z" and, in
 * milliseconds, 1767225600000 are the same. A date without a zone is UTC. `undefined` for anything else.
 */
export function unixSeconds(value: unknown): number | undefined {
	const number = numberOf(value);
	// From 1e11 on it is milliseconds: as seconds that would be after the year 5138.
	if (number !== undefined) return Math.floor(number >= 1e11 ? number / 1_000 : number);
	if (typeof value !== 'string') return undefined;
	const ms = Date.parse(/\dT[\d:.]+$/.test(value) ? `${value}Z` : value);
	return Number.isNaN(ms) ? undefined : Math.floor(ms / 1_000);
}

function numberOf(value: unknown): number | undefined {
	const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
	return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

function textOf(value: unknown): string | undefined {
	return typeof value === 'string' && value !== '' ? value : undefined;
}

function isObject(value: unknown): value is Fields {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
