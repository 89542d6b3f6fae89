const FormDataPackage = require('form-data');
const { describeUpload, formFields } = require('./upload.js');

/** Uploads n8n's binary stream with the package `form-data`, as nodes with a runtime dependency do. */
class FormDataStream {
	description = describeUpload('formDataStream');

	async execute() {
		const [item] = this.getInputData();
		const { id, mimeType } = item.binary.data;
		const { fileSize } = await this.helpers.getBinaryMetadata(id);
		const form = new FormDataPackage();
		form.append('video', await this.helpers.getBinaryStream(id), {
			filename: 'video.mp4',
			contentType: mimeType,
			knownLength: fileSize,
		});
		for (const [name, value] of formFields) form.append(name, value);
		const answer = await this.helpers.httpRequest({
			method: 'POST',
			url: this.getNodeParameter('url', 0),
			headers: {
				'x-api-key': this.getNodeParameter('apiKey', 0),
				'content-length': form.getLengthSync(),
				...form.getHeaders(),
			},
			body: form,
		});
		return [[{ json: answer }]];
	}
}

module.exports = { FormDataStream };
