import type { Fault, FaultRule } from './types';

interface ActiveRule {
	route: string;
	skip: number;
	left: number;
	fault: Fault;
}

/** The scripted faults. Of the rules that match a request, the first that is neither waiting nor used up plays. */
export class Faults {
	private rules: ActiveRule[] = [];

	add({ route = '*', times = 1, after = 0, fault }: FaultRule): void {
		this.rules.push({ route, skip: after, left: times, fault });
	}

	clear(): void {
		this.rules = [];
	}

	/** The fault for a request to this route, which is then used up by one. */
	take(route: string): Fault | undefined {
		for (const rule of this.rules) {
			if (rule.left <= 0 || (rule.route !== '*' && rule.route !== route)) continue;
			if (rule.skip > 0) {
				rule.skip--;
				continue;
			}
			rule.left--;
			return rule.fault;
		}
		return undefined;
	}
}
