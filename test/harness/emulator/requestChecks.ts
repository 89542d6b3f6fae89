/**
 * What the API demands of a request, as far as its documents say so. Each check throws Refused (422)
 * with everything that is wrong.
 */
import { type FileType, fileType } from './fileTypes';
import { Invalid } from './invalid';
import type { MultipartForm, UploadedFile } from './multipart';
import type { OverlayText } from './types';

/** Captions take "max 50 MB" (OpenAPI document), read here as mebibytes. */
export const CAPTIONS_MAX_BYTES = 50 * 1024 * 1024;
/** Longest video that captions take, in seconds (provider's captions page). */
export const CAPTIONS_MAX_SECONDS = 5 * 60;
/** Most texts of one overlay request (OpenAPI document). */
export const OVERLAY_MAX_TEXTS = 4;
/** How far a frame may be from 9:16; 608 × 1080 is still taken. */
const ASPECT_TOLERANCE = 0.01;

/** The models of the API: the provider's documents know the first, later public clients the second. */
export const VIDEO_MODELS = ['mirage-video-1-latest', 'mirage-avatar-x'];
/** Shortest and longest clip of the person, in seconds (public clients of August and September 2026). */
const CLIP_SECONDS = [10, 60] as const;
const SPEECH_MODEL = 'mirage-audio-1';

/**
 * A video from speech and what the person looks like: a picture, or for every model but the first a clip,
 * which wins when both are sent. `models` are those that this server knows, the first one by default.
 */
export function checkCreateVideo(form: MultipartForm, models: string[]): { model: string } {
	const invalid = new Invalid();
	const [first] = VIDEO_MODELS;
	const model = single(form, invalid, 'model') ?? first!;
	if (!models.includes(model)) {
		const known = models.map((name) => `'${name}'`).join(' or ');
		invalid.add(['body', 'model'], `Input should be ${known}`, 'literal_error');
	}
	const files = ['image_reference', 'audio_reference'];
	if (model !== first) files.push('video_reference');
	allowOnly(form, invalid, ['model'], files);
	const clip = form.files.some(({ field }) => field === 'video_reference') && model !== first;
	if (clip) checkClip(form, invalid);
	else checkedFile(form, invalid, 'image_reference', ['jpeg', 'png'], 'a JPEG or PNG image');
	checkedFile(form, invalid, 'audio_reference', ['wav', 'mp3'], 'a WAV or MP3 audio file');
	invalid.throwIfAny();
	return { model };
}

function checkClip(form: MultipartForm, invalid: Invalid): void {
	const [shortest, longest] = CLIP_SECONDS;
	const file = checkedFile(form, invalid, 'video_reference', ['mp4', 'mov'], 'an MP4 or MOV video');
	const duration = file?.mp4.duration;
	if (duration !== undefined && (duration < shortest || duration > longest)) {
		invalid.add(
			['body', 'video_reference'],
			`Video must be ${shortest} to ${longest} seconds long`,
		);
	}
}

export function checkAddCaptions(form: MultipartForm): { templateId: string; videoId?: string } {
	const invalid = new Invalid();
	allowOnly(form, invalid, ['caption_template_id', 'video_id'], ['video']);
	const templateId = single(form, invalid, 'caption_template_id');
	if (!templateId) invalid.missing('body', 'caption_template_id');
	const videoId = single(form, invalid, 'video_id') || undefined;
	const uploaded = form.files.some((file) => file.field === 'video');
	if (uploaded === (videoId !== undefined)) {
		invalid.add(['body'], 'Provide exactly one of: video, video_id');
	} else if (uploaded) {
		const file = checkedFile(form, invalid, 'video', ['mp4', 'mov'], 'an MP4 or MOV video');
		if (file) checkCaptionsVideo(file, invalid);
	}
	invalid.throwIfAny();
	return { templateId: templateId!, videoId };
}

function checkCaptionsVideo(file: UploadedFile, invalid: Invalid): void {
	const { frame, duration } = file.mp4;
	if (file.bytes > CAPTIONS_MAX_BYTES) {
		invalid.add(['body', 'video'], 'Video must be at most 50 MB');
	}
	if (frame && Math.abs(frame.width / frame.height / (9 / 16) - 1) > ASPECT_TOLERANCE) {
		invalid.add(['body', 'video'], 'Video must have a 9:16 aspect ratio');
	}
	if (duration !== undefined && duration > CAPTIONS_MAX_SECONDS) {
		invalid.add(['body', 'video'], 'Video must be at most 5 minutes long');
	}
}

export function checkSpeech(body: unknown): { text: string } {
	const invalid = new Invalid();
	if (typeof body !== 'object' || body === null || Array.isArray(body)) {
		invalid.add(
			['body'],
			'Input should be a valid dictionary or object to extract fields from',
			'model_attributes_type',
		);
		invalid.throwIfAny();
	}
	const { text, model, ...others } = body as Record<string, unknown>;
	if (text === undefined) invalid.missing('body', 'text');
	else if (typeof text !== 'string') {
		invalid.add(['body', 'text'], 'Input should be a valid string', 'string_type');
	} else if (text.trim() === '') {
		invalid.add(['body', 'text'], 'String should have at least 1 character', 'string_too_short');
	}
	if (model === undefined) invalid.missing('body', 'model');
	else if (model !== SPEECH_MODEL) {
		invalid.add(['body', 'model'], `Input should be '${SPEECH_MODEL}'`, 'literal_error');
	}
	for (const name of Object.keys(others)) forbid(invalid, name);
	invalid.throwIfAny();
	return { text: text as string };
}

export function checkOverlay(form: MultipartForm): { texts: OverlayText[] } {
	const invalid = new Invalid();
	allowOnly(form, invalid, ['texts', 'items', 'fonts', 'sizes', 'colors'], ['video']);
	checkedFile(form, invalid, 'video', ['mp4', 'mov'], 'an MP4 or MOV video');
	const items = single(form, invalid, 'items');
	const given = form.fields.texts ?? [];
	let texts: OverlayText[] = [];
	if (items !== undefined && given.length > 0) {
		invalid.add(['body'], 'Provide either texts or items, not both');
	} else if (items !== undefined) {
		texts = overlayItems(items, invalid);
	} else {
		texts = alignedTexts(given, form.fields, invalid);
	}
	invalid.throwIfAny();
	return { texts };
}

/** `texts`, `fonts`, `sizes` and `colors` belong together by index; a blank one means "decide for me". */
function alignedTexts(
	given: string[],
	fields: MultipartForm['fields'],
	invalid: Invalid,
): OverlayText[] {
	checkCount(given, ['body', 'texts'], invalid);
	for (const name of ['fonts', 'sizes', 'colors']) {
		if ((fields[name]?.length ?? 0) > given.length) {
			invalid.add(['body', name], `There are more ${name} than texts`);
		}
	}
	return given.map((text, index) => ({
		text: checkedText(text, ['body', 'texts', index], invalid),
		font: fields.fonts?.[index]?.trim() || null,
		size: checkedSize(fields.sizes?.[index], ['body', 'sizes', index], invalid),
		color: checkedColor(fields.colors?.[index], ['body', 'colors', index], invalid),
	}));
}

/** `items`: one JSON string, `[{"text": …, "style": {"font", "size", "color"}}]`. */
function overlayItems(json: string, invalid: Invalid): OverlayText[] {
	let items: unknown;
	try {
		items = JSON.parse(json);
	} catch {
		items = undefined;
	}
	if (!Array.isArray(items)) {
		invalid.add(['body', 'items'], 'items must be a JSON array of objects');
		return [];
	}
	checkCount(items, ['body', 'items'], invalid);
	return items.map((item: unknown, index) => {
		const loc = ['body', 'items', index];
		const { text, style, ...others } = asObject(item, loc, invalid);
		const { font, size, color, ...otherStyles } = asObject(style ?? {}, [...loc, 'style'], invalid);
		for (const name of Object.keys(others)) forbid(invalid, 'items', index, name);
		for (const name of Object.keys(otherStyles)) forbid(invalid, 'items', index, 'style', name);
		return {
			text: checkedText(text, [...loc, 'text'], invalid),
			font: (typeof font === 'string' && font.trim()) || null,
			size: checkedSize(size, [...loc, 'style', 'size'], invalid),
			color: checkedColor(color, [...loc, 'style', 'color'], invalid),
		};
	});
}

function checkCount(texts: unknown[], loc: (string | number)[], invalid: Invalid): void {
	if (texts.length === 0) invalid.add(loc, 'At least one text is required');
	if (texts.length > OVERLAY_MAX_TEXTS) {
		invalid.add(loc, `At most ${OVERLAY_MAX_TEXTS} texts are allowed`);
	}
}

function checkedText(text: unknown, loc: (string | number)[], invalid: Invalid): string {
	if (typeof text === 'string' && text.trim() !== '') return text;
	invalid.add(loc, 'Text must not be blank');
	return '';
}

function checkedSize(size: unknown, loc: (string | number)[], invalid: Invalid): number | null {
	const written = String(size ?? '').trim();
	if (written === '') return null;
	if (/^\d+$/.test(written) && Number(written) > 0) return Number(written);
	invalid.add(loc, 'Size must be a positive whole number of pixels');
	return null;
}

function checkedColor(color: unknown, loc: (string | number)[], invalid: Invalid): string | null {
	const written = String(color ?? '').trim();
	if (written === '') return null;
	if (/^#[0-9a-f]{6}$/i.test(written)) return written;
	invalid.add(loc, 'Color must be written as #RRGGBB');
	return null;
}

export function checkLimit(query: URLSearchParams, invalid: Invalid): number {
	const written = query.get('limit') ?? '20';
	const limit = Number(written);
	const loc = ['query', 'limit'];
	if (!/^[+-]?\d+$/.test(written)) {
		const msg = 'Input should be a valid integer, unable to parse string as an integer';
		invalid.add(loc, msg, 'int_parsing');
	} else if (limit < 1) {
		invalid.add(loc, 'Input should be greater than or equal to 1', 'greater_than_equal');
	} else if (limit > 100) {
		invalid.add(loc, 'Input should be less than or equal to 100', 'less_than_equal');
	}
	return limit;
}

export function checkOrder(query: URLSearchParams, invalid: Invalid): 'asc' | 'desc' {
	const order = query.get('order') ?? 'desc';
	if (order === 'asc' || order === 'desc') return order;
	invalid.add(['query', 'order'], "Input should be 'asc' or 'desc'", 'literal_error');
	return 'desc';
}

function checkedFile(
	form: MultipartForm,
	invalid: Invalid,
	field: string,
	types: FileType[],
	described: string,
): UploadedFile | undefined {
	const loc = ['body', field];
	const files = form.files.filter((file) => file.field === field);
	const file = files[0];
	if (!file && form.fields[field]) {
		invalid.add(loc, "Value error, Expected UploadFile, received: <class 'str'>");
	} else if (!file) {
		invalid.missing(...loc);
	} else if (files.length > 1) {
		invalid.add(loc, 'Only one file is allowed');
	} else if (file.bytes === 0) {
		invalid.add(loc, 'File is empty');
	} else if (!types.includes(fileType(file.head)!)) {
		invalid.add(loc, `File must be ${described}`);
	} else {
		return file;
	}
	return undefined;
}

function single(form: MultipartForm, invalid: Invalid, field: string): string | undefined {
	const values = form.fields[field] ?? [];
	if (values.length > 1) invalid.add(['body', field], 'Only one value is allowed');
	return values[0];
}

/** The real API may overlook unknown fields; here a misspelt one is found at once. */
function allowOnly(form: MultipartForm, invalid: Invalid, fields: string[], files: string[]): void {
	for (const name of Object.keys(form.fields)) {
		if (![...fields, ...files].includes(name)) forbid(invalid, name);
	}
	for (const { field } of form.files) {
		if (fields.includes(field)) {
			invalid.add(['body', field], 'Input should be a valid string', 'string_type');
		} else if (!files.includes(field)) forbid(invalid, field);
	}
}

function forbid(invalid: Invalid, ...loc: (string | number)[]): void {
	invalid.add(['body', ...loc], 'Extra inputs are not permitted', 'extra_forbidden');
}

function asObject(
	value: unknown,
	loc: (string | number)[],
	invalid: Invalid,
): Record<string, unknown> {
	if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
		return value as Record<string, unknown>;
	}
	invalid.add(loc, 'Input should be a valid dictionary', 'dict_type');
	return {};
}
