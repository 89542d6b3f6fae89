import type { INodeProperties, INodePropertyOptions, NodeHint } from 'n8n-workflow';

/** When a parameter is shown. */
export type Show = NonNullable<NonNullable<INodeProperties['displayOptions']>['show']>;

const shown = (show?: Show, hide?: Show) =>
	show || hide ? { displayOptions: { ...(show ? { show } : {}), ...(hide ? { hide } : {}) } } : {};

/** The icon of a node, for both themes: the package's mark with the node's own glyph in it. */
export const mirageIcon = (node: string) =>
	({
		light: `file:../../icons/${node}.svg`,
		dark: `file:../../icons/${node}.dark.svg`,
	}) as const;

/**
 * What the output panel says while a node runs: n8n shows the hints for "before execution" there, and
 * there is no other way to tell a person that a node waits.
 */
export function waitingHint(message: string, displayCondition?: string): NodeHint {
	return {
		message,
		type: 'info',
		location: 'outputPane',
		whenToDisplay: 'beforeExecution',
		...(displayCondition === undefined ? {} : { displayCondition }),
	};
}

/** The hint of nodes that send what Mirage bills, and so may have to wait for the rate limit. */
export const rateLimitHint = waitingHint(
	'Mirage accepts a limited number of requests a minute. This node waits for its turn, and sends nothing twice.',
);

/** A picker for a video: from the list, or by ID. */
export function videoLocator(rules: {
	description: string;
	show?: Show;
	/** ID to start with, usually an expression. Without one the list is offered first. */
	defaultId?: string;
}): INodeProperties {
	const { description, show, defaultId } = rules;
	return {
		displayName: 'Video',
		name: 'videoId',
		type: 'resourceLocator',
		required: true,
		default: { mode: defaultId === undefined ? 'list' : 'id', value: defaultId ?? '' },
		description,
		...shown(show),
		modes: [
			{
				displayName: 'From List',
				name: 'list',
				type: 'list',
				typeOptions: { searchListMethod: 'searchVideos', searchable: true },
			},
			{
				displayName: 'By ID',
				name: 'id',
				type: 'string',
				placeholder: 'e.g. video_abc123def456',
			},
		],
	};
}

/** A picker for a caption template: from the list, or by ID. */
export function captionTemplateLocator(rules: {
	description: string;
	show?: Show;
}): INodeProperties {
	return {
		displayName: 'Caption Template',
		name: 'captionTemplateId',
		type: 'resourceLocator',
		required: true,
		default: { mode: 'list', value: '' },
		description: rules.description,
		...shown(rules.show),
		modes: [
			{
				displayName: 'From List',
				name: 'list',
				type: 'list',
				typeOptions: { searchListMethod: 'searchCaptionTemplates', searchable: true },
			},
			{
				displayName: 'By ID',
				name: 'id',
				type: 'string',
				placeholder: 'e.g. ctpl_123456789abcdefg',
			},
		],
	};
}

/** The places a file can come from, as options of a `…Source` parameter. */
export const fileSources = {
	binary: {
		name: 'Binary Field',
		value: 'binary',
		description: 'Use a file that an earlier node put on the item',
	},
	url: {
		name: 'URL',
		value: 'url',
		description: 'Fetch the file from a public web address',
	},
} satisfies Record<string, INodePropertyOptions>;

/**
 * A parameter, and the form of it that an agent's tool shows: files cannot go in or out of a tool, and an
 * agent does not wait. n8n knows a tool by the name of its type, which ends with `Tool`.
 */
export function withToolForm(
	property: INodeProperties,
	tool: Partial<INodeProperties>,
): INodeProperties[] {
	const { displayOptions } = property;
	const forTools = (isTool: boolean) => ({
		displayOptions: { ...displayOptions, show: { ...displayOptions?.show, '@tool': [isTool] } },
	});
	return [
		{ ...property, ...forTools(false) },
		{ ...property, ...tool, ...forTools(true) },
	];
}

/** A `…Source` parameter with the two places that every file can come from; a tool has only URLs. */
export function sourceField(
	label: string,
	description: string,
	{ show, hide }: { show?: Show; hide?: Show },
): INodeProperties[] {
	return withToolForm(
		{
			displayName: `${label} Source`,
			name: `${label.toLowerCase()}Source`,
			type: 'options',
			options: [fileSources.binary, fileSources.url],
			default: 'binary',
			description,
			...shown(show, hide),
		},
		{ options: [fileSources.url], default: 'url' },
	);
}

/** The two parameters behind a `…Source`: the binary field, and the address. */
export function fileFields(rules: {
	/** Start of the parameter names: `image` gives `imageField` and `imageUrl`. */
	prefix: string;
	label: string;
	defaultField: string;
	/** What the file must be, as the end of a sentence: `a JPEG or PNG picture`. */
	wanted: string;
	urlPlaceholder: string;
	show?: Show;
	hide?: Show;
}): INodeProperties[] {
	const { prefix, label, defaultField, wanted, urlPlaceholder, show, hide } = rules;
	const source = `${prefix}Source`;
	return [
		{
			displayName: `${label} Field`,
			name: `${prefix}Field`,
			type: 'string',
			required: true,
			default: defaultField,
			placeholder: `e.g. ${defaultField}`,
			hint: 'The name of the field as the INPUT panel shows it under "Binary"',
			description: `Name of the binary field that holds ${wanted}`,
			...shown({ ...show, [source]: ['binary'] }, hide),
		},
		{
			displayName: `${label} URL`,
			name: `${prefix}Url`,
			type: 'string',
			required: true,
			default: '',
			placeholder: urlPlaceholder,
			description: `Web address of ${wanted}. It must open without a login. The API key is not sent there.`,
			...shown({ ...show, [source]: ['url'] }, hide),
		},
	];
}

/** ID of the voice that speaks. The API has no list of voices, so it is typed in. */
export function voiceIdField(show?: Show): INodeProperties {
	return {
		displayName: 'Voice ID',
		name: 'voiceId',
		type: 'string',
		required: true,
		default: '',
		placeholder: 'e.g. 5f2c1c0e-…',
		hint: 'Copy it from a voice in the Mirage platform',
		description: 'ID of the voice that speaks the text',
		...shown(show),
	};
}

/** Name of the binary field that a node writes a file into. */
export function outputField(rules: {
	defaultField: string;
	what: string;
	show?: Show;
}): INodeProperties {
	const { defaultField, what, show } = rules;
	return {
		displayName: 'Put Output File in Field',
		name: 'outputField',
		type: 'string',
		required: true,
		default: defaultField,
		placeholder: `e.g. ${defaultField}`,
		hint: 'The name of the binary field to put the file in',
		description: `Name of the binary field that will hold ${what}`,
		...shown(show),
	};
}

/** Parameters of a node that starts videos: whether to wait for them, and where their files go. */
export function completionFields(show?: Show): INodeProperties[] {
	return [
		{
			displayName: 'Wait for Completion',
			name: 'waitForCompletion',
			type: 'boolean',
			default: false,
			description:
				'Whether to wait until the video is finished and output its file. If off, the job is output at once.',
			...shown(show),
		},
		{
			displayName: 'Download Video',
			name: 'downloadVideo',
			type: 'boolean',
			default: true,
			description: 'Whether to add the finished video as a file to the item',
			...shown({ ...show, waitForCompletion: [true] }),
		},
		outputField({
			defaultField: 'data',
			what: 'the finished video',
			show: { ...show, waitForCompletion: [true], downloadVideo: [true] },
		}),
	];
}

/** What a node that starts videos can do with its items. A saved workflow without it creates. */
export function startOperation(what: string, action: string): INodeProperties {
	return {
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'Create',
				value: 'create',
				description: `Start ${what}, which is billed`,
				action,
			},
			{
				name: 'Estimate',
				value: 'estimate',
				description: 'Check every item and tell what it would cost. Nothing is sent.',
				action: `Estimate the cost of ${what}`,
			},
		],
		default: 'create',
	};
}

/** A notice about what is billed. n8n shows notices of the same name one at a time, by their rules. */
export function costNotice(displayName: string, show?: Show): INodeProperties {
	return { displayName, name: 'costNotice', type: 'notice', default: '', ...shown(show) };
}
