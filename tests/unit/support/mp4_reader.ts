/**
 * Reads the boxes of an MP4, and the samples of its fragments: for tests.
 * @module
 */

import assert from "node:assert/strict";

/** A box: its type, and where its content lies. */
export interface Box {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly content: Uint8Array;
}

/** A sample as it lies in a fragment. */
export interface ReadSample {
  readonly trackId: number;
  readonly time: number;
  readonly duration: number;
  readonly composition: number;
  readonly isSync: boolean;
  readonly data: Uint8Array;
}

/** The boxes in `bytes`, which they must fill. */
export function boxes(bytes: Uint8Array): Box[] {
  const found: Box[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = u32(bytes, at);
    assert.ok(size >= 8 && at + size <= bytes.length, `a box of ${size} bytes at ${at}`);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    found.push({ type, start: at, end: at + size, content: bytes.subarray(at + 8, at + size) });
    at += size;
  }
  return found;
}

/** The box at this path of types, such as `moov trak mdia`. */
export function boxAt(bytes: Uint8Array, path: string): Box {
  let content = bytes;
  let box: Box | undefined;
  for (const type of path.split(" ")) {
    box = boxes(content).find((each) => each.type === type);
    assert.ok(box, `${type} of ${path}`);
    content = box.content;
  }
  assert.ok(box);
  return box;
}

/** The samples of fragments that lie behind one another, and their sequence numbers. */
export function readFragments(bytes: Uint8Array): { sequences: number[]; samples: ReadSample[] } {
  const sequences: number[] = [];
  const samples: ReadSample[] = [];
  let moof: Box | null = null;
  for (const box of boxes(bytes)) {
    if (box.type === "moof") moof = box;
    else {
      assert.equal(box.type, "mdat");
      assert.ok(moof, "moof before mdat");
      const [header, ...trafs] = boxes(moof.content);
      assert.equal(header.type, "mfhd");
      sequences.push(u32(header.content, 4));
      let used = box.start + 8;
      for (const traf of trafs) used = readTraf(bytes, moof.start, traf, used, samples);
      assert.equal(used, box.end, "nothing in mdat that is no sample");
      moof = null;
    }
  }
  assert.equal(moof, null);
  return { sequences, samples };
}

function readTraf(
  bytes: Uint8Array,
  moof: number,
  { type, content }: Box,
  used: number,
  into: ReadSample[],
): number {
  assert.equal(type, "traf");
  const [tfhd, tfdt, trun] = boxes(content);
  assert.deepEqual([tfhd.type, tfdt.type, trun.type], ["tfhd", "tfdt", "trun"]);
  assert.equal(u32(tfhd.content, 0), 0x020000, "default-base-is-moof");
  const trackId = u32(tfhd.content, 4);
  assert.equal(tfdt.content[0], 1);
  let time = u32(tfdt.content, 4) * 2 ** 32 + u32(tfdt.content, 8);
  assert.equal(u32(trun.content, 0), 0x01000f01);
  const count = u32(trun.content, 4);
  assert.equal(moof + u32(trun.content, 8), used, "runs lie one after the other");
  for (let i = 0; i < count; i++) {
    const [duration, size, flags, composition] = [0, 4, 8, 12].map((field) =>
      u32(trun.content, 12 + 16 * i + field)
    );
    assert.ok(flags === 0x02000000 || flags === 0x01010000);
    into.push({
      trackId,
      time,
      duration,
      composition: composition | 0,
      isSync: flags === 0x02000000,
      data: bytes.subarray(used, used + size),
    });
    time += duration;
    used += size;
  }
  return used;
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
}
