/**
 * A time of day for people, in the workflow's time zone: `14:03:05`. Without a zone, or with one that the
 * platform does not know, in that of n8n's machine.
 *
 * @param ms milliseconds since 1970
 */
export function localTime(ms: number, timeZone?: string): string {
	const options: Intl.DateTimeFormatOptions = { timeStyle: 'medium', hour12: false };
	const date = new Date(ms);
	try {
		return new Intl.DateTimeFormat('en-GB', { ...options, timeZone }).format(date);
	} catch {
		return new Intl.DateTimeFormat('en-GB', options).format(date);
	}
}
