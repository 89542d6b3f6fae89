import { observers } from '../../harness/emulator/observers';
import type { LoggedRequest } from '../../harness/emulator/types';
import { answerProblems, requestProblems } from './contract';

const pending: Array<Promise<string[]>> = [];

const name = ({ method, path }: LoggedRequest) => `${method} ${path}`;

/** Fails the test in whose time something broke the contract, or the file when it was over already. */
async function failOnProblems(): Promise<void> {
	const problems = (await Promise.all(pending.splice(0))).flat();
	if (problems.length > 0) throw new Error(`Against mirage-api.json:\n${problems.join('\n')}`);
}
afterEach(failOnProblems);
afterAll(failOnProblems);

/** Holds every request that reaches an emulator against the contract. */
export function watchRequests(): void {
	observers.add((request) => {
		const problems = requestProblems(request);
		pending.push(Promise.resolve(problems.map((problem) => `${name(request)}: ${problem}`)));
	});
}

/** Holds every answer of an emulator against the contract, but for those that a fault changed. */
export function watchAnswers(): void {
	observers.add((request, answer) => {
		if (!answer) return;
		const problems = answerProblems(request, answer);
		pending.push(problems.then((all) => all.map((problem) => `${name(request)}: ${problem}`)));
	});
}
