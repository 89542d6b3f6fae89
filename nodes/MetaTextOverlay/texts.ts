import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import type { OverlayText } from '../shared/api/endpoints';
import { notText } from '../shared/n8n/parameters';

/** Most texts that one job renders (OpenAPI: createMetaTextOverlay). */
export const MAX_TEXTS = 4;

/**
 * Reads the texts of an item. Blank font, size and color stay blank, which means that Mirage decides.
 * Throws `NodeOperationError` that names text and item.
 */
export function overlayTexts(ctx: IExecuteFunctions, itemIndex: number): OverlayText[] {
	const values = ctx.getNodeParameter('texts.values', itemIndex, []) as IDataObject[];
	const textError = (message: string, description: string) =>
		new NodeOperationError(ctx.getNode(), `${message} [item ${itemIndex}]`, {
			itemIndex,
			description,
		});
	if (values.length === 0)
		throw textError(
			'Texts: there is no text',
			'Add one to four texts; each becomes a video of its own.',
		);
	if (values.length > MAX_TEXTS)
		throw textError(
			`Texts: there are ${values.length} texts, and Mirage takes ${MAX_TEXTS}`,
			'Remove some, or use a second node for them.',
		);
	return values.map((value, index) => {
		const where = `Text ${index + 1}`;
		const read = (name: string) => {
			const otherKind = notText(value[name]);
			if (otherKind)
				throw textError(
					`${name === 'text' ? where : `${where}: the ${name}`} is ${otherKind}, and must be a text`,
					'Drag the field that holds the text itself. Nothing was sent.',
				);
			return String(value[name] ?? '').trim();
		};
		const [text, font, size, color] = [read('text'), read('font'), read('size'), read('color')];
		if (text === '') throw textError(`${where} is empty`, 'Enter what to write onto the video.');
		// 0 is what the number field holds when nothing was entered.
		if (!/^\d{0,4}$/.test(size))
			throw textError(
				`${where}: the size must be a whole number of pixels`,
				'Correct "Size", or leave it at 0 to let Mirage decide.',
			);
		if (color !== '' && !/^#[0-9a-f]{6}$/i.test(color))
			throw textError(
				`${where}: the color must look like #FFFFFF`,
				'Correct "Color", or leave it empty to let Mirage decide.',
			);
		return { text, font, size: Number(size) === 0 ? '' : size, color };
	});
}
