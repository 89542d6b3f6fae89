import type { IExecuteFunctions, INode } from 'n8n-workflow';

import { getTextOverlay, getVideo, listVideos } from '../api/endpoints';
import type { JobStatus, TextOverlay, Video } from '../api/objects';
import { isCaptioned } from '../api/objects';

/** What videos and text overlays have in common. */
export interface Job {
	id: string;
	status: JobStatus;
	/** Unix seconds. */
	created_at: number;
	/** Unix seconds. */
	completed_at?: number | null;
	/** Percent, 0 to 100. */
	progress?: number | null;
}

/** Told by a read what the server's clock says, in ms since 1970. */
export type OnServerTime = (serverMs: number) => void;

/** Where the state of jobs comes from. Each call is one try: failed reads are tolerated here. */
export interface JobSource<J extends Job> {
	/** The node that waits; errors are told as its own. */
	node: INode;
	read(id: string, onServerTime: OnServerTime): Promise<J>;
	/** One page of 100, newest first, strictly after a job. Left out where the API has no list. */
	list?(after: string | undefined, onServerTime: OnServerTime): Promise<J[]>;
	/** Jobs of one kind take about the same time. Default: all are of one kind. */
	kindOf?(job: J): string;
}

/** Videos, in the name of one execution. */
export function videoSource(ctx: IExecuteFunctions): JobSource<Video> {
	return {
		node: ctx.getNode(),
		read: async (id, onServerTime) => await getVideo(ctx, id, { tries: 1, onServerTime }),
		list: async (after, onServerTime) =>
			await listVideos(ctx, { after }, { tries: 1, onServerTime }),
		kindOf: (video) => (isCaptioned(video) ? 'captioned' : 'generated'),
	};
}

/** Text overlays, in the name of one execution. The API has no list of them. */
export function textOverlaySource(ctx: IExecuteFunctions): JobSource<TextOverlay> {
	return {
		node: ctx.getNode(),
		read: async (id, onServerTime) => await getTextOverlay(ctx, id, { tries: 1, onServerTime }),
	};
}
