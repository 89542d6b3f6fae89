import type {
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
	IPollFunctions,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';

import { mirageIcon } from '../shared/descriptions/fields';
import { fetchTestEvent } from './fetchTestEvent';
import { pollForCompletions } from './pollForCompletions';

/** Polls for videos that have finished; `docs/trigger.md` says how it decides and what bounds it. */
export class MirageTrigger implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Mirage Trigger',
		name: 'mirageTrigger',
		icon: mirageIcon('trigger'),
		group: ['trigger'],
		version: 1,
		subtitle: '={{ [$parameter["events"]].flat().join(", ") }}',
		description: 'Starts the workflow when a Mirage video has finished',
		defaults: { name: 'Mirage Trigger' },
		polling: true,
		inputs: [],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'mirageApi', required: true }],
		properties: [
			{
				displayName: 'Events',
				name: 'events',
				type: 'multiOptions',
				required: true,
				default: ['completed'],
				options: [
					{
						name: 'Video Cancelled',
						value: 'cancelled',
						description: 'A video was cancelled before it was ready',
					},
					{
						name: 'Video Completed',
						value: 'completed',
						description: 'A video is ready',
					},
					{
						name: 'Video Failed',
						value: 'failed',
						description: 'A video could not be made',
					},
				],
				description:
					'What starts the workflow. Each video does so once. Videos that had finished before the workflow was first activated do not.',
			},
			{
				displayName: 'Source',
				name: 'source',
				type: 'options',
				default: 'all',
				options: [
					{
						name: 'All Videos',
						value: 'all',
						description: 'Generated and captioned videos',
					},
					{
						name: 'Captioned Videos',
						value: 'captioned',
						description: 'Only videos that captions were added to',
					},
					{
						name: 'Generated Videos',
						value: 'generated',
						description: 'Only videos made from a portrait and speech',
					},
				],
				description: 'Which videos to watch',
			},
			{
				displayName: 'Download Video',
				name: 'downloadVideo',
				type: 'boolean',
				default: false,
				description:
					'Whether to add the file of a completed video to its item. A download that fails is tried again at the next poll.',
			},
			{
				displayName: 'Put Output File in Field',
				name: 'outputField',
				type: 'string',
				required: true,
				default: 'data',
				hint: 'The name of the output binary field to put the file in',
				displayOptions: { show: { downloadVideo: [true] } },
			},
		],
	};

	async poll(this: IPollFunctions): Promise<INodeExecutionData[][] | null> {
		return this.getMode() === 'manual'
			? await fetchTestEvent(this)
			: await pollForCompletions(this);
	}
}
