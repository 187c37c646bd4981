/**
 * Playlists of a stream, as text (RFC 8216; draft-pantos-hls-rfc8216bis for parts).
 * @module
 */

import { SEGMENTS_WITH_PARTS } from "./limits.ts";
import type { Segment, StoredPart, Window } from "./window.ts";

/** How the files of a stream are named in its playlist. */
export interface Names {
  init(number: number): string;
  segment(number: number): string;
  part(number: number, index: number): string;
  /** A time, ms since 1970, as ISO 8601 has it, in UTC and with ms. */
  date(ms: number): string;
}

/** A part is announced with 5 decimals; so is what it is compared with. */
function seconds(value: number): string {
  return value.toFixed(5);
}

/**
 * The media playlist. `partTarget`: longest part, seconds. What is listed is there, but for the last line:
 * the part that comes next.
 */
export function mediaPlaylist(window: Window, partTarget: number, names: Names): string {
  const { listed } = window;
  const lines = [
    "#EXTM3U",
    "#EXT-X-VERSION:6",
    `#EXT-X-TARGETDURATION:${window.targetDuration}`,
    `#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=${seconds(3 * partTarget)}`,
    `#EXT-X-PART-INF:PART-TARGET=${seconds(partTarget)}`,
    `#EXT-X-MEDIA-SEQUENCE:${listed[0]?.number ?? window.nextNumber}`,
  ];
  if (window.discontinuities > 0) {
    lines.push(`#EXT-X-DISCONTINUITY-SEQUENCE:${window.discontinuities}`);
  }
  const withParts = listed.length - SEGMENTS_WITH_PARTS - (window.growing ? 1 : 0);
  let init = -1;
  listed.forEach((segment, i) => {
    if (segment.isDiscontinuous) lines.push("#EXT-X-DISCONTINUITY");
    if (segment.init !== init) lines.push(`#EXT-X-MAP:URI="${names.init(segment.init)}"`);
    init = segment.init;
    lines.push(`#EXT-X-PROGRAM-DATE-TIME:${names.date(segment.dateMs)}`);
    if (i >= withParts) {
      for (const part of segment.parts) lines.push(partLine(segment, part, partTarget, names));
    }
    if (!segment.isComplete) return;
    lines.push(`#EXTINF:${seconds(segment.duration)},`, names.segment(segment.number));
  });
  const next = names.part(window.nextNumber, window.growing?.parts.length ?? 0);
  lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${next}"`);
  return `${lines.join("\n")}\n`;
}

/** A gap in the stream makes a part longer than was announced, which players take for a fault. */
function partLine(
  { number }: Segment,
  { index, duration, isIndependent }: StoredPart,
  partTarget: number,
  names: Names,
): string {
  const attributes = [
    `DURATION=${seconds(Math.min(duration, partTarget))}`,
    `URI="${names.part(number, index)}"`,
  ];
  if (isIndependent) attributes.push("INDEPENDENT=YES");
  return `#EXT-X-PART:${attributes.join(",")}`;
}

/** The multivariant playlist: the stream's only variant, at `uri`. */
export function multivariantPlaylist(window: Window, uri: string): string {
  const last = window.listed.at(-1) ?? null;
  const init = last ? window.inits.get(last.init) : undefined;
  const attributes = [`BANDWIDTH=${Math.max(1, Math.ceil(1.1 * window.peakBandwidth))}`];
  if (init) {
    attributes.push(`CODECS="${init.codecs.join(",")}"`);
    if (init.width > 0) attributes.push(`RESOLUTION=${init.width}x${init.height}`);
  }
  return [
    "#EXTM3U",
    "#EXT-X-VERSION:6",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    `#EXT-X-STREAM-INF:${attributes.join(",")}`,
    uri,
    "",
  ].join("\n");
}
