import type { IDataObject, IExecuteFunctions, INodeProperties } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { CAPTIONS_USD_PER_MINUTE, VIDEO_MODELS, VIDEO_STEP_S } from '../api/models';
import { optionNumber } from '../n8n/parameters';
import { rangesOf } from './runErrors';

/** What one item is billed at list price. Figures that cannot be told are missing. */
export interface Estimate extends IDataObject {
	/** Seconds of video, in whole steps. */
	billedSeconds?: number;
	/** Started minutes of captions. */
	billedMinutes?: number;
	/** US dollars. */
	price?: number;
	/** `file`: read from the file itself; `text`: guessed from the length of a text; `unknown`: not told. */
	basis: 'file' | 'text' | 'unknown';
	model?: string;
}

/**
 * People read aloud at about 150 words a minute, and a word has about six characters with its space: 15
 * characters a second. Counted in characters, since not every language has spaces.
 */
const CHARACTERS_PER_SECOND = 15;

/** Rounded to a tenth of a cent, so that sums of list prices stay readable. */
const usd = (amount: number) => Math.round(amount * 1_000) / 1_000;

/** What a speech is: its length in seconds as far as the file tells, or a text that is still to be spoken. */
export type SpeechLength = { seconds: number | undefined } | { text: string };

/** What a video with this speech is billed. A model without a known price has no price. */
export function estimateVideo(model: string, speech: SpeechLength): Estimate {
	const seconds = 'text' in speech ? speech.text.length / CHARACTERS_PER_SECOND : speech.seconds;
	if (seconds === undefined) return { basis: 'unknown', model };
	const billedSeconds = Math.max(1, Math.ceil(seconds / VIDEO_STEP_S)) * VIDEO_STEP_S;
	const perSecond = VIDEO_MODELS[model]?.usdPerSecond;
	return {
		billedSeconds,
		...(perSecond === undefined ? {} : { price: usd(billedSeconds * perSecond) }),
		basis: 'text' in speech ? 'text' : 'file',
		model,
	};
}

/** What captions for a video of this many seconds are billed. */
export function estimateCaptions(seconds: number | undefined): Estimate {
	if (seconds === undefined) return { basis: 'unknown' };
	const billedMinutes = Math.max(1, Math.ceil(seconds / 60));
	return { billedMinutes, price: usd(billedMinutes * CAPTIONS_USD_PER_MINUTE), basis: 'file' };
}

/** Estimates by the index of their items: some may be left out, and the order is any. */
type Estimates = readonly Estimate[] | ReadonlyMap<number, Estimate>;

/** The sum of estimates, and the items that have no price. */
export function sumOf(estimates: Estimates) {
	const all = [...estimates.entries()].sort(([a], [b]) => a - b);
	const withoutPrice = all.flatMap(([i, { price }]) => (price === undefined ? [i] : []));
	const add = (key: 'price' | 'billedSeconds' | 'billedMinutes') =>
		all.reduce((sum, [, estimate]) => sum + (estimate[key] ?? 0), 0);
	return {
		count: all.length,
		price: usd(add('price')),
		billedSeconds: add('billedSeconds'),
		billedMinutes: add('billedMinutes'),
		guessed: all.some(([, { basis }]) => basis === 'text'),
		withoutPrice,
	};
}

/** A sum in words: "6 videos, 216 s billed, about 32.40 USD at list price". */
export function inWords(estimates: Estimates, one: string, many: string): string {
	const { count, price, billedSeconds, billedMinutes, withoutPrice } = sumOf(estimates);
	const billed = billedSeconds > 0 ? `${billedSeconds} s billed` : `${billedMinutes} min billed`;
	return [
		`${count} ${count === 1 ? one : many}`,
		billedSeconds + billedMinutes > 0 && billed,
		withoutPrice.length < count && `about ${price.toFixed(2)} USD at list price`,
		withoutPrice.length > 0 && `no price known for item ${rangesOf(withoutPrice)}`,
	]
		.filter(Boolean)
		.join(', ');
}

/** Option: whether items without a price may go. */
export const allowUnknownCostOption: INodeProperties = {
	displayName: 'Allow Unknown Cost',
	name: 'allowUnknownCost',
	type: 'boolean',
	default: false,
	description:
		'Whether items whose cost cannot be estimated may run although there is a spending limit',
};

/** Option: the most that a run may cost. */
export const spendingLimitOption: INodeProperties = {
	displayName: 'Spending Limit (USD)',
	name: 'spendingLimit',
	type: 'number',
	typeOptions: { minValue: 0, numberPrecision: 2 },
	default: 0,
	description:
		'The most that one run of this node may cost at list price. Above it, nothing is sent. 0 means no limit.',
};

/** Reads the option `spendingLimit` (USD a run; 0 means none). */
export function spendingLimit(ctx: IExecuteFunctions): number {
	return optionNumber(ctx, 'spendingLimit', {
		label: 'Spending Limit (USD)',
		min: 0,
		max: 1_000_000,
		otherwise: 0,
	});
}

/**
 * Refuses a run that would cost more than its spending limit, before anything is sent. What cannot be
 * estimated counts as over the limit, unless a person allows it. Throws `NodeOperationError`.
 */
export function checkSpending(ctx: IExecuteFunctions, estimates: Estimates, limit: number): void {
	if (limit === 0) return;
	const { price, withoutPrice, guessed } = sumOf(estimates);
	const allowed = ctx.getNodeParameter('options.allowUnknownCost', 0, false) === true;
	if (withoutPrice.length > 0 && !allowed)
		throw new NodeOperationError(
			ctx.getNode(),
			`The cost of item ${rangesOf(withoutPrice)} cannot be estimated, and the spending limit is ${limit.toFixed(2)} USD`,
			{
				description:
					'Nothing was sent. Turn on "Allow Unknown Cost", remove these items, or remove the option "Spending Limit".',
				itemIndex: withoutPrice[0],
			},
		);
	if (price > limit)
		throw new NodeOperationError(
			ctx.getNode(),
			`This run would cost about ${price.toFixed(2)} USD, more than the spending limit of ${limit.toFixed(2)} USD`,
			{
				description: `Nothing was sent. ${guessed ? 'The length of texts that are still to be spoken is a guess. ' : ''}Run fewer items, or raise the option "Spending Limit".`,
			},
		);
}
