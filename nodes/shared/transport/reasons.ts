/** Labels of the panel for the fields of the API's requests, to say "parameter: reason" for a 422. */
const FIELD_LABELS: Record<string, string> = {
	image_reference: 'Image',
	audio_reference: 'Audio',
	model: 'Model',
	video: 'Video',
	video_id: 'Video',
	caption_template_id: 'Caption Template',
	template_id: 'Caption Template',
	voice_id: 'Voice ID',
	text: 'Text',
	texts: 'Texts',
	fonts: 'Font',
	sizes: 'Size',
	colors: 'Color',
	items: 'Texts',
	text_overlay_id: 'Overlay ID',
	limit: 'Limit',
	after: 'After',
	order: 'Order',
};

/** Longest piece of the API's own text that an error repeats, in characters. */
const MAX_REASON_LENGTH = 300;

/** A text of the server's, cut to what an error may repeat. */
export const short = (text: string) =>
	text.length > MAX_REASON_LENGTH ? `${text.slice(0, MAX_REASON_LENGTH)}…` : text;

/**
 * Reads the reasons out of an error body: FastAPI's `{detail: [{loc, msg}]}` and `{detail: "…"}`, and
 * `{error: {type, message}}` (both in the provider's documents). Anything else gives no reasons.
 */
export function reasonsIn(body: unknown): string[] {
	if (typeof body !== 'object' || body === null) return [];
	const { detail, error, message } = body as Record<string, unknown>;
	if (typeof detail === 'string') return [short(detail)];
	if (Array.isArray(detail))
		return detail.slice(0, 10).flatMap((entry: unknown) => {
			if (typeof entry !== 'object' || entry === null) return [];
			const { loc, msg } = entry as Record<string, unknown>;
			const path = (Array.isArray(loc) ? loc : []).filter((part) => part !== 'body').map(String);
			const field = path.find((part) => FIELD_LABELS[part] !== undefined);
			const place = path.find((part) => /^\d+$/.test(part));
			const label = field
				? `${FIELD_LABELS[field]}${place === undefined ? '' : ` ${Number(place) + 1}`}`
				: path.join('.');
			return typeof msg === 'string' ? [short(label ? `${label}: ${msg}` : msg)] : [];
		});
	if (typeof error === 'object' && error !== null) {
		const text = (error as Record<string, unknown>).message;
		return typeof text === 'string' ? [short(text)] : [];
	}
	if (typeof error === 'string') return [short(error)];
	return typeof message === 'string' ? [short(message)] : [];
}
