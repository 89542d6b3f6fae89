/** Prices of October 2026 in US dollars, from the provider's price list. */
const VIDEO_USD_PER_SECOND = 0.15;
const VIDEO_STEP_SECONDS = 6;
const CAPTIONS_USD_PER_STARTED_MINUTE = 0.15;

/** People read aloud at about 150 words a minute; a slow voice needs a third more. */
const WORDS_PER_MINUTE = 150;
const SLOW_VOICE = 4 / 3;

export interface Estimate {
	/** Length of the generated video that is billed, in seconds: from a usual to a slow voice. */
	seconds: [number, number];
	/** Cost of video and captions together, in US dollars. */
	usd: [number, number];
}

/** What one run of the example workflow is expected to cost, from the length of the script. */
export function estimatePrice(script: string): Estimate {
	const words = script.split(/\s+/).filter(Boolean).length;
	const spoken = (words / WORDS_PER_MINUTE) * 60;
	const seconds = [spoken, spoken * SLOW_VOICE].map(
		(length) => Math.max(1, Math.ceil(length / VIDEO_STEP_SECONDS)) * VIDEO_STEP_SECONDS,
	) as [number, number];
	const usd = seconds.map(
		(length) =>
			length * VIDEO_USD_PER_SECOND + Math.ceil(length / 60) * CAPTIONS_USD_PER_STARTED_MINUTE,
	) as [number, number];
	return { seconds, usd };
}
