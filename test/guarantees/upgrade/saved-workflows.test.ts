import { savedTypes, type SavedParameter, type SavedTypes } from './parameters';
import released from './released.json';

const was = released.types as SavedTypes;
const is = savedTypes();

/** What tells parameters of the same path apart. */
const keyOf = ({ path, displayOptions }: SavedParameter) =>
	`${path} ${JSON.stringify(displayOptions ?? {})}`;
const byKey = (parameters: SavedParameter[]) =>
	new Map(parameters.map((parameter) => [keyOf(parameter), parameter]));

/** Parameters that the node refused when they were empty already: a workflow that ever ran has them. */
const REFUSED_WHEN_EMPTY = ['texts.values.text'];

/** Outputs as connections know them: by their number and not by the label that the canvas shows. */
const withoutLabels = (outputs: unknown) =>
	JSON.stringify(outputs ?? null).replace(/displayName: \\"[^"]*\\"/g, 'displayName');

describe(`a workflow saved with version ${released.version}`, () => {
	it('finds every node and credential type', () => {
		expect(Object.keys(is)).toEqual(expect.arrayContaining(Object.keys(was)));
	});

	describe.each(Object.keys(was))('%s', (name) => {
		const before = was[name]!;
		const now = is[name]!;

		it('is known in each of its versions, with its credential', () => {
			expect(now.versions).toEqual(expect.arrayContaining(before.versions));
			expect(now.credentials).toEqual(before.credentials);
		});

		it('keeps its outputs, so that connections lead where they led', () => {
			expect(withoutLabels(now.outputs)).toEqual(withoutLabels(before.outputs));
		});

		it('keeps each parameter under its name, with its type and default', () => {
			const found = byKey(now.parameters);
			const kept = before.parameters.map((parameter) => {
				const same = found.get(keyOf(parameter));
				return same && { ...parameter, type: same.type, default: same.default };
			});
			expect(kept).toEqual(before.parameters);
		});

		it('takes each value of a choice and each mode of a picker', () => {
			const found = byKey(now.parameters);
			for (const parameter of before.parameters) {
				const same = found.get(keyOf(parameter));
				expect(same?.values ?? []).toEqual(expect.arrayContaining(parameter.values ?? []));
				expect(same?.modes ?? []).toEqual(expect.arrayContaining(parameter.modes ?? []));
			}
		});

		it('is not asked for a new parameter that it cannot have', () => {
			const known = byKey(before.parameters);
			const demanded = now.parameters.filter(
				(parameter) =>
					parameter.required &&
					!known.get(keyOf(parameter))?.required &&
					parameter.default === '' &&
					!REFUSED_WHEN_EMPTY.includes(parameter.path),
			);
			expect(demanded).toEqual([]);
		});
	});
});
