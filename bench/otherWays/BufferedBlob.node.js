const { describeUpload, formFields } = require('./upload.js');

/** Uploads as most community nodes do: the whole file as a buffer, in a Blob, in a FormData. */
class BufferedBlob {
	description = describeUpload('bufferedBlob');

	async execute() {
		const [item] = this.getInputData();
		const buffer = await this.helpers.getBinaryDataBuffer(0, 'data');
		const form = new FormData();
		form.append('video', new Blob([buffer], { type: item.binary.data.mimeType }), 'video.mp4');
		for (const [name, value] of formFields) form.append(name, value);
		const answer = await this.helpers.httpRequest({
			method: 'POST',
			url: this.getNodeParameter('url', 0),
			headers: { 'x-api-key': this.getNodeParameter('apiKey', 0) },
			body: form,
		});
		return [[{ json: answer }]];
	}
}

module.exports = { BufferedBlob };
