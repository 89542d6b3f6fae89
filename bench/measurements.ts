import type { ConcurrentRun } from './concurrency';
import type { Idle } from './idle';
import type { Transfers } from './transfers';
import type { Polling } from './trigger';
import type { Waiting } from './waiting';
import type { Weight } from './weight';

/** Something that was promised, and what was measured. */
export interface Check {
	promise: string;
	measured: string;
	kept: boolean;
	/** Whether the benchmark fails without it: memory and counts of requests only, never time. */
	required: boolean;
	/** Why it is missed, if it is. */
	why?: string;
}

/** Everything that one run of the benchmark has measured; a part is absent if it was not asked for. */
export interface Results {
	measuredAt: string;
	quick: boolean;
	machine: { processor: string; cores: number; memoryGiB: number; node: string; n8n: string };
	transfers?: Transfers;
	waiting?: Waiting[];
	polling?: Polling[];
	concurrency?: ConcurrentRun[];
	weight?: Weight[];
	idle?: Idle[];
	checks: Check[];
}
