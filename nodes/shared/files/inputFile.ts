import type { IExecuteFunctions } from 'n8n-workflow';

import type { CheckedFile } from '../api/uploadFile';
import { fileFromItem } from './binaryField';
import type { FileRule } from './checkFile';
import { fileFromUrl } from './urlFile';

/** Reads a file parameter: `…Source` says where from, `…Field` or `…Url` which one. */
export async function checkedFile(
	ctx: IExecuteFunctions,
	itemIndex: number,
	parameters: { source: string; field: string; url: string },
	rule: FileRule,
): Promise<CheckedFile> {
	const source = ctx.getNodeParameter(parameters.source, itemIndex) as string;
	return source === 'url'
		? await fileFromUrl(ctx, itemIndex, parameters.url, rule)
		: await fileFromItem(ctx, itemIndex, parameters.field, rule);
}
