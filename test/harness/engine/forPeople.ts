/** What every error must be, whatever went wrong: made for the person at the canvas. */
import { logLines } from './n8n';
import { type RunResult } from './engine';

interface Shown {
	message?: string | null;
	description?: string | null;
}

/** Message and advice of the error that ended a run, as the editor shows them. */
export function shownError(run: RunResult): string {
	const { message, description } = (run.error ?? {}) as Shown;
	return [message, description].filter(Boolean).join('\n');
}

/**
 * The text of an error, after checking what holds for all of them: it has advice, it does not show a
 * stack trace, and the API key is nowhere in it, in the stored execution or in the log.
 */
export function readableError(run: RunResult, apiKey: string): string {
	expect(run.status).toBe('error');
	const { description } = run.error as Shown;
	expect(description).toBeTruthy();
	const text = shownError(run);
	expect(text).not.toMatch(/^\s+at .+:\d+/m);
	expect(text).not.toMatch(/undefined|\[object Object\]|NaN|Cannot read/);
	expectNoKey(run, apiKey);
	return text;
}

/** The API key is neither in the stored execution nor in the log. */
export function expectNoKey(run: RunResult, apiKey: string): void {
	expect(run.stored).not.toContain(apiKey);
	expect(logLines().join('\n')).not.toContain(apiKey);
}
