import type { INodeParameters } from 'n8n-workflow';

import { isToolForm } from '../docs/node-descriptions';
import { allNodes } from './allNodes';

const descriptionOf = (name: string) =>
	allNodes.find(({ description }) => description.name === name)!.description;

/** What the output panel says while the node runs: hints whose condition, a plain expression, holds. */
function hintsWhileRunning(name: string, parameters: INodeParameters): string[] {
	const { hints = [], properties } = descriptionOf(name);
	const panel = properties.filter((each) => !isToolForm(each));
	const defaults = Object.fromEntries(panel.map((each) => [each.name, each.default]));
	const holds = (condition = '={{ true }}') => {
		const expression = condition.replace(/^=\{\{|\}\}$/g, '');
		return (
			new Function('$parameter', `return ${expression}`)({ ...defaults, ...parameters }) === true
		);
	};
	return hints
		.filter((hint) => hint.location === 'outputPane' && hint.whenToDisplay === 'beforeExecution')
		.filter(({ displayCondition }) => holds(displayCondition))
		.map(({ message }) => message);
}

describe('a node that waits says so while it runs', () => {
	it.each<[string, INodeParameters, RegExp]>([
		['mirageCreateVideo', {}, /waits for its turn/],
		['mirageAddCaptions', {}, /waits for its turn/],
		['mirageTextToSpeech', {}, /waits for its turn/],
		['mirageWaitForVideo', {}, /until all are finished/],
		['mirageMetaTextOverlay', {}, /until all are finished/],
	])('%s', (name, parameters, message) => {
		expect(hintsWhileRunning(name, parameters)).toEqual([expect.stringMatching(message)]);
	});
});

it.each<[string, INodeParameters]>([
	['mirageWaitForVideo', { whileProcessing: 'returnStatus' }],
	['mirageWaitForVideo', { whileProcessing: 'suspend' }],
	['mirageMetaTextOverlay', { waitForCompletion: false }],
	['mirageList', {}],
])('%s with %j does not wait, and says nothing', (name, parameters) => {
	expect(hintsWhileRunning(name, parameters)).toEqual([]);
});

it('a suspended execution says that the page can be closed', () => {
	expect(descriptionOf('mirageWaitForVideo').waitingNodeTooltip).toMatch(
		/once a minute[^]*close this page/,
	);
});
