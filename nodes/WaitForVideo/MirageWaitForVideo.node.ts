import type {
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';

import {
	mirageIcon,
	outputField,
	videoLocator,
	withToolForm,
	waitingHint,
} from '../shared/descriptions/fields';
import { searchVideos } from '../shared/methods/listSearch';
import {
	maxPollIntervalOption,
	pollIntervalOption,
	timeoutOption,
} from '../shared/descriptions/waitOptions';
import { keepWaiting } from './keepWaiting';
import { returnStatus } from './returnStatus';
import { suspend } from './suspend';

/** Ways to treat videos that are still processing; a saved workflow holds these values. */
type WhileProcessing = 'keepWaiting' | 'suspend' | 'returnStatus';

const whileKeepWaiting = { displayOptions: { show: { '/whileProcessing': ['keepWaiting'] } } };

/** Waits until videos are finished, and downloads them. */
export class MirageWaitForVideo implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Mirage Wait for Video',
		name: 'mirageWaitForVideo',
		icon: mirageIcon('wait-for-video'),
		group: ['transform'],
		version: 1,
		subtitle:
			'={{ ({ keepWaiting: "In This Run", suspend: "Suspend the Execution", returnStatus: "Check Once" })[$parameter["whileProcessing"]] }}',
		description: 'Wait until videos are finished, and download them',
		defaults: { name: 'Mirage Wait for Video' },
		usableAsTool: {
			replacements: {
				description:
					'Free. Check whether Mirage videos are finished. While the status is not COMPLETE, ask again later.',
			},
		},
		inputs: [NodeConnectionTypes.Main],
		outputs:
			'={{ $parameter["whileProcessing"] === "suspend" ? [{ type: "main", displayName: "Rendering" }, { type: "main", displayName: "Finished" }] : ["main"] }}',
		credentials: [{ name: 'mirageApi', required: true }],
		waitingNodeTooltip:
			'Mirage renders the videos. n8n checks about once a minute and goes on by itself. You can close this page.',
		hints: [
			waitingHint(
				'Mirage renders the videos, which takes some minutes. This node checks them until all are finished.',
				'={{ $parameter["whileProcessing"] === "keepWaiting" }}',
			),
		],
		properties: [
			videoLocator({
				description:
					'Video to wait for. By default it uses the ID from the node before, such as Mirage Create Video or Mirage Add Captions.',
				defaultId: '={{ $json.id }}',
			}),
			...withToolForm(
				{
					displayName: 'How to Wait',
					name: 'whileProcessing',
					type: 'options',
					noDataExpression: true,
					options: [
						{
							name: 'In This Run',
							value: 'keepWaiting',
							description: 'Check until all videos are finished. Simplest to use.',
						},
						{
							name: 'Suspend the Execution',
							value: 'suspend',
							description:
								'Put the execution aside while videos render. It takes no memory and survives a restart of n8n.',
						},
						{
							name: 'Check Once',
							value: 'returnStatus',
							description: 'Check each video once and go on with whatever state it is in',
						},
					],
					default: 'keepWaiting',
					description: 'What to do as long as videos are still being rendered',
				},
				{ default: 'returnStatus' },
			),
			{
				displayName:
					'Connect the <b>Rendering</b> output back to the input of this node, and go on from <b>Finished</b>. Test it with "Execute workflow": "Execute step" ends at the first pause.',
				name: 'suspendNotice',
				type: 'notice',
				default: '',
				displayOptions: { show: { whileProcessing: ['suspend'] } },
			},
			...withToolForm(
				{
					displayName: 'Download Video',
					name: 'downloadVideo',
					type: 'boolean',
					default: true,
					description: 'Whether to add the finished video as a file to the item',
				},
				{ default: false },
			),
			outputField({
				defaultField: 'data',
				what: 'the finished video',
				show: { downloadVideo: [true] },
			}),
			{
				displayName: 'Options',
				name: 'options',
				type: 'collection',
				placeholder: 'Add option',
				default: {},
				options: [
					maxPollIntervalOption(whileKeepWaiting),
					{
						displayName: 'If a Video Fails',
						name: 'onFailed',
						type: 'options',
						options: [
							{
								name: 'Continue',
								value: 'continue',
								description: 'Output the video with its status and error, and without a file',
							},
							{
								name: 'Error',
								value: 'error',
								description: 'Treat it as an error of this item',
							},
						],
						default: 'error',
						description: 'What to do with videos that failed or were cancelled at Mirage',
						displayOptions: { hide: { '/whileProcessing': ['returnStatus'] } },
					},
					pollIntervalOption(whileKeepWaiting),
					{
						displayName: 'Release Items as They Finish',
						name: 'releaseFinished',
						type: 'boolean',
						default: false,
						description:
							'Whether finished items go on while others still render. Place the node behind "Finished" higher on the canvas than this node, because n8n runs the higher one first. If off, all items go on together.',
						displayOptions: { show: { '/whileProcessing': ['suspend'] } },
					},
					timeoutOption(
						'How long to wait before it is an error. Counted from the first status check. Videos keep rendering and are billed all the same.',
						{ displayOptions: { hide: { '/whileProcessing': ['returnStatus'] } } },
					),
				],
			},
		],
	};

	methods = { listSearch: { searchVideos } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		switch (this.getNodeParameter('whileProcessing', 0) as WhileProcessing) {
			case 'suspend':
				return await suspend(this);
			case 'returnStatus':
				return [await returnStatus(this)];
			default:
				return [await keepWaiting(this)];
		}
	}
}
