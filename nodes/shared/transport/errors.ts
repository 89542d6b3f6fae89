import type { INode, JsonObject } from 'n8n-workflow';
import { NodeApiError } from 'n8n-workflow';

/** An answer that was not what was asked for, or the reason why there was none. */
export interface ApiFailure {
	/** HTTP status, when there was an answer. */
	status?: number;
	/** The network's or TLS's own code (`ECONNREFUSED`, `CERT_HAS_EXPIRED` …), when there was none. */
	code?: string;
	/** Set when n8n or the credential did not let the request out: why. */
	refusal?: string;
	/** Reasons from the API's body: `detail` of a 422, `error.message` of others. */
	reasons?: string[];
	/** Milliseconds from a `Retry-After` header. */
	retryAfterMs?: number;
	/** Set when a success could not be read: what was wrong with it. */
	unreadable?: string;
}

/** What was asked for, in words that fit behind "could not". */
export interface Attempt {
	/** `create the video`, `read video "v1"` … */
	doing: string;
	/** Set when a POST may have been accepted although no job came back: the time it was sent, ms since 1970. */
	mayHaveStartedAt?: number;
	/** More that the person should know, behind everything else: where to look, what to do. */
	note?: string;
}

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

const short = (text: string) =>
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

/** Network and TLS codes in words, with what to do. Codes are Node's own (node:errors, OpenSSL). */
const NETWORK_WORDS: Array<[RegExp, string, string]> = [
	[
		/^(ENOTFOUND|EAI_AGAIN)$/,
		'the host name was not found',
		'Check the Base URL of the credential and the network of n8n.',
	],
	[
		/^ECONNREFUSED$/,
		'the server refused the connection',
		'Check the Base URL of the credential, and that the service is running.',
	],
	[
		/CERT|SIGNATURE|^ERR_TLS|^EPROTO$/,
		'the secure connection could not be made',
		'The certificate of the server was not accepted. Check the Base URL of the credential.',
	],
	[
		/^(ECONNABORTED|ETIMEDOUT|IDLE)$/,
		'the server did not answer in time',
		'Try again later. Check the network of n8n if it goes on.',
	],
];

function networkWords(code: string | undefined): [string, string] {
	const known = NETWORK_WORDS.find(([pattern]) => pattern.test(code ?? ''));
	return known
		? [known[1], known[2]]
		: ['the connection broke', 'Try again later. Check the network of n8n if it goes on.'];
}

/** Message and advice for an HTTP status; `doing` as in {@link Attempt}. */
function statusWords(status: number, doing: string): [string, string] {
	switch (status) {
		case 401:
			return [
				'Mirage did not accept the API key',
				'Open the Mirage API credential, paste the key again and save. Keys come from the Mirage platform dashboard.',
			];
		case 402:
			return [
				`Mirage wants a payment before it can ${doing}`,
				'Check plan and balance in the Mirage platform dashboard.',
			];
		case 403:
			return [
				`Mirage does not allow this key to ${doing}`,
				'Check in the Mirage platform dashboard that the plan includes this and that the key belongs to the right organisation.',
			];
		case 404:
			return [
				`Mirage could not ${doing}: it does not exist`,
				'Check the ID. A key only sees what was made by its own organisation.',
			];
		case 413:
			return [`Mirage could not ${doing}: the file is too large`, 'Use a smaller file.'];
		case 415:
			return [
				`Mirage could not ${doing}: it does not take this kind of file`,
				'Check the kind of file that the parameter asks for.',
			];
		case 422:
			return [
				`Mirage could not ${doing}: a value was not accepted`,
				'Correct the value and run the node again. Nothing was started.',
			];
		case 429:
			return [
				`Mirage could not ${doing}: too many requests`,
				'The rate limit of the account was reached. Run the node again later.',
			];
	}
	if (status >= 300 && status < 400)
		return [
			`Mirage could not ${doing}: the server points to another address`,
			'Check the Base URL of the credential. The key is not sent to other addresses.',
		];
	if (status >= 500)
		return [`Mirage could not ${doing}: the service has a problem`, 'Try again later.'];
	return [`Mirage could not ${doing}`, 'Check the parameters of the node.'];
}

/**
 * The error a person sees for a failed request. It is built from plain facts only, never from the
 * request: neither the key nor the request's headers can be inside.
 */
export function apiError(node: INode, failure: ApiFailure, attempt: Attempt): NodeApiError {
	const { status, reasons = [], code, unreadable, refusal } = failure;
	const { doing, mayHaveStartedAt, note } = attempt;
	let [message, advice] = status === undefined ? ['', ''] : statusWords(status, doing);
	if (unreadable !== undefined) {
		message = `Mirage could not ${doing}: its answer could not be read`;
		advice = `${unreadable}. Check the Base URL of the credential if this goes on.`;
	} else if (refusal !== undefined) {
		message = `n8n could not ${doing}: ${short(refusal) || 'the request was not let out'}`;
		advice = 'Nothing was sent.';
	} else if (status === undefined) {
		const [what, todo] = networkWords(code);
		message = `n8n could not ${doing}: ${what}`;
		advice = todo;
	}
	if (reasons.length > 0 && (status === 422 || status === 400))
		message = `Mirage could not ${doing}: ${reasons.join('; ')}`;
	const lines = [
		...(mayHaveStartedAt === undefined
			? [advice]
			: [
					...(unreadable === undefined ? [] : [`${unreadable}.`]),
					`It may have been accepted all the same, and billed: it was sent at ${new Date(mayHaveStartedAt).toISOString()} and is not sent again.`,
				]),
		...(reasons.length > 0 && !message.includes(reasons[0]!)
			? [`Mirage says: ${reasons.join('; ')}`]
			: []),
		...(note ? [note] : []),
	];
	const httpCode = status === undefined ? undefined : String(status);
	const error = new NodeApiError(
		node,
		{ message, ...(httpCode ? { httpCode } : {}) } as JsonObject,
		{ message, description: lines.join('\n'), ...(httpCode ? { httpCode } : {}) },
	);
	// n8n swaps a message for one of its own when a network code occurs in it, also inside an ID.
	error.message = message;
	if (failure.retryAfterMs !== undefined) error.context.retryAfterMs = failure.retryAfterMs;
	if (mayHaveStartedAt !== undefined) error.context.mayHaveStartedAt = mayHaveStartedAt;
	return error;
}

/** Whether an error says that something may have been started and billed although no answer tells. */
export function mayHaveStarted(error: unknown): error is NodeApiError {
	return error instanceof NodeApiError && error.context.mayHaveStartedAt !== undefined;
}

/** HTTP status of an error of this package; `undefined` for network faults and for anything else. */
export function httpStatusOf(error: unknown): number | undefined {
	if (!(error instanceof NodeApiError) || !error.httpCode) return undefined;
	const status = Number(error.httpCode);
	return Number.isInteger(status) ? status : undefined;
}

/** Milliseconds that the server asked to wait, from the `Retry-After` of the answer behind the error. */
export function retryAfterMsOf(error: unknown): number | undefined {
	if (!(error instanceof NodeApiError)) return undefined;
	const value: unknown = error.context.retryAfterMs;
	return typeof value === 'number' ? value : undefined;
}
