import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FOLDER_VARIABLE } from './stage';

/** One line of a table in the docs, by column. */
export type Row = Record<string, string>;

const fileIn = (folder: string) => join(folder, 'figures.jsonl');

/** Keeps a figure of this run for `docs/n8n-matrix.md`; does nothing outside a run. */
export function figure(table: string, row: Row): void {
	const folder = process.env[FOLDER_VARIABLE];
	if (folder) appendFileSync(fileIn(folder), `${JSON.stringify({ table, row })}\n`);
}

/** The figures that a run has kept, by table, in the order in which the tables began. */
export function figuresOf(folder: string): Map<string, Row[]> {
	const tables = new Map<string, Row[]>();
	if (!existsSync(fileIn(folder))) return tables;
	for (const line of readFileSync(fileIn(folder), 'utf8').trim().split('\n')) {
		const { table, row } = JSON.parse(line) as { table: string; row: Row };
		tables.set(table, [...(tables.get(table) ?? []), row]);
	}
	return tables;
}
