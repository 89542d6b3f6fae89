import type { IBinaryData, INodeExecutionData, IPollFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import type { Video } from '../shared/api/objects';
import { isCaptioned, jsonOf } from '../shared/api/objects';

/** What the person chose in the panel. */
export interface TriggerParameters {
	/** Whether a video has ended in a chosen way and comes from the chosen source. */
	matches: (video: Video) => boolean;
	/** Whether the file of this video belongs into its item. */
	needsFile: (video: Video) => boolean;
	/** Name of the binary field for the file. */
	outputField: string;
	/** Whether files are downloaded at all. */
	downloads: boolean;
	/** The choice in words: `completed or failed`. */
	events: string;
}

const STATUS_OF_EVENT: Record<string, string> = {
	completed: 'COMPLETE',
	failed: 'FAILED',
	cancelled: 'CANCELLED',
};

/** Reads the node's parameters. Throws `NodeOperationError` when no event or no field name is given. */
export function triggerParameters(ctx: IPollFunctions): TriggerParameters {
	const events = [ctx.getNodeParameter('events', [])].flat().map(String);
	const statuses = new Set(events.map((event) => STATUS_OF_EVENT[event]));
	if (statuses.size === 0 || statuses.has(undefined))
		throw new NodeOperationError(
			ctx.getNode(),
			'Start When holds no event that this trigger knows',
			{
				description: 'Choose at least one event: completed, failed or cancelled.',
			},
		);
	const source = ctx.getNodeParameter('source', 'all');
	const downloads = ctx.getNodeParameter('downloadVideo', false) === true;
	const outputField = String(ctx.getNodeParameter('outputField', 'data')).trim();
	if (downloads && outputField === '')
		throw new NodeOperationError(ctx.getNode(), 'Put Output File in Field is empty', {
			description: 'Enter the name of the binary field for the file, such as "data".',
		});
	return {
		matches: (video) =>
			statuses.has(video.status) &&
			(source === 'all' || isCaptioned(video) === (source === 'captioned')),
		needsFile: (video) => downloads && video.status === 'COMPLETE',
		outputField,
		downloads,
		events: events.join(' or '),
	};
}

/** The item for a video: the API's object, and its file if there is one. */
export function triggerItem(
	video: Video,
	{ outputField }: TriggerParameters,
	file?: IBinaryData,
): INodeExecutionData {
	const json = jsonOf(video);
	return file ? { json, binary: { [outputField]: file } } : { json };
}
