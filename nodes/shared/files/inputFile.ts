import type { IExecuteFunctions } from 'n8n-workflow';

import type { CheckedFile } from '../api/uploadFile';
import { requiredText } from '../n8n/parameters';
import { fileFromItem } from './binaryField';
import type { FileRule } from './checkFile';
import { fileParameter } from './checkFile';
import { fileFromUrl } from './urlFile';

/** Reads a file parameter: `…Source` says where from, `…Field` or `…Url` which one. */
export async function checkedFile(
	ctx: IExecuteFunctions,
	itemIndex: number,
	names: { source: string; field: string; url: string },
	rule: FileRule,
): Promise<CheckedFile> {
	const parameter = fileParameter(ctx, itemIndex, rule);
	return ctx.getNodeParameter(names.source, itemIndex) === 'url'
		? await fileFromUrl(parameter, requiredText(ctx, names.url, `${rule.label} URL`, itemIndex))
		: await fileFromItem(parameter, ctx.getNodeParameter(names.field, itemIndex));
}
