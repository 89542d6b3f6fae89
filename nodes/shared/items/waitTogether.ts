import type { Job } from '../account/jobSource';
import type { JobEnd, WaitOptions } from '../account/waitForJobs';

/** The jobs of all items of a node, which are waited for together. */
export interface JointWait<J extends Job> {
	/** Adds a job. All are added before the first end is asked for. */
	add(id: string): void;
	/**
	 * How the wait for one job ended, as soon as that is known, also while others still render. Who asks
	 * first begins the wait for all. Rejects as the wait does.
	 */
	endOf(id: string): Promise<JobEnd<J>>;
	/** How the wait ended for all jobs. Begins the wait and rejects like {@link endOf}. */
	ends(): Promise<ReadonlyMap<string, JobEnd<J>>>;
	/** How the wait ended for those jobs of which it is known, in the order they were added. */
	known(): ReadonlyMap<string, JobEnd<J>>;
}

/**
 * Lets the items of a node wait for their jobs together, so that all of them take as long as the slowest:
 * `run` of each item adds its job, and the rest of each item's work awaits that job's end.
 *
 * ```ts
 * const jobs = waitTogether(async (ids, options) => await waitForVideos(ctx, ids, options), options);
 * await runItems(ctx, {
 *   run: async (checked) => {
 *     const { id } = await start(checked);
 *     jobs.add(id);
 *     return async () => outputOf(await jobs.endOf(id));
 *   },
 * });
 * ```
 */
export function waitTogether<J extends Job>(
	waitFor: (
		ids: Iterable<string>,
		options: WaitOptions<J>,
	) => Promise<ReadonlyMap<string, JobEnd<J>>>,
	options: WaitOptions<J>,
): JointWait<J> {
	const order = new Set<string>();
	const ends = new Map<string, JobEnd<J>>();
	const waiting = new Map<string, Array<(end: JobEnd<J>) => void>>();
	let wait: Promise<void> | undefined;

	const begin = async () => {
		const onEnd = (id: string, end: JobEnd<J>) => {
			ends.set(id, end);
			const answer = options.onEnd?.(id, end);
			for (const resolve of waiting.get(id) ?? []) resolve(end);
			return answer;
		};
		for (const [id, end] of await waitFor(order, { ...options, onEnd })) ends.set(id, end);
	};
	const known = () =>
		new Map([...order].flatMap((id) => (ends.has(id) ? [[id, ends.get(id)!] as const] : [])));
	return {
		add: (id) => void order.add(id),
		async endOf(id) {
			wait ??= begin();
			const end = ends.get(id);
			if (end) return end;
			const early = new Promise<JobEnd<J>>((resolve) => {
				waiting.set(id, [...(waiting.get(id) ?? []), resolve]);
			});
			return await Promise.race([early, wait.then(() => ends.get(id)!)]);
		},
		async ends() {
			await (wait ??= begin());
			return known();
		},
		known,
	};
}
