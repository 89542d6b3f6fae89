import type { IExecuteFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import type { FileKind } from '../media/formats';
import { kindOf } from '../media/formats';

/** What a parameter takes. */
export interface FileRule {
	/** The label of the parameter in the panel. */
	label: string;
	kinds: FileKind[];
	/** What to use, behind "Use": `a JPEG or PNG picture`. */
	wanted: string;
	/** Largest size in bytes that the API takes. */
	maxBytes?: number;
	/** Bytes that are read for checks before the upload. Default {@link SNIFF_BYTES}. */
	startBytes?: number;
}

export const megabytes = (bytes: number) => `${Math.round(bytes / 100_000) / 10} MB`;

/** Checks emptiness, size and kind; throws the error for the item. */
export function checkStart(
	ctx: IExecuteFunctions,
	itemIndex: number,
	start: Buffer,
	size: number | undefined,
	rule: FileRule,
): FileKind {
	const say = (problem: string) => inputError(ctx, itemIndex, rule, problem, `Use ${rule.wanted}.`);
	if (size === 0 || start.length === 0) throw say('the file is empty');
	const kind = kindOf(start);
	if (!kind || !rule.kinds.includes(kind))
		throw say(
			kind
				? `the file is ${/^mp/.test(kind) ? 'an' : 'a'} ${kind.toUpperCase()}`
				: 'the content of the file is not of a kind that Mirage takes',
		);
	if (size !== undefined && rule.maxBytes !== undefined && size > rule.maxBytes)
		throw say(
			`the file has ${megabytes(size)}, more than the ${megabytes(rule.maxBytes)} that Mirage takes`,
		);
	return kind;
}

/** An error about an input file, for the person at the canvas. */
export function inputError(
	ctx: IExecuteFunctions,
	itemIndex: number,
	rule: Pick<FileRule, 'label'>,
	problem: string,
	advice: string,
): NodeOperationError {
	const message = `${rule.label}: ${problem} [item ${itemIndex}]`;
	const error = new NodeOperationError(ctx.getNode(), message, { itemIndex, description: advice });
	// n8n swaps a message for one of its own when a network code occurs in it, also inside a name.
	error.message = message;
	return error;
}
