/**
 * What a saved workflow holds of this package: type names, parameter names, values of choices. And what it
 * does not hold but relies on: n8n stores no parameter that has its default, so a default is part of it.
 *
 * `npx tsx test/guarantees/upgrade/parameters.ts && npx prettier --write test/guarantees/upgrade` writes `released.json` anew. Run it after a release only: what it
 * then loses, users' workflows lose.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { INodeProperties } from 'n8n-workflow';

import { version } from '../../../package.json';
import { credential, nodeDescriptions } from '../../package/docs/node-descriptions';

/** One parameter or option. */
export interface SavedParameter {
	/** Names from the outside in, with dots: `options.timeout`. */
	path: string;
	type: string;
	default: unknown;
	/** Values of a choice. */
	values?: unknown[];
	/** Modes of a resource locator. */
	modes?: string[];
	required?: true;
	/** When it is there; the same path may be there for several reasons. */
	displayOptions?: unknown;
}

/** A node type, or the credential. */
export interface SavedType {
	versions: number[];
	/** Labels or expression of the outputs, in their order: connections count on it. */
	outputs?: unknown;
	credentials?: string[];
	parameters: SavedParameter[];
}

/** Every node and credential of the package by its type name. */
export type SavedTypes = Record<string, SavedType>;

/** The file that holds the types of the released version. */
const RELEASED = join(__dirname, 'released.json');

/** The types as the sources have them. */
export function savedTypes(): SavedTypes {
	const types: SavedTypes = {
		[credential.name]: { versions: [1], parameters: parametersOf(credential.properties) },
	};
	for (const { name, version, outputs, credentials, properties } of nodeDescriptions) {
		types[name] = {
			versions: [version].flat(),
			outputs,
			credentials: credentials?.map((used) => used.name),
			parameters: parametersOf(properties),
		};
	}
	// As it comes out of the file: without what is undefined.
	return JSON.parse(JSON.stringify(types)) as SavedTypes;
}

function parametersOf(properties: INodeProperties[], parent = ''): SavedParameter[] {
	return properties
		.filter(({ type }) => type !== 'notice')
		.flatMap(({ name, type, default: value, options = [], modes, required, displayOptions }) => {
			const path = parent + name;
			const own: SavedParameter = {
				path,
				type,
				default: value,
				...(required && { required }),
				...(displayOptions && { displayOptions }),
				...(modes && { modes: modes.map((mode) => mode.name) }),
			};
			if (type === 'collection') {
				return [own, ...parametersOf(options as INodeProperties[], `${path}.`)];
			}
			if (type === 'fixedCollection') {
				const groups = options as Array<{ name: string; values: INodeProperties[] }>;
				return [
					own,
					...groups.flatMap((group) => parametersOf(group.values, `${path}.${group.name}.`)),
				];
			}
			const values = options.flatMap((option) => ('value' in option ? [option.value] : []));
			return [values.length > 0 ? { ...own, values } : own];
		});
}

if (require.main === module) {
	writeFileSync(RELEASED, JSON.stringify({ version, types: savedTypes() }));
}
