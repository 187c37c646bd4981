/**
 * The rendering of a stream as FLV tags, without the file header before them.
 * @module
 */

import {
  FLV_PREVIOUS_TAG_SIZE_BYTES,
  FLV_TAG_HEADER_BYTES,
  writeFlvTagHeader,
  writePreviousTagSize,
} from "../../flv/flv_tag.ts";
import { copyWirePayload, wireLength, wireTimestamp, wireType } from "../../rtmp/chunk_writer.ts";
import type { BroadcastLog } from "../log/broadcast_log.ts";
import type { Renderer, Rendering } from "./rendering.ts";

/** FLV tags, each with the size that follows it. The same for all streams. */
export const FLV_TAG_RENDERER: Renderer = {
  render: followAsFlv,
  size: (length) => flvSize(length),
  write(target, at, type, time, payload) {
    const body = writeFlvTagHeader(target, at, type, payload.length, time);
    target.set(payload, body);
    return writePreviousTagSize(target, body + payload.length, payload.length);
  },
};

/** See above. */
export const FLV_TAGS: Rendering = { begin: () => FLV_TAG_RENDERER };

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
