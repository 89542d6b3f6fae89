import type { IBinaryData, IExecuteFunctions } from 'n8n-workflow';
import { NodeApiError, NodeOperationError } from 'n8n-workflow';

import { cancelSignal } from '../shared/n8n/cancellation';
import { downloadVideo } from '../shared/files/download';

/** A downloaded file, or why there is none. */
export type FinishedFile = { file: IBinaryData } | { error: Error };

/** Downloads under way at the same time: each is a stream, and the network is the limit. */
const CONCURRENT_DOWNLOADS = 3;

/** Downloads finished videos while others still render. */
export class FinishedFiles {
	private readonly waiting: string[] = [];
	private readonly lanes: Array<Promise<void>> = [];
	private active = 0;
	private readonly files = new Map<string, FinishedFile>();
	private dropped = false;

	constructor(private readonly ctx: IExecuteFunctions) {}

	/** Queues one video. Never throws; what went wrong is told by {@link all}. */
	add(videoId: string): void {
		this.waiting.push(videoId);
		if (this.active < CONCURRENT_DOWNLOADS) this.lanes.push(this.work());
	}

	/** Starts no more downloads: the run is going to fail. */
	drop(): void {
		this.dropped = true;
	}

	/** Waits for all that were added, by video ID. Those not started any more are missing. */
	async all(): Promise<ReadonlyMap<string, FinishedFile>> {
		await Promise.all(this.lanes);
		return this.files;
	}

	private async work(): Promise<void> {
		this.active += 1;
		for (let id = this.waiting.shift(); id !== undefined; id = this.waiting.shift())
			if (!this.dropped && !cancelSignal(this.ctx)?.aborted)
				this.files.set(id, await this.fetch(id));
		this.active -= 1;
	}

	private async fetch(videoId: string): Promise<FinishedFile> {
		try {
			return { file: await downloadVideo(this.ctx, videoId) };
		} catch (error) {
			if (error instanceof NodeApiError || error instanceof NodeOperationError) return { error };
			return { error: new NodeOperationError(this.ctx.getNode(), error as Error) };
		}
	}
}
