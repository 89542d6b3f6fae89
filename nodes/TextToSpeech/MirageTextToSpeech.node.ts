import type {
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';

import { concurrencyOption, rateLimitPatienceOption } from '../shared/items/runOptions';
import {
	costNotice,
	mirageIcon,
	outputField,
	voiceIdField,
	rateLimitHint,
} from '../shared/descriptions/fields';
import { runItems } from '../shared/items/runItems';
import { openIdempotencyRecord } from '../shared/items/idempotency';
import { requiredId, requiredText } from '../shared/n8n/parameters';
import { hintWaited, runOptions } from '../shared/items/runOptions';
import { makeSpeech, SPEECH_MODEL } from '../shared/files/speech';

/** Turns text into a WAV file and adds it to the item. */
export class MirageTextToSpeech implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Mirage Text to Speech',
		name: 'mirageTextToSpeech',
		icon: mirageIcon('text-to-speech'),
		group: ['transform'],
		version: 1,
		subtitle: '={{ $parameter["voiceId"] ? "Voice " + $parameter["voiceId"] : "No Voice Yet" }}',
		description: 'Turn text into spoken audio with a Mirage voice',
		defaults: { name: 'Mirage Text to Speech' },
		usableAsTool: true,
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'mirageApi', required: true }],
		hints: [rateLimitHint],
		properties: [
			costNotice(
				'Mirage bills every speech that is made. The Mirage platform dashboard shows the price.',
			),
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
		const { concurrency, limiter } = runOptions(this);
		const record = openIdempotencyRecord(this);
		const items = this.getInputData();
		const output = await runItems(this, {
			concurrency,
			record,
			check: async (i) => ({
				speech: {
					voiceId: requiredId(this, 'voiceId', 'Voice ID', i),
					text: requiredText(this, 'text', 'Text', i),
					model: requiredText(this, 'model', 'Model', i),
				},
				field: requiredText(this, 'outputField', 'Put Output File in Field', i),
				fileName: String(this.getNodeParameter('options.fileName', i, '')).trim() || 'speech.wav',
			}),
			run: async ({ speech, field, fileName }, i) => {
				const inputs = [speech, fileName];
				const file = await record.once(i, { kind: 'speech', inputs }, async () =>
					makeSpeech(this, limiter, speech, fileName),
				);
				const { json, binary } = items[i]!;
				return [{ json, binary: { ...binary, [field]: file }, pairedItem: { item: i } }];
			},
		});
		hintWaited(this, limiter);
		return [output];
	}
}
