import type { IExecuteFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

/** What a value is that should be a text, in words, such as "an object"; `undefined` for texts and numbers. */
export function notText(value: unknown): string | undefined {
	if (Array.isArray(value)) return 'a list';
	if (typeof value === 'boolean') return `the boolean ${value}`;
	return typeof value === 'object' && value !== null ? 'an object' : undefined;
}

function failUnlessText(
	ctx: IExecuteFunctions,
	value: unknown,
	label: string,
	itemIndex: number,
): void {
	const otherKind = notText(value);
	if (otherKind)
		throw new NodeOperationError(
			ctx.getNode(),
			`${label} is ${otherKind}, and must be a text [item ${itemIndex}]`,
			{
				itemIndex,
				description: `Drag the field that holds the text into "${label}". Nothing was sent.`,
			},
		);
}

/**
 * Reads a text parameter without the spaces around it; a number is a text, too. Throws
 * `NodeOperationError` for anything else, and when nothing is left.
 */
export function requiredText(
	ctx: IExecuteFunctions,
	name: string,
	label: string,
	itemIndex: number,
): string {
	const value: unknown = ctx.getNodeParameter(name, itemIndex);
	failUnlessText(ctx, value, label, itemIndex);
	const text = String(value ?? '').trim();
	if (text === '')
		throw new NodeOperationError(ctx.getNode(), `${label} is empty [item ${itemIndex}]`, {
			itemIndex,
			description: `Enter a value for "${label}". If it is an expression, check that this item has the field it names.`,
		});
	return text;
}

/** What an ID may look like: no space, and nothing that means something in an address. */
const ID = /^(?!\.+$)[^\s/\\?#%\p{Cc}]{1,200}$/u;

/**
 * Reads an ID from a text parameter. Throws `NodeOperationError` when it is empty or holds anything
 * that no ID holds: an ID becomes part of a request's path.
 */
export function requiredId(
	ctx: IExecuteFunctions,
	name: string,
	label: string,
	itemIndex: number,
): string {
	return checkedId(ctx, requiredText(ctx, name, label, itemIndex), label, itemIndex);
}

/** Reads the ID out of a resource locator. Errors as in {@link requiredId}. */
export function locatorId(
	ctx: IExecuteFunctions,
	name: string,
	label: string,
	itemIndex: number,
): string {
	const value: unknown = ctx.getNodeParameter(name, itemIndex, '', { extractValue: true });
	failUnlessText(ctx, value, label, itemIndex);
	const text = String(value ?? '').trim();
	if (text === '')
		throw new NodeOperationError(ctx.getNode(), `${label} is empty [item ${itemIndex}]`, {
			itemIndex,
			description: `Choose one from the list, or enter its ID. If "${label}" is an expression, check that this item has the field it names.`,
		});
	return checkedId(ctx, text, label, itemIndex);
}

function checkedId(ctx: IExecuteFunctions, text: string, label: string, itemIndex: number): string {
	if (!ID.test(text))
		throw new NodeOperationError(
			ctx.getNode(),
			`${label} is not an ID of Mirage [item ${itemIndex}]`,
			{
				itemIndex,
				description: `An ID has no spaces, slashes or other signs of an address. Check where "${label}" comes from.`,
			},
		);
	return text;
}

/** Limits and default of a number parameter. */
export interface NumberRule {
	label: string;
	min: number;
	max: number;
	/** Used when the option is not set. */
	otherwise: number;
}

/** Reads a number out of the options of the whole node. Throws `NodeOperationError` outside its limits. */
export function optionNumber(ctx: IExecuteFunctions, name: string, rule: NumberRule): number {
	const value = Number(ctx.getNodeParameter(`options.${name}`, 0, rule.otherwise));
	if (!Number.isFinite(value) || value < rule.min || value > rule.max)
		throw new NodeOperationError(
			ctx.getNode(),
			`${rule.label} must be a number from ${rule.min} to ${rule.max}`,
			{ description: 'Correct the option, or remove it to use the default.' },
		);
	return value;
}
