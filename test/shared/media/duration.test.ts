import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { answerRanges } from '../../../nodes/shared/files/byteReader';
import { readDuration } from '../../../nodes/shared/media/duration';
import { kindOf } from '../../../nodes/shared/media/formats';

const folder = mkdtempSync(join(tmpdir(), 'durations-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SOUND = 'sine=frequency=330:sample_rate=44100';
const PICTURE = 'testsrc=size=72x128:rate=25';

/** Makes a file with ffmpeg (a package of the CI machine) from a tone, and a picture where `video` is set. */
function made(name: string, seconds: number, args: string[], video = false): Buffer {
	const path = join(folder, name);
	const inputs = (video ? [PICTURE, SOUND] : [SOUND]).flatMap((source) => [
		...['-f', 'lavfi', '-t', String(seconds), '-i', source],
	]);
	execFileSync('ffmpeg', ['-loglevel', 'error', '-y', ...inputs, ...args, path]);
	return readFileSync(path);
}

/**
 * Length in s by ffprobe. Without a header it guesses the length of an MP3 from its first bit rate, so there
 * the packets that it finds are added up.
 */
function probed(file: Buffer, name: string, byPackets = false): number {
	const path = join(folder, name);
	writeFileSync(path, file);
	const entries = byPackets ? 'packet=duration_time' : 'format=duration';
	const args = ['-v', 'error', '-show_entries', entries, '-of', 'csv=p=0', path];
	const told = execFileSync('ffprobe', args, { encoding: 'utf8' }).trim().split('\n');
	return told.reduce((sum, line) => sum + Number.parseFloat(line), 0);
}

/** How far the file is read, and by what: parts by range, or pieces of the whole. */
async function read(file: Buffer, by: 'parts' | 'pieces') {
	let requests = 0;
	const kind = kindOf(file)!;
	const seconds = await answerRanges(
		{
			size: file.length,
			async *open() {
				requests += 1;
				for (let at = 0; at < file.length; at += 7_777) yield file.subarray(at, at + 7_777);
			},
			range:
				by === 'parts'
					? async ({ from, count }) => {
							requests += 1;
							return file.subarray(from, from + count);
						}
					: undefined,
		},
		readDuration(kind, file.length),
	);
	return { seconds, requests };
}

const WAVS: Array<[string, number, string[]]> = [
	['PCM 16 bit', 1.234, ['-c:a', 'pcm_s16le']],
	['PCM 8 bit', 2.5, ['-c:a', 'pcm_u8']],
	['PCM 24 bit, stereo', 3.3, ['-c:a', 'pcm_s24le', '-ac', '2']],
	['PCM 32 bit', 0.4, ['-c:a', 'pcm_s32le']],
	['floating point', 5, ['-c:a', 'pcm_f32le', '-ar', '48000']],
	['A-law', 7.01, ['-c:a', 'pcm_alaw', '-ar', '8000']],
	['µ-law', 0.75, ['-c:a', 'pcm_mulaw', '-ar', '8000']],
	['six channels, extensible', 2, ['-ac', '6']],
	['RF64', 2.2, ['-rf64', 'always']],
	['metadata before the sound', 2.1, ['-metadata', `comment=${'x'.repeat(900)}`]],
	['ADPCM, whose samples are counted', 4, ['-c:a', 'adpcm_ms']],
	['speech at 16 kHz', 61.5, ['-ar', '16000']],
];
const MP3S: Array<[string, number, string[]]> = [
	['constant bit rate', 3.2, ['-b:a', '128k']],
	['320 kbit/s', 2, ['-b:a', '320k']],
	['variable bit rate', 12, ['-q:a', '2']],
	['average bit rate', 6.6, ['-abr', '1', '-b:a', '96k']],
	['without a Xing header', 3.7, ['-write_xing', '0', '-b:a', '64k']],
	['variable, without a Xing header', 9.9, ['-write_xing', '0', '-q:a', '6']],
	['mono', 1.5, ['-ac', '1']],
	['22.05 kHz', 4.1, ['-ar', '22050']],
	['16 kHz, mono, without a header', 5.5, ['-ar', '16000', '-ac', '1', '-write_xing', '0']],
	['8 kHz (MPEG 2.5)', 3, ['-ar', '8000']],
	['48 kHz, stereo', 2.9, ['-ar', '48000', '-ac', '2']],
	[
		'ID3v1 behind the sound',
		2.3,
		['-write_id3v1', '1', '-write_xing', '0', '-metadata', 'title=t'],
	],
	['a long speech', 178, ['-b:a', '32k', '-ac', '1', '-write_xing', '0']],
];
const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac'];
const flags = (value: string) => [...h264, '-movflags', value];
const VIDEOS: Array<[string, number, string[], 'mp4' | 'mov']> = [
	['index behind the pictures', 3.2, h264, 'mp4'],
	['index in front', 4.04, flags('faststart'), 'mp4'],
	['MOV', 2.6, h264, 'mov'],
	['MOV with the index in front', 5.2, flags('faststart'), 'mov'],
	['without sound', 1.8, ['-an', '-c:v', 'libx264'], 'mp4'],
	['with B-frames', 6, ['-c:v', 'libx264', '-bf', '3', '-c:a', 'aac'], 'mp4'],
	['fragments', 5.6, flags('frag_keyframe+empty_moov'), 'mp4'],
	['fragments, the first in the index', 5.6, [...flags('frag_keyframe'), '-g', '25'], 'mp4'],
	[
		'many fragments',
		8,
		[...flags('frag_keyframe+empty_moov+default_base_moof'), '-g', '10'],
		'mp4',
	],
	['DASH', 4.4, [...flags('dash'), '-g', '25'], 'mp4'],
	['CMAF', 4.4, [...flags('cmaf'), '-g', '25'], 'mp4'],
	['pieces by time', 7, [...flags('empty_moov'), '-frag_duration', '500000'], 'mp4'],
	['fragments in a MOV', 3.6, flags('frag_keyframe+empty_moov'), 'mov'],
	['a clip of a minute', 60, ['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac'], 'mp4'],
	['ProRes and PCM', 1.2, ['-c:v', 'prores_ks', '-c:a', 'pcm_s16le'], 'mov'],
];
const ALL: Array<[string, number, string[], string]> = [
	...WAVS.map(([name, seconds, args]) => [name, seconds, args, 'wav'] as never),
	...MP3S.map(([name, seconds, args]) => [name, seconds, args, 'mp3'] as never),
	...VIDEOS,
];

it('covers forty kinds of files and more', () => expect(ALL.length).toBeGreaterThanOrEqual(40));

it.each(ALL)('%s: %d s are told within 50 ms of ffprobe', async (_, seconds, args, ending) => {
	const file = made(`file.${ending}`, seconds, args, ending.startsWith('m') && ending !== 'mp3');
	const expected = probed(file, `file.${ending}`, args.includes('-write_xing'));
	for (const by of ['parts', 'pieces'] as const) {
		const told = await read(file, by);
		expect(Math.abs(told.seconds! - expected)).toBeLessThanOrEqual(0.05);
		if (by === 'pieces') expect(told.requests).toBe(1);
	}
});

/** An ID3v2 tag with this many bytes in it. */
const id3 = (bytes: number) => {
	const size = [21, 14, 7, 0].map((shift) => (bytes >> shift) & 0x7f);
	return Buffer.concat([Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, ...size]), Buffer.alloc(bytes)]);
};
const mp3 = () =>
	made('plain.mp3', 2.5, ['-b:a', '64k', '-write_xing', '0', '-id3v2_version', '0']);

it.each<[string, (sound: Buffer) => Buffer]>([
	['a cover of 300 kB in front', (sound) => Buffer.concat([id3(300_000), sound])],
	['two tags in front', (sound) => Buffer.concat([id3(5_000), id3(70), sound])],
	['zeros in front', (sound) => Buffer.concat([Buffer.alloc(3_000), sound])],
	['an APE tag behind', (sound) => Buffer.concat([sound, Buffer.from('APETAGEX'), id3(4_000)])],
	['zeros behind', (sound) => Buffer.concat([sound, Buffer.alloc(900)])],
	['half of its last frame', (sound) => sound.subarray(0, -100)],
])('an MP3 with %s has the length of its sound', async (name, change) => {
	const sound = mp3();
	const file = change(sound);
	const expected = probed(sound, 'sound.mp3', true) - (name.startsWith('half') ? 0.026 : 0);
	// `kindOf` wants a tag or a frame at the start, so the kind is given here.
	const open = async function* () {
		yield file;
	};
	const told = await answerRanges({ size: file.length, open }, readDuration('mp3', file.length));
	expect(Math.abs(told! - expected)).toBeLessThanOrEqual(0.05);
});

describe('what cannot be told is unknown', () => {
	const at = (file: Buffer, name: string) => file.indexOf(name, 0, 'latin1');
	it.each<[string, () => Buffer]>([
		['a picture', () => Buffer.from('ffd8ffe000104a464946', 'hex')],
		[
			'free format, whose frames have no length',
			() => Buffer.concat([id3(10), Buffer.from('fffb0064', 'hex'), Buffer.alloc(5_000, 0x55)]),
		],
		['a tag and no sound', () => id3(4_000)],
		[
			'a video whose index does not know',
			() => {
				const file = made('video.mp4', 1, h264, true);
				file.writeUInt32BE(0, at(file, 'mvhd') + 4 + 16);
				return file;
			},
		],
		['a video without its index', () => made('video.mp4', 1, h264, true).subarray(0, 3_000)],
		[
			'a WAV without a format',
			() => {
				const file = made('sound.wav', 1, []);
				file.write('xxxx', at(file, 'fmt '));
				return file;
			},
		],
		[
			'packed sound of a length that its writer did not know',
			() => {
				const file = made('sound.wav', 1, ['-c:a', 'adpcm_ms']);
				file.writeUInt32LE(0xffffffff, at(file, 'data') + 4);
				return file;
			},
		],
	])('%s', async (_, make) => {
		const file = make();
		expect((await read(file, 'pieces')).seconds).toBeUndefined();
		expect((await read(file, 'parts')).seconds).toBeUndefined();
	});
});

it.each([0, 0x7fffffff, 0x7ffff000, 0xffffffff])(
	'a WAV whose writer did not know its length (%i) goes on to its end',
	async (stated) => {
		const file = made('sound.wav', 3, ['-ar', '24000', '-fflags', '+bitexact']);
		file.writeUInt32LE(stated, 4);
		file.writeUInt32LE(stated, file.indexOf('data') + 4);
		expect((await read(file, 'pieces')).seconds).toBeCloseTo(3, 2);
	},
);

it('an MP3 that lost its end has the length that is left, whatever its header says', async () => {
	const file = made('whole.mp3', 10, ['-b:a', '128k']);
	const half = file.subarray(0, file.length / 2);
	expect((await read(half, 'pieces')).seconds).toBeCloseTo(5, 0);
});

it('the length of a long clip with its index at the end takes three requests', async () => {
	const args = [
		'-c:v',
		'libx264',
		'-preset',
		'ultrafast',
		'-g',
		'25',
		'-b:v',
		'800k',
		'-c:a',
		'aac',
	];
	const file = made('clip.mp4', 60, args, true);
	expect(file.length).toBeGreaterThan(500_000);
	const { seconds, requests } = await read(file, 'parts');
	expect(seconds).toBeCloseTo(60, 1);
	expect(requests).toBeLessThanOrEqual(3);
});
