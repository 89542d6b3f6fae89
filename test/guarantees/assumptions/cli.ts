/** `npm run check-api`: what an account can see of the assumptions about the API, free of charge. */
import { readBaseUrl } from '../../../credentials/baseUrl';
import { CHECKS, type Verdict } from './checks';
import { gatherEvidence } from './evidence';
import { assumptions } from './page';

const HELP = `Asks the Mirage API which assumptions of docs/api-assumptions.md hold. It costs nothing and starts no job.

  MIRAGE_API_KEY=… npm run check-api

MIRAGE_BASE_URL names another address than https://api.mirage.app.`;

const UNSEEN: Verdict = {
	verdict: 'not decidable',
	why: 'no request that costs nothing shows it',
};

/**
 * Checks the service that the environment names and prints a line for each assumption, never the key.
 *
 * @returns the exit code: 1 when an assumption was contradicted or nothing could be asked
 */
export async function checkApi(
	env: NodeJS.ProcessEnv,
	print: (line: string) => void,
): Promise<number> {
	const apiKey = env.MIRAGE_API_KEY?.trim() ?? '';
	if (!/^[\x21-\x7e]+$/.test(apiKey)) {
		print(apiKey === '' ? HELP : 'MIRAGE_API_KEY holds signs that no key has.');
		return 1;
	}
	const base = readBaseUrl(env.MIRAGE_BASE_URL ?? 'https://api.mirage.app');
	if ('problem' in base) {
		print(base.problem.replace('The Base URL of the Mirage API credential', 'MIRAGE_BASE_URL'));
		return 1;
	}
	const evidence = await gatherEvidence({ baseUrl: base.origin, apiKey }).catch(
		(error: Error) => error,
	);
	if (evidence instanceof Error) {
		print(`${base.origin}: ${evidence.message}`.replaceAll(apiKey, '…'));
		return 1;
	}
	const counts = { confirmed: 0, contradicted: 0, 'not decidable': 0 };
	for (const { number, sentence } of assumptions()) {
		const { verdict, why } = CHECKS[number]?.judge(evidence) ?? UNSEEN;
		counts[verdict] += 1;
		const line = `${String(number).padStart(2)} ${verdict.padEnd(13)} ${sentence} (${why})`;
		print(line.replaceAll(apiKey, '…'));
	}
	print(
		Object.entries(counts)
			.map(([verdict, count]) => `${count} ${verdict}`)
			.join(', '),
	);
	return counts.contradicted > 0 ? 1 : 0;
}

if (require.main === module)
	void checkApi(process.env, console.log).then((code) => (process.exitCode = code));
