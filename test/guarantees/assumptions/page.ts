import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PAGE = join(__dirname, '../../../docs/api-assumptions.md');

/** A row of `docs/api-assumptions.md`. */
export interface Assumption {
	number: number;
	/** What is assumed, in Markdown. */
	sentence: string;
}

/** All assumptions of the page, by number. */
export function assumptions(): Assumption[] {
	const rows = readFileSync(PAGE, 'utf8').matchAll(/^\| (\d+) \| (.+?) \|/gm);
	return [...rows]
		.map(([, number, sentence]) => ({ number: Number(number), sentence: sentence! }))
		.sort((a, b) => a.number - b.number);
}
