import type { IDataObject, IExecuteFunctions, INodeExecutionData, JsonObject } from 'n8n-workflow';
import { NodeApiError, NodeOperationError } from 'n8n-workflow';

import { getVideo, listVideos } from '../shared/api/endpoints';
import type { Video } from '../shared/api/objects';
import { isFinal, jsonOf } from '../shared/api/objects';
import { failedItem } from '../shared/items/runErrors';
import type { JobEnd, JobSource, WaitOptions } from '../shared/account/waitForJobs';
import { waitForJobs } from '../shared/account/waitForJobs';
import { cancelSignal, throwIfCancelled } from '../shared/n8n/cancellation';
import { locatorId, requiredText } from '../shared/n8n/parameters';
import { httpStatusOf } from '../shared/transport/errors';
import { FinishedFiles } from './downloadQueue';
import type { Problem, WantedVideo } from './videoErrors';
import { problemWith, problemWithFile, summaryOf } from './videoErrors';

/** What became of one item: its output, or what is wrong with it. */
type Result = { itemIndex: number } & ({ output: INodeExecutionData } | { problem: Problem });

/** How long a single look may wait out a rate limit, in ms. */
export const LOOK_MS = 300_000;

/** Pauses between the tries of a single look, in ms. */
export const LOOK_PAUSES = { pollIntervalMs: 1_000, maxPollIntervalMs: 10_000 };

/** The items of one run of the node. */
export class Run {
	private readonly wanted: WantedVideo[] = [];
	private readonly unusable = new Map<number, Problem>();
	private readonly files: FinishedFiles;
	private readonly goOn: boolean;

	/** Reads all items. Throws `NodeOperationError` for an unusable one, unless items stand alone. */
	constructor(
		private readonly ctx: IExecuteFunctions,
		private readonly rules: { everyStateIsFine?: boolean; downloadLater?: boolean } = {},
	) {
		this.files = new FinishedFiles(ctx);
		this.goOn = ctx.continueOnFail();
		ctx.getInputData().forEach((_, itemIndex) => this.readItem(itemIndex));
	}

	private readItem(itemIndex: number): void {
		const { ctx } = this;
		try {
			const videoId = locatorId(ctx, 'videoId', 'Video', itemIndex);
			const download = ctx.getNodeParameter('downloadVideo', itemIndex) === true;
			this.wanted.push({
				itemIndex,
				videoId,
				...(download
					? { fileField: requiredText(ctx, 'outputField', 'Put Output in Field', itemIndex) }
					: {}),
				failedIsError:
					!this.rules.everyStateIsFine &&
					ctx.getNodeParameter('options.onFailed', itemIndex, 'error') !== 'continue',
			});
		} catch (error) {
			if (!this.goOn) throw new NodeOperationError(ctx.getNode(), error as Error, { itemIndex });
			this.unusable.set(itemIndex, {
				itemIndex,
				message: (error as Error).message,
				cause: error as Error,
			});
		}
	}

	/** Reads states until `options` say that it is enough. An unknown ID is an error at once. */
	async watch(options: Omit<WaitOptions<Video>, 'signal' | 'onEnd'>) {
		const { ctx } = this;
		const source: JobSource<Video> = {
			read: async (id) => await getVideo(ctx, id, { tries: 1 }),
			list: async (after) => await listVideos(ctx, { after }, { tries: 1 }),
		};
		const failing = new Set(this.wanted.filter((item) => item.failedIsError).map(idOf));
		const downloads = new Set(this.wanted.filter((item) => item.fileField).map(idOf));
		const ends = await waitForJobs(this.wanted.map(idOf), source, {
			...options,
			signal: cancelSignal(ctx),
			onEnd: (id, end) => {
				const complete = end.kind === 'read' && end.job.status === 'COMPLETE';
				const failed = end.kind !== 'read' || (isFinal(end.job) && !complete && failing.has(id));
				if (failed && !this.goOn) this.files.drop();
				if (complete && downloads.has(id) && !this.rules.downloadLater) this.files.add(id);
				return end.kind === 'unknown' && !this.goOn ? 'stop' : undefined;
			},
		});
		throwIfCancelled(ctx);
		const unknown = [...ends].find(([, end]) => end.kind === 'unknown');
		if (unknown && !this.goOn) {
			const [id, end] = unknown;
			const item = this.wanted.find(({ videoId }) => videoId === id)!;
			this.fail([problemWith(item, end, '')!], ends);
		}
		return ends;
	}

	/** Indexes of items that may go on although others still render. */
	readyToLeave(ends: ReadonlyMap<string, JobEnd<Video>>, open: Set<string>, time: string) {
		const ready = new Set(this.goOn ? this.unusable.keys() : []);
		for (const item of this.wanted) {
			if (open.has(item.videoId)) continue;
			// An error ends the execution, so it has to wait for the others.
			if (this.goOn || !problemWith(item, ends.get(item.videoId)!, time)) ready.add(item.itemIndex);
		}
		return ready;
	}

	/** Waits for the files and judges every item, or only those of `only`, in the items' order. */
	async results(
		ends: ReadonlyMap<string, JobEnd<Video>>,
		time: string,
		only?: ReadonlySet<number>,
	): Promise<Result[]> {
		const items = this.ctx.getInputData();
		const wanted = this.wanted.filter(({ itemIndex }) => only?.has(itemIndex) ?? true);
		const problems = new Map(
			wanted.map((item) => [item, problemWith(item, ends.get(item.videoId)!, time)]),
		);
		if (this.rules.downloadLater && (this.goOn || ![...problems.values()].some(Boolean)))
			new Set(wanted.filter((item) => item.fileField && isComplete(ends, item)).map(idOf)).forEach(
				(id) => this.files.add(id),
			);
		const files = await this.files.all();
		throwIfCancelled(this.ctx);

		const results = new Map<number, Result>();
		for (const [itemIndex, problem] of this.unusable)
			if (only?.has(itemIndex) ?? true) results.set(itemIndex, { itemIndex, problem });
		for (const item of wanted) {
			const { itemIndex, videoId, fileField } = item;
			const end = ends.get(videoId)!;
			const fetched = fileField ? files.get(videoId) : undefined;
			const problem = problems.get(item) ?? problemWithFile(item, fetched);
			if (problem || end.kind !== 'read') {
				results.set(itemIndex, { itemIndex, problem: problem! });
				continue;
			}
			const file = fetched && 'file' in fetched ? fetched.file : undefined;
			const binary = {
				...items[itemIndex]?.binary,
				...(fileField && file ? { [fileField]: file } : {}),
			};
			results.set(itemIndex, {
				itemIndex,
				output: {
					json: { ...jsonOf(end.job), ...filesInJson(items[itemIndex]) },
					...(Object.keys(binary).length > 0 ? { binary } : {}),
					pairedItem: { item: itemIndex },
				},
			});
		}
		return [...results].sort(([a], [b]) => a - b).map(([, result]) => result);
	}

	/** The output items. Throws one error for all problems, unless items stand alone. */
	outputOf(results: Result[], ends: ReadonlyMap<string, JobEnd<Video>>): INodeExecutionData[] {
		const problems = results.flatMap((result) => ('problem' in result ? [result.problem] : []));
		if (problems.length > 0 && !this.goOn) this.fail(problems, ends);
		return results.map((result) =>
			'output' in result ? result.output : this.errorItem(result.problem),
		);
	}

	private fail(problems: Problem[], ends: ReadonlyMap<string, JobEnd<Video>>): never {
		throw this.errorFor({ ...problems[0]!, ...summaryOf(problems, ends) });
	}

	/** A problem as n8n's error: that of the API where an answer of the API is behind it. */
	private errorFor({ itemIndex, message, description, cause }: Problem) {
		const node = this.ctx.getNode();
		const status = httpStatusOf(cause);
		return status === undefined
			? new NodeOperationError(node, message, { itemIndex, description })
			: new NodeApiError(node, { message } as JsonObject, {
					message,
					description,
					itemIndex,
					httpCode: String(status),
				});
	}

	/** The output of an item with a problem, while the others go on. */
	private errorItem(problem: Problem): INodeExecutionData {
		const { itemIndex, videoId } = problem;
		const json = videoId === undefined ? {} : { id: videoId };
		const item = failedItem(this.ctx, json, this.errorFor(problem));
		item.pairedItem = { item: itemIndex };
		return item;
	}
}

const idOf = ({ videoId }: WantedVideo) => videoId;

function isComplete(ends: ReadonlyMap<string, JobEnd<Video>>, { videoId }: WantedVideo): boolean {
	const end = ends.get(videoId);
	return end?.kind === 'read' && end.job.status === 'COMPLETE';
}

/**
 * The input's files where the workflow keeps them in the JSON (n8n 2, workflow setting `binaryMode:
 * 'combined'`, property `_files`), so that they pass through like those in `binary`.
 */
function filesInJson(item: INodeExecutionData | undefined): IDataObject {
	const files = item?.json._files;
	const isObject = typeof files === 'object' && files !== null && !Array.isArray(files);
	return isObject ? { _files: files } : {};
}

export const minutes = (count: number) => `${count} minute${count === 1 ? '' : 's'}`;
