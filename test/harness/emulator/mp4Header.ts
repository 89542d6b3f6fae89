/** More of a `moov` box than this is not read. */
const MOOV_BYTES = 1024 * 1024;

/**
 * Finds the `moov` box of an MP4 or MOV in a stream of chunks, wherever it stands, and reads the frame
 * and the duration from it. Only that box is kept. Bytes that are not boxes end the search silently.
 */
export class Mp4Header {
	/** The picture as it is shown (rotation applied), in pixels; undefined when not found. */
	frame: { width: number; height: number } | undefined;
	/** Seconds; undefined when not found. */
	duration: number | undefined;
	private pending = Buffer.alloc(0);
	private skip = 0;
	private over = false;

	/** Takes the next bytes of the file. */
	push(chunk: Buffer): void {
		if (this.over) return;
		if (chunk.length <= this.skip) {
			this.skip -= chunk.length;
			return;
		}
		this.pending = Buffer.concat([this.pending, chunk.subarray(this.skip)]);
		this.skip = 0;
		while (this.pending.length >= 16 && !this.over) {
			const box = boxAt(this.pending, 0);
			if (!box || box.size < box.headerSize) {
				this.over = true;
			} else if (box.type === 'moov') {
				if (this.pending.length < box.size && this.pending.length < MOOV_BYTES) return;
				this.readMoov(this.pending.subarray(box.headerSize, box.size));
				this.over = true;
			} else if (this.pending.length > box.size) {
				this.pending = this.pending.subarray(box.size);
			} else {
				this.skip = box.size - this.pending.length;
				this.pending = Buffer.alloc(0);
			}
		}
		if (this.over) this.pending = Buffer.alloc(0);
	}

	private readMoov(moov: Buffer): void {
		for (const box of boxes(moov)) {
			if (box.type === 'mvhd') {
				const long = box.data[0] === 1;
				if (box.data.length < (long ? 32 : 20)) continue;
				const scale = box.data.readUInt32BE(long ? 20 : 12);
				const units = long ? Number(box.data.readBigUInt64BE(24)) : box.data.readUInt32BE(16);
				if (scale > 0) this.duration = units / scale;
			}
			if (box.type === 'trak') {
				const tkhd = boxes(box.data).find(({ type }) => type === 'tkhd')?.data;
				if (!tkhd || tkhd.length < (tkhd[0] === 1 ? 96 : 84)) continue;
				const matrix = tkhd[0] === 1 ? 52 : 40;
				const width = tkhd.readUInt32BE(matrix + 36) / 65536;
				const height = tkhd.readUInt32BE(matrix + 40) / 65536;
				// A quarter turn has nothing on the matrix's diagonal.
				const turned = tkhd.readInt32BE(matrix) === 0 && tkhd.readInt32BE(matrix + 4) !== 0;
				if (width > 0 && height > 0) {
					this.frame ??= turned ? { width: height, height: width } : { width, height };
				}
			}
		}
	}
}

/** The boxes of a buffer, nested ones not included; stops at the first that is not whole. */
function boxes(buffer: Buffer): { type: string; data: Buffer }[] {
	const found: { type: string; data: Buffer }[] = [];
	for (let at = 0; at + 8 <= buffer.length;) {
		const box = boxAt(buffer, at);
		if (!box || box.size < box.headerSize || at + box.size > buffer.length) break;
		found.push({ type: box.type, data: buffer.subarray(at + box.headerSize, at + box.size) });
		at += box.size;
	}
	return found;
}

function boxAt(buffer: Buffer, at: number) {
	const size = buffer.readUInt32BE(at);
	const type = buffer.toString('latin1', at + 4, at + 8);
	if (size === 0) return { type, size: Infinity, headerSize: 8 };
	if (size !== 1) return { type, size, headerSize: 8 };
	if (at + 16 > buffer.length) return undefined;
	return { type, size: Number(buffer.readBigUInt64BE(at + 8)), headerSize: 16 };
}
