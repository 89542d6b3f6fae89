import { RATE_WINDOW } from '../../../nodes/shared/transport/adaptiveInterval';
import type { Emulator } from '../../harness/emulator/emulator';
import type { RunResult } from '../../harness/engine/engine';
import { items, requestsTo, run, SECRET, startAccount, toldBy } from './cases';

const VIDEOS = 'POST /v1/videos';
/** Times that a minute of the rate limit passes faster here. */
const SPEED = 120;

let mirage: Emulator;
beforeEach(() => {
	jest.replaceProperty(RATE_WINDOW, 'ms', 60_000 / SPEED);
});
afterEach(async () => {
	jest.restoreAllMocks();
	await mirage.close();
});

const rows = async (
	count: number,
	options: Record<string, number>,
	more: Parameters<typeof run>[3] = {},
	settings = {},
): Promise<RunResult> =>
	await run(
		mirage,
		{ type: 'mirageCreateVideo', parameters: { options }, settings },
		items(count),
		more,
	);

it.each([3, 10])(
	'a spreadsheet of 50 rows becomes 50 videos at the real limits, %i at a time',
	async (concurrency) => {
		mirage = await startAccount({ rateLimits: { speed: SPEED } });
		const startedAt = Date.now();
		const result = await rows(50, { concurrency }, { mode: 'manual' });
		const tookMs = Date.now() - startedAt;
		expect(toldBy(result)).toBe('');
		const sent = requestsTo(mirage, VIDEOS);
		const refused = sent.filter(({ status }) => status === 429);
		expect(mirage.videos()).toHaveLength(50);
		expect(new Set(result.outputs().map(({ json }) => json.id)).size).toBe(50);
		// Two at once, and one every half minute from then on.
		const shortestMs = (48 * 30_000) / SPEED;
		expect(tookMs).toBeLessThanOrEqual(1.2 * shortestMs);
		expect(refused.length).toBeLessThanOrEqual(0.2 * sent.length);
		expect(result.uiMessages).not.toHaveLength(0);
		expect(result.hints[0]!.message).toMatch(/rate limit made this node wait/);
		console.info(
			`${concurrency} at a time: ${refused.length} of ${sent.length} refused, ${(tookMs / shortestMs).toFixed(2)} of the shortest time`,
		);
	},
	60_000,
);

it('a server that sends "Retry-After" is waited for as long as it says', async () => {
	RATE_WINDOW.ms = 60_000 / 30;
	mirage = await startAccount({ rateLimits: { speed: 30 }, retryAfter: true });
	const result = await rows(4, { concurrency: 1 });
	expect(toldBy(result)).toBe('');
	const sent = requestsTo(mirage, VIDEOS);
	const refusedAt = sent.findIndex(({ status }) => status === 429);
	expect(sent[refusedAt + 1]!.at - sent[refusedAt]!.at).toBeGreaterThanOrEqual(990);
	expect(sent[refusedAt + 1]!.status).toBe(200);
});

it('ends when patience is spent, and names what was started and what is left', async () => {
	jest.restoreAllMocks();
	mirage = await startAccount({ rateLimits: 'real' });
	const result = await rows(6, { concurrency: 3, rateLimitPatience: 0 });
	const told = toldBy(result);
	const ids = mirage.videos().map(({ id }) => id);
	expect(ids).toHaveLength(2);
	expect(told).toMatch(/too many requests/);
	expect(told).toContain('"Rate Limit Patience" allows 0');
	for (const id of ids) expect(told).toContain(id);
	expect(told).toMatch(/Not started: item [\d–, ]+\./);
	const [, left] = /Not started: item ([\d–, ]+)\./.exec(told)!;
	const [, failed] = /Item (\d) failed\./.exec(told)!;
	const named = `${failed}, ${left}`.split(', ').flatMap((part) => {
		const [from, to = from] = part.split('–').map(Number);
		return Array.from({ length: to! - from! + 1 }, (_, index) => from! + index);
	});
	expect(named).toHaveLength(4);
	expect(result.stored).not.toContain(SECRET);
});

it('with "Continue" each item that is left says so, and none is sent', async () => {
	jest.restoreAllMocks();
	mirage = await startAccount({ rateLimits: 'real' });
	const result = await rows(
		6,
		{ concurrency: 1, rateLimitPatience: 0 },
		{},
		{ onError: 'continueRegularOutput' },
	);
	const outputs = result.outputs();
	expect(outputs.filter(({ json }) => json.id)).toHaveLength(2);
	expect(outputs.slice(2).map(({ json }) => json.error)).toEqual(
		Array(4).fill('Mirage could not create the video: too many requests'),
	);
	expect(requestsTo(mirage, VIDEOS)).toHaveLength(3);
});

it('a wait is ended within a second when the execution is stopped', async () => {
	jest.restoreAllMocks();
	mirage = await startAccount({ rateLimits: 'real' });
	const result = await rows(6, { concurrency: 3 }, { cancelAfterMs: 600 });
	expect(result.status).toBe('canceled');
	expect(result.stoppedAfterMs).toBeLessThan(1_000);
	const sent = mirage.requests.length;
	await new Promise((resolve) => setTimeout(resolve, 300));
	expect(mirage.requests).toHaveLength(sent);
	expect(mirage.videos()).toHaveLength(2);
});

it('speech and video of an item have a pace each, as they have at the provider', async () => {
	mirage = await startAccount({ rateLimits: { speed: SPEED } });
	const startedAt = Date.now();
	const result = await run(
		mirage,
		{
			type: 'mirageCreateVideo',
			parameters: { audioSource: 'text', voiceId: 'voice_1', text: 'Hello' },
		},
		items(8),
	);
	expect(toldBy(result)).toBe('');
	expect(Date.now() - startedAt).toBeLessThanOrEqual(1.5 * ((6 * 30_000) / SPEED));
});
