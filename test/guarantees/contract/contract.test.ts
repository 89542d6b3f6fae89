import { jsonAnswer } from '../../harness/emulator/answers';
import type { LoggedRequest } from '../../harness/emulator/types';
import { answerProblems, requestProblems } from './contract';
import api from './mirage-api.json';

const request = (changes: Partial<LoggedRequest>): LoggedRequest => ({
	id: 1,
	at: 0,
	server: 'api',
	method: 'GET',
	path: '/v1/videos',
	route: '',
	headers: { 'x-api-key': 'mira_key' },
	bodyBytes: 0,
	...changes,
});
const form = (path: string, changes: Partial<LoggedRequest>) =>
	request({
		method: 'POST',
		path,
		headers: { 'x-api-key': 'mira_key', 'content-type': 'multipart/form-data; boundary=x' },
		bodyBytes: 10,
		fields: {},
		files: [],
		...changes,
	});
const file = (field: string, mimeType: string, bytes = 5) => ({
	field,
	mimeType,
	bytes,
	fileName: field,
	sha256: '',
});
const captions = (changes: Partial<LoggedRequest>) => form('/v1/videos/captions', changes);
const overlay = (fields: Record<string, string[]>) =>
	form('/v1/meta/text_overlays', { fields, files: [file('video', 'video/mp4')] });
const speech = (json: unknown) =>
	request({
		method: 'POST',
		path: '/v1/audio/text-to-speech/voice-1',
		headers: { 'x-api-key': 'k', 'content-type': 'application/json' },
		bodyBytes: 20,
		json,
	});

describe('the contract knows', () => {
	it('the ten operations of the API', () => {
		const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
			Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
		);
		expect(operations.sort()).toEqual([
			'GET /v1/meta/text_overlays/{text_overlay_id}',
			'GET /v1/videos',
			'GET /v1/videos/captions/templates',
			'GET /v1/videos/captions/templates/{template_id}',
			'GET /v1/videos/{video_id}',
			'GET /v1/videos/{video_id}/content',
			'POST /v1/audio/text-to-speech/{voice_id}',
			'POST /v1/meta/text_overlays',
			'POST /v1/videos',
			'POST /v1/videos/captions',
		]);
	});
});

describe('a request that keeps the contract', () => {
	it.each([
		['a page', request({ path: '/v1/videos?limit=100&order=asc&after=video_1' })],
		['captions of a video', captions({ fields: { caption_template_id: ['c'], video_id: ['v'] } })],
		['one text, where a list is meant', overlay({ texts: ['A'], fonts: [''], sizes: ['48'] })],
		['speech', speech({ text: 'Hello', model: 'mirage-audio-1' })],
	])('%s', (_, kept) => {
		expect(requestProblems(kept)).toEqual([]);
	});
});

describe('a request that breaks the contract is noticed', () => {
	it.each<[string, LoggedRequest, string]>([
		['no key', request({ headers: {} }), 'x-api-key is missing'],
		[
			'the key at the host of the files',
			request({ server: 'content', path: '/generated/v.mp4' }),
			'x-api-key was sent',
		],
		['a path that does not exist', request({ path: '/v2/videos' }), 'no such operation'],
		['a method that does not exist', request({ method: 'DELETE' }), 'no such operation'],
		['a page over 100', request({ path: '/v1/videos?limit=101' }), 'must be <= 100'],
		['a page that is no number', request({ path: '/v1/videos?limit=all' }), 'must be integer'],
		['an unknown query', request({ path: '/v1/videos?status=COMPLETE' }), '"status" is not known'],
		[
			'a query that is there twice',
			request({ path: '/v1/videos?limit=1&limit=2' }),
			'is there 2 times',
		],
		['a slash in an ID', request({ path: '/v1/videos/a%2Fb' }), 'must match pattern'],
		['a body of a read', request({ bodyBytes: 2 }), 'a body was sent'],
		[
			'JSON where a form belongs',
			form('/v1/videos', { headers: { 'x-api-key': 'k', 'content-type': 'application/json' } }),
			'"application/json" is not taken',
		],
		[
			'a picture of a wrong kind',
			form('/v1/videos', {
				files: [file('image_reference', 'image/gif'), file('audio_reference', 'audio/wav')],
			}),
			'has the type "image/gif"',
		],
		[
			'no audio',
			form('/v1/videos', { files: [file('image_reference', 'image/png')] }),
			"'audio_reference'",
		],
		[
			'both a file and an ID',
			captions({
				fields: { caption_template_id: ['c'], video_id: ['v'] },
				files: [file('video', 'video/mp4')],
			}),
			'exactly one schema',
		],
		['neither file nor ID', captions({ fields: { caption_template_id: ['c'] } }), 'exactly one'],
		[
			'an empty file',
			captions({
				fields: { caption_template_id: ['c'] },
				files: [file('video', 'video/mp4', 0)],
			}),
			'is empty',
		],
		['five texts', overlay({ texts: ['a', 'b', 'c', 'd', 'e'] }), 'more than 4'],
		['a color that is a name', overlay({ texts: ['a'], colors: ['red'] }), 'must match pattern'],
		['a field that does not exist', overlay({ texts: ['a'], font: ['x'] }), 'additional'],
		['speech of nothing', speech({ text: '', model: 'mirage-audio-1' }), 'fewer than 1'],
		['another model', speech({ text: 'a', model: 'mirage-audio-9' }), 'equal to constant'],
	])('%s', (_, broken, problem) => {
		expect(requestProblems(broken).join('\n')).toContain(problem);
	});
});

describe('an answer that breaks the contract is noticed', () => {
	const video = { id: 'v', video_id: 'v', status: 'COMPLETE', created_at: 1 };
	it.each([
		['a list in an object', { data: [video] }, 'must be array'],
		['a video without ID', [{ ...video, id: undefined }], "'id'"],
		['a time in words', [{ ...video, created_at: '2026-10-01' }], 'must be integer'],
	])('%s', async (_, body, problem) => {
		const problems = await answerProblems(request({}), jsonAnswer(200, body));
		expect(problems.join('\n')).toContain(problem);
	});

	it('a status that the API does not give', async () => {
		expect(await answerProblems(request({}), jsonAnswer(418, {}))).toEqual([
			'the status 418 is not described',
		]);
	});

	it('and one that keeps it is not', async () => {
		expect(await answerProblems(request({}), jsonAnswer(200, [video]))).toEqual([]);
	});
});
