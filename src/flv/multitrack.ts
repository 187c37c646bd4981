/**
 * Multitrack messages (Enhanced RTMP v2, G4.30) for players that know one track only (Q60).
 *
 *     first byte: flags | Multitrack   [ModEx ...]   layout | packet type   [FourCC]   tracks
 *     track: [FourCC, if each has its own] id (1) [size (3), unless there is one track] body
 *
 * @module
 */

import { nextOffsetOf, packetTypeOf, skipModEx } from "./ex_header.ts";

const ONE_TRACK = 0;
const MANY_TRACKS = 1;
const MANY_CODECS = 2;
const FOURCC_BYTES = 4;
/** The track that everybody plays. */
const MAIN_TRACK = 0;

/**
 * Track 0 of a multitrack message as a message of its own, without ModEx, which its readers need not
 * know either. Null when it has no such track, is broken, or is no multitrack message.
 * @param multitrack The packet type that means Multitrack: 6 for video, 5 for audio.
 */
export function mainTrack(payload: Uint8Array, multitrack: number): Uint8Array | null {
  const header = skipModEx(payload);
  if (header < 0 || packetTypeOf(header) !== multitrack) return null;
  let at = nextOffsetOf(header);
  if (at >= payload.length) return null;
  const layout = payload[at] >> 4;
  const packetType = payload[at] & 15;
  at++;
  let fourCc = at;
  if (layout === ONE_TRACK || layout === MANY_TRACKS) at += FOURCC_BYTES;
  else if (layout !== MANY_CODECS) return null;

  while (at < payload.length) {
    if (layout === MANY_CODECS) {
      fourCc = at;
      at += FOURCC_BYTES;
    }
    const id = payload[at++];
    let end = payload.length;
    if (layout !== ONE_TRACK) {
      end = at + 3 + ((payload[at] << 16) | (payload[at + 1] << 8) | payload[at + 2]);
      at += 3;
    }
    if (!(at <= end && end <= payload.length)) return null;
    if (id === MAIN_TRACK) return alone(payload, packetType, fourCc, at, end);
    at = end;
  }
  return null;
}

function alone(
  payload: Uint8Array,
  packetType: number,
  fourCc: number,
  from: number,
  end: number,
): Uint8Array {
  const message = new Uint8Array(1 + FOURCC_BYTES + end - from);
  message[0] = (payload[0] & 0xf0) | packetType;
  message.set(payload.subarray(fourCc, fourCc + FOURCC_BYTES), 1);
  message.set(payload.subarray(from, end), 1 + FOURCC_BYTES);
  return message;
}
