import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { startEmulator } from '../../harness/emulator/emulator';
import type { ApiVideo, Emulator } from '../../harness/emulator/types';
import { CHECKS } from './checks';
import { checkApi } from './cli';
import { assumptions } from './page';

const NOW_S = Math.floor(Date.now() / 1_000);
const VIDEOS: Partial<ApiVideo>[] = [
	{ id: 'video_1', created_at: NOW_S - 400, completed_at: NOW_S - 300 },
	{ id: 'video_2', created_at: NOW_S - 300, completed_at: NOW_S - 200, caption_template_id: 'c' },
	{ id: 'video_3', created_at: NOW_S - 200, completed_at: null, status: 'FAILED' },
	{ id: 'video_4', created_at: NOW_S - 100, completed_at: null, status: 'PROCESSING' },
];

let emulator: Emulator;
beforeEach(async () => {
	emulator = await startEmulator({ apiKey: 'mira_secret_5f0c' });
});
afterEach(async () => await emulator.close());

/** Runs the command; numbers by verdict, and what it printed. */
async function check(baseUrl = emulator.url, apiKey = emulator.apiKey) {
	const lines: string[] = [];
	const code = await checkApi({ MIRAGE_API_KEY: apiKey, MIRAGE_BASE_URL: baseUrl }, (line) =>
		lines.push(line),
	);
	const numbers = (verdict: string) =>
		lines.flatMap((line) => {
			const match = new RegExp(`^ ?(\\d+) ${verdict} `).exec(line);
			return match ? [Number(match[1])] : [];
		});
	return { code, lines, text: lines.join('\n'), numbers };
}

test('each assumption has a number of its own, and each check stands at its sentence', () => {
	const sentences = new Map(assumptions().map(({ number, sentence }) => [number, sentence]));
	expect(sentences.size).toBe(assumptions().length);
	expect(sentences.size).toBeGreaterThan(50);
	for (const [number, { of }] of Object.entries(CHECKS))
		expect(sentences.get(Number(number))).toContain(of);
});

test('a service that keeps the assumptions confirms what can be seen, and contradicts none', async () => {
	emulator.seedVideos(VIDEOS);
	const { code, lines, numbers } = await check();
	expect(numbers('contradicted')).toEqual([]);
	expect(numbers('confirmed')).toEqual([
		1, 2, 3, 5, 6, 14, 16, 17, 19, 20, 21, 23, 24, 25, 35, 36, 37, 38,
	]);
	expect(numbers('not decidable')).toHaveLength(assumptions().length - 18);
	expect(lines.at(-1)).toMatch(/^18 confirmed, 0 contradicted, \d+ not decidable$/);
	expect(code).toBe(0);
});

test('it starts nothing, prints no key, and sends the key to no other host', async () => {
	emulator.seedVideos(VIDEOS);
	const { text } = await check();
	expect(text).not.toContain(emulator.apiKey);
	expect(emulator.requests.filter(({ accepted }) => accepted)).toEqual([]);
	const posts = emulator.requests.filter(({ method }) => method === 'POST');
	expect(posts.map(({ status }) => status)).toEqual([422, 422, 422, 422]);
	const elsewhere = emulator.requests.filter(({ server }) => server === 'content');
	expect(elsewhere.map(({ headers }) => headers['x-api-key'])).toEqual([undefined]);
});

test('an empty account and limits leave things open, and contradict nothing', async () => {
	emulator.fault({
		route: 'GET /v1/videos/{video_id}',
		times: Infinity,
		fault: { kind: 'status', status: 429, body: { error: { type: 't', message: 'm' } } },
	});
	const { code, numbers } = await check();
	expect(numbers('contradicted')).toEqual([]);
	expect(numbers('not decidable')).toEqual(expect.arrayContaining([17, 19, 21, 24, 35, 36, 38]));
	expect(numbers('confirmed')).toContain(11);
	expect(code).toBe(0);
});

test('a service that contradicts five assumptions is told of all five', async () => {
	emulator.seedVideos(VIDEOS);
	const contrary = await startContrary(emulator);
	try {
		const { code, numbers, text } = await check(contrary.url);
		expect(numbers('contradicted')).toEqual([2, 5, 21, 25, 35]);
		expect(text).toContain('a wrong key: 400');
		expect(text).toContain('limit=0: 400');
		expect(text).toContain('a page holds the video that it comes after');
		expect(text).toContain('video: 410');
		expect(text).toContain('the answer is 200');
		expect(code).toBe(1);
	} finally {
		await contrary.close();
	}
});

test.each([
	['no key', {}, 'MIRAGE_API_KEY=…'],
	['a key of other signs', { MIRAGE_API_KEY: 'mira_§ecret' }, 'holds signs that no key has'],
	[
		'an address with a path',
		{ MIRAGE_API_KEY: 'k', MIRAGE_BASE_URL: 'http://h/v1' },
		'MIRAGE_BASE_URL',
	],
])('%s asks nothing and says what to change', async (_, env, words) => {
	const lines: string[] = [];
	expect(await checkApi(env, (line) => lines.push(line))).toBe(1);
	expect(lines.join('\n')).toContain(words);
	expect(lines.join('\n')).not.toContain('§');
});

test('a key that is refused is told, and nothing more is asked', async () => {
	const { code, lines } = await check(emulator.url, 'mira_wrong');
	expect(lines).toEqual([
		`${emulator.url}: The service answers 401 to this key. Nothing can be decided.`,
	]);
	expect(emulator.requests).toHaveLength(1);
	expect(code).toBe(1);
});

/**
 * Stands before an emulator and contradicts five assumptions: refuses a wrong key and wrong values with 400,
 * repeats the video of the cursor on the next page, knows no 404, and sends a video instead of a redirect.
 */
async function startContrary({
	url,
}: Emulator): Promise<{ url: string; close: () => Promise<void> }> {
	const server: Server = createServer((request, response) => {
		void (async () => {
			const path = request.url!.replace(/&after=[^&]*/, '');
			const chunks: Buffer[] = [];
			for await (const chunk of request) chunks.push(chunk as Buffer);
			const answer = await fetch(`${url}${path}`, {
				method: request.method,
				headers: request.headers as Record<string, string>,
				body: request.method === 'POST' ? Buffer.concat(chunks) : undefined,
				redirect: 'manual',
			});
			const status = { 401: 400, 422: 400, 404: 410, 302: 200 }[answer.status] ?? answer.status;
			const type = answer.status === 302 ? 'video/mp4' : 'application/json';
			response.writeHead(status, { 'content-type': type }).end(await answer.text());
		})();
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		close: async () => {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
