import fc from 'fast-check';
import { readFileSync } from 'node:fs';

import { followBoxes, followRiff, type Wholeness } from '../../../nodes/shared/media/completeness';
import { isNineSixteenths, readFrame } from '../../../nodes/shared/media/frame';
import type { ByteReading } from '../../../nodes/shared/media/byteRanges';
import { readDuration } from '../../../nodes/shared/media/duration';
import { contentOf, conversionAdvice } from '../../../nodes/shared/media/contents';
import { kindOf, type FileKind } from '../../../nodes/shared/media/formats';
import { MEDIA } from '../../harness/emulator/media';

const REAL = Object.values(MEDIA).map((path) => readFileSync(path));
const RUNS = { numRuns: 2_000 };

const bytes = fc.uint8Array({ maxLength: 4_096 }).map((array) => Buffer.from(array));
/** Beginnings that lead into each branch, with anything behind them. */
const likeAFile = fc
	.tuple(
		fc.constantFrom(
			Buffer.from('ffd8ff', 'hex'),
			Buffer.from('89504e470d0a1a0a', 'hex'),
			Buffer.from('RIFF\0\0\0\0WAVE', 'latin1'),
			Buffer.from('ID3'),
			Buffer.from('fffb9064', 'hex'),
			Buffer.from('\0\0\0\x18ftypisom', 'latin1'),
			Buffer.from('\0\0\0\0moov', 'latin1'),
			Buffer.from('\0\0\0\x01moov\xff\xff\xff\xff\xff\xff\xff\xff', 'latin1'),
			Buffer.from('\0\0\0\x08free', 'latin1'),
		),
		bytes,
	)
	.map((parts) => Buffer.concat(parts));
/** Real files with a part cut off and some bytes changed. */
const hurt = fc
	.tuple(
		fc.constantFrom(...REAL),
		fc.double({ min: 0, max: 1, noNaN: true }),
		fc.array(fc.tuple(fc.nat(20_000), fc.integer({ min: 0, max: 255 })), { maxLength: 20 }),
	)
	.map(([file, share, changes]) => {
		const copy = Buffer.from(file.subarray(0, Math.floor(file.length * share)));
		for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
		return copy;
	});
const anything = fc.oneof(bytes, likeAFile, hurt);

/** Answers every range from the file, and counts them: the work of a check has a bound. */
function readFrom<T>(file: Buffer, reading: ByteReading<T>, maxReads = 50_000): T {
	let step = reading.next();
	for (let reads = 0; !step.done; reads++) {
		expect(reads).toBeLessThan(maxReads);
		const { from, count } = step.value;
		step = reading.next(file.subarray(from, from + count));
	}
	return step.value;
}
const frameOf = (file: Buffer) => readFrom(file, readFrame(file.length));

/** A box of an ISO base media file. */
const box = (type: string, content: Buffer) => {
	const head = Buffer.alloc(8);
	head.writeUInt32BE(content.length + 8);
	head.write(type, 4, 'latin1');
	return Buffer.concat([head, content]);
};
const feed = (wholeness: Wholeness, file: Buffer, sizes: number[]) => {
	let at = 0;
	for (let turn = 0; at < file.length; turn++) {
		const size = sizes[turn % sizes.length]!;
		wholeness.next(file.subarray(at, at + size));
		at += size;
	}
	return wholeness.isCutOff();
};
const cuts = fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 });

it('no file makes the check of its kind fail or take long', () => {
	fc.assert(
		fc.property(anything, (file) => {
			const kind = kindOf(file);
			expect([undefined, 'jpeg', 'png', 'wav', 'mp3', 'mp4', 'mov']).toContain(kind);
			const content = contentOf(file);
			if (kind) expect(content).toBeDefined();
			if (content) expect(conversionAdvice(content, ['jpeg', 'png'])).toMatch(/\.$/);
		}),
		RUNS,
	);
});

it('no file makes the look for its frame fail or take long', () => {
	fc.assert(
		fc.property(anything, (file) => {
			const frame = frameOf(file);
			if (frame) {
				expect(frame.width).toBeGreaterThan(0);
				expect(frame.height).toBeGreaterThan(0);
				expect(typeof isNineSixteenths(frame)).toBe('boolean');
			}
		}),
		RUNS,
	);
});

it('no file makes the reading of its length fail, take long, or give nonsense', () => {
	fc.assert(
		fc.property(anything, fc.constantFrom('wav', 'mp3', 'mp4', 'mov'), (file, kind) => {
			const seconds = readFrom(file, readDuration(kind as FileKind, file.length));
			if (seconds === undefined) return;
			expect(Number.isFinite(seconds)).toBe(true);
			expect(seconds).toBeGreaterThanOrEqual(0);
		}),
		RUNS,
	);
});

it('a length is read of fragments without end, and of what calls itself one', () => {
	const type = fc.constantFrom(
		'moov',
		'mvhd',
		'trak',
		'mvex',
		'trex',
		'moof',
		'traf',
		'tfhd',
		'trun',
	);
	const tree = fc.letrec<{ node: Buffer }>((tie) => ({
		node: fc.oneof(
			{ maxDepth: 6, withCrossShrink: true },
			fc.tuple(type, bytes).map(([name, content]) => box(name, content.subarray(0, 60))),
			fc
				.tuple(type, fc.array(tie('node'), { maxLength: 5 }))
				.map(([name, inside]) => box(name, Buffer.concat(inside))),
		),
	})).node;
	fc.assert(
		fc.property(tree, fc.array(tree, { maxLength: 4 }), (index, rest) => {
			const file = Buffer.concat([box('moov', index), ...rest]);
			const seconds = readFrom(file, readDuration('mp4', file.length));
			if (seconds !== undefined) expect(Number.isFinite(seconds)).toBe(true);
		}),
		{ numRuns: 1_000 },
	);
});

it('boxes within boxes without end, and boxes of no size, are left', () => {
	const type = fc.constantFrom('moov', 'trak', 'mdia', 'hdlr', 'tkhd', 'free');
	const tree = fc.letrec<{ node: Buffer }>((tie) => ({
		node: fc.oneof(
			{ maxDepth: 8, withCrossShrink: true },
			fc.tuple(type, bytes).map(([name, content]) => box(name, content)),
			fc
				.tuple(type, fc.array(tie('node'), { maxLength: 4 }))
				.map(([name, inside]) => box(name, Buffer.concat(inside))),
		),
	})).node;
	fc.assert(
		fc.property(tree, (content) => {
			frameOf(box('moov', content));
		}),
		{ numRuns: 500 },
	);
	const empty = Buffer.alloc(1_000_000);
	expect(frameOf(empty)).toBeUndefined();
	expect(feed(followBoxes(), empty, [65_536])).toBe(false);
	expect(frameOf(Buffer.concat(Array(20_001).fill(box('free', Buffer.alloc(0)))))).toBeUndefined();
});

it('however a file is cut into chunks, its wholeness comes out the same', () => {
	fc.assert(
		fc.property(anything, cuts, (file, sizes) => {
			for (const follow of [followBoxes, followRiff])
				expect(feed(follow(), file, sizes)).toBe(feed(follow(), file, [file.length || 1]));
		}),
		{ numRuns: 500 },
	);
});

it('a whole file counts as whole, and one that lacks its last byte does not', () => {
	const videos = [MEDIA.generated, MEDIA.captioned, MEDIA.overlay, MEDIA.clipMov, MEDIA.landscape];
	fc.assert(
		fc.property(fc.constantFrom(...videos), cuts, fc.nat(30_000), (path, sizes, missing) => {
			const file = readFileSync(path);
			expect(feed(followBoxes(), file, sizes)).toBe(false);
			const cut = file.subarray(0, Math.max(9, file.length - 1 - missing));
			// A few bytes of the box behind the index may as well be what someone put behind the file.
			const lastEnd = Math.max(...[...boxEnds(file)].filter((end) => end <= cut.length));
			const hasIndex = file.subarray(0, lastEnd).includes('moov');
			if (!hasIndex || cut.length - lastEnd >= 8)
				expect(feed(followBoxes(), cut, sizes)).toBe(true);
		}),
		{ numRuns: 300 },
	);
	const speech = readFileSync(MEDIA.voiceWav);
	for (const stated of [0, 0x7fffffff, 0x7ffff024, 0xffffffff]) {
		const streamed = Buffer.from(speech);
		streamed.writeUInt32LE(stated, 4);
		expect(feed(followRiff(), streamed, [65_536])).toBe(false);
	}
	expect(feed(followRiff(), speech, [65_536])).toBe(false);
	expect(feed(followRiff(), speech.subarray(0, -1), [65_536])).toBe(true);
});

it('bytes behind the last box do not make a video count as cut off', () => {
	const behind = fc.oneof(
		fc.uint8Array({ minLength: 1, maxLength: 7 }).map((array) => Buffer.from(array)),
		fc.integer({ min: 1, max: 5_000 }).map((zeros) => Buffer.alloc(zeros)),
		fc.constantFrom('\r\n', '\r\n--boundary--\r\n', '<!-- served by a proxy -->').map(Buffer.from),
	);
	const video = readFileSync(MEDIA.generated);
	fc.assert(
		fc.property(behind, cuts, (garbage, sizes) => {
			expect(feed(followBoxes(), Buffer.concat([video, garbage]), sizes)).toBe(false);
		}),
		{ numRuns: 200 },
	);
});

function boxEnds(file: Buffer): Set<number> {
	const ends = new Set<number>();
	for (let at = 0; at < file.length; at += file.readUInt32BE(at)) ends.add(at);
	return ends;
}
