/** Several measurements of one thing. */
export interface Summary {
	median: number;
	min: number;
	max: number;
	/** In the order they were taken. */
	samples: number[];
}

/** Median and spread. Throws RangeError when there is nothing to sum up. */
export function summarize(samples: number[]): Summary {
	const sorted = samples.toSorted((a, b) => a - b);
	const middle = sorted.length / 2;
	const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
	if (low === undefined || high === undefined) throw new RangeError('There are no samples');
	return { median: (low + high) / 2, min: sorted[0]!, max: sorted.at(-1)!, samples };
}
