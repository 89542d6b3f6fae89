import type {
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';

import {
	concurrencyOption,
	mirageIcon,
	outputField,
	rateLimitPatienceOption,
	voiceIdField,
} from '../shared/fields';
import { runItems } from '../shared/items';
import { openLedger } from '../shared/ledger';
import { requiredId, requiredText } from '../shared/parameters';
import { hintWaited, runOptions } from '../shared/runOptions';
import { makeSpeech, SPEECH_MODEL } from '../shared/speech';

/** Turns text into a WAV file and adds it to the item. */
export class MirageTextToSpeech implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Mirage Text to Speech',
		name: 'mirageTextToSpeech',
		icon: mirageIcon,
		group: ['transform'],
		version: 1,
		subtitle: '={{ $parameter["voiceId"] ? "voice " + $parameter["voiceId"] : "no voice yet" }}',
		description: 'Turn text into spoken audio with a Mirage voice',
		defaults: { name: 'Mirage Text to Speech' },
		usableAsTool: true,
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'mirageApi', required: true }],
		properties: [
			voiceIdField(),
			{
				displayName: 'Text',
				name: 'text',
				type: 'string',
				typeOptions: { rows: 4 },
				required: true,
				default: '',
				placeholder: 'e.g. Hello, and welcome to our channel!',
				description: 'Words to speak',
			},
			{
				displayName: 'Model',
				name: 'model',
				type: 'options',
				options: [{ name: 'Mirage Audio 1', value: SPEECH_MODEL }],
				default: SPEECH_MODEL,
				description: 'Model that makes the speech',
			},
			outputField({ defaultField: 'audio', what: 'the speech, a WAV file' }),
			{
				displayName: 'Options',
				name: 'options',
				type: 'collection',
				placeholder: 'Add option',
				default: {},
				options: [
					concurrencyOption,
					{
						displayName: 'File Name',
						name: 'fileName',
						type: 'string',
						default: 'speech.wav',
						placeholder: 'e.g. welcome.wav',
						description: 'Name of the file in the output field',
					},
					rateLimitPatienceOption,
				],
			},
		],
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const { concurrency, gate } = runOptions(this);
		const ledger = openLedger(this);
		const items = this.getInputData();
		const output = await runItems(this, {
			concurrency,
			ledger,
			check: async (i) => ({
				speech: {
					voiceId: requiredId(this, 'voiceId', 'Voice ID', i),
					text: requiredText(this, 'text', 'Text', i),
					model: requiredText(this, 'model', 'Model', i),
				},
				field: requiredText(this, 'outputField', 'Put Output in Field', i),
				fileName: String(this.getNodeParameter('options.fileName', i, '')).trim() || 'speech.wav',
			}),
			run: async ({ speech, field, fileName }, i) => {
				const file = await makeSpeech(this, gate, ledger, i, speech, fileName);
				const { json, binary } = items[i]!;
				return [{ json, binary: { ...binary, [field]: file }, pairedItem: { item: i } }];
			},
		});
		hintWaited(this, gate);
		return [output];
	}
}
