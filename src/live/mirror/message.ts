/**
 * How a stream gets from the thread of its publisher to the players of another one. Its messages lie in
 * shared memory and are never copied; what is posted is where they lie.
 *
 *     owner's log  --- sender ---> messages ---> receiver --->  mirror: a log over the same memory
 *                       <--- segments that the mirror is done with ---
 *
 * @module
 */

import type { HeaderSnapshot } from "../ingest/header_cache.ts";

/** Numbers that stand for one entry in `MirrorPiece.entries`: bytes, flags, stream ms, age in ms. */
export const FIELDS = 4;

/** Messages that lie behind one another in one segment. */
export interface MirrorPiece {
  /** The segment's number in its owner's log. */
  readonly segment: number;
  /** Its memory; null: it is the same as in the piece before, and the messages follow those. */
  readonly memory: ArrayBufferLike | null;
  /** Where the first message begins. */
  readonly at: number;
  /** `FIELDS` numbers for each message. */
  readonly entries: readonly number[];
}

/** What has come since the last time. */
export interface MirrorPart {
  readonly pieces: readonly MirrorPiece[];
  /** Null: as before. */
  readonly headers: HeaderSnapshot | null;
  /** Players have not got these headers with the messages. */
  readonly tell: boolean;
  /** Entries are counted from the first one of this part; null: there is none. */
  readonly newestKeyframe: number | null;
  readonly gopStart: number | null;
  readonly hasVideo: boolean;
  /** The first entry that players which wait for a keyframe go on from. */
  readonly resumeAt: number | null;
  /** Present and highest stream time, ms. */
  readonly time: number;
  readonly highest: number;
  /** Timestamps are the publisher's own, those of metadata too. */
  readonly absolute: boolean;
}

/** From an sender to its receiver, in order. */
export type MirrorMessage =
  | {
    readonly kind: "begin";
    /** Grows from publisher to publisher, whichever thread they are in. */
    readonly epoch: number;
    /** Number of the sender, for the segments that go back to it. */
    readonly sender: number;
    readonly part: MirrorPart;
  }
  | { readonly kind: "more"; readonly part: MirrorPart }
  /** `ended`: players are to be told. */
  | { readonly kind: "end"; readonly ended: boolean };
