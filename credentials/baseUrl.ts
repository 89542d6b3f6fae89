/** What to write into the Base URL field, for messages. */
const EXAMPLE = 'https://api.mirage.app';

/** A usable origin (scheme, host and port, no trailing slash), or what is wrong with the value. */
export type BaseUrl = { origin: string } | { problem: string };

/**
 * Reads the credential's Base URL. Only `http` and `https` addresses without path, query or login are
 * accepted: every request is built as origin plus path, so anything else would silently change where
 * the API key goes.
 */
export function readBaseUrl(value: unknown): BaseUrl {
	const text = typeof value === 'string' ? value.trim() : '';
	const say = (reason: string) => ({
		problem: `The Base URL of the Mirage API credential ${reason}. Enter only the address, like ${EXAMPLE}`,
	});
	if (text === '') return say('is empty');
	let url: URL;
	try {
		url = new URL(text);
	} catch {
		return say('is not a web address');
	}
	if (url.protocol !== 'https:' && url.protocol !== 'http:')
		return say('must start with https:// or http://');
	if (url.username || url.password) return say('must not hold a user name or password');
	if (url.pathname !== '/' || url.search || url.hash)
		return say('must not have a path after the host name');
	return { origin: url.origin };
}
