/**
 * Waits for `promise`, but no longer than until `signal` aborts: then the answer is `undefined`, and what
 * becomes of the promise is ignored. Rejects as the promise does.
 */
export async function untilAborted<T>(
	promise: Promise<T>,
	signal: AbortSignal | undefined,
): Promise<T | undefined> {
	if (!signal) return await promise;
	promise.catch(() => undefined);
	if (signal.aborted) return undefined;
	let onAbort = () => {};
	const aborted = new Promise<undefined>((resolve) => {
		onAbort = () => resolve(undefined);
		signal.addEventListener('abort', onAbort, { once: true });
	});
	try {
		return await Promise.race([promise, aborted]);
	} finally {
		signal.removeEventListener('abort', onAbort);
	}
}
