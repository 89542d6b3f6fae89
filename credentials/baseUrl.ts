/** What to write into the Base URL field, for messages. */
const EXAMPLE = 'https://api.mirage.app';

/** A usable origin (scheme, host and port, no trailing slash), or what is wrong with the value. */
export type BaseUrl = { origin: string } | { problem: string };

/**
 * Hosts that are reached without leaving the machine or its private network (RFC 1918, RFC 6762), where
 * plain http is fine: `localhost`, `127.0.0.1`, `10.0.0.5`, `mirage.local`, and names without a dot, as
 * Docker gives them to services.
 */
const PRIVATE_HOSTS = [
	/^[^.:[\]]+$/,
	/\.(local|localhost)$/,
	/^host\.docker\.internal$/,
	/^127\.\d+\.\d+\.\d+$/,
	/^10\.\d+\.\d+\.\d+$/,
	/^172\.(1[6-9]|2\d|3[01])\.\d+\.\d+$/,
	/^192\.168\.\d+\.\d+$/,
	/^\[::1\]$/,
];

/**
 * Reads the credential's Base URL. Only `http` and `https` addresses without path, query or login are
 * accepted: every request is built as origin plus path, so anything else would silently change where
 * the API key goes. Over plain http the key can be read on its way, so it is for private hosts only.
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
	if (url.protocol === 'http:' && !PRIVATE_HOSTS.some((pattern) => pattern.test(url.hostname)))
		return say(
			`must start with https://: over http:// others could read the API key on its way to ${url.hostname}`,
		);
	return { origin: url.origin };
}
