import { BINARY_ENCODING, UnexpectedError, type IBinaryData } from 'n8n-workflow';

import { Container, core, userFolder } from './n8n';

/** n8n's binary stores that the tests use: base64 inside the item, or files on disk. */
export type BinaryMode = 'memory' | 'filesystem';

const config = Container.get(core.BinaryDataConfig);
const service = Container.get(core.BinaryDataService);
let running = 0;
let ready: Promise<void> | undefined;

/**
 * Runs `work` with n8n's binary store in the given mode.
 *
 * n8n has one mode per process, so runs that overlap must use the same.
 *
 * @throws when a run in the other mode is under way
 */
export async function withBinaryMode<T>(mode: BinaryMode, work: () => Promise<T>): Promise<T> {
	config.mode = 'filesystem';
	config.localStoragePath = userFolder;
	await (ready ??= service.init());

	const serverMode = mode === 'memory' ? 'default' : 'filesystem-v2';
	const current = service as unknown as { mode: string };
	if (running > 0 && current.mode !== serverMode)
		throw new UnexpectedError('Runs in different binary modes must not overlap');
	current.mode = serverMode;
	config.mode = mode === 'memory' ? 'default' : 'filesystem';
	running += 1;
	try {
		return await work();
	} finally {
		running -= 1;
	}
}

/** The whole content of a stored file. */
export async function readStored(binary: IBinaryData): Promise<Buffer> {
	return binary.id ? await service.getAsBuffer(binary) : Buffer.from(binary.data, BINARY_ENCODING);
}
