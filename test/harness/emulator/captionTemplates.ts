import { createHash } from 'node:crypto';

import type { ApiCaptionTemplate } from './types';

const NAMES = [
	'Bold White',
	'Karaoke Yellow',
	'Neon Outline',
	'Minimal Lowercase',
	'Headline Box',
	'Typewriter',
	'Soft Shadow',
	'Comic Pop',
	'Podcast Two Lines',
	'Gradient Sunset',
	'One Word Punch',
	'Clean Subtitle',
];

/** 1 November 2024, in Unix seconds. */
const FIRST_CREATED = 1_730_419_200;

/** Caption templates with ids that are the same in every run, so that saved workflows keep working. */
export function captionTemplates(count: number, contentUrl: string): ApiCaptionTemplate[] {
	return Array.from({ length: count }, (_, index) => {
		const round = Math.floor(index / NAMES.length);
		const name = NAMES[index % NAMES.length]! + (round > 0 ? ` ${round + 1}` : '');
		const id = `ctpl_${createHash('sha256').update(name).digest('hex').slice(0, 20)}`;
		return {
			id,
			object: 'caption_template',
			name,
			preview_url: `${contentUrl}/previews/${id}.mp4`,
			created_at: FIRST_CREATED + index * 86_400,
		};
	});
}
