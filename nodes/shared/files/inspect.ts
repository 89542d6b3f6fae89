import type { CheckedFile } from '../api/uploadFile';
import type { ByteReading } from '../media/byteRanges';
import { readDuration } from '../media/duration';
import { readFrame } from '../media/frame';
import { throwIfCancelled } from '../n8n/cancellation';
import type { ReadableFile } from './byteReader';
import { answerRanges } from './byteReader';
import type { FileParameter } from './checkFile';

/** What is known of a file once its first bytes passed the check. */
export type FoundFile = Pick<CheckedFile, 'kind' | 'fingerprint'> & ReadableFile;

/**
 * Checks the frame of a video where the parameter has a rule for it, and makes the file ready for upload.
 * RULE: `start` and all else that was read for the check is let go here; what is kept is an address.
 */
export async function checkedFrom(
	parameter: FileParameter,
	file: FoundFile,
	start: Buffer,
): Promise<CheckedFile> {
	const { ctx, rule, fail } = parameter;
	if (rule.frameComplaint) {
		const frame = await tryReading(parameter, file, readFrame(file.size), start);
		const complaint = frame && rule.frameComplaint(frame);
		if (complaint) return fail(complaint.problem, complaint.advice);
	}
	throwIfCancelled(ctx);
	return makeChecked(parameter, file);
}

/** A function of its own, so that what it returns holds nothing that the check has read. */
function makeChecked(parameter: FileParameter, file: FoundFile): CheckedFile {
	const { kind, size, fingerprint, open } = file;
	const durationS = async () => await tryReading(parameter, file, readDuration(kind, size));
	return { kind, size, fingerprint, open, durationS };
}

/** Reads something that may be unknown: a file that cannot be read tells so when it is uploaded. */
async function tryReading<T>(
	{ ctx }: FileParameter,
	file: ReadableFile,
	reading: ByteReading<T | undefined>,
	start?: Buffer,
): Promise<T | undefined> {
	try {
		return await answerRanges(file, reading, start);
	} catch {
		throwIfCancelled(ctx);
		return undefined;
	}
}
