import type { IExecuteFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { contentOf, conversionAdvice } from '../media/contents';
import type { FileKind } from '../media/formats';
import { kindOf } from '../media/formats';
import type { Frame } from '../media/frame';

/** What is wrong with a file, behind the parameter's label, and what to do. */
export interface Complaint {
	problem: string;
	advice: string;
}

/** What a parameter takes. */
export interface FileRule {
	/** The label of the parameter in the panel. */
	label: string;
	kinds: FileKind[];
	/** What to use instead of a file that is refused, behind "Use": `a JPEG or PNG picture`. */
	wanted: string;
	/** Largest size in bytes that the API takes. */
	maxBytes?: number;
	/** Says what is wrong with the frame of a video, where the file tells it. */
	frameComplaint?: (frame: Frame) => Complaint | undefined;
}

/** Throws the error of one file parameter of one item. */
export type Fail = (problem: string, advice: string) => never;

/** A file parameter of one item. */
export interface FileParameter {
	ctx: IExecuteFunctions;
	itemIndex: number;
	rule: FileRule;
	fail: Fail;
}

/** Binds what every check of a file parameter needs. `fail` throws `NodeOperationError`. */
export function fileParameter(
	ctx: IExecuteFunctions,
	itemIndex: number,
	rule: FileRule,
): FileParameter {
	const fail: Fail = (problem, advice) => {
		const message = `${rule.label}: ${problem} [item ${itemIndex}]`;
		const error = new NodeOperationError(ctx.getNode(), message, {
			itemIndex,
			description: advice,
		});
		// n8n swaps a message for one of its own when a network code occurs in it, also inside a name.
		error.message = message;
		throw error;
	};
	return { ctx, itemIndex, rule, fail };
}

export const megabytes = (bytes: number) => `${Math.round(bytes / 100_000) / 10} MB`;

/** Checks emptiness, kind and size of a file by its first bytes; fails for the item, or gives the kind. */
export function checkStart(
	{ rule, fail }: FileParameter,
	start: Buffer,
	size: number | undefined,
): FileKind {
	const use = `Use ${rule.wanted}.`;
	if (size === 0 || start.length === 0) return fail('the file is empty', use);
	const kind = kindOf(start);
	if (!kind || !rule.kinds.includes(kind)) {
		const content = contentOf(start);
		return content
			? fail(`the file is ${content.name}`, `${use} ${conversionAdvice(content, rule.kinds)}`)
			: fail('the content of the file is not of a kind that Mirage takes', use);
	}
	if (size !== undefined && rule.maxBytes !== undefined && size > rule.maxBytes)
		return fail(
			`the file has ${megabytes(size)}, more than the ${megabytes(rule.maxBytes)} that Mirage takes`,
			use,
		);
	return kind;
}
