/**
 * Multitrack messages (Enhanced RTMP v2) for players that know one track only (Q60).
 *
 *     first byte: flags | Multitrack   [ModEx ...]   layout | packet type   [FourCC]   tracks
 *     track: [FourCC, if each has its own] id (1) [size (3), unless there is one track] body
 *
 * @module
 */

import { MessageType } from "../rtmp/message.ts";
import { ExPacketType, FrameFlag, nextOffsetOf, packetTypeOf, skipModEx } from "./ex_header.ts";

const ONE_TRACK = 0;
const MANY_TRACKS = 1;
const MANY_CODECS = 2;
const FOURCC_BYTES = 4;
/** The track that every player plays. */
const MAIN_TRACK = 0;

/**
 * Track 0 of a multitrack message as a message of its own, without ModEx, which its readers need not
 * know either. Null when it has no such track, is broken, or is no multitrack message.
 * @param multitrack The packet type that means Multitrack: 6 for video, 5 for audio.
 */
export function mainTrack(payload: Uint8Array, multitrack: number): Uint8Array | null {
  let main: Uint8Array | null = null;
  eachTrack(payload, multitrack, (id, packetType, fourCc, from, end) => {
    if (id === MAIN_TRACK) main ??= alone(payload, packetType, fourCc, from, end);
  });
  return main;
}

/**
 * What players that know one track only get of an audio or video message: the message itself, or its main
 * track. Null: nothing. `flags` are its `FrameFlag` bits.
 */
export function mainMessage(type: number, flags: number, payload: Uint8Array): Uint8Array | null {
  if (!(flags & FrameFlag.MULTITRACK)) return payload;
  const { VIDEO_MULTITRACK, AUDIO_MULTITRACK } = ExPacketType;
  return mainTrack(payload, type === MessageType.VIDEO ? VIDEO_MULTITRACK : AUDIO_MULTITRACK);
}

/** Adds the ids of a multitrack message's tracks to a set; of one that is broken, those before that. */
export function addTrackIds(payload: Uint8Array, multitrack: number, ids: Set<number>): void {
  eachTrack(payload, multitrack, (id) => void ids.add(id));
}

/** Where a track's FourCC is, and from where to where its body. */
type TakeTrack = (
  id: number,
  packetType: number,
  fourCc: number,
  from: number,
  end: number,
) => void;

function eachTrack(payload: Uint8Array, multitrack: number, take: TakeTrack): void {
  const header = skipModEx(payload);
  if (header < 0 || packetTypeOf(header) !== multitrack) return;
  let at = nextOffsetOf(header);
  if (at >= payload.length) return;
  const layout = payload[at] >> 4;
  const packetType = payload[at] & 15;
  at++;
  let fourCc = at;
  if (layout === ONE_TRACK || layout === MANY_TRACKS) at += FOURCC_BYTES;
  else if (layout !== MANY_CODECS) return;

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
    if (!(at <= end && end <= payload.length)) return;
    take(id, packetType, fourCc, at, end);
    at = end;
  }
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
