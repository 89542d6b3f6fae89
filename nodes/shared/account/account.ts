import { createHash } from 'crypto';
import { NodeOperationError } from 'n8n-workflow';

import { readBaseUrl } from '../../../credentials/baseUrl';
import type { KnownJobs } from '../api/lostJob';
import type { Bucket } from '../api/buckets';
import { systemClock } from '../async/clock';
import type { Pool } from '../async/pool';
import { createPool } from '../async/pool';
import type { TextOverlay, Video } from '../api/objects';
import type { MirageContext } from '../n8n/cancellation';
import { JobWatch } from './jobWatch';
import { createRecentJobs } from './recentJobs';
import { BucketLimiter } from './rateLimiter';

/** What all executions of this process that use one account share. Nothing of a single execution is in it. */
export interface Account {
	/** Where files are downloaded: each is a stream, and the network is the limit. */
	readonly downloads: Pool;
	/** Jobs that were started last: none of them is the one whose answer was lost. */
	readonly recentJobs: KnownJobs;
	/** The reads of all who wait for videos. */
	readonly videos: JobWatch<Video>;
	/** The reads of all who wait for text overlays. */
	readonly textOverlays: JobWatch<TextOverlay>;
	/** What everything that starts something goes through. Made when a bucket is first used. */
	readonly limiters: Map<Bucket, BucketLimiter>;
}

/** Downloads of one account that are under way at the same time. */
const CONCURRENT_DOWNLOADS = 3;
/** Accounts that are remembered, the last used ones. */
const MAX_ACCOUNTS = 100;
/** An account that was not used for this long is forgotten, in ms. */
const FORGOTTEN_AFTER_MS = 3_600_000;

const accounts = new Map<string, { account: Account; usedAt: number }>();

/**
 * Tells accounts apart: a hash of the address and the key, never the key itself. Throws
 * `NodeOperationError` when the credential's address is unusable.
 */
export async function accountKeyOf(ctx: MirageContext): Promise<string> {
	const { baseUrl, apiKey } = await ctx.getCredentials('mirageApi');
	const base = readBaseUrl(baseUrl);
	if ('problem' in base)
		throw new NodeOperationError(ctx.getNode(), base.problem, { level: 'warning' });
	const key = typeof apiKey === 'string' ? apiKey.trim() : '';
	return createHash('sha256').update(`${base.origin}\n${key}`).digest('base64url');
}

/** The account that the credential of this node belongs to. Throws as {@link accountKeyOf}. */
export async function accountOf(ctx: MirageContext): Promise<Account> {
	const key = await accountKeyOf(ctx);
	const now = systemClock.now();
	const account: Account = accounts.get(key)?.account ?? {
		downloads: createPool(CONCURRENT_DOWNLOADS),
		recentJobs: createRecentJobs(),
		videos: new JobWatch(),
		textOverlays: new JobWatch(),
		limiters: new Map<Bucket, BucketLimiter>(),
	};
	accounts.delete(key);
	accounts.set(key, { account, usedAt: now });
	for (const [other, { account: old, usedAt }] of accounts) {
		const isOld = accounts.size > MAX_ACCOUNTS || usedAt < now - FORGOTTEN_AFTER_MS;
		if (isOld && old !== account && !isInUse(old)) accounts.delete(other);
	}
	return account;
}

/**
 * Jobs that executions of this process were given, on the account of this node, and those of `earlier`:
 * none of them is the one whose answer was lost. Throws as {@link accountKeyOf}.
 */
export async function knownJobs(
	ctx: MirageContext,
	earlier: ReadonlySet<string>,
): Promise<KnownJobs> {
	const { recentJobs } = await accountOf(ctx);
	return {
		has: (id) => earlier.has(id) || recentJobs.has(id),
		add: (id) => recentJobs.add(id),
	};
}

/** Whether somebody still waits for something of the account. */
function isInUse({ limiters, videos, textOverlays }: Account): boolean {
	return [...limiters.values(), videos, textOverlays].some(({ isBusy }) => isBusy);
}

/** The rate limiter of a bucket of the account. */
export function limiterOf({ limiters }: Account, bucket: Bucket): BucketLimiter {
	const limiter = limiters.get(bucket) ?? new BucketLimiter(bucket);
	limiters.set(bucket, limiter);
	return limiter;
}
