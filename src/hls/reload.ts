/**
 * What a request for a playlist waits for: `_HLS_msn` and `_HLS_part` (draft-pantos-hls-rfc8216bis §6.2.5.2).
 * @module
 */

import type { Window } from "./window.ts";

/** What is to be done with a request. */
export type Reload = "answer" | "wait" | "bad";

/** What a request asks for: a segment, and a part of it. */
export interface Wanted {
  readonly segment: number;
  /** Null: the whole segment. */
  readonly part: number | null;
}

/** Parts ahead that a player may ask for with parts of a second and more. */
const PARTS_AHEAD = 3;
/** Segments ahead. */
const SEGMENTS_AHEAD = 2;

/**
 * Reads the two parameters, given as they stand in the query; null: it asks for none of it. "bad": they make
 * no sense.
 */
export function readWanted(msn: string | null, part: string | null): Wanted | null | "bad" {
  if (msn === null) return part === null ? null : "bad";
  const [segment, index] = [wholeNumber(msn), part === null ? null : wholeNumber(part)];
  if (Number.isNaN(segment) || (index !== null && Number.isNaN(index))) return "bad";
  return { segment, part: index };
}

function wholeNumber(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  return value <= Number.MAX_SAFE_INTEGER ? value : NaN;
}

/** Whether a playlist has what is wanted, or will have soon. */
export function reloadOf(window: Window, partTarget: number, wanted: Wanted): Reload {
  const { growing, nextNumber } = window;
  const { segment, part } = wanted;
  if (segment < nextNumber) {
    // A part behind the last one of a segment is the first of the next.
    const found = window.find(segment);
    const isBehind = found !== null && part !== null && part >= found.parts.length;
    if (!isBehind) return "answer";
    if (segment + 1 < nextNumber) return "answer";
    return growing && growing.parts.length > 0 ? "answer" : "wait";
  }
  if (segment > nextNumber + SEGMENTS_AHEAD - 1) return "bad";
  if (part === null) return "wait";
  const ahead = partTarget < 1 ? Math.ceil(PARTS_AHEAD / partTarget) : PARTS_AHEAD;
  const there = growing?.parts.length ?? 0;
  if (segment === nextNumber && part < there) return "answer";
  const distance = segment === nextNumber ? part - there : part;
  return distance > ahead ? "bad" : "wait";
}
