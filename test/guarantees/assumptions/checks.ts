import { entriesOf, idOf, type Evidence, type Reply, type Video } from './evidence';

/** What a check says about its assumption. */
export interface Verdict {
	verdict: 'confirmed' | 'contradicted' | 'not decidable';
	/** What was seen. */
	why: string;
}

interface Check {
	/** Words of the sentence with this number, so that check and page stay together. */
	of: string;
	judge: (evidence: Evidence) => Verdict;
}

const confirmed = (why: string): Verdict => ({ verdict: 'confirmed', why });
const contradicted = (why: string): Verdict => ({ verdict: 'contradicted', why });
const open = (why: string): Verdict => ({ verdict: 'not decidable', why });

/** Confirmed when nothing speaks against it. */
const unless = (problems: string[], why: string): Verdict =>
	problems.length > 0 ? contradicted(problems.join('; ')) : confirmed(why);

/** Judges an answer of the service itself: one that is absent, limited or broken decides nothing. */
function judgeReply(
	reply: Reply | undefined,
	absent: string,
	judge: (reply: Reply) => Verdict,
): Verdict {
	if (!reply) return open(absent);
	if (reply.status === 429 || reply.status >= 500)
		return open(`the service answered ${reply.status}`);
	return judge(reply);
}

const FINAL = ['COMPLETE', 'FAILED', 'CANCELLED'];
const NO_VIDEO = 'the account has no video';
const NO_COMPLETE_VIDEO = 'the account has no finished video among its newest 100';

/** `detail: [{loc, msg, type}]`. */
function hasDetails({ json }: Reply): boolean {
	const detail = (json as { detail?: unknown } | undefined)?.detail;
	return (
		Array.isArray(detail) &&
		detail.length > 0 &&
		(detail as Array<Record<string, unknown>>).every(
			({ loc, msg, type }) =>
				Array.isArray(loc) && typeof msg === 'string' && typeof type === 'string',
		)
	);
}

/** `{detail: "…"}` or `{error: {type, message}}`. */
function hasReason({ json }: Reply): boolean {
	const { detail, error } = (json ?? {}) as { detail?: unknown; error?: { message?: unknown } };
	return typeof detail === 'string' || typeof error?.message === 'string';
}

/** Whether times go one way; `sign` is 1 for oldest first. */
const isOrdered = (videos: Video[], sign: number) =>
	videos
		.slice(1)
		.every(
			({ created_at }, index) =>
				sign * (Number(created_at) - Number(videos[index]!.created_at)) >= 0,
		);

/** Problems of replies whose status is none of those expected. */
const others = (named: Record<string, Reply>, statuses: number[]) =>
	Object.entries(named)
		.filter(([, { status }]) => !statuses.includes(status))
		.map(([name, { status }]) => `${name}: ${status}`);

/** The checks, by the number of their assumption in `docs/api-assumptions.md`. */
export const CHECKS: Record<number, Check> = {
	1: {
		of: 'takes the key in the header `x-api-key`',
		judge: () => confirmed('the list came for the key in this header'),
	},
	2: {
		of: 'A wrong or missing key is answered with 401',
		judge: ({ wrongKey, noKey }) =>
			unless(others({ 'a wrong key': wrongKey, 'no key': noKey }, [401]), '401 for both'),
	},
	3: {
		of: 'Every key may list videos',
		judge: () => confirmed('this key may; the price of it is not seen here'),
	},
	5: {
		of: 'A refused value is answered with 422',
		judge: ({ noLimit, incomplete }) => {
			const [video, captions, overlay, speech] = incomplete as [Reply, Reply, Reply, Reply];
			const asked = {
				'limit=0': noLimit,
				'a video without speech': video,
				'captions without a video': captions,
				'an overlay without a video': overlay,
				'speech without a text': speech,
			};
			const decided = Object.fromEntries(
				Object.entries(asked).filter(([, { status }]) => status !== 429 && status < 500),
			);
			if (Object.keys(decided).length === 0) return open('no answer was of use');
			const shapeless = Object.entries(decided)
				.filter(([, reply]) => reply.status === 422 && !hasDetails(reply))
				.map(([name]) => `${name}: 422 with another body`);
			return unless([...others(decided, [422]), ...shapeless], '422 with loc, msg and type');
		},
	},
	6: {
		of: 'Other errors hold `{"detail": "…"}`',
		judge: ({ wrongKey, noKey, unknownVideo, unknownTemplate, unknownOverlay }) => {
			const errors = [wrongKey, noKey, unknownVideo, unknownTemplate, unknownOverlay].filter(
				({ status }) => status >= 400 && status !== 422,
			);
			if (errors.length === 0) return open('no other error was seen');
			const mute = errors.filter((reply) => !hasReason(reply));
			return unless(
				mute.map(({ status }) => `a ${status} without a reason`),
				'each error told its reason in one of these forms',
			);
		},
	},
	11: {
		of: '`Retry-After` is not sent with 429',
		judge: (evidence) => {
			const limited = Object.values(evidence as unknown as Record<string, Reply | Reply[]>)
				.flat()
				.filter((reply) => reply?.status === 429);
			if (limited.length === 0) return open('no limit was reached');
			return unless(
				limited
					.filter(({ headers }) => headers.has('retry-after'))
					.map(({ headers }) => `Retry-After: ${headers.get('retry-after')}`),
				'429 came without it',
			);
		},
	},
	14: {
		of: "An object's ID is in `id`",
		judge: ({ videos, templates }) => {
			const all = [...videos, ...entriesOf(templates)];
			if (all.length === 0) return open('the account has neither videos nor templates');
			const nameless = all.filter((entry) => typeof idOf(entry) !== 'string');
			return unless(
				nameless.map(() => 'an entry of a list has neither `id` nor `video_id`'),
				`${all.filter(({ id }) => typeof id === 'string').length} of ${all.length} have \`id\``,
			);
		},
	},
	16: {
		of: 'IDs are up to 200 characters',
		judge: ({ videos, templates }) => {
			const ids = [...videos, ...entriesOf(templates)].map((entry) => String(idOf(entry)));
			if (ids.length === 0) return open('no ID was seen');
			const odd = ids.filter((id) => id.length > 200 || !/^[^\s/\\?#%]+$/.test(id));
			return unless(
				odd.map(() => 'an ID holds other signs, or more'),
				`${ids.length} IDs, up to ${Math.max(...ids.map(({ length }) => length))} characters`,
			);
		},
	},
	17: {
		of: 'COMPLETE, FAILED and CANCELLED are final',
		judge: ({ videos }) => {
			if (videos.length === 0) return open(NO_VIDEO);
			const strange = videos.filter(
				({ status, completed_at }) => !FINAL.includes(String(status)) && completed_at != null,
			);
			return unless(
				strange.map(({ status }) => `a video is ${String(status)} and has a time of completion`),
				`seen: ${[...new Set(videos.map(({ status }) => String(status)))].sort().join(', ')}`,
			);
		},
	},
	19: {
		of: "are Unix seconds of the server's clock",
		judge: ({ videos, list, at }) => {
			const date = Date.parse(list.headers.get('date') ?? '');
			const times = videos
				.flatMap(({ created_at, completed_at }) => [created_at, completed_at])
				.filter((time) => time != null);
			if (times.length === 0) return open(NO_VIDEO);
			const nowS = Number.isNaN(date) ? at / 1_000 : date / 1_000;
			const since2020 = Date.UTC(2020, 0) / 1_000;
			const odd = times.filter(
				(time) => typeof time !== 'number' || time < since2020 || time > nowS + 120,
			);
			const apartS = Math.round(Math.abs(date - at) / 1_000);
			return unless(
				[
					...odd.map((time) => `a time is ${JSON.stringify(time)}`),
					...(apartS > 120 ? [`the clocks are ${apartS} s apart`] : []),
				],
				`${times.length} times${Number.isNaN(date) ? '' : `, clocks ${apartS} s apart`}`,
			);
		},
	},
	20: {
		of: '`completed_at` may be null for FAILED and CANCELLED',
		judge: ({ videos }) => {
			const ended = videos.filter(({ status }) => ['FAILED', 'CANCELLED'].includes(String(status)));
			if (ended.length === 0) return open('the account has no failed or cancelled video');
			const without = ended.filter(({ completed_at }) => completed_at == null).length;
			return without > 0
				? confirmed(`${without} of ${ended.length} have none`)
				: open(`all ${ended.length} have a time`);
		},
	},
	21: {
		of: 'The list is ordered by creation',
		judge: ({ videos, oldestFirst, afterFirst, afterLast, overLimit }) => {
			if (videos.length < 2) return open('the account has fewer than two videos');
			const next = afterFirst?.status === 200 ? entriesOf(afterFirst) : undefined;
			const end = afterLast?.status === 200 ? entriesOf(afterLast) : undefined;
			return unless(
				[
					...(isOrdered(videos, -1) ? [] : ['the newest is not first']),
					...(oldestFirst.status !== 200 || isOrdered(entriesOf(oldestFirst), 1)
						? []
						: ['order=asc does not begin with the oldest']),
					...(next && next.some((video) => idOf(video) === idOf(videos[0]!))
						? ['a page holds the video that it comes after']
						: []),
					...(end && end.length > 0 ? ['a page that was not full was not the last'] : []),
					...(overLimit.status === 200 && entriesOf(overLimit).length > 100
						? ['a page held more than 100']
						: []),
				],
				`${videos.length} videos in order, both ways`,
			);
		},
	},
	23: {
		of: 'The cursor of a deleted video is answered with 404 or an empty page',
		judge: ({ unknownCursor }) =>
			judgeReply(unknownCursor, '', (reply) => {
				if (reply.status === 200 && entriesOf(reply).length === 0)
					return confirmed('an unknown cursor gives an empty page');
				return unless(
					others({ 'an unknown cursor': reply }, [400, 404, 410, 422]),
					`an unknown cursor gives ${reply.status}`,
				);
			}),
	},
	24: {
		of: 'Generated and captioned videos are in one list',
		judge: ({ videos }) => {
			const captioned = videos.filter(({ caption_template_id }) => caption_template_id != null);
			return captioned.length > 0 && captioned.length < videos.length
				? confirmed(`${captioned.length} captioned, ${videos.length - captioned.length} generated`)
				: open('the account does not have both');
		},
	},
	25: {
		of: 'An unknown video, template, overlay or voice is answered with 404',
		judge: ({ unknownVideo, unknownTemplate, unknownOverlay }) => {
			const asked = { video: unknownVideo, template: unknownTemplate, overlay: unknownOverlay };
			return unless(others(asked, [404, 429]), 'seen for a video, a template and an overlay');
		},
	},
	35: {
		of: 'answers with a redirect (3xx) and an absolute `location` on another host',
		judge: ({ content, host }) =>
			judgeReply(content, NO_COMPLETE_VIDEO, ({ status, headers }) => {
				const location = headers.get('location') ?? '';
				if (status < 300 || status > 399) return contradicted(`the answer is ${status}`);
				if (!URL.canParse(location)) return contradicted(`${status} without an absolute address`);
				if (new URL(location).host === host) return contradicted(`${status} to the API's own host`);
				return confirmed(`${status} to another host`);
			}),
	},
	36: {
		of: 'That address needs no key',
		judge: ({ file }) =>
			judgeReply(file, NO_COMPLETE_VIDEO, (reply) =>
				unless(others({ 'the address': reply }, [200, 206]), 'the file came without a key'),
			),
	},
	37: {
		of: 'The content of an unfinished video is an error',
		judge: ({ unfinished }) =>
			judgeReply(unfinished, 'no video renders just now', ({ status }) =>
				status >= 400 ? confirmed(`it is ${status}`) : contradicted(`it is ${status}`),
			),
	},
	38: {
		of: 'What is downloaded is an MP4 or MOV',
		judge: ({ file }) =>
			judgeReply(file, NO_COMPLETE_VIDEO, ({ start, status }) => {
				if (status > 299) return open(`the address answered ${status}`);
				return start.subarray(4, 8).toString('latin1') === 'ftyp'
					? confirmed('it begins like one')
					: contradicted('it begins like something else');
			}),
	},
};
