/** Takes secrets out of a text. */
export type Redact = (text: string) => string;

/** What stands where a key was. */
const REMOVED = '[key removed]';

/** Shorter keys than this are no secret, and replacing them would tear IDs and words apart. */
const MIN_KEY_LENGTH = 8;

/** What looks like a key of Mirage, also with its underscore written for an address. */
const KEY_LIKE = /\bmira(?:_|%5f)[\w.%~-]{8,}/gi;

/**
 * Makes the function that takes an account's key out of texts: as it is, and as a server may write it
 * inside an address or inside JSON. Anything else that looks like a key of Mirage goes too.
 *
 * @example `Invalid API key: mira_4f1d6c0b7` → `Invalid API key: [key removed]`
 */
export function createRedact(key: string): Redact {
	const own = key.length < MIN_KEY_LENGTH ? undefined : new RegExp(patternOf(key), 'gi');
	return (text) => (own ? text.replace(own, REMOVED) : text).replace(KEY_LIKE, REMOVED);
}

/**
 * Matches a key of which any character may be percent-encoded or have backslashes before it. Backslashes count
 * from their first on: else a text of nothing but backslashes takes time that grows with its square.
 */
function patternOf(key: string): string {
	return Array.from(key, (character) => {
		const plain = `(?:(?<!\\\\)\\\\+)?${character.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')}`;
		const bytes = Buffer.from(character).toString('hex').replace(/../g, '%$&');
		return `(?:${plain}|${bytes}${character === ' ' ? '|\\+' : ''})`;
	}).join('');
}

/** The same JSON without secrets, in its values and in the names of its properties. */
export function redactJson(value: unknown, redact: Redact): unknown {
	if (typeof value === 'string') return redact(value);
	if (Array.isArray(value)) return value.map((entry) => redactJson(entry, redact));
	if (typeof value !== 'object' || value === null) return value;
	return Object.fromEntries(
		Object.entries(value).map(([name, entry]) => [redact(name), redactJson(entry, redact)]),
	);
}
