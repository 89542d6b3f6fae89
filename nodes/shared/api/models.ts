/** A model that makes videos: what it takes, and what it costs at list price. */
export interface VideoModel {
	/** As the panel shows it. */
	name: string;
	/** US dollars a second of finished video, and the month of that price. */
	usdPerSecond: number;
	priceOf: string;
	/** Whether a clip can show what the person looks like, instead of a picture. */
	takesClip: boolean;
	/** Shortest and longest speech, in seconds, where it is known. */
	speechS?: readonly [shortest: number, longest: number];
	/** Shortest and longest clip, in seconds, where it is known. */
	clipS?: readonly [shortest: number, longest: number];
}

/**
 * The models that are known by name. Prices: the provider's price page, Mirage Avatar X of October 2026,
 * Mirage Video 1 of May 2026 (the later page does not name it). Lengths: two independent public clients of
 * August and September 2026 (`docs/api-assumptions.md`).
 */
export const VIDEO_MODELS: Readonly<Record<string, VideoModel>> = {
	'mirage-video-1-latest': {
		name: 'Mirage Video 1 (Latest)',
		usdPerSecond: 0.175,
		priceOf: 'May 2026',
		takesClip: false,
	},
	'mirage-avatar-x': {
		name: 'Mirage Avatar X',
		usdPerSecond: 0.15,
		priceOf: 'October 2026',
		takesClip: true,
		speechS: [1, 180],
		clipS: [10, 60],
	},
};

/** The model of a node in which nothing was chosen. */
export const DEFAULT_VIDEO_MODEL = 'mirage-video-1-latest';

/** Videos are billed in steps of this many seconds (price page, October 2026). */
export const VIDEO_STEP_S = 6;

/** US dollars for each started minute of a captioned video (price page, October 2026). */
export const CAPTIONS_USD_PER_MINUTE = 0.15;
