import type { Box, ByteReading } from './byteRanges';
import { contentStart, MAX_TOP_LEVEL, visitBoxes, visitChildren } from './byteRanges';

/** Most bytes of a fragment's list of samples that are read. */
const MAX_RUN_BYTES = 1_048_576;

/** What the index of a video tells. */
interface Movie {
	timescale: number;
	/** In units of the timescale; 0 when it is not known. */
	duration: number;
	/** Whether fragments (`moof`) follow that the index does not count. */
	hasFragments: boolean;
	/** Duration with all fragments, where it is stated (`mehd`). */
	fullDuration?: number;
	tracks: Map<number, Track>;
}

/** How far a track has come, fragment by fragment; times in units of its timescale. */
interface Track {
	timescale: number;
	defaultSampleDuration: number;
	start?: number;
	end: number;
}

/**
 * Length of an MP4 or MOV of `size` bytes, in s (ISO/IEC 14496-12): from `mvhd` wherever the index stands,
 * for a file in fragments from `mehd`, or else from its fragments, one after the other.
 */
export function* mp4Duration(size: number): ByteReading<number | undefined> {
	let movie: Movie | undefined;
	const top = { from: 0, to: size, max: MAX_TOP_LEVEL };
	const stated = yield* visitBoxes<{ durationS?: number }>(top, function* (box) {
		if (box.type === 'moov') {
			movie = yield* readMovie(box);
			const { hasFragments, fullDuration, duration, timescale } = movie;
			if (timescale === 0) return {};
			if (fullDuration) return { durationS: fullDuration / timescale };
			if (!hasFragments) return { durationS: duration > 0 ? duration / timescale : undefined };
		}
		if (box.type === 'moof' && movie) return (yield* addFragment(movie, box)) ? undefined : {};
		return undefined;
	});
	if (stated) return stated.durationS;
	return movie && lengthOfTracks(movie);
}

function lengthOfTracks({ duration, timescale, tracks }: Movie): number | undefined {
	const seen = [...tracks.values()].filter(({ start }) => start !== undefined);
	if (seen.length === 0) return duration > 0 ? duration / timescale : undefined;
	// The first fragment may stand in the index itself; then the video begins at 0.
	const start = duration > 0 ? 0 : Math.min(...seen.map((track) => track.start! / track.timescale));
	const end = Math.max(...seen.map((track) => track.end / track.timescale));
	return end > start ? end - start : undefined;
}

/** A number of 32 bits, or of 64 where the box has version 1; 0 for "not known", which is all ones. */
function numberAt(box: Buffer, at32: number, at64: number): number {
	if (box[0] === 1) {
		if (at64 + 8 > box.length) return 0;
		const value = box.readBigUInt64BE(at64);
		return value === 0xffffffffffffffffn ? 0 : Number(value);
	}
	if (at32 + 4 > box.length) return 0;
	const value = box.readUInt32BE(at32);
	return value === 0xffffffff ? 0 : value;
}
/** A number of 32 bits whose place depends on the box's version. */
function word(box: Buffer, at0: number, at1: number): number {
	const at = box[0] === 1 ? at1 : at0;
	return at + 4 <= box.length ? box.readUInt32BE(at) : 0;
}

function* readMovie(moov: Box): ByteReading<Movie> {
	const tracks = new Map<number, Track>();
	const movie: Movie = { timescale: 0, duration: 0, hasFragments: false, tracks };
	const trackOf = (id: number) => {
		const track = tracks.get(id) ?? { timescale: 0, defaultSampleDuration: 0, end: 0 };
		tracks.set(id, track);
		return track;
	};
	yield* visitChildren(moov, function* (box) {
		if (box.type === 'mvhd') {
			const header = yield* contentStart(box, 32);
			movie.timescale = word(header, 12, 20);
			movie.duration = numberAt(header, 16, 24);
		}
		if (box.type === 'trak') {
			const { id, timescale } = yield* readTrack(box);
			trackOf(id).timescale = timescale;
		}
		if (box.type === 'mvex') {
			movie.hasFragments = true;
			yield* visitChildren(box, function* (inside) {
				const content = yield* contentStart(inside, 24);
				if (inside.type === 'mehd') movie.fullDuration = numberAt(content, 4, 4);
				if (inside.type === 'trex')
					trackOf(word(content, 4, 4)).defaultSampleDuration = word(content, 12, 12);
				return undefined;
			});
		}
		return undefined;
	});
	return movie;
}

function* readTrack(trak: Box): ByteReading<{ id: number; timescale: number }> {
	let id = 0;
	let timescale = 0;
	yield* visitChildren(trak, function* (box) {
		if (box.type === 'tkhd') id = word(yield* contentStart(box, 24), 12, 20);
		if (box.type !== 'mdia') return undefined;
		yield* visitChildren(box, function* (inside) {
			if (inside.type === 'mdhd') timescale = word(yield* contentStart(inside, 24), 12, 20);
			return undefined;
		});
		return undefined;
	});
	return { id, timescale };
}

/** Moves the tracks of a fragment on; `false` when it does not tell how far. */
function* addFragment(movie: Movie, moof: Box): ByteReading<boolean> {
	const failed = yield* visitChildren(moof, function* (traf) {
		if (traf.type !== 'traf') return undefined;
		return (yield* addTrackFragment(movie, traf)) ? undefined : true;
	});
	return !failed;
}

function* addTrackFragment({ tracks }: Movie, traf: Box): ByteReading<boolean> {
	let track: Track | undefined;
	let sampleDuration = 0;
	const failed = yield* visitChildren(traf, function* (box) {
		if (box.type === 'tfhd') {
			const header = yield* contentStart(box, 32);
			track = tracks.get(word(header, 4, 4));
			const flags = word(header, 0, 0) & 0xffffff;
			// Before the duration stand a place of 8 bytes and a description of 4, where the flags say so.
			const at = 8 + (flags & 1 ? 8 : 0) + (flags & 2 ? 4 : 0);
			sampleDuration = flags & 8 ? word(header, at, at) : (track?.defaultSampleDuration ?? 0);
		}
		if (!track || track.timescale === 0) return box.type === 'tfhd' ? true : undefined;
		if (box.type === 'tfdt') track.end = numberAt(yield* contentStart(box, 12), 4, 4);
		if (box.type !== 'trun') return undefined;
		track.start ??= track.end;
		const run = runDuration(yield* contentStart(box, MAX_RUN_BYTES), sampleDuration);
		if (run === undefined) return true;
		track.end += run;
		return undefined;
	});
	return !failed;
}

/** Duration of the samples of a `trun`, in units of its track's timescale. */
function runDuration(trun: Buffer, sampleDuration: number): number | undefined {
	const flags = word(trun, 0, 0) & 0xffffff;
	const count = word(trun, 4, 4);
	if (!(flags & 0x100)) return sampleDuration > 0 ? count * sampleDuration : undefined;
	const first = 8 + (flags & 1 ? 4 : 0) + (flags & 4 ? 4 : 0);
	const sampleBytes = [0x100, 0x200, 0x400, 0x800].filter((flag) => flags & flag).length * 4;
	if (first + count * sampleBytes > trun.length) return undefined;
	let sum = 0;
	for (let at = first; at < first + count * sampleBytes; at += sampleBytes)
		sum += trun.readUInt32BE(at);
	return sum;
}
