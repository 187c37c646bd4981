/**
 * RTMP messages: their types, and the control messages' bodies (RTMP 1.0 §5.4, §7.1).
 * @module
 */

import { ErrorCode, RtmpError } from "./error.ts";

/** Message type ids. Types not listed here are read and dropped. */
export const MessageType = {
  SET_CHUNK_SIZE: 1,
  ABORT: 2,
  ACKNOWLEDGEMENT: 3,
  USER_CONTROL: 4,
  WINDOW_ACK_SIZE: 5,
  SET_PEER_BANDWIDTH: 6,
  AUDIO: 8,
  VIDEO: 9,
  DATA_AMF3: 15,
  COMMAND_AMF3: 17,
  DATA_AMF0: 18,
  COMMAND_AMF0: 20,
  AGGREGATE: 22,
} as const;

/** User control event numbers (message type 4). */
export const UserControl = {
  STREAM_BEGIN: 0,
  STREAM_EOF: 1,
  SET_BUFFER_LENGTH: 3,
  PING_REQUEST: 6,
  PING_RESPONSE: 7,
} as const;

/**
 * Chunk stream ids of what we send. Fixed ones, whatever the publisher used: SRS keeps the
 * publisher's, which can collide with the control stream.
 */
export const ChunkStream = {
  CONTROL: 2,
  COMMAND: 3,
  DATA: 4,
  STATUS: 5,
  VIDEO: 6,
  AUDIO: 7,
} as const;

/** The one message stream that we hand out with createStream, as SRS does. */
export const STREAM_ID = 1;

/** A message as it comes out of the chunk stream. */
export interface Message {
  /** Message type id. */
  type: number;
  /** ms, 31 bits. */
  timestamp: number;
  /** Message stream id. Its value never matters to us. */
  streamId: number;
  /** A view of borrowed memory: good until the reader is used again. */
  payload: Uint8Array;
}

/** Big-endian u32 at a position; callers have checked the length. */
export function readU32(bytes: Uint8Array, position: number): number {
  return ((bytes[position] << 24) | (bytes[position + 1] << 16) | (bytes[position + 2] << 8) |
    bytes[position + 3]) >>> 0;
}

/** The 4-byte value that control messages 1, 2, 3 and 5 carry. @throws {RtmpError} when shorter. */
export function controlValue(message: Message): number {
  if (message.payload.length < 4) {
    throw new RtmpError(
      ErrorCode.CHUNK_SIZE,
      `control message ${message.type} has ${message.payload.length} bytes, at least 4 needed`,
    );
  }
  return readU32(message.payload, 0);
}

/** A 4-byte control body. */
export function u32Body(value: number): Uint8Array {
  const body = new Uint8Array(4);
  new DataView(body.buffer).setUint32(0, value >>> 0);
  return body;
}

/** Body of Set Peer Bandwidth (6): window in bytes, limit type 2 = dynamic. */
export function peerBandwidthBody(window: number): Uint8Array {
  const body = new Uint8Array(5);
  new DataView(body.buffer).setUint32(0, window);
  body[4] = 2;
  return body;
}

/** Body of a user control message (4): event u16 and one u32. */
export function userControlBody(event: number, value: number): Uint8Array {
  const body = new Uint8Array(6);
  const view = new DataView(body.buffer);
  view.setUint16(0, event);
  view.setUint32(2, value >>> 0);
  return body;
}

/** Body of Set Buffer Length: event 3, message stream id, ms. */
export function bufferLengthBody(streamId: number, ms: number): Uint8Array {
  const body = new Uint8Array(10);
  body.set(userControlBody(UserControl.SET_BUFFER_LENGTH, streamId));
  body.set(u32Body(ms), 6);
  return body;
}

/** What a user control message says: its event, and the first u32 behind it. */
export interface UserControlMessage {
  readonly event: number;
  readonly value: number;
}

/** Reads a user control message; null when it is too short to mean anything. */
export function parseUserControl(payload: Uint8Array): UserControlMessage | null {
  if (payload.length < 6) return null;
  return { event: (payload[0] << 8) | payload[1], value: readU32(payload, 2) };
}

/** Header of one message inside an aggregate: type(1) size(3) timestamp(3+1) stream id(3). */
const AGGREGATE_HEADER = 11;
/** Types of messages that an aggregate may hold. */
const AGGREGATED: ReadonlySet<number> = new Set([
  MessageType.AUDIO,
  MessageType.VIDEO,
  MessageType.DATA_AMF0,
]);
/** The size of the preceding message that follows each body. */
const AGGREGATE_TRAILER = 4;

/**
 * Takes an aggregate message (22) apart. Timestamps are moved so that the first part has the
 * aggregate's own (RTMP 1.0 §7.1.6). Only audio, video and data are passed on.
 * @throws {RtmpError} when a part runs past the end.
 */
export function splitAggregate(aggregate: Message, each: (part: Message) => void): void {
  const { payload } = aggregate;
  let shift: number | null = null;
  for (let position = 0; position < payload.length;) {
    if (payload.length - position < AGGREGATE_HEADER) {
      throw new RtmpError(ErrorCode.PACKET_SIZE, "aggregate message ends within a header");
    }
    const type = payload[position];
    const size = readU32(payload, position) & 0xffffff;
    const time = (payload[position + 7] << 24) | (readU32(payload, position + 3) & 0xffffff);
    const body = position + AGGREGATE_HEADER;
    if (payload.length - body < size) {
      throw new RtmpError(
        ErrorCode.PACKET_SIZE,
        "aggregate message holds a part longer than itself",
      );
    }
    shift ??= aggregate.timestamp - time;
    if (size > 0 && AGGREGATED.has(type)) {
      each({
        type,
        timestamp: (time + shift) & 0x7fffffff,
        streamId: aggregate.streamId,
        payload: payload.subarray(body, body + size),
      });
    }
    position = body + size + AGGREGATE_TRAILER;
  }
}
