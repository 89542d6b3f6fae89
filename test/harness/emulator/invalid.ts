/** One entry of a 422 as FastAPI writes it. */
export interface InvalidDetail {
	loc: (string | number)[];
	msg: string;
	type: string;
}

/** A request that is refused: thrown by the checks, answered by the server. */
export class Refused extends Error {
	constructor(
		readonly status: number,
		/** The `detail` of the answer: a sentence, or the list of a 422. */
		readonly detail: string | InvalidDetail[],
	) {
		super(typeof detail === 'string' ? detail : detail.map((entry) => entry.msg).join('; '));
	}
}

/** Collects what is wrong with a request, so that one 422 names all of it. */
export class Invalid {
	readonly details: InvalidDetail[] = [];

	add(loc: (string | number)[], msg: string, type = 'value_error'): void {
		this.details.push({ loc, msg, type });
	}

	missing(...loc: (string | number)[]): void {
		this.add(loc, 'Field required', 'missing');
	}

	/** Throws Refused (422) when anything was added. */
	throwIfAny(): void {
		if (this.details.length > 0) throw new Refused(422, this.details);
	}
}
