import { Client, stoppedClock } from '../../emulator/client';
import { type Emulator, startEmulator } from '../../emulator/emulator';
import type { ApiTextOverlay, ApiVideo } from '../../emulator/types';

const clock = stoppedClock();
let emulator: Emulator;
let client: Client;

beforeEach(async () => {
	const renderMs = ({ index }: { index: number }) => 1_000 * (index + 1);
	emulator = await startEmulator({ now: clock.now, renderMs });
	client = new Client(emulator);
});
afterEach(() => emulator.close());

const start = async () => (await client.createVideo()).json().id;
const read = async (id: string) => (await client.get<ApiVideo>(`/v1/videos/${id}`)).json();
const readOverlay = async (id: string) =>
	(await client.get<ApiTextOverlay>(`/v1/meta/text_overlays/${id}`)).json();

it('lets jobs take different times', async () => {
	const ids = [await start(), await start(), await start()];
	clock.pass(2_000);
	const states = await Promise.all(ids.map(async (id) => (await read(id)).status));
	expect(states).toEqual(['COMPLETE', 'COMPLETE', 'PROCESSING']);
});

it('ends the next jobs as told, in order, and those after them well', async () => {
	const error = { code: 'face_not_found', message: 'No face was found.' };
	emulator.nextOutcome({ status: 'FAILED', error });
	emulator.nextOutcome({ status: 'CANCELLED' });
	emulator.nextOutcome({ status: 'COMPLETE', stuck: true });
	emulator.nextOutcome({ status: 'REVIEWING' });
	const ids = [await start(), await start(), await start(), await start(), await start()];
	expect((await read(ids[0]!)).status).toBe('PROCESSING');
	clock.pass(3_600_000);
	const states = await Promise.all(ids.map(read));
	expect(states.map(({ status, completed_at }) => [status, completed_at !== null])).toEqual([
		['FAILED', false],
		['CANCELLED', false],
		['PROCESSING', false],
		['REVIEWING', false],
		['COMPLETE', true],
	]);
	expect(states.map((state) => state.error)).toEqual([error, null, null, null, null]);
	expect((await client.get(`/v1/videos/${ids[0]}/content`)).status).toBe(409);
});

it('sets the state of a running, finished or seeded video at once', async () => {
	const id = await start();
	emulator.setOutcome(id, { status: 'QUEUED' });
	clock.pass(5_000);
	expect((await read(id)).status).toBe('QUEUED');
	emulator.setOutcome(id, { status: 'COMPLETE' });
	expect(await read(id)).toMatchObject({
		status: 'COMPLETE',
		progress: 100,
		completed_at: Math.floor(clock.now() / 1000),
	});
	emulator.seedVideos([{ id: 'old', status: 'PROCESSING' }]);
	emulator.setOutcome('old', { status: 'FAILED', error: { code: 'x', message: 'y' } });
	expect(await read('old')).toMatchObject({ status: 'FAILED', error: { code: 'x' } });
	expect(() => emulator.setOutcome('none', { status: 'FAILED' })).toThrow(RangeError);
});

it('fails one text of an overlay and not its siblings', async () => {
	const error = { code: 'font_missing', message: 'The font is not available.' };
	emulator.nextOutcome({ status: 'COMPLETE', results: [{ index: 1, status: 'FAILED', error }] });
	const texts: [string, string][] = [
		['texts', 'A'],
		['texts', 'B'],
		['texts', 'C'],
	];
	const { id } = (await client.createOverlay(texts)).json();
	clock.pass(1_000);
	const overlay = await readOverlay(id);
	expect(overlay.status).toBe('COMPLETE');
	expect(overlay.results.map((result) => [result.status, result.error])).toEqual([
		['COMPLETE', null],
		['FAILED', error],
		['COMPLETE', null],
	]);
	expect(overlay.results.map(({ video_url }) => video_url === null)).toEqual([false, true, false]);
});

it('can fail every text and the job', async () => {
	emulator.nextOutcome({ status: 'FAILED', results: [{ index: 0, status: 'FAILED' }] });
	const { id } = (await client.createOverlay([['texts', 'A']])).json();
	clock.pass(1_000);
	const overlay = await readOverlay(id);
	expect([overlay.status, overlay.results.map(({ status }) => status)]).toEqual([
		'FAILED',
		['FAILED'],
	]);
});

it('fails, sticks or ends an overlay as a whole', async () => {
	emulator.nextOutcome({ status: 'FAILED', error: { code: 'bad_video', message: 'Unreadable.' } });
	const failed = (await client.createOverlay([['texts', 'A']])).json().id;
	emulator.nextOutcome({ status: 'PROCESSING' });
	const stuck = (await client.createOverlay([['texts', 'A']])).json().id;
	clock.pass(3_600_000);
	expect(await readOverlay(failed)).toMatchObject({
		status: 'FAILED',
		results: [],
		error: { code: 'bad_video' },
	});
	expect(await readOverlay(stuck)).toMatchObject({ status: 'PROCESSING', completed_at: null });
	emulator.setOutcome(stuck, { status: 'COMPLETE' });
	expect(await readOverlay(stuck)).toMatchObject({ status: 'COMPLETE', results: [{ text: 'A' }] });
});

it('still counts a deleted video as billed', async () => {
	const id = await start();
	emulator.deleteVideo(id);
	expect(emulator.videos()).toMatchObject([{ id, deleted: true }]);
});
