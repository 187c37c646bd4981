/**
 * How messages become bytes, and what the bytes of a log are.
 * @module
 */

import { wireSize, writeMessage } from "../../rtmp/chunk_writer.ts";
import { ChunkStream, MessageType, STREAM_ID } from "../../rtmp/message.ts";

/** How messages become bytes. Times are ms, `type` is the message's. */
export interface MessageFormat {
  /** Bytes that a message with a payload of `length` takes. */
  size(length: number, time: number): number;
  /** Writes a message into `target` at `at`; returns the position after it. */
  write(target: Uint8Array, at: number, type: number, time: number, payload: Uint8Array): number;
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
