import type { INodeProperties, INodePropertyCollection, INodePropertyOptions } from 'n8n-workflow';

import { MirageApi } from '../../../credentials/MirageApi.credentials';
import { isToolForm } from '../docs/node-descriptions';
import { allNodes } from './allNodes';

/**
 * What users' saved workflows hold: type names, parameter names, option values and defaults. None of
 * them may ever change, so this table is written by hand. A list is the values of a choice, and the
 * first of them is the default; `options` are those of the collection.
 */
const START = {
	operation: ['create', 'estimate'],
	waitForCompletion: false,
	downloadVideo: true,
	outputField: 'data',
	options: {
		concurrency: 3,
		rateLimitPatience: 60,
		spendingLimit: 0,
		allowUnknownCost: false,
		timeout: 60,
	},
};
const NAMES: Record<string, Record<string, unknown>> = {
	mirageCreateVideo: {
		imageSource: ['binary', 'url'],
		imageField: 'data',
		imageUrl: '',
		audioSource: ['binary', 'url', 'text'],
		audioField: 'audio',
		audioUrl: '',
		voiceId: '',
		text: '',
		model: ['mirage-video-1-latest', 'mirage-avatar-x', 'other'],
		modelId: '',
		appearance: ['image', 'video'],
		videoSource: ['binary', 'url'],
		videoField: 'video',
		videoUrl: '',
		...START,
	},
	mirageWaitForVideo: {
		videoId: { mode: 'id', value: '={{ $json.id }}' },
		whileProcessing: ['keepWaiting', 'suspend', 'returnStatus'],
		downloadVideo: true,
		outputField: 'data',
		options: {
			timeout: 60,
			pollInterval: 5,
			maxPollInterval: 30,
			onFailed: ['error', 'continue'],
			releaseFinished: false,
		},
	},
	mirageAddCaptions: {
		videoSource: ['videoId', 'binary', 'url'],
		videoId: { mode: 'id', value: '={{ $json.id }}' },
		videoField: 'data',
		videoUrl: '',
		captionTemplateId: { mode: 'list', value: '' },
		...START,
	},
	mirageTextToSpeech: {
		voiceId: '',
		text: '',
		model: ['mirage-audio-1'],
		outputField: 'audio',
		options: { fileName: 'speech.wav', concurrency: 3, rateLimitPatience: 60 },
	},
	mirageMetaTextOverlay: {
		operation: ['create', 'get'],
		videoSource: ['binary', 'url'],
		videoField: 'data',
		videoUrl: '',
		texts: { values: { text: '', font: '', size: 0, color: '' } },
		overlayId: '={{ $json.id }}',
		waitForCompletion: true,
		downloadVideos: true,
		outputField: 'data',
		options: {
			timeout: 60,
			pollInterval: 5,
			maxPollInterval: 30,
			concurrency: 3,
			rateLimitPatience: 60,
		},
	},
	mirageList: {
		resource: ['video', 'captionTemplate'],
		operation: ['getMany', 'get', 'download'],
		simplify: true,
		returnAll: false,
		limit: 50,
		videoId: { mode: 'list', value: '' },
		captionTemplateId: { mode: 'list', value: '' },
		options: { order: ['desc', 'asc'], after: '', status: [], outputField: 'data' },
	},
	mirageTrigger: {
		events: ['completed', 'failed', 'cancelled'],
		source: ['all', 'generated', 'captioned'],
		downloadVideo: false,
		outputField: 'data',
	},
};

/** A parameter as the table writes it; parameters of the same name add up. */
function written(properties: INodeProperties[]): Record<string, unknown> {
	const table: Record<string, unknown> = {};
	for (const property of properties) {
		const { name, type, options = [], default: start } = property;
		if (type === 'notice' || isToolForm(property)) continue;
		if (type === 'collection')
			table[name] = { ...(table[name] as object), ...written(options as INodeProperties[]) };
		else if (type === 'fixedCollection')
			table[name] = Object.fromEntries(
				(options as INodePropertyCollection[]).map((each) => [each.name, written(each.values)]),
			);
		else if (type === 'options' || type === 'multiOptions') {
			const values = (options as INodePropertyOptions[]).map(({ value }) => value);
			const first = [start].flat();
			const before = (table[name] as unknown[] | undefined) ?? [];
			table[name] = name === 'status' ? start : [...new Set([...first, ...before, ...values])];
		} else table[name] = start;
	}
	return table;
}

/** The same table with the choices in no particular order, but for the default. */
const sorted = (value: unknown): unknown =>
	Array.isArray(value)
		? [value[0], ...value.slice(1).sort()]
		: typeof value === 'object' && value !== null
			? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, sorted(each)]))
			: value;

it('a saved workflow finds every node under its name', () => {
	expect(allNodes.map(({ description }) => description.name).sort()).toEqual(
		Object.keys(NAMES).sort(),
	);
	for (const { description } of allNodes) expect(description.version).toBe(1);
});

it.each(allNodes.map(({ description }) => [description.name, description] as const))(
	'a saved workflow finds every parameter of %s, with the values and defaults it knows',
	(name, { properties }) => {
		expect(sorted(written(properties))).toEqual(sorted(NAMES[name]));
	},
);

it('choices that stand for several states default to what they always meant', () => {
	const trigger = allNodes.find(({ description }) => description.name === 'mirageTrigger')!;
	const events = trigger.description.properties.find(({ name }) => name === 'events');
	expect(events!.default).toEqual(['completed']);
});

it('a saved credential keeps its key and its address', () => {
	const { name, properties } = new MirageApi();
	expect(name).toBe('mirageApi');
	expect(properties.map((each) => [each.name, each.default, each.typeOptions ?? {}])).toEqual([
		['apiKey', '', { password: true }],
		['baseUrl', 'https://api.mirage.app', {}],
	]);
});
