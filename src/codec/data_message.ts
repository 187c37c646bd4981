/**
 * Data messages other than `onMetaData` on their way to the players: texts, captions, cue points such as
 * the ad marks of SCTE-35, clock times (`onFI`).
 * @module
 */

import { MAX_DATA_MESSAGE_BYTES } from "./limits.ts";
import { Amf0Marker, Amf0Reader } from "../rtmp/amf0.ts";
import { stringOf } from "../rtmp/amf_access.ts";
import { ErrorCode, RtmpError } from "../rtmp/error.ts";
import { MessageType } from "../rtmp/message.ts";

const SET_DATA_FRAME = "@setDataFrame";

/**
 * Names that are never passed on: metadata, which has a way of its own; a command to the server; and what
 * only a server says to its player, so that no publisher speaks to players in the server's name.
 */
const NOT_PASSED: ReadonlySet<string> = new Set([
  "onMetaData",
  "@clearDataFrame",
  SET_DATA_FRAME,
  "|RtmpSampleAccess",
  "onStatus",
  "onPlayStatus",
]);

/**
 * The AMF0 payload that players get of a data message: without the format byte of type 15 and without
 * `@setDataFrame`; else as it came, and a view of it. Null for what is not passed on: messages without a
 * name, and those of `NOT_PASSED`.
 * @param type Message type, 18 or 15.
 * @throws {RtmpError} AMF_DECODE when it is broken, LIMIT when it is larger than
 * `MAX_DATA_MESSAGE_BYTES`: players are spared both.
 */
export function playerData(type: number, payload: Uint8Array): Uint8Array | null {
  let start = type === MessageType.DATA_AMF3 && payload[0] === 0 ? 1 : 0;
  const marker = payload[start];
  if (marker !== Amf0Marker.STRING && marker !== Amf0Marker.AVMPLUS) return null;
  if (payload.length > MAX_DATA_MESSAGE_BYTES) {
    throw new RtmpError(
      ErrorCode.LIMIT,
      `a data message of ${payload.length} bytes, ${MAX_DATA_MESSAGE_BYTES} are passed on`,
    );
  }
  const reader = new Amf0Reader(payload, start);
  let name = stringOf(reader.value());
  if (name === SET_DATA_FRAME && !reader.done) {
    start = reader.position;
    name = stringOf(reader.value());
  }
  if (!name || NOT_PASSED.has(name)) return null;
  // Decoders of players differ in what they survive.
  while (!reader.done) reader.value();
  return payload.subarray(start);
}
