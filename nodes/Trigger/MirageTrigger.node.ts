import type {
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
	IPollFunctions,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';

import { mirageIcon, outputField } from '../shared/descriptions/fields';
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
		subtitle:
			'={{ [$parameter["events"]].flat().map((event) => String(event).charAt(0).toUpperCase() + String(event).slice(1)).join(", ") }}',
		description: 'Starts the workflow when a Mirage video has finished',
		defaults: { name: 'Mirage Trigger' },
		polling: true,
		inputs: [],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'mirageApi', required: true }],
		hints: [
			{
				message:
					'<b>Fetch Test Event</b> shows the newest video that matches <b>Start When</b> and <b>Source</b>, also one that has started the workflow before. No output means that none of the 1,000 newest videos matches yet.',
				type: 'info',
				location: 'outputPane',
				whenToDisplay: 'afterExecution',
			},
		],
		properties: [
			{
				// Not "Events": n8n's node panel would show the node as "Mirage", with an action for each choice.
				displayName: 'Start When',
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
					'What starts the workflow. Each video does so once. Videos that ended before the workflow was first activated do not.',
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
			outputField({
				defaultField: 'data',
				what: 'the file of a completed video',
				show: { downloadVideo: [true] },
			}),
		],
	};

	async poll(this: IPollFunctions): Promise<INodeExecutionData[][] | null> {
		return this.getMode() === 'manual'
			? await fetchTestEvent(this)
			: await pollForCompletions(this);
	}
}
