/**
 * Makes the fixtures in this folder again: `node test/harness/emulator/media/make-media.mjs`.
 * Needs ffmpeg with librsvg, libflite, libx264 and libmp3lame (Debian's ffmpeg has them all).
 * Everything is drawn and spoken by this script; no foreign picture or recording is used.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'mirage-media-'));
const FRAMES_PER_SECOND = 25;
const SCRIPT = 'Hello, this video was made by the emulator.';
const CAPTIONS = ['HELLO', 'THIS VIDEO', 'WAS MADE BY', 'THE EMULATOR'];

function ffmpeg(...args) {
	execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args], {
		stdio: 'inherit',
	});
}

/** One drawing of the head. `mouth` and `eyes` run from 0 (closed) to 1 (open); `tilt` is in degrees. */
function portraitSvg({ mouth = 0.45, eyes = 1, tilt = 0, lift = 0, caption = '', overlay = '' }) {
	const mouthHeight = 6 + mouth * 44;
	const eyeHeight = Math.max(3, eyes * 17);
	const outlined =
		'font-family="DejaVu Sans" font-weight="bold" text-anchor="middle" paint-order="stroke"';
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 1280" width="720" height="1280">
<defs>
	<linearGradient id="wall" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#3b4a7a"/><stop offset="1" stop-color="#c98f86"/></linearGradient>
	<radialGradient id="skin" cx=".42" cy=".38" r=".75"><stop offset="0" stop-color="#f3c6a0"/><stop offset="1" stop-color="#d29268"/></radialGradient>
</defs>
<rect width="720" height="1280" fill="url(#wall)"/>
<circle cx="590" cy="250" r="130" fill="#f6d9a8" opacity=".35"/>
<path d="M40 1280 C60 1010 210 935 360 935 C510 935 660 1010 680 1280 Z" fill="#24435c"/>
<path d="M285 850 L435 850 L455 985 C400 1040 320 1040 265 985 Z" fill="#c48560"/>
<path d="M262 968 L360 1075 L458 968 L500 1000 L370 1150 L350 1150 L220 1000 Z" fill="#f4efe6"/>
<g transform="translate(0 ${lift}) rotate(${tilt} 360 800)">
	<path d="M150 640 C120 340 250 270 360 270 C470 270 600 340 570 640 C590 800 560 860 530 900 L190 900 C160 860 130 800 150 640 Z" fill="#4a2c22"/>
	<ellipse cx="176" cy="640" rx="30" ry="52" fill="#cf9068"/><ellipse cx="544" cy="640" rx="30" ry="52" fill="#cf9068"/>
	<path d="M180 600 C180 400 540 400 540 600 C545 780 480 905 360 905 C240 905 175 780 180 600 Z" fill="url(#skin)"/>
	<path d="M172 600 C190 440 300 400 420 395 C330 450 280 470 200 600 Z" fill="#4a2c22"/><path d="M548 600 C540 470 480 410 400 395 C470 440 510 490 548 600 Z" fill="#4a2c22"/>
	<path d="M232 566 Q275 545 318 564" stroke="#3a221a" stroke-width="13" fill="none" stroke-linecap="round"/><path d="M402 564 Q445 545 488 566" stroke="#3a221a" stroke-width="13" fill="none" stroke-linecap="round"/>
	<ellipse cx="276" cy="618" rx="33" ry="${eyeHeight}" fill="#fff"/><ellipse cx="444" cy="618" rx="33" ry="${eyeHeight}" fill="#fff"/>
	<ellipse cx="278" cy="618" rx="14" ry="${Math.min(15, eyeHeight)}" fill="#2f5d50"/><ellipse cx="442" cy="618" rx="14" ry="${Math.min(15, eyeHeight)}" fill="#2f5d50"/>
	<path d="M360 630 C352 680 335 705 348 716 Q360 724 376 714" stroke="#b97a55" stroke-width="8" fill="none" stroke-linecap="round"/>
	<ellipse cx="245" cy="715" rx="36" ry="22" fill="#e58f74" opacity=".45"/><ellipse cx="475" cy="715" rx="36" ry="22" fill="#e58f74" opacity=".45"/>
	<ellipse cx="360" cy="795" rx="${78 - mouth * 16}" ry="${mouthHeight / 2 + 9}" fill="#b4483f"/>
	<ellipse cx="360" cy="795" rx="${64 - mouth * 14}" ry="${mouthHeight / 2}" fill="#4d1519"/>
	<rect x="322" y="${795 - mouthHeight / 2 + 1}" width="76" height="${Math.min(13, mouthHeight / 3)}" rx="5" fill="#fff"/>
</g>
${caption && `<text x="360" y="1120" font-size="76" fill="#ffe14d" stroke="#000" stroke-width="14" ${outlined}>${caption}</text>`}
${overlay && `<rect x="60" y="110" width="600" height="130" rx="26" fill="#fff"/><text x="360" y="198" font-size="54" fill="#1d1d3b" ${outlined}>${overlay}</text>`}
</svg>`;
}

/** Loudness of a 16-bit mono WAV, one value from 0 to 1 for each video frame. */
function loudness(wavFile) {
	const wav = readFileSync(wavFile);
	const samples = wav.subarray(wav.indexOf('data') + 8);
	const perFrame = Math.round(wav.readUInt32LE(24) / FRAMES_PER_SECOND);
	const levels = [];
	for (let at = 0; at + perFrame * 2 <= samples.length; at += perFrame * 2) {
		let sum = 0;
		for (let i = 0; i < perFrame; i++) sum += samples.readInt16LE(at + i * 2) ** 2;
		levels.push(Math.sqrt(sum / perFrame));
	}
	const loudest = Math.max(...levels);
	return levels.map((level) => Math.min(1, (level / loudest) * 1.3));
}

const voice = join(here, 'voice.wav');
ffmpeg(
	'-f',
	'lavfi',
	'-i',
	`flite=text='${SCRIPT.replace(/,/g, '\\,')}':voice=slt`,
	'-ar',
	'16000',
	'-ac',
	'1',
	'-c:a',
	'pcm_s16le',
	'-bitexact',
	voice,
);
ffmpeg('-i', voice, '-c:a', 'libmp3lame', '-b:a', '32k', '-bitexact', join(here, 'voice.mp3'));

const still = join(work, 'still.svg');
writeFileSync(still, portraitSvg({}));
ffmpeg('-i', still, '-q:v', '4', '-pix_fmt', 'yuvj420p', '-bitexact', join(here, 'portrait.jpg'));
ffmpeg(
	'-i',
	still,
	'-vf',
	'scale=180:320',
	'-pix_fmt',
	'rgb24',
	'-bitexact',
	join(here, 'portrait.png'),
);

const levels = loudness(voice);
const spoken = ({ caption = false, overlay = '' }) => {
	const name = `${caption}-${overlay.length}`;
	levels.forEach((level, frame) => {
		const blink = frame % 60 >= 40 && frame % 60 < 43;
		const captionAt = Math.min(
			CAPTIONS.length - 1,
			Math.floor((frame / levels.length) * CAPTIONS.length),
		);
		writeFileSync(
			join(work, `${name}-${String(frame).padStart(3, '0')}.svg`),
			portraitSvg({
				mouth: level,
				eyes: blink ? 0 : 1,
				tilt: Math.sin(frame / 14) * 1.6,
				lift: Math.sin(frame / 9) * 4,
				caption: caption ? CAPTIONS[captionAt] : '',
				overlay,
			}),
		);
	});
	return join(work, `${name}-%03d.svg`);
};

function video(
	frames,
	file,
	{ filter = 'scale=360:640', flags = ['-movflags', '+faststart'] } = {},
) {
	ffmpeg(
		'-framerate',
		String(FRAMES_PER_SECOND),
		'-i',
		frames,
		'-i',
		voice,
		'-vf',
		filter,
		'-c:v',
		'libx264',
		'-preset',
		'veryslow',
		'-crf',
		'31',
		'-profile:v',
		'main',
		'-pix_fmt',
		'yuv420p',
		'-c:a',
		'aac',
		'-b:a',
		'32k',
		'-shortest',
		'-bitexact',
		'-map_metadata',
		'-1',
		...flags,
		join(here, file),
	);
}

const plain = spoken({});
video(plain, 'generated.mp4');
video(spoken({ caption: true }), 'captioned.mp4');
video(spoken({ overlay: 'Meet the emulator' }), 'overlay.mp4');
// No faststart: the `moov` box comes last, as cameras write it.
video(plain, 'clip.mov', { flags: [] });
video(plain, 'landscape.mp4', { filter: 'crop=720:405:0:480,scale=480:270' });

// A clip of the person that is long enough to make an avatar from.
ffmpeg(
	...[
		'-loop',
		'1',
		'-i',
		join(here, 'portrait.png'),
		'-t',
		'12',
		'-r',
		'5',
		'-vf',
		'scale=180:320',
	],
	...['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-crf', '38', '-movflags', '+faststart'],
	join(here, 'person.mp4'),
);

rmSync(work, { recursive: true });
for (const file of [
	'portrait.jpg',
	'portrait.png',
	'voice.wav',
	'voice.mp3',
	'generated.mp4',
	'captioned.mp4',
	'overlay.mp4',
	'clip.mov',
	'landscape.mp4',
	'person.mp4',
]) {
	console.log(`${file}\t${statSync(join(here, file)).size} bytes`);
}
