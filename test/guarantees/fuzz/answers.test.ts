import fc from 'fast-check';
import type { IExecuteFunctions, INode } from 'n8n-workflow';
import { NodeApiError } from 'n8n-workflow';
import { Readable } from 'node:stream';

import {
	addCaptions,
	createVideo,
	getCaptionTemplate,
	getTextOverlay,
	getVideo,
	listCaptionTemplates,
	listVideos,
	videoContentUrl,
} from '../../../nodes/shared/api/endpoints';
import { apiError } from '../../../nodes/shared/transport/errors';
import { reasonsIn } from '../../../nodes/shared/transport/reasons';
import { formPart, type CheckedFile } from '../../../nodes/shared/api/uploadFile';
import type { RateLimiter } from '../../../nodes/shared/api/buckets';
import { requiredId } from '../../../nodes/shared/n8n/parameters';
import { LIMITS } from '../../../nodes/shared/transport/timeouts';
import { retryAfterMs } from '../../../nodes/shared/transport/readJson';

const NODE: INode = {
	id: '1',
	name: 'Fuzz',
	type: 'mirageCreateVideo',
	typeVersion: 1,
	position: [0, 0],
	parameters: {},
};
const BASE = 'https://api.mirage.app';

/** The least of n8n that a request needs: answers come from the fuzzer, and requests are noted. */
function context(answer: { status: number; headers: Record<string, string>; body: Buffer }) {
	const urls: string[] = [];
	const send = async (_: string, { url }: { url: string }) => {
		urls.push(url);
		return {
			statusCode: answer.status,
			headers: answer.headers,
			body: Readable.from([answer.body]),
		};
	};
	const ctx = {
		getNode: () => NODE,
		getCredentials: async () => ({ baseUrl: BASE }),
		logger: { warn: () => {} },
		helpers: { httpRequestWithAuthentication: send },
	} as unknown as IExecuteFunctions;
	return { ctx, urls };
}

const before = { ...LIMITS };
beforeAll(() => void Object.assign(LIMITS, { firstPauseMs: 1, readPatienceMs: 2 }));
afterAll(() => void Object.assign(LIMITS, before));

const image: CheckedFile = {
	kind: 'jpeg',
	size: 3,
	open: async function* () {
		yield Buffer.from('abc');
	},
	fingerprint: 'abc',
	durationS: async () => undefined,
};
/** Lets everything go at once, and waits for nothing. */
const limiter = (): RateLimiter => ({
	pass: async (_, { prepare, send }) => {
		await prepare?.();
		return await send();
	},
	note: () => '',
});

/** Words that the API's objects use, so that random JSON comes near to them. */
const key = fc.oneof(
	fc.constantFrom('id', 'video_id', 'data', 'has_more', 'detail', 'loc', 'msg', 'error', 'message'),
	fc.constantFrom(
		'status',
		'created_at',
		'results',
		'code',
		'index',
		'__proto__',
		'constructor',
		'toString',
	),
	fc.string({ maxLength: 5 }),
);
const json = fc.letrec<{ value: unknown }>((tie) => ({
	value: fc.oneof(
		{ maxDepth: 4 },
		fc.constantFrom(null, true, false, 0, -1, 1e308, '', 'x', 'body'),
		fc.string({ maxLength: 20 }),
		fc.array(tie('value'), { maxLength: 4 }),
		fc.dictionary(key, tie('value'), { maxKeys: 5 }),
	),
})).value;
const body = fc.oneof(
	{ weight: 4, arbitrary: json.map((value) => Buffer.from(JSON.stringify(value))) },
	{ weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array)) },
);
const answer = fc.record({
	status: fc.constantFrom(200, 200, 200, 201, 204, 301, 302, 400, 401, 404, 422, 429, 500, 503),
	headers: fc.record(
		{
			location: fc.oneof(fc.webUrl(), fc.string({ maxLength: 20 })),
			'retry-after': fc.oneof(fc.constantFrom('0', '-1', 'soon'), fc.string({ maxLength: 5 })),
		},
		{ requiredKeys: [] },
	),
	body,
});

type Fields = Record<string, unknown>;

/** What the types of the API's objects promise, whatever the server sent. */
function expectPromised(object: Fields, call: string) {
	const isJob = call !== 'getCaptionTemplate';
	const { id, name, status, created_at: createdAt, error, results } = object;
	expect(id).toMatch(/./s);
	if (createdAt !== undefined) expect(Number.isInteger(createdAt)).toBe(true);
	expect(isJob ? status : name).toMatch(/./s);
	if (!isJob) return;
	if (error !== undefined && error !== null) {
		expect(typeof (error as Fields).code).toBe('string');
		expect(typeof (error as Fields).message).toBe('string');
	}
	if (call === 'getTextOverlay') {
		expect(Array.isArray(results)).toBe(true);
		for (const result of results as Fields[]) {
			expect(Number.isFinite(result.index)).toBe(true);
			expect(result.status).toMatch(/./s);
		}
	}
}

const appearance = { field: 'image_reference', file: image } as const;

const calls: Record<string, (ctx: IExecuteFunctions) => Promise<unknown>> = {
	listVideos: async (ctx) => await listVideos(ctx),
	getVideo: async (ctx) => await getVideo(ctx, 'v'),
	listCaptionTemplates: async (ctx) => await listCaptionTemplates(ctx),
	getCaptionTemplate: async (ctx) => await getCaptionTemplate(ctx, 't'),
	getTextOverlay: async (ctx) => await getTextOverlay(ctx, 'o'),
	videoContentUrl: async (ctx) => await videoContentUrl(ctx, 'v'),
	createVideo: async (ctx) =>
		await createVideo(ctx, limiter(), { appearance, audio: image, model: 'm' }, new Set()),
	addCaptions: async (ctx) =>
		await addCaptions(ctx, limiter(), { templateId: 't', videoId: 'v' }, new Set()),
};

it.each(Object.keys(calls))(
	'whatever the server answers, %s gives a value or an error for the user',
	async (name) => {
		await fc.assert(
			fc.asyncProperty(answer, async (given) => {
				const { ctx } = context(given);
				try {
					const value = await calls[name]!(ctx);
					if (name === 'videoContentUrl') expect(URL.canParse(value as string)).toBe(true);
					else if (!name.startsWith('list')) expectPromised(value as Fields, name);
				} catch (error) {
					expect(error).toBeInstanceOf(NodeApiError);
					expect((error as Error).message).toMatch(/^(Mirage|n8n) /);
				}
			}),
			{ numRuns: 150 },
		);
	},
);

it('whatever an error body holds, its reasons are short texts', () => {
	fc.assert(
		fc.property(json, (value) => {
			const reasons = reasonsIn(value);
			expect(reasons.length).toBeLessThanOrEqual(10);
			for (const reason of reasons) expect(typeof reason).toBe('string');
			const error = apiError(NODE, { kind: 'http', status: 422, reasons }, { doing: 'read' });
			expect(error.message).toMatch(/^Mirage could not read/);
		}),
		{ numRuns: 2_000 },
	);
});

it('whatever "Retry-After" holds, the wait is none or a time', () => {
	fc.assert(
		fc.property(fc.string(), (value) => {
			const ms = retryAfterMs({ 'retry-after': value }, 0);
			expect(ms === undefined || (ms >= 0 && !Number.isNaN(ms))).toBe(true);
		}),
	);
});

it('whatever an ID holds, the request goes to one segment below the same path', async () => {
	const given = { status: 200, headers: {}, body: Buffer.from('{"id":"x"}') };
	await fc.assert(
		fc.asyncProperty(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), async (id) => {
			const { ctx, urls } = context(given);
			const asked = { ...ctx, getNodeParameter: () => id } as unknown as IExecuteFunctions;
			let checked: string;
			try {
				checked = requiredId(asked, 'id', 'ID', 0);
			} catch (error) {
				expect((error as Error).message).toMatch(/is empty|is not an ID of Mirage/);
				return;
			}
			await getVideo(ctx, checked);
			const url = new URL(urls[0]!);
			expect(url.origin).toBe(BASE);
			expect([url.search, url.hash]).toEqual(['', '']);
			const [first, second, third, last, ...more] = url.pathname.split('/');
			expect([first, second, third, more]).toEqual(['', 'v1', 'videos', []]);
			expect(decodeURIComponent(last!)).toBe(checked);
		}),
		{ numRuns: 2_000 },
	);
});

it('whatever text goes into a form, it stays in its field', async () => {
	await fc.assert(
		fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
			const form = new FormData();
			form.append('texts', text);
			form.append('video', formPart(image, 'video'));
			form.append('fonts', '');
			const sent = new Response(form);
			const back = await sent.formData();
			expect([...back.keys()]).toEqual(['texts', 'video', 'fonts']);
			// The encoder writes every line break as CRLF, and a lone surrogate as U+FFFD.
			const normal = Buffer.from(text.replace(/\r\n|\r|\n/g, '\r\n')).toString();
			expect(back.get('texts')).toBe(normal);
		}),
		{ numRuns: 500 },
	);
});
