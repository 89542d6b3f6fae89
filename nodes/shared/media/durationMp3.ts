import type { ByteReading } from './byteRanges';

/** kbit/s of layer III by the header's bitrate index: MPEG 1, then MPEG 2 and 2.5 (ISO/IEC 11172-3, 13818-3). */
const BITRATES = [
	[0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
	[0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
/** Hz by the sample rate index, for MPEG 1. MPEG 2 has half of it, MPEG 2.5 a quarter. */
const SAMPLE_RATES = [44_100, 48_000, 32_000];

/** Bytes of frames that are counted at most, where no header tells their number: 14 minutes at 320 kbit/s. */
const MAX_COUNTED_BYTES = 33_554_432;
/** Bytes that are read at a time while frames are counted. */
const STEP_BYTES = 262_144;
/** Bytes without a frame that are passed over: zeros behind a tag, or what an editor left between two. */
const MAX_GAP = 65_536;
/** Bytes at the end of a file that may be no frames: ID3v1, lyrics, an APE tag with a small picture. */
const MAX_END_BYTES = 131_072;
/** ID3 tags that may stand one behind the other. */
const MAX_TAGS = 10;

interface AudioFrame {
	bytes: number;
	samples: number;
	sampleRate: number;
	/** Bytes from the frame's start to where a `Xing` header would stand. */
	xingAt: number;
}

/**
 * Length of an MP3 of `size` bytes, in s. A `Xing`, `Info` or `VBRI` header tells the number of frames;
 * without one the frames are counted. `undefined` for free format, whose frames do not tell their length.
 */
export function* mp3Duration(size: number): ByteReading<number | undefined> {
	const at = yield* behindTags(size);
	const bytes = yield { from: at, count: Math.min(MAX_GAP, size - at) };
	const skip = firstFrameIn(bytes, at + bytes.length >= size);
	const frame = skip === undefined ? undefined : frameAt(bytes, skip);
	if (skip === undefined || !frame) return undefined;
	const stated = statedSamples(bytes.subarray(skip, skip + frame.bytes), frame);
	// A file that lost its end has fewer frames than its header says.
	if (stated && (stated.bytes === undefined || at + skip + stated.bytes <= size + frame.bytes))
		return stated.samples / frame.sampleRate;
	const from = stated ? at + skip + frame.bytes : at + skip;
	return yield* countedDuration(from, size);
}

/** Where the sound begins: behind ID3v2 tags (id3.org), whose length counts in bytes of 7 bits. */
function* behindTags(size: number): ByteReading<number> {
	let at = 0;
	for (let count = 0; count < MAX_TAGS && at < size; count++) {
		const tag = yield { from: at, count: Math.min(10, size - at) };
		if (tag.length < 10 || tag.toString('latin1', 0, 3) !== 'ID3') break;
		const length = [6, 7, 8, 9].reduce((sum, index) => sum * 128 + (tag[index]! & 0x7f), 0);
		const hasFooter = (tag[5]! & 0x10) !== 0;
		at += 10 + length + (hasFooter ? 10 : 0);
	}
	return Math.min(at, size);
}

/** The first place where a frame begins and the next one follows it, or the file ends. */
function firstFrameIn(bytes: Buffer, isEnd: boolean): number | undefined {
	for (let at = 0; at + 4 <= bytes.length; at++) {
		if (bytes[at] !== 0xff) continue;
		const frame = frameAt(bytes, at);
		if (!frame) continue;
		const next = at + frame.bytes;
		if (next + 4 <= bytes.length ? isSameStream(frame, frameAt(bytes, next)) : isEnd) return at;
	}
	return undefined;
}

const isSameStream = (frame: AudioFrame, next: AudioFrame | undefined) =>
	next?.sampleRate === frame.sampleRate && next.samples === frame.samples;

function frameAt(bytes: Buffer, at: number): AudioFrame | undefined {
	if (at + 4 > bytes.length) return undefined;
	const header = bytes.readUInt32BE(at);
	const version = (header >>> 19) & 3;
	const bitrate = BITRATES[version === 3 ? 0 : 1]![(header >>> 12) & 15];
	const baseRate = SAMPLE_RATES[(header >>> 10) & 3];
	const isLayer3 = header >>> 21 === 0x7ff && version !== 1 && ((header >>> 17) & 3) === 1;
	if (!isLayer3 || !bitrate || !baseRate) return undefined;
	const sampleRate = version === 3 ? baseRate : version === 2 ? baseRate / 2 : baseRate / 4;
	const samples = version === 3 ? 1_152 : 576;
	const padding = (header >>> 9) & 1;
	const isMono = ((header >>> 6) & 3) === 3;
	const sideInfo = version === 3 ? (isMono ? 17 : 32) : isMono ? 9 : 17;
	return {
		bytes: Math.floor(((samples / 8) * bitrate * 1_000) / sampleRate) + padding,
		samples,
		sampleRate,
		xingAt: 4 + sideInfo,
	};
}

/**
 * Samples, and bytes of the whole sound, that the first frame states: `Xing` or `Info`, or Fraunhofer's
 * `VBRI`. What an encoder padded counts as sound, as it does for ffprobe.
 */
function statedSamples(
	frame: Buffer,
	{ xingAt, samples }: AudioFrame,
): { samples: number; bytes?: number } | undefined {
	const vbri = 36;
	if (frame.toString('latin1', vbri, vbri + 4) === 'VBRI' && frame.length >= vbri + 18)
		return {
			bytes: frame.readUInt32BE(vbri + 10),
			samples: frame.readUInt32BE(vbri + 14) * samples,
		};
	if (!/^(Xing|Info)$/.test(frame.toString('latin1', xingAt, xingAt + 4))) return undefined;
	if (frame.length < xingAt + 16) return undefined;
	const flags = frame.readUInt32BE(xingAt + 4);
	const frames = flags & 1 ? frame.readUInt32BE(xingAt + 8) : 0;
	// A header without the number: its frame is no sound, and the others are counted.
	if (frames === 0) return { samples: 0, bytes: Infinity };
	const bytes = flags & 2 ? frame.readUInt32BE(xingAt + 12) : undefined;
	return { samples: frames * samples, bytes };
}

/** Adds up the frames from `from` on. */
function* countedDuration(from: number, size: number): ByteReading<number | undefined> {
	if (size - from > MAX_COUNTED_BYTES) return undefined;
	let seconds = 0;
	let at = from;
	let gap = 0;
	let first: AudioFrame | undefined;
	while (at + 4 <= size) {
		const bytes = yield { from: at, count: Math.min(STEP_BYTES, size - at) };
		if (bytes.length < 4) return undefined;
		let used = 0;
		while (used + 4 <= bytes.length) {
			const frame = frameAt(bytes, used);
			first ??= frame;
			if (frame && isSameStream(frame, first)) {
				// A last frame that is cut off gives no sound.
				if (at + used + frame.bytes > size) return seconds;
				seconds += frame.samples / frame.sampleRate;
				used += frame.bytes;
				gap = 0;
			} else {
				used += 1;
				gap += 1;
				if (size - at - used + gap <= MAX_END_BYTES && isEndTag(bytes, used - 1)) return seconds;
				if (gap > MAX_GAP) return undefined;
			}
		}
		at += Math.max(used, 1);
	}
	return seconds > 0 ? seconds : undefined;
}

/** Whether an ID3v1, APE or Lyrics3 tag begins here: no frame follows. */
const isEndTag = (bytes: Buffer, at: number) =>
	/^(TAG|APETAGEX|LYRICS)/.test(bytes.toString('latin1', at, at + 8));
