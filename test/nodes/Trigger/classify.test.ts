import fc from 'fast-check';

import type { Choice, Reads } from '../../../nodes/Trigger/listView';
import type { CompletionsState } from '../../../nodes/Trigger/state';
import type { ReadRequest } from '../../../nodes/Trigger/nextRead';
import type { DueVideo } from '../../../nodes/Trigger/classify';
import { nextRead } from '../../../nodes/Trigger/nextRead';
import { noReads } from '../../../nodes/Trigger/listView';
import { classify, keep } from '../../../nodes/Trigger/classify';
import type { OpenVideo } from '../../../nodes/Trigger/state';
import { parseState } from '../../../nodes/Trigger/state';
import type { Video } from '../../../nodes/shared/api/objects';

const PAGE = 100;
const DAY_S = 86_400;
/** 1 January 2026, in Unix seconds. */
const START_S = 1_767_225_600;

/** What the API answers when the video of a cursor no longer exists; the provider does not say. */
type LostCursor = 'refused' | 'empty page' | 'newest page';

/** The list and the single read of the API, in memory. */
class Account {
	/** Newest first; videos of the same second in the order of `tie`. */
	private list: (Video & { tie: number })[] = [];
	private readonly byId = new Map<string, Video>();
	private created = 0;
	requests = 0;
	now = START_S;
	/** Videos that a single read denies. */
	readonly denied = new Set<string>();

	constructor(
		private readonly lostCursor: LostCursor = 'refused',
		private readonly shuffledTies = false,
		private readonly prefix = 'video_',
	) {}

	create(count = 1, fields: Partial<Video> = {}): string[] {
		const ids: string[] = [];
		for (let i = 0; i < count; i++) {
			// Of a second with more videos than that, one may be missed (docs/trigger.md, Limits).
			const most = this.shuffledTies ? 80 : 400;
			if (fields.created_at === undefined && this.newerThan(this.now) >= most) this.now++;
			const created_at = fields.created_at ?? this.now;
			const number = ++this.created;
			const id = `${this.prefix}${number}`;
			const tie = this.shuffledTies ? (number * 7919) % 10_007 : number;
			const video = { id, status: 'PROCESSING', completed_at: null, ...fields, created_at, tie };
			const before = (other: Video & { tie: number }) =>
				other.created_at < created_at || (other.created_at === created_at && other.tie < tie);
			const place = this.list.findIndex(before);
			this.list.splice(place === -1 ? this.list.length : place, 0, video);
			this.byId.set(id, video);
			ids.push(id);
		}
		return ids;
	}

	finish(id: string, status = 'COMPLETE'): void {
		const video = this.byId.get(id);
		if (!video) return;
		video.status = status;
		video.completed_at = status === 'COMPLETE' ? this.now : null;
	}

	delete(id: string): void {
		if (this.byId.delete(id)) this.list = this.list.filter((video) => video.id !== id);
	}

	newerThan(second: number): number {
		return this.list.filter((video) => video.created_at >= second).length;
	}

	answer(reads: Reads, request: ReadRequest): void {
		this.requests++;
		if ('videoId' in request) {
			const video = this.denied.has(request.videoId) ? undefined : this.byId.get(request.videoId);
			reads.singles.set(request.videoId, video ? { ...video } : 'missing');
			return;
		}
		const { after } = request.page;
		const cursor = after === undefined ? -1 : this.list.findIndex(({ id }) => id === after);
		if (after !== undefined && cursor === -1 && this.lostCursor !== 'newest page') {
			reads.pages.push({ after, videos: this.lostCursor === 'refused' ? 'refused' : [] });
			return;
		}
		const videos = this.list.slice(cursor + 1, cursor + 1 + PAGE).map((video) => ({ ...video }));
		reads.pages.push({ after, videos });
	}
}

interface PollOptions {
	matches?: (video: Video) => boolean;
	capacity?: number;
	account?: string;
	/** What of the videos that are due cannot be delivered. */
	undelivered?: (due: DueVideo[]) => OpenVideo[];
	/** Runs after every read, as the world does. */
	between?: (readsDone: number) => void;
	/** End the reading after as many reads, as a failed page does. */
	cutAfter?: number;
}

/** n8n around the trigger: what the process remembers, and what the database holds. */
class Workflow {
	memory: CompletionsState | undefined;
	saved: CompletionsState | undefined;
	readonly fired: string[] = [];
	/** What happened so far: readings that a later poll had to go on with, polls that were void, items put off. */
	backlogs = 0;
	voidPolls = 0;
	deferred = 0;
	nowMs = START_S * 1_000;

	constructor(readonly account: Account) {}

	/** A poll up to the step that returns; `commit` is that step, and gives the IDs that fire. */
	*steps(options: PollOptions = {}): Generator<void, () => string[]> {
		const before = this.memory;
		const choice: Choice = {
			account: options.account ?? 'account',
			matches: options.matches ?? (({ status }) => status === 'COMPLETE'),
			capacity: options.capacity,
			now: this.nowMs,
		};
		const reads = noReads();
		for (let done = 1; ; done++) {
			const request = nextRead(before, reads, choice);
			if (!request) break;
			this.account.answer(reads, request);
			options.between?.(done);
			if (before && done >= (options.cutAfter ?? Infinity)) break;
			yield;
		}
		return () => {
			if (this.memory !== before) {
				this.voidPolls++;
				return [];
			}
			const classified = classify(before, reads, choice);
			const kept = options.undelivered?.(classified.due) ?? [];
			const state = keep(classified, kept);
			this.memory = parseState(JSON.parse(JSON.stringify(state)));
			if (state.backlog) this.backlogs++;
			this.deferred += kept.length;
			const open = new Set(kept.map(({ id }) => id));
			const ids = classified.due.map(({ video }) => video.id).filter((id) => !open.has(id));
			this.fired.push(...ids);
			if (ids.length > 0) this.saved = this.memory;
			return ids;
		};
	}

	poll(options: PollOptions = {}): string[] {
		const steps = this.steps(options);
		for (;;) {
			const step = steps.next();
			if (step.done) return step.value();
		}
	}

	/** The poll with which n8n activates a workflow: its state is saved whatever it returns. */
	activate(options: PollOptions = {}): string[] {
		const ids = this.poll(options);
		this.saved = this.memory;
		return ids;
	}

	/** n8n stops and starts: what an empty poll remembered is lost. */
	restart(): void {
		this.memory = this.saved;
	}

	pass(seconds: number): void {
		this.account.now += seconds;
		this.nowMs += seconds * 1_000;
	}

	requestsOf(act: () => void): number {
		const before = this.account.requests;
		act();
		return this.account.requests - before;
	}
}

function setUp(...args: ConstructorParameters<typeof Account>) {
	const account = new Account(...args);
	return { account, workflow: new Workflow(account) };
}

describe('what a user would lose', () => {
	test('a video that renders at activation, because it is not new', () => {
		const { account, workflow } = setUp();
		const [old, rendering] = account.create(2);
		account.finish(old!);
		expect(workflow.activate()).toEqual([]);
		workflow.pass(60);
		account.finish(rendering!);
		expect(workflow.poll()).toEqual([rendering]);
		expect(workflow.poll()).toEqual([]);
	});

	test('a job that still renders beyond the first pages at activation', () => {
		const { account, workflow } = setUp();
		const [slow] = account.create();
		for (let i = 0; i < 2_000; i++) {
			account.now += 30;
			account.create(1, { status: 'COMPLETE', completed_at: account.now });
		}
		workflow.activate();
		account.finish(slow!);
		workflow.pass(60);
		expect(workflow.poll()).toEqual([slow]);
	});

	test('the earlier of two jobs that end in the other order', () => {
		const { account, workflow } = setUp();
		workflow.activate();
		const [first] = account.create();
		workflow.pass(60);
		workflow.poll();
		const [second] = account.create();
		workflow.pass(60);
		account.finish(second!);
		expect(workflow.poll()).toEqual([second]);
		workflow.pass(600);
		account.finish(first!);
		expect(workflow.poll()).toEqual([first]);
	});

	test('items in the order in which the videos ended', () => {
		const { account, workflow } = setUp();
		workflow.activate();
		const ids = account.create(3);
		for (const id of [ids[1]!, ids[0]!, ids[2]!]) {
			workflow.pass(5);
			account.finish(id);
		}
		expect(workflow.poll()).toEqual([ids[1], ids[0], ids[2]]);
	});

	test.each([false, true])(
		'a video of the same second as one that has fired (IDs in random order: %s)',
		(shuffled) => {
			const { account, workflow } = setUp('refused', shuffled);
			account.create(50, { status: 'COMPLETE' });
			workflow.activate();
			const fired: string[] = [];
			const made: string[] = [];
			for (let i = 0; i < 5; i++) {
				made.push(...account.create(1, { status: 'COMPLETE' }));
				fired.push(...workflow.poll());
			}
			expect(fired.sort()).toEqual(made.sort());
		},
	);

	test('peace: thousands of videos of one second fire no second time, and what comes after them fires', () => {
		const { account, workflow } = setUp();
		const oneSecond = { status: 'COMPLETE', created_at: account.now };
		account.create(20_000, oneSecond);
		workflow.activate();
		expect(workflow.requestsOf(() => workflow.poll())).toBe(1);
		// 500 videos of one second are told apart (docs/trigger.md, Limits): these may be missed.
		account.create(150, oneSecond);
		expect(workflow.poll()).toEqual([]);
		account.now += 1;
		const ids = account.create(150, { status: 'COMPLETE' });
		expect(workflow.poll().sort()).toEqual(ids.sort());
		expect(workflow.poll()).toEqual([]);
	});

	test('any of a thousand videos that ended between two polls', () => {
		const { account, workflow } = setUp();
		account.create(250, { status: 'COMPLETE' });
		workflow.activate();
		const ids: string[] = [];
		for (let i = 0; i < 1_000; i++) {
			account.now += i % 3;
			ids.push(...account.create(1, { status: 'COMPLETE', completed_at: account.now }));
		}
		expect(workflow.poll()).toEqual(ids);
		expect(workflow.poll()).toEqual([]);
	});

	test('a part of more videos than one poll reads', () => {
		const { account, workflow } = setUp();
		account.create(1, { status: 'COMPLETE' });
		workflow.activate();
		const ids: string[] = [];
		for (let i = 0; i < 120; i++) {
			account.now += 1;
			ids.push(...account.create(100, { status: 'COMPLETE', completed_at: account.now }));
		}
		const fired: string[] = [];
		for (let polls = 0; polls < 4; polls++) {
			expect(workflow.requestsOf(() => fired.push(...workflow.poll()))).toBeLessThanOrEqual(50);
			workflow.pass(60);
			ids.push(...account.create(1, { status: 'COMPLETE' }));
		}
		fired.push(...workflow.poll());
		expect(fired).toHaveLength(ids.length);
		expect(new Set(fired)).toEqual(new Set(ids));
	});

	test.each<LostCursor>(['refused', 'empty page', 'newest page'])(
		'videos behind one that is deleted while the list is read (answer: %s)',
		(lostCursor) => {
			const { account, workflow } = setUp(lostCursor);
			account.create(5, { status: 'COMPLETE' });
			workflow.activate();
			const ids: string[] = [];
			for (let i = 0; i < 350; i++) {
				account.now += 1;
				ids.push(...account.create(1, { status: 'COMPLETE' }));
			}
			const lost = ids[250]!;
			const fired = workflow.poll({ between: (done) => done === 1 && account.delete(lost) });
			workflow.pass(60);
			for (let i = 0; i < 3; i++) fired.push(...workflow.poll());
			expect(fired.sort()).toEqual(ids.sort());
		},
	);

	test('the rest of a reading whose every cursor is deleted before the next poll', () => {
		const { account, workflow } = setUp();
		account.create(5, { status: 'COMPLETE' });
		workflow.activate();
		const ids: string[] = [];
		for (let i = 0; i < 350; i++) {
			account.now += 1;
			ids.push(...account.create(1, { status: 'COMPLETE' }));
		}
		const fired = workflow.poll({ cutAfter: 2 });
		for (const id of ids.slice(140, 160)) account.delete(id);
		for (let i = 0; i < 3; i++) fired.push(...workflow.poll());
		const expected = ids.filter((_, index) => index < 140 || index >= 150);
		expect(fired.sort()).toEqual(expected.sort());
	});

	test('peace: a reading that begins at the newest video again repeats nothing of a shared second', () => {
		const { account, workflow } = setUp();
		workflow.activate();
		const ids: string[] = [];
		for (let second = 0; second < 60; second++) {
			account.now += 1;
			ids.push(...account.create(5, { status: 'COMPLETE' }));
		}
		const fired = workflow.poll({ cutAfter: 2 });
		for (const id of ids.slice(100, 103)) account.delete(id);
		for (let i = 0; i < 3; i++) fired.push(...workflow.poll());
		expect(fired.sort()).toEqual(ids.sort());
	});

	test('a video made while a reading has to begin at the newest video again', () => {
		const { account, workflow } = setUp();
		const [first, second, ...old] = account.create(102, { status: 'COMPLETE' });
		workflow.activate();
		account.create();
		workflow.poll({ cutAfter: 1 });
		for (const id of [first!, second!, ...old.slice(0, 38)]) account.delete(id);
		workflow.pass(1);
		const [made] = account.create(1, { status: 'COMPLETE' });
		expect([...workflow.poll(), ...workflow.poll()]).toEqual([made]);
	});

	test('a video that shows up in the list a few seconds late', () => {
		const { account, workflow } = setUp();
		workflow.activate();
		account.create(150, { status: 'COMPLETE' });
		account.now += 3;
		account.create(2, { status: 'COMPLETE' });
		workflow.poll();
		const [late] = account.create(1, { status: 'COMPLETE', created_at: account.now - 2 });
		expect(workflow.poll()).toEqual([late]);
	});

	test('the price of an idle poll: one request, whatever the history and a job that never ends', () => {
		const { account, workflow } = setUp();
		account.create(1);
		for (let i = 0; i < 3_000; i++) {
			account.now += 10;
			account.create(1, { status: 'COMPLETE', completed_at: account.now });
		}
		workflow.activate();
		const requests: number[] = [];
		for (let i = 0; i < 24 * 60; i++) {
			workflow.pass(60);
			requests.push(workflow.requestsOf(() => workflow.poll()));
		}
		expect(Math.max(...requests)).toBeLessThanOrEqual(2);
		// The stuck job is looked for after 10 % more time each time.
		expect(requests.filter((count) => count > 1).length).toBeLessThan(60);
	});

	test('requests for ever for a job that never ends', () => {
		const { account, workflow } = setUp();
		account.create(1);
		account.now += 60;
		account.create(200, { status: 'COMPLETE' });
		workflow.activate();
		for (let day = 0; day < 30; day++) {
			workflow.pass(DAY_S);
			account.create(5, { status: 'COMPLETE' });
			workflow.poll();
		}
		expect(workflow.memory!.open).toEqual([]);
	});

	test('hundreds of requests for hundreds of jobs that render at once', () => {
		const { account, workflow } = setUp();
		workflow.activate();
		const ids: string[] = [];
		for (let i = 0; i < 600; i++) {
			account.now += 1;
			ids.push(...account.create(1));
		}
		workflow.poll();
		workflow.pass(60);
		ids.forEach((id, index) => index % 2 && account.finish(id));
		const fired: string[] = [];
		const requests = workflow.requestsOf(() => fired.push(...workflow.poll()));
		expect(requests).toBeLessThanOrEqual(6);
		expect(fired).toHaveLength(300);
	});

	test('a video that the API denies for a moment', () => {
		const { account, workflow } = setUp();
		const [flickers, gone] = account.create(2);
		account.now += 60;
		account.create(150, { status: 'COMPLETE' });
		workflow.activate();
		[flickers!, gone!].forEach((id) => account.denied.add(id));
		for (let polls = 0; polls < 2; polls++) {
			workflow.pass(60);
			workflow.poll();
		}
		account.denied.delete(flickers!);
		account.finish(flickers!);
		workflow.pass(60);
		expect(workflow.poll()).toEqual([flickers]);
		expect(workflow.memory!.open).toEqual([]);
	});

	test('memory: what is remembered stays small, however much happens', () => {
		const { account, workflow } = setUp();
		account.create(4_000);
		workflow.activate();
		account.create(4_000);
		workflow.poll();
		expect(workflow.memory!.open).toHaveLength(1_000);
		expect(workflow.memory!.seen.length).toBeLessThanOrEqual(500);
		expect(JSON.stringify(workflow.memory).length).toBeLessThan(150_000);
	});

	test('a completion that a restart with older state finds again', () => {
		const { account, workflow } = setUp();
		workflow.activate();
		const [id] = account.create();
		workflow.pass(60);
		expect(workflow.poll()).toEqual([]);
		account.create(250, { status: 'FAILED' });
		expect(workflow.poll()).toEqual([]);
		workflow.restart();
		account.finish(id!);
		expect(workflow.poll()).toEqual([id]);
		workflow.restart();
		expect(workflow.poll()).toEqual([]);
	});

	test('what finished while the workflow was off for a week', () => {
		const { account, workflow } = setUp();
		workflow.activate();
		const [rendering] = account.create();
		workflow.pass(60);
		workflow.poll();
		workflow.pass(7 * DAY_S);
		account.finish(rendering!);
		const [meanwhile] = account.create(1, { status: 'COMPLETE', completed_at: account.now });
		workflow.restart();
		expect(workflow.activate().sort()).toEqual([rendering, meanwhile].sort());
		expect(workflow.poll()).toEqual([]);
	});

	test('peace: another credential for another account does not fire its history', () => {
		const { account, workflow } = setUp();
		account.create(3, { status: 'COMPLETE' });
		workflow.activate();
		workflow.pass(60);
		const other = new Workflow(new Account('refused', false, 'other_'));
		other.account.now = account.now;
		other.account.create(250, { status: 'COMPLETE' });
		const [rendering] = other.account.create();
		other.memory = workflow.memory;
		expect(other.poll({ account: 'other' })).toEqual([]);
		other.account.finish(rendering!);
		expect(other.poll({ account: 'other' })).toEqual([rendering]);
	});

	test('a completion, because a new credential for the same account was chosen', () => {
		const { account, workflow } = setUp();
		const [, rendering] = account.create(2);
		workflow.activate();
		account.finish(rendering!);
		expect(workflow.poll({ account: 'new key' })).toEqual([rendering]);
		expect(workflow.poll({ account: 'new key' })).toEqual([]);
	});

	test('videos, because the state at hand is not what the trigger wrote', () => {
		for (const value of [undefined, null, 'x', [], {}, { version: 2 }, { version: 1, seen: [] }])
			expect(parseState(value)).toBeUndefined();
		const { workflow } = setUp();
		workflow.activate();
		expect(parseState(workflow.memory)).toEqual(workflow.memory);
	});

	test('a backlog of downloads: what one poll cannot deliver comes with the next, and nothing twice', () => {
		const { account, workflow } = setUp();
		workflow.activate();
		const ids: string[] = [];
		for (let i = 0; i < 330; i++) {
			account.now += 1;
			ids.push(...account.create(1, { status: 'COMPLETE', completed_at: account.now }));
		}
		const fired: string[] = [];
		for (let polls = 0; polls < 20; polls++) {
			workflow.pass(60);
			const rest = (due: DueVideo[]) => due.slice(25).map(({ open }) => open);
			const requests = workflow.requestsOf(() =>
				fired.push(...workflow.poll({ capacity: 25, undelivered: rest })),
			);
			expect(requests).toBeLessThanOrEqual(27);
			expect(workflow.memory!.open.length).toBeLessThanOrEqual(125);
			if (polls % 4 === 0) workflow.restart();
		}
		expect(fired).toHaveLength(330);
		expect(new Set(fired)).toEqual(new Set(ids));
	});
});

/** What happens to a workflow and its account. `pick` chooses among what exists. */
type Event =
	| { kind: 'pass'; seconds: number }
	| { kind: 'create'; count: number }
	| { kind: 'late'; seconds: number }
	| { kind: 'end'; pick: number; count: number; status: string }
	| { kind: 'delete'; pick: number; count: number }
	| { kind: 'poll' }
	| { kind: 'poll while it goes on'; pick: number; status: string; count: number }
	| { kind: 'poll that throws'; after: number }
	| { kind: 'poll cut short'; after: number }
	| { kind: 'poll whose result n8n drops' }
	| { kind: 'two polls at once'; turns: number }
	| { kind: 'restart' }
	| { kind: 'off and on'; days: number };

const status = fc.constantFrom('COMPLETE', 'COMPLETE', 'FAILED', 'CANCELLED');
const pick = fc.nat(10_000);
const few = fc.integer({ min: 1, max: 4 });
const event: fc.Arbitrary<Event> = fc.oneof(
	{ weight: 4, arbitrary: fc.record({ kind: fc.constant('pass'), seconds: fc.nat(120) }) },
	{
		weight: 5,
		arbitrary: fc.record({
			kind: fc.constant('create'),
			count: fc.oneof(
				{ weight: 9, arbitrary: few },
				{ weight: 1, arbitrary: fc.integer({ min: 95, max: 260 }) },
			),
		}),
	},
	{ weight: 1, arbitrary: fc.record({ kind: fc.constant('late'), seconds: fc.nat(10) }) },
	{
		weight: 6,
		arbitrary: fc.record({
			kind: fc.constant('end'),
			pick,
			status,
			count: fc.oneof({ weight: 2, arbitrary: few }, { weight: 1, arbitrary: fc.constant(300) }),
		}),
	},
	{
		weight: 1,
		arbitrary: fc.record({ kind: fc.constant('delete'), pick, count: fc.constantFrom(1, 3, 40) }),
	},
	{ weight: 6, arbitrary: fc.record({ kind: fc.constant('poll') }) },
	{
		weight: 2,
		arbitrary: fc.record({ kind: fc.constant('poll while it goes on'), pick, status, count: few }),
	},
	{ weight: 1, arbitrary: fc.record({ kind: fc.constant('poll that throws'), after: fc.nat(3) }) },
	{ weight: 1, arbitrary: fc.record({ kind: fc.constant('poll cut short'), after: few }) },
	{ weight: 1, arbitrary: fc.record({ kind: fc.constant('poll whose result n8n drops') }) },
	{ weight: 1, arbitrary: fc.record({ kind: fc.constant('two polls at once'), turns: fc.nat(5) }) },
	{ weight: 2, arbitrary: fc.record({ kind: fc.constant('restart') }) },
	{
		weight: 1,
		arbitrary: fc.record({ kind: fc.constant('off and on'), days: fc.constantFrom(0, 1, 6) }),
	},
) as fc.Arbitrary<Event>;

interface Setting {
	history: number;
	rendering: number;
	wanted: string[];
	lostCursor: LostCursor;
	shuffledTies: boolean;
	/** Files are downloaded: so many a poll, and some fail. */
	capacity: number | undefined;
	/** n8n's own scheduler without its cursors: an empty poll is forgotten at once. */
	forgetful: boolean;
}

const setting: fc.Arbitrary<Setting> = fc.record({
	history: fc.constantFrom(0, 3, 99, 100, 101, 250),
	rendering: fc.nat(5),
	wanted: fc.constantFrom(
		['COMPLETE'],
		['FAILED', 'CANCELLED'],
		['COMPLETE', 'FAILED', 'CANCELLED'],
	),
	lostCursor: fc.constantFrom<LostCursor[]>('refused', 'empty page', 'newest page'),
	shuffledTies: fc.boolean(),
	capacity: fc.constantFrom(undefined, undefined, 4, 25),
	forgetful: fc.boolean(),
});

/** When a video ended, as far as it matters: during the first poll, either is right. */
type Certainty = 'before activation' | 'during it' | 'after';

/** A job that renders for longer than this may be given up (docs/trigger.md, Limits). */
const GIVEN_UP_S = 7 * DAY_S;

/** Knows when everything really happened, and so how often each video may fire. */
class Truth {
	readonly videos = new Map<
		string,
		{ status: string; madeAt: number; bounds: [min: number, max: number] }
	>();

	constructor(
		private readonly wanted: string[],
		private readonly account: Account,
	) {}

	created(ids: string[]): void {
		for (const id of ids)
			this.videos.set(id, { status: 'PROCESSING', madeAt: this.account.now, bounds: [0, 0] });
	}

	ended(id: string, status: string, certainty: Certainty): void {
		const video = this.videos.get(id)!;
		video.status = status;
		if (!this.wanted.includes(status) || certainty === 'before activation') return;
		const mayBeGivenUp = this.account.now - video.madeAt >= GIVEN_UP_S - 60;
		video.bounds = certainty === 'after' && !mayBeGivenUp ? [1, 1] : [0, 1];
	}

	/** A deleted video can no longer be asked for; it may have fired before. */
	deleted(id: string): void {
		this.videos.get(id)!.bounds[0] = 0;
		if (this.videos.get(id)!.status === 'PROCESSING') this.videos.get(id)!.status = 'DELETED';
	}

	rendering(): string[] {
		return [...this.videos].filter(([, { status }]) => status === 'PROCESSING').map(([id]) => id);
	}

	check(fired: string[]): void {
		const counts = new Map<string, number>();
		for (const id of fired) counts.set(id, (counts.get(id) ?? 0) + 1);
		for (const [id, { status, bounds }] of this.videos) {
			const count = counts.get(id) ?? 0;
			if (count < bounds[0] || count > bounds[1])
				throw new Error(`${id} (${status}) fired ${count} times instead of ${bounds.join(' to ')}`);
			counts.delete(id);
		}
		if (counts.size > 0) throw new Error(`fired but never made: ${[...counts.keys()].join(', ')}`);
	}
}

function live(setting: Setting, events: Event[]): Workflow {
	const { account, workflow } = setUp(setting.lostCursor, setting.shuffledTies);
	const truth = new Truth(setting.wanted, account);
	let failures = 0;
	const options: PollOptions = {
		matches: ({ status }) => setting.wanted.includes(status),
		capacity: setting.capacity,
		undelivered: (due) =>
			due.flatMap(({ open }, index) => {
				if (setting.capacity === undefined) return [];
				if (index >= setting.capacity) return [open];
				const failedDownloads = (open.failedDownloads ?? 0) + 1;
				return ++failures % 7 === 0 ? [{ ...open, failedDownloads }] : [];
			}),
	};
	const create = (count: number, fields?: Partial<Video>) => {
		const ids = account.create(count, fields);
		truth.created(ids);
		return ids;
	};
	const end = (at: number, status: string, when: Certainty, count = 1) => {
		const rendering = truth.rendering();
		const ids = Array.from({ length: Math.min(count, rendering.length) }, (_, i) => {
			return rendering[(at + i) % rendering.length]!;
		});
		for (const id of ids) {
			account.finish(id, status);
			truth.ended(id, status, when);
		}
	};
	const afterEmptyPoll = () => setting.forgetful && workflow.restart();

	for (const id of create(setting.history)) {
		account.finish(id, 'COMPLETE');
		truth.ended(id, 'COMPLETE', 'before activation');
	}
	create(setting.rendering);
	workflow.activate({
		...options,
		between: (done) => done === 1 && end(3, 'COMPLETE', 'during it'),
	});

	for (const event of events) {
		switch (event.kind) {
			case 'pass':
				workflow.pass(event.seconds);
				break;
			case 'create':
				create(event.count);
				break;
			case 'late':
				if (account.newerThan(account.now - event.seconds) <= 50)
					create(1, { created_at: account.now - event.seconds });
				break;
			case 'end':
				end(event.pick, event.status, 'after', event.count);
				break;
			case 'delete': {
				const ids = [...truth.videos.keys()];
				for (let i = 0; i < event.count && ids.length > 0; i++) {
					const id = ids[(event.pick + i) % ids.length]!;
					account.delete(id);
					truth.deleted(id);
				}
				break;
			}
			case 'poll':
				workflow.poll(options);
				afterEmptyPoll();
				break;
			case 'poll while it goes on':
				workflow.poll({
					...options,
					between: () => {
						end(event.pick, event.status, 'after');
						create(event.count);
					},
				});
				afterEmptyPoll();
				break;
			case 'poll that throws': {
				const steps = workflow.steps(options);
				for (let i = 0; i <= event.after && !steps.next().done; i++);
				break;
			}
			case 'poll cut short':
				workflow.poll({ ...options, cutAfter: event.after });
				afterEmptyPoll();
				break;
			case 'poll whose result n8n drops': {
				const { memory, saved } = workflow;
				const fired = workflow.fired.length;
				workflow.poll(options);
				workflow.fired.length = fired;
				Object.assign(workflow, { memory, saved });
				break;
			}
			case 'two polls at once': {
				const polls = [workflow.steps(options), workflow.steps(options)] as const;
				for (let i = 0; i < event.turns; i++) if (polls[0].next().done) break;
				const commits = [polls[1], polls[0]].map((steps) => {
					for (;;) {
						const step = steps.next();
						if (step.done) return step.value;
					}
				});
				commits.forEach((commit) => commit?.());
				break;
			}
			case 'restart':
				workflow.restart();
				workflow.activate(options);
				break;
			case 'off and on':
				workflow.pass(event.days * DAY_S);
				workflow.restart();
				workflow.activate(options);
				break;
		}
	}
	// The end: polls until each open video was read, and nothing waits to be delivered or read on.
	const endedAt = workflow.nowMs;
	const waits = ({ backlog, open }: CompletionsState) =>
		backlog ?? open.some((video) => video.readAt <= endedAt || video.failedDownloads !== undefined);
	for (let polls = 0, quiet = 0; quiet < 2; polls++) {
		if (polls > 400) throw new Error('the trigger does not come to rest');
		workflow.pass(DAY_S);
		const fired = workflow.poll(options);
		quiet = fired.length > 0 || waits(workflow.memory!) ? 0 : quiet + 1;
	}
	truth.check(workflow.fired);
	return workflow;
}

/** Other ones in each run; `HISTORIES=100000` in the environment takes a longer look. */
const HISTORIES = Number(process.env.HISTORIES ?? 2_000);

test('no completion is missed and none fires twice, in any random history', () => {
	const history = fc.array(event, { minLength: 8, maxLength: 25 });
	const check = (chosen: Setting, events: Event[]) => void live(chosen, events);
	fc.assert(fc.property(setting, history, check), { numRuns: HISTORIES });
}, 300_000);

test('what is proved: the random histories fire, go on in later polls, drop polls and defer deliveries', () => {
	const total = { fired: 0, backlogs: 0, voidPolls: 0, deferred: 0 };
	fc.assert(
		fc.property(setting, fc.array(event, { minLength: 8, maxLength: 25 }), (chosen, events) => {
			const { fired, backlogs, voidPolls, deferred } = live(chosen, events);
			total.fired += fired.length;
			total.backlogs += backlogs;
			total.voidPolls += voidPolls;
			total.deferred += deferred;
		}),
		{ numRuns: 300, seed: 1 },
	);
	for (const count of Object.values(total)) expect(count).toBeGreaterThan(10);
});
