import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command';
import type { ReportDetail } from './progress';

const PROJECT = join(__dirname, '..', '..');

/**
 * Builds the package and packs it as `npm publish` would.
 *
 * @param folder where the tarball goes
 * @param logFile file for what the build prints
 * @returns the tarball's path
 * @throws Error with the last lines of the build if it fails
 */
export async function packPackage(
	folder: string,
	logFile: string,
	report: ReportDetail = () => {},
): Promise<string> {
	await mkdir(folder, { recursive: true });
	report('npm run build');
	await runCommand('npm', ['run', 'build'], { cwd: PROJECT, logFile, timeoutMs: 300_000 });
	report('npm pack');
	const printed = await runCommand(
		'npm',
		['pack', '--json', '--ignore-scripts', '--loglevel=error', `--pack-destination=${folder}`],
		{ cwd: PROJECT, logFile, timeoutMs: 120_000 },
	);
	const [packed] = Object.values(JSON.parse(printed)) as Array<{ filename: string }>;
	return join(folder, packed!.filename);
}
