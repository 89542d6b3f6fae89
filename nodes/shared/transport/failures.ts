import { localTime } from '../n8n/localTime';
import { short } from './reasons';

/** Why a request has no answer that was asked for. Texts of the server's are without the key. */
export type ApiFailure =
	/** An answer with a status that is no success; `reasons` are the API's own words. */
	| { kind: 'http'; status: number; reasons?: string[]; retryAfterMs?: number }
	/**
	 * No answer. `code` is the network's or TLS's own (`ECONNREFUSED`, `CERT_HAS_EXPIRED` …); `secure` is
	 * false when the server's certificate was not accepted.
	 */
	| { kind: 'network'; code: string; secure: boolean }
	/** n8n or the credential did not let the request out. */
	| { kind: 'blocked'; reason: string }
	/** A success that could not be read. `reason` is a sentence without full stop. */
	| { kind: 'unreadable'; reason: string };

/**
 * Whether the same request may have another end when it is repeated. This says nothing about whether it
 * may be repeated: a POST that may have been accepted never is.
 */
export function mayPass(failure: ApiFailure): boolean {
	switch (failure.kind) {
		case 'http':
			return statusMayPass(failure.status);
		case 'network':
			return failure.secure;
		case 'blocked':
			return false;
		case 'unreadable':
			return true;
	}
}

/** Whether a request that was answered with this status may have another end when it is repeated. */
export function statusMayPass(status: number): boolean {
	return status === 408 || status === 429 || status >= 500;
}

/** Something of the API that a request names by its ID. */
export interface Named {
	thing: 'video' | 'caption template' | 'text overlay' | 'voice';
	id: string;
}

/** What was asked for, in words that fit behind "could not". */
export interface Attempt {
	/** `create the video`, `read video "v1"` … */
	doing: string;
	/** What the request names where `doing` does not: a 404 says that it does not exist. */
	named?: Named[];
	/** What a POST sends; missing for what only reads. */
	sends?: 'files' | 'text';
	/** Set when a POST may have been accepted although no job came back: the time it was sent, ms since 1970. */
	mayHaveStartedAt?: number;
	/** Of the workflow, for the times that the error tells. */
	timeZone?: string;
	/** Why the API refused, where it was found out: `the video is still rendering`. */
	reason?: string;
	/** What to do now, instead of what the failure alone advises. */
	advice?: string;
	/** More that the person should know, behind everything else. */
	note?: string;
}

/** Where keys, voices, plan and balance are looked after (provider's site). */
const DASHBOARD = 'https://platform.mirage.app';

const NETWORK_ADVICE = 'Try again later. Check the network of n8n if it goes on.';

/** Network codes in words, with what to do. Codes are Node's own (node:errors). */
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
	[/^(ECONNABORTED|ETIMEDOUT|IDLE)$/, 'the server did not answer in time', NETWORK_ADVICE],
	[/(?:)/, 'the connection broke', NETWORK_ADVICE],
];

/** What is wrong and what to do, for an HTTP status. Statuses speak of what was sent. */
function statusWords(status: number, { doing, named = [], sends }: Attempt): [string, string] {
	const could = `Mirage could not ${doing}`;
	switch (status) {
		case 401:
			return [
				'Mirage did not accept the API key',
				`Open the Mirage API credential, paste the key again and save. Keys come from ${DASHBOARD}.`,
			];
		case 402:
			return [
				`Mirage wants a payment before it can ${doing}`,
				`Check plan and balance at ${DASHBOARD}.`,
			];
		case 403:
			return [
				`Mirage does not allow this key to ${doing}`,
				`Check at ${DASHBOARD} that the plan includes this and that the key belongs to the right organisation.`,
			];
		case 404: {
			const things = named.map(({ thing, id }) => `the ${thing} "${id}"`).join(' or ');
			return [
				`${could}: ${things || 'it'} does not exist`,
				named[0]?.thing === 'voice'
					? `Check the Voice ID. Only voices that were cloned at Mirage can speak: ${DASHBOARD} shows them.`
					: 'Check the ID. A key only sees what was made by its own organisation.',
			];
		}
		case 413:
			return sends === 'text'
				? [`${could}: the text is too long`, 'Shorten the text, or split it into several items.']
				: [`${could}: the file is too large`, 'Use a smaller file.'];
		case 415:
			return sends === 'files'
				? [
						`${could}: it does not take this kind of file`,
						'Check the kind of file that the parameter asks for.',
					]
				: [`${could}: it does not take this kind of request`, 'Check the parameters of the node.'];
		case 422:
			return [`${could}: a value was not accepted`, 'Correct the value and run the node again.'];
		case 429:
			return [
				`${could}: too many requests`,
				'The rate limit of the account was reached. Run the node again later.',
			];
	}
	if (status >= 300 && status < 400)
		return [
			`${could}: the server points to another address`,
			'Check the Base URL of the credential. The key is not sent to other addresses.',
		];
	if (status >= 500) return [`${could}: the service has a problem`, 'Try again later.'];
	return [could, 'Check the parameters of the node.'];
}

/**
 * A failure in words, in three parts: what happened, what was started and billed, and what to do. The
 * first is the message; the description has a line for each of the others.
 */
export function describe(
	failure: ApiFailure,
	attempt: Attempt,
): { message: string; description: string } {
	const { doing, sends, mayHaveStartedAt: sentAt, timeZone, note } = attempt;
	const reasons = failure.kind === 'http' ? (failure.reasons ?? []) : [];
	let message: string;
	let advice: string;
	switch (failure.kind) {
		case 'http':
			[message, advice] = statusWords(failure.status, attempt);
			if (reasons.length > 0 && (failure.status === 422 || failure.status === 400))
				message = `Mirage could not ${doing}: ${reasons.join('; ')}`;
			break;
		case 'network': {
			const [, what, todo] = NETWORK_WORDS.find(([pattern]) => pattern.test(failure.code))!;
			[message, advice] = [`n8n could not ${doing}: ${what}`, todo];
			break;
		}
		case 'blocked':
			message = `n8n could not ${doing}: ${short(failure.reason) || 'the request was not let out'}`;
			advice = 'Nothing was sent.';
			break;
		case 'unreadable':
			message = `Mirage could not ${doing}: its answer could not be read`;
			advice = 'Check the Base URL of the credential if this goes on.';
	}
	if (attempt.reason) message = `Mirage could not ${doing}: ${attempt.reason}`;
	const uncertain = sentAt !== undefined;
	const lines = [
		failure.kind === 'unreadable' && `${failure.reason}.`,
		reasons.length > 0 && !message.includes(reasons[0]!) && `Mirage says: ${reasons.join('; ')}`,
		uncertain &&
			`Mirage may still have accepted it and billed it: it was sent at ${localTime(sentAt, timeZone)} and is not sent again.`,
		sends && !uncertain && failure.kind !== 'blocked' && 'Nothing was started.',
		!uncertain && (attempt.advice ?? advice),
		note,
	];
	return { message, description: lines.filter(Boolean).join('\n') };
}
