/**
 * The two forms in which players get a stream's messages: RTMP chunks and FLV tags.
 * @module
 */

import {
  FLV_PREVIOUS_TAG_SIZE_BYTES,
  FLV_TAG_HEADER_BYTES,
  writeFlvTagHeader,
  writePreviousTagSize,
} from "../../flv/flv_tag.ts";
import {
  copyWirePayload,
  wireLength,
  wireSize,
  wireTimestamp,
  wireType,
  writeMessage,
} from "../../rtmp/chunk_writer.ts";
import { ChunkStream, MessageType, STREAM_ID } from "../../rtmp/message.ts";
import type { BroadcastLog } from "./broadcast_log.ts";

/** How messages become bytes. Times are ms, `type` is the message's. */
export interface MessageFormat {
  /** Bytes that a message with a payload of `length` takes. */
  size(length: number, time: number): number;
  /** Writes a message into `target` at `at`; returns the position after it. */
  write(target: Uint8Array, at: number, type: number, time: number, payload: Uint8Array): number;
}

/** A format of players that do not take the log's own bytes. */
export interface Rendering extends MessageFormat {
  /**
   * ms of one core that it takes the runtime to pass on what one player is given, after the flush; 0 when
   * the flush shows it.
   */
  readonly laterMs: number;
  /**
   * Brings `target` up to the stream's log, whose chunks have `chunkSize` bytes. Both have the same
   * entries under the same numbers; `target` may begin later.
   */
  render(log: BroadcastLog, target: BroadcastLog, chunkSize: number): void;
}

/** The chunk stream that each type of message goes out on. */
function chunkStreamOf(type: number): number {
  if (type === MessageType.VIDEO) return ChunkStream.VIDEO;
  return type === MessageType.AUDIO ? ChunkStream.AUDIO : ChunkStream.DATA;
}

/** What the bytes of a log are: RTMP chunks of a size in bytes. */
export function logFormat(chunkSize: number): MessageFormat {
  return {
    size: (length, time) => wireSize(length, time, chunkSize),
    write: (target, at, type, time, payload) =>
      writeMessage(target, at, chunkStreamOf(type), type, time, STREAM_ID, payload, chunkSize),
  };
}

/** FLV tags, each with the size that follows it. */
export const FLV_TAGS: Rendering = {
  // Deno's and Bun's HTTP and WebSocket servers: 9 to 14 µs on the machine of the benchmarks.
  laterMs: 0.01,
  render: followAsFlv,
  size: (length) => flvSize(length),
  write(target, at, type, time, payload) {
    const body = writeFlvTagHeader(target, at, type, payload.length, time);
    target.set(payload, body);
    return writePreviousTagSize(target, body + payload.length, payload.length);
  },
};

function flvSize(length: number): number {
  return FLV_TAG_HEADER_BYTES + length + FLV_PREVIOUS_TAG_SIZE_BYTES;
}

function followAsFlv(rtmp: BroadcastLog, flv: BroadcastLog, chunkSize: number): void {
  while (flv.head < rtmp.head) {
    const entry = flv.head;
    const wire = rtmp.view(entry, entry + 1);
    const length = wireLength(wire);
    const size = flvSize(length);
    const arrival = rtmp.arrivalAt(entry);
    const target = flv.reserve(size, arrival);
    const body = writeFlvTagHeader(
      target,
      flv.writeAt,
      wireType(wire),
      length,
      wireTimestamp(wire),
    );
    writePreviousTagSize(target, copyWirePayload(wire, chunkSize, target, body), length);
    flv.commit(size, rtmp.flagsAt(entry), rtmp.timestampAt(entry), arrival);
  }
}
