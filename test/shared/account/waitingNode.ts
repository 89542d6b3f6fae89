import type { INode } from 'n8n-workflow';

/** The options of a node that waits, with their defaults in ms. */
export const TIMING = { pollIntervalMs: 5_000, maxPollIntervalMs: 30_000, timeoutMs: 3_600_000 };

/** The node that errors of a wait are told at. */
export const node: INode = {
	id: 'n',
	name: 'Wait',
	type: 'test',
	typeVersion: 1,
	position: [0, 0],
	parameters: {},
};
