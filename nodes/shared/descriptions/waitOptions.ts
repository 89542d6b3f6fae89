import type { IExecuteFunctions, INodeProperties } from 'n8n-workflow';

import { optionNumber } from '../n8n/parameters';

/** When a parameter is shown; `/name` means a parameter of the node itself. */
type Rules = Pick<INodeProperties, 'displayOptions'>;

/** Option: first pause between two status checks. Default 5 s. */
export const pollIntervalOption = (rules: Rules = {}): INodeProperties => ({
	displayName: 'Poll Interval (Seconds)',
	name: 'pollInterval',
	type: 'number',
	typeOptions: { minValue: 1 },
	default: 5,
	description: 'The first pause between two status checks. All jobs of a run are checked together.',
	...rules,
});

/** Option: longest pause between two status checks. Default 30 s. */
export const maxPollIntervalOption = (rules: Rules = {}): INodeProperties => ({
	displayName: 'Max Poll Interval (Seconds)',
	name: 'maxPollInterval',
	type: 'number',
	typeOptions: { minValue: 1 },
	default: 30,
	description:
		'The pause between two status checks grows up to this. What is finished is noticed at most this much later.',
	...rules,
});

/** Option: how long to wait. Default 60 minutes. */
export const timeoutOption = (description: string, rules: Rules = {}): INodeProperties => ({
	displayName: 'Timeout (Minutes)',
	name: 'timeout',
	type: 'number',
	typeOptions: { minValue: 1 },
	default: 60,
	description,
	...rules,
});

/** Reads the option `timeout`, in minutes. */
export function timeoutMinutes(ctx: IExecuteFunctions): number {
	return optionNumber(ctx, 'timeout', {
		label: 'Timeout (Minutes)',
		min: 0.001,
		max: 100_000,
		otherwise: 60,
	});
}

/** Reads the options `pollInterval` and `maxPollInterval`, as ms. */
export function pollPauses(ctx: IExecuteFunctions) {
	const read = (name: string, label: string, otherwise: number) =>
		optionNumber(ctx, name, { label: `${label} (Seconds)`, min: 0.05, max: 86_400, otherwise }) *
		1_000;
	return {
		pollIntervalMs: read('pollInterval', 'Poll Interval', 5),
		maxPollIntervalMs: read('maxPollInterval', 'Max Poll Interval', 30),
	};
}
