import { RATE_WINDOW } from '../../../nodes/shared/api/buckets';
import type { Emulator } from '../../harness/emulator/emulator';
import type { RunResult } from '../../harness/engine/engine';
import { logLines } from '../../harness/engine/n8n';
import { items, requestsTo, run, SECRET, startAccount, toldBy } from './cases';

const VIDEOS = 'POST /v1/videos';
/** Times that a minute of the rate limit passes faster here: a video every second. */
const SPEED = 30;

let mirage: Emulator;
beforeEach(() => {
	jest.replaceProperty(RATE_WINDOW, 'ms', 60_000 / SPEED);
});
afterEach(async () => {
	jest.restoreAllMocks();
	await mirage.close();
});

/** Waits until so many videos were asked for. */
const untilSent = async (count: number) => {
	while (requestsTo(mirage, VIDEOS).length < count) await new Promise(setImmediate);
};

const rows = async (
	count: number,
	options: Record<string, number>,
	more: Parameters<typeof run>[3] = {},
	settings = {},
): Promise<RunResult> =>
	await run(
		mirage,
		{ type: 'mirageCreateVideo', parameters: { imageField: 'image', options }, settings },
		items(count),
		more,
	);

/** From the first request for a video to the last, in ms. */
const tookMs = () => {
	const sent = requestsTo(mirage, VIDEOS);
	return sent.at(-1)!.at - sent[0]!.at;
};

/** The shortest time in which the limit takes `count` videos, in ms: two at once, and then one after the other. */
const shortestMs = (count: number) => ((count - 2) * 30_000) / SPEED;

it('a spreadsheet becomes videos at the real limits, without uploads that are refused again and again', async () => {
	mirage = await startAccount({ rateLimits: { speed: SPEED } });
	const result = await rows(14, { concurrency: 10 }, { mode: 'manual' });
	expect(toldBy(result)).toBe('');
	const sent = requestsTo(mirage, VIDEOS);
	const refused = sent.filter(({ status }) => status === 429);
	expect(mirage.videos()).toHaveLength(14);
	expect(new Set(result.outputs().map(({ json }) => json.id)).size).toBe(14);
	expect(tookMs()).toBeLessThanOrEqual(1.3 * shortestMs(14));
	expect(refused.length).toBeLessThanOrEqual(3);
	expect(logLines().join('\n')).toMatch(
		/Waiting for Mirage's rate limit\. No other execution is ahead of this one; about \d+ seconds?\./,
	);
	expect(result.hints[0]!.message).toMatch(/rate limit made this node wait \d+ seconds in all/);
}, 60_000);

it('12 executions at once on one account are served in turn, and hardly an upload is refused', async () => {
	mirage = await startAccount({ rateLimits: { speed: SPEED } });
	const results = await Promise.all(Array.from({ length: 12 }, async () => await rows(1, {})));
	expect(results.map(toldBy)).toEqual(Array(12).fill(''));
	expect(mirage.videos()).toHaveLength(12);
	const refused = requestsTo(mirage, VIDEOS).filter(({ status }) => status === 429);
	expect(refused.length).toBeLessThanOrEqual(3);
	expect(tookMs()).toBeLessThanOrEqual(1.3 * shortestMs(12));
	expect(logLines().join('\n')).toMatch(
		/\d+ executions are ahead of this one; about \d+ seconds?\./,
	);
}, 60_000);

it('speech is paid for only when its video is next, so that none is left over when patience ends', async () => {
	jest.restoreAllMocks();
	mirage = await startAccount({ rateLimits: 'real' });
	const spoken = { audioSource: 'text', voiceId: 'voice_1', text: 'Hello' };
	const options = { rateLimitPatience: 0 };
	const node = {
		type: 'mirageCreateVideo',
		parameters: { imageField: 'image', ...spoken, options },
	};
	const results = await Promise.all(
		Array.from({ length: 20 }, async () => await run(mirage, node, items(1))),
	);
	expect(mirage.videos()).toHaveLength(2);
	const told = results.map(toldBy).filter(Boolean);
	expect(told).toHaveLength(18);
	for (const words of told) expect(words).toContain('"Rate Limit Patience" allows 0');
	expect(requestsTo(mirage, 'POST /v1/audio/text-to-speech/{voice_id}').length).toBeLessThanOrEqual(
		4,
	);
}, 60_000);

it('n8n’s clock set forward or back by an hour changes no wait', async () => {
	mirage = await startAccount({ rateLimits: { speed: SPEED } });
	const now = Date.now;
	const working = rows(5, {});
	for (const [sent, hours] of [
		[3, 1],
		[4, -1],
	] as const) {
		await untilSent(sent);
		jest.spyOn(Date, 'now').mockImplementation(() => now() + hours * 3_600_000);
	}
	expect(toldBy(await working)).toBe('');
	expect(mirage.videos()).toHaveLength(5);
}, 60_000);

it('a server that sends "Retry-After" is waited for as long as it says', async () => {
	mirage = await startAccount({ rateLimits: { speed: SPEED }, retryAfter: true });
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

it('speech and video of an item have a limit each, as they have at the provider', async () => {
	mirage = await startAccount({ rateLimits: { speed: SPEED } });
	const result = await run(
		mirage,
		{
			type: 'mirageCreateVideo',
			parameters: { imageField: 'image', audioSource: 'text', voiceId: 'voice_1', text: 'Hello' },
		},
		items(6),
	);
	expect(toldBy(result)).toBe('');
	expect(tookMs()).toBeLessThanOrEqual(1.5 * shortestMs(6));
});
