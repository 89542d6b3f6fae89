/** What the nodes in this folder have in common; n8n loads only the files called `*.node.js`. */

/** The fields of a text overlay beside its video. */
exports.formFields = [
	['texts', 'Only this week!'],
	['fonts', ''],
	['sizes', ''],
	['colors', ''],
];

/** Description of a node that uploads the field `data` of the first item. */
exports.describeUpload = (name) => ({
	displayName: name,
	name,
	group: ['transform'],
	version: 1,
	description: name,
	defaults: { name },
	inputs: ['main'],
	outputs: ['main'],
	properties: [
		{ displayName: 'URL', name: 'url', type: 'string', default: '' },
		{ displayName: 'API Key', name: 'apiKey', type: 'string', default: '' },
	],
});
