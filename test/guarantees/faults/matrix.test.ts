/**
 * Every request of the package × every fault that the emulator can play × "On Error" × "Retry On Fail".
 * The table of the results is docs/fault-matrix.md; `UPDATE_FAULT_MATRIX=1 npx jest test/guarantees/faults/matrix`
 * writes it anew.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { IDataObject, INodeExecutionData } from 'n8n-workflow';
import { join } from 'node:path';

import { RATE_WINDOW } from '../../../nodes/shared/api/buckets';
import { LIMITS } from '../../../nodes/shared/transport/timeouts';
import { MEDIA } from '../../harness/emulator/media';
import { type Emulator, type Fault } from '../../harness/emulator/emulator';
import { logLines, n8nRelease } from '../../harness/engine/n8n';
import { START, type NodeSpec, type RunResult } from '../../harness/engine/engine';
import { startFileServer, whole, type FileServer } from '../../harness/engine/fileServer';
import { byId } from '../../harness/engine/oneNode';
import {
	anOverlay,
	aTemplate,
	GETS,
	item,
	POSTS,
	requestsTo,
	run,
	SECRET,
	SHORT_LIMITS,
	startAccount,
	withLimits,
} from './cases';

withLimits(SHORT_LIMITS);
const rateWindowMs = RATE_WINDOW.ms;
beforeAll(() => {
	RATE_WINDOW.ms = 100;
});
afterAll(() => {
	RATE_WINDOW.ms = rateWindowMs;
});

/** Silence is waited out only where it is the fault: a busy machine must not look like a silent server. */
function limitSilence(name: string) {
	const idleMs = name.startsWith('no answer') ? 3_000 : 20_000;
	Object.assign(LIMITS, {
		jsonIdleMs: idleMs,
		uploadIdleMs: idleMs,
		speechIdleMs: idleMs,
		fileIdleMs: idleMs,
	});
}

const RENDERED = readFileSync(MEDIA.generated);
const TABLE = join(__dirname, '../../../docs/fault-matrix.md');

/** What the server makes of a POST with this fault, and whether the node can know it. */
type Meaning = 'accepted' | 'notAccepted' | 'uncertain';

/** The faults that the API can play. `meaning` is for a POST; a GET may always be repeated. */
const FAULTS: Record<string, { fault: Fault; meaning: Meaning }> = {
	...Object.fromEntries(
		[400, 401, 402, 403, 404, 409, 413, 415, 422].map((status) => [
			String(status),
			{ fault: { kind: 'status', status } as const, meaning: 'notAccepted' as const },
		]),
	),
	'408': { fault: { kind: 'status', status: 408 }, meaning: 'uncertain' },
	'429': {
		fault: { kind: 'status', status: 429, retryAfter: 0 },
		meaning: 'accepted',
	},
	'500': { fault: { kind: 'status', status: 500 }, meaning: 'uncertain' },
	'503, not JSON': {
		fault: { kind: 'status', status: 503, body: 'Service Unavailable' },
		meaning: 'uncertain',
	},
	'302 to another host': {
		fault: { kind: 'status', status: 302, headers: { location: 'http://localhost:1/elsewhere' } },
		meaning: 'uncertain',
	},
	'307 to another host': {
		fault: { kind: 'status', status: 307, headers: { location: 'http://localhost:1/elsewhere' } },
		meaning: 'notAccepted',
	},
	'reset before the body': { fault: { kind: 'resetBeforeBody' }, meaning: 'uncertain' },
	'reset after the body': {
		fault: { kind: 'resetAfterBody', accepted: false },
		meaning: 'uncertain',
	},
	'reset after accepting': {
		fault: { kind: 'resetAfterBody', accepted: true },
		meaning: 'uncertain',
	},
	'500 after accepting': {
		fault: { kind: 'statusAfterAccept', status: 500 },
		meaning: 'uncertain',
	},
	'502 after accepting': {
		fault: { kind: 'statusAfterAccept', status: 502 },
		meaning: 'uncertain',
	},
	'no answer': { fault: { kind: 'hang' }, meaning: 'uncertain' },
	'no answer after accepting': { fault: { kind: 'hang', accepted: true }, meaning: 'uncertain' },
	'answer cut off': { fault: { kind: 'truncate', bytes: 20 }, meaning: 'uncertain' },
	'HTML for an answer': { fault: { kind: 'html' }, meaning: 'uncertain' },
	'HTML with 502': { fault: { kind: 'html', status: 502 }, meaning: 'uncertain' },
	'broken JSON': { fault: { kind: 'garbage' }, meaning: 'uncertain' },
	'slow answer': { fault: { kind: 'slow', bytesPerSecond: 400_000 }, meaning: 'accepted' },
	'late answer': { fault: { kind: 'delay', ms: 40 }, meaning: 'accepted' },
};
/** Faults of the file host and of the way to it. */
const CONTENT_FAULTS: Record<string, Fault> = {
	'redirects without end': { kind: 'redirectLoop' },
	'signed URL out of date': { kind: 'expired' },
};
/** Faults that a reader does not notice. A redirect is read from its headers. */
const readable = (route: string, name: string) =>
	['slow answer', 'late answer'].includes(name) ||
	(name === 'answer cut off' && route === 'GET /v1/videos/{video_id}/content');

const faultsOfGet = (route: string): Record<string, Fault> => {
	const common = Object.entries(FAULTS)
		.filter(([name]) => !name.endsWith('after accepting'))
		.map(([name, { fault }]) => [name, fault] as const);
	return { ...Object.fromEntries(common), ...(route.endsWith('content') ? CONTENT_FAULTS : {}) };
};

/** Whether a fault is the API's own word about the request, which asking again does not change. */
const refuses = (name: string) => /^(4(?!08|29)|307|302)/.test(name);

/** The four ways a person can set the node. */
const MODES: Mode[] = [
	{ goOn: false, retry: false },
	{ goOn: false, retry: true },
	{ goOn: true, retry: false },
	{ goOn: true, retry: true },
];

interface Mode {
	goOn: boolean;
	retry: boolean;
}

const settingsOf = ({ goOn, retry }: Mode): NodeSpec['settings'] => ({
	...(goOn ? { onError: 'continueRegularOutput' } : {}),
	...(retry ? { retryOnFail: true, maxTries: 2, waitBetweenTries: 1 } : {}),
});

const sightings: string[] = [];
const unexplained: string[] = [];
const cells = new Map<string, string>();
function headOf({ goOn, retry }: Mode): string {
	return `${goOn ? 'continue' : 'stop'}, ${retry ? 'retry' : 'no retry'}`;
}

/** Searches the key in all that n8n keeps of a run, and in what other hosts than the API were sent. */
function searchKey(where: string, mirage: Emulator, result: RunResult) {
	const places: Record<string, unknown> = {
		'the stored execution': result.stored,
		'the error': [result.error?.message, result.error?.description, result.error?.stack],
		hints: result.hints,
		'messages to the editor': result.uiMessages,
		'headers to the file host': mirage.requests
			.filter(({ server }) => server === 'content')
			.map(({ headers, path }) => [headers, path]),
	};
	for (const [place, value] of Object.entries(places))
		if (JSON.stringify(value ?? '').includes(SECRET)) sightings.push(`${where}: ${place}`);
}

/** Every job that was accepted: its ID, or for speech the request that made it. */
const acceptedBy = (mirage: Emulator) =>
	mirage.requests.flatMap(({ accepted }) => (accepted === undefined ? [] : [accepted]));

const textOf = (value: unknown) => JSON.stringify(value ?? '');

/** A way to run a paid node that n8n repeats, with the fault on its first or second request. */
interface Way {
	after: number;
	/** Requests that are sent when one of them is uncertain. */
	sentWhenUncertain: number;
	/** Jobs that it pays at most for the two that are wanted. */
	most: number;
	retry: boolean;
	start(mirage: Emulator, route: string, node: NodeSpec): Promise<Results>;
}

/** What a run gave: its items without an error, and every word about those with one. */
interface Results {
	run: RunResult;
	good: INodeExecutionData[];
	told: unknown[];
}

const RETRY_ONCE = settingsOf({ goOn: false, retry: true });
const errorOf = ({ error }: RunResult) => error && [error.message, error.description];

/** The node on the canvas, with two items. n8n retries a node that goes on only when its first item failed. */
const onCanvas = (mode: Mode): Way => ({
	after: mode.goOn ? 0 : 1,
	sentWhenUncertain: 2,
	most: 2,
	retry: mode.retry,
	start: async (mirage, _route, node) => {
		const result = await run(
			mirage,
			{ ...node, settings: settingsOf(mode) },
			await twoItems(mirage),
		);
		const outputs = result.status === 'success' ? result.outputs() : [];
		const good = outputs.filter(({ json }) => json.error === undefined || json.error === null);
		const bad = outputs.filter((output) => !good.includes(output));
		return { run: result, good, told: [...bad.map(({ json }) => json), errorOf(result)] };
	},
});

/** What an agent's call fills in where a file of an item cannot come along. */
const asTool = (route: string, { parameters }: NodeSpec): NodeSpec['parameters'] => {
	const text = `={{ $fromAI('text', 'What to say', 'string') }}`;
	const urls: Record<string, NodeSpec['parameters']> = {
		'POST /v1/videos': {
			imageSource: 'url',
			imageUrl: `${files.url}/image`,
			audioSource: 'url',
			audioUrl: `${files.url}/audio`,
		},
		'POST /v1/audio/text-to-speech/{voice_id}': { text },
		'POST /v1/meta/text_overlays': { videoSource: 'url', videoUrl: `${files.url}/video` },
	};
	return { ...parameters, ...urls[route] };
};

const REPEATED: Record<string, Way> = {
	'tool call': {
		after: 0,
		// The second call has the same inputs, and is refused.
		sentWhenUncertain: 1,
		most: 2,
		retry: true,
		start: async (mirage, route, node) => {
			const [first] = await twoItems(mirage);
			const tool = { ...node, type: `${node.type}Tool`, parameters: asTool(route, node) };
			const calls = JSON.stringify([{ text: 'Hello' }, { text: 'Hello' }]);
			const parameters = { arguments: calls, catchErrors: true };
			const result = await run(mirage, node, [first!], {
				nodes: [
					{ type: 'toolCaller', parameters },
					{ ...tool, settings: RETRY_ONCE },
				],
				connections: {
					[START]: { main: [[{ node: 'toolCaller', type: 'main', index: 0 }]] },
					[tool.type]: { ai_tool: [[{ node: 'toolCaller', type: 'ai_tool', index: 0 }]] },
				},
			});
			const answers = (result.outputs('toolCaller')[0]?.json.answers ?? []) as string[];
			const told = answers.filter((answer) => answer.startsWith('Error'));
			const items = answers.flatMap((answer) =>
				told.includes(answer) ? [] : (JSON.parse(answer) as IDataObject[]),
			);
			// An agent gets no file: what comes with one is its item's JSON.
			const binary = { audio: { data: '', mimeType: '' } };
			return { run: result, good: items.map((json) => ({ json, binary })), told };
		},
	},
	loop: {
		after: 1,
		sentWhenUncertain: 2,
		most: 2,
		retry: true,
		start: async (mirage, _route, node) => {
			const [first] = await twoItems(mirage);
			const result = await run(mirage, node, [first!], {
				nodes: [
					{ type: 'rounds', parameters: { rounds: 2 } },
					{ ...node, settings: RETRY_ONCE },
				],
				connections: {
					[START]: { main: [[{ node: 'rounds', type: 'main', index: 0 }]] },
					rounds: { main: [[], [{ node: node.type, type: 'main', index: 0 }]] },
					[node.type]: { main: [[{ node: 'rounds', type: 'main', index: 0 }]] },
				},
			});
			const rounds = result.runData[node.type] ?? [];
			const good = rounds.flatMap(({ data }) => data?.main?.[0] ?? []);
			return { run: result, good, told: [errorOf(result)] };
		},
	},
	'sub-workflow': {
		after: 1,
		// Its second run is an execution of its own, and knows nothing of the first.
		sentWhenUncertain: 4,
		most: 4,
		retry: true,
		start: async (mirage, _route, node) => {
			const parent = { type: 'executeWorkflow', settings: RETRY_ONCE };
			const options = { nodes: [parent], subWorkflow: [node] };
			const result = await run(mirage, parent, await twoItems(mirage), options);
			const good = result.status === 'success' ? result.outputs() : [];
			return { run: result, good, told: [...result.subRuns.map(errorOf), errorOf(result)] };
		},
	},
};
const WAYS: Record<string, Way> = {
	...Object.fromEntries(MODES.map((mode) => [headOf(mode), onCanvas(mode)])),
	...REPEATED,
};

let files: FileServer;
beforeAll(async () => {
	files = await startFileServer({
		'/image': whole(readFileSync(MEDIA.portraitJpeg)),
		'/audio': whole(readFileSync(MEDIA.voiceMp3)),
		'/video': whole(RENDERED),
	});
});
afterAll(async () => await files.close());

const templates = new WeakMap<Emulator, string>();
const twoItems = async (mirage: Emulator) => {
	const template = templates.get(mirage);
	return [item({ template }), item({ template })];
};

/** Items whose speech an error names, by "item 0–2, 4". */
function spokenIn(told: string): number {
	const lists = [...told.matchAll(/Speech was made, and billed, for item ([\d–, ]+)/g)];
	const parts = lists.flatMap(([, list]) => list!.split(', '));
	return parts.reduce((sum, part) => {
		const [from, to = from] = part.split('–').map(Number);
		return sum + to! - from! + 1;
	}, 0);
}

describe('a request that starts something', () => {
	it.each(Object.keys(FAULTS))('pays once and names what was paid: %s', async (name) => {
		const play = async (route: string, node: NodeSpec, head: string, way: Way) => {
			const { fault, meaning } = FAULTS[name]!;
			const mirage = await startAccount();
			try {
				const template = await aTemplate(mirage);
				templates.set(mirage, template);
				mirage.requests.length = 0;
				mirage.fault({ route, after: way.after, fault });
				const parameters = { ...node.parameters, options: { concurrency: 1 } };
				// A tool has no item with the ID of a template.
				if (head === 'tool call' && route === 'POST /v1/videos/captions')
					Object.assign(parameters, { captionTemplateId: byId(template) });
				const results = await way.start(mirage, route, { ...node, parameters });
				const { run: result, good } = results;
				const told = results.told.filter(Boolean);
				const where = `${route}, ${name}, ${head}`;
				for (const each of [result, ...result.subRuns]) searchKey(where, mirage, each);

				const jobs = acceptedBy(mirage);
				const speech = jobs.filter((id) => id.startsWith('speech_')).length;
				const noList = route !== 'POST /v1/videos' && route !== 'POST /v1/videos/captions';
				const uncertain = (textOf(told).match(/may still have accepted/g) ?? []).length;
				const inOutput = speech
					? good.filter(({ binary }) => binary?.audio).length
					: jobs.filter((id) => good.some(({ json }) => json.id === id)).length;
				const others = jobs.filter((id) => !good.some(({ json }) => json.id === id));
				const named = others.filter((id) => textOf(told).includes(id)).length;
				const inErrors = noList
					? Math.min(jobs.length - inOutput, named + spokenIn(textOf(told)) + uncertain)
					: named;
				if (inOutput + inErrors < jobs.length) unexplained.push(where);
				const failed = result.status !== 'success' || told.length > 0;
				cells.set(
					JSON.stringify([route, name, head]),
					`${failed ? 'error' : 'ok'} ${jobs.length} = ${inOutput} + ${inErrors}`,
				);

				const sent = requestsTo(mirage, route).length;
				expect([where, inOutput + inErrors]).toEqual([where, jobs.length]);
				expect(jobs.length).toBeLessThanOrEqual(way.most);
				if (meaning === 'uncertain') {
					expect([where, sent]).toEqual([where, way.sentWhenUncertain]);
					expect(uncertain).toBeGreaterThan(0);
				} else {
					expect([where, uncertain]).toEqual([where, 0]);
					expect([where, good.length === 2]).toEqual([where, meaning === 'accepted' || way.retry]);
				}
			} finally {
				await mirage.close();
			}
		};
		limitSilence(name);
		await Promise.all(
			Object.entries(POSTS).flatMap(([route, node]) =>
				Object.entries(WAYS).map(async ([head, way]) => await play(route, node, head, way)),
			),
		);
	});
});

describe('a request that reads something', () => {
	const names = Object.keys(GETS).flatMap((route) => Object.keys(faultsOfGet(route)));
	it.each([...new Set(names)])('reads on, or says what is wrong: %s', async (name) => {
		const play = async (route: string, node: NodeSpec, { goOn, retry }: Mode) => {
			const fault = faultsOfGet(route)[name];
			if (!fault) return;
			const playTimes = async (times: number) => {
				const mirage = await startAccount();
				try {
					const json = { template: await aTemplate(mirage), overlay: await anOverlay(mirage) };
					mirage.requests.length = 0;
					mirage.fault({ route, times, fault });
					const settings = settingsOf({ goOn, retry });
					const result = await run(mirage, { ...node, settings }, [item(json)]);
					searchKey(`${route}, ${name}, go on ${goOn}, retry ${retry}`, mirage, result);

					const outputs = result.status === 'success' ? result.outputs() : [];
					const failed = outputs.length === 0 || outputs.some(({ json }) => Boolean(json.error));
					expect(acceptedBy(mirage)).toEqual([]);
					if (failed) expect(textOf([result.error?.message, outputs])).toMatch(/Mirage|n8n/);
					else if (route.endsWith('content'))
						expect(RENDERED.equals(await result.file(outputs[0], 'data'))).toBe(true);
					// A fault that passes is read over, unless it is the API's own word about the request.
					if (times === 1 && !refuses(name)) expect(failed).toBe(false);
					if (times === Infinity) expect(failed).toBe(!readable(route, name));
					return failed ? 'error' : 'ok';
				} finally {
					await mirage.close();
				}
			};
			const cell = await Promise.all([1, Infinity].map(playTimes));
			cells.set(JSON.stringify([route, name, headOf({ goOn, retry })]), cell.join(', '));
		};
		limitSilence(name);
		await Promise.all(
			Object.entries(GETS).flatMap(([route, node]) =>
				MODES.map(async (mode) => await play(route, node, mode)),
			),
		);
	});
});

it('no job is unexplained, and the key was seen nowhere', () => {
	expect(unexplained).toEqual([]);
	expect(sightings).toEqual([]);
	expect(logLines().filter((line) => line.includes(SECRET))).toEqual([]);
});

it('docs/fault-matrix.md tells the results of this run', () => {
	const table = tableOf();
	if (process.env.UPDATE_FAULT_MATRIX) {
		// One line writes it; the other may be done before.
		if (n8nRelease !== '2.41') return;
		writeFileSync(TABLE, table);
	}
	expect(existsSync(TABLE) ? readFileSync(TABLE, 'utf8') : '').toBe(table);
});

/** The results as a page of the docs. No times and no IDs: it is the same for every run. */
function tableOf(): string {
	const row = (texts: string[]) => `| ${texts.join(' | ')} |`;
	const section = (route: string, names: string[], heads: string[]) => [
		`### ${route === 'content' ? 'The file host' : route}`,
		'',
		row(['fault', ...heads]),
		row(['---', ...heads.map(() => '---')]),
		...names.map((name) =>
			row([
				name,
				...heads.map((head) => cells.get(JSON.stringify([route, name, head])) ?? 'not run'),
			]),
		),
		'',
	];
	return [
		'# Fault matrix',
		'',
		'<!-- prettier-ignore-start -->',
		'',
		'Made by `test/guarantees/faults/matrix.test.ts`, which plays every fault of the emulator on every request of the package,',
		'inside the real n8n engine and over real HTTP. "stop" and "continue" are the node\'s "On Error", "retry" its "Retry On Fail".',
		'`UPDATE_FAULT_MATRIX=1 npx jest test/guarantees/faults/matrix` writes it anew.',
		'',
		`Jobs that nothing explains: **${unexplained.length}**. Sightings of the key in stored executions, errors, hints, messages, logs and requests to other hosts: **${sightings.length}**.`,
		'',
		'## Requests that start something',
		'',
		'Two items, one after the other; the fault plays once: on the second, or with "continue" on the first. `3 = 2 + 1` would read: three jobs on the server, two of',
		'them in the output and one told in an error. `ok` is a run without any error, `error` one in which an item failed.',
		'',
		'"tool call": an agent calls the node twice as its tool, with "Retry On Fail" of the tool; the fault plays on the first call. "loop": two rounds, with "Retry On',
		'Fail". "sub-workflow": the node runs in a sub-workflow, and the node that starts it has "Retry On Fail": n8n then runs the whole sub-workflow once more, as an',
		'execution of its own, so what its first run had accepted is paid again. [What to do about that](errors.md#what-n8n-itself-runs-again).',
		'',
		...Object.keys(POSTS).flatMap((route) =>
			section(route, Object.keys(FAULTS), Object.keys(WAYS)),
		),
		'## Requests that read something',
		'',
		'One item. `ok, error` reads: good when the fault plays once, an error when it lasts.',
		'',
		...Object.keys(GETS).flatMap((route) =>
			section(route, Object.keys(faultsOfGet(route)), MODES.map(headOf)),
		),
		'<!-- prettier-ignore-end -->',
		'',
	].join('\n');
}
