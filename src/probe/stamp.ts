/**
 * The stamp in every picture of the synthetic stream: when it was made. A player of the stream can
 * read it and show the delay from end to end, a web page too.
 *
 * It is an H.264 SEI message of user data (ITU-T H.264 D.1.6), the first NAL unit of its access unit:
 *
 *     06 05 20                            NAL type SEI, payload type 5, 32 bytes
 *     7372732d 65646765 2d737461 6d703031 UUID: the text "srs-edge-stamp01"
 *     u32  run                            random number of the publisher's run
 *     u32  number                         of the picture within the run, from 0 on
 *     f64  time                           ms since 1970 UTC, with fractions
 *     80                                  end of the NAL unit
 *
 * All numbers are big-endian; a byte 03 stands after every two zero bytes that are followed by a byte
 * below 4, as in every NAL unit.
 * @module
 */

import { unescapeNal } from "../codec/bit_reader.ts";
import { VideoCodec, videoCodec, videoConfigOffset } from "../codec/video_header.ts";

/** What a picture says of itself. */
export interface Stamp {
  readonly run: number;
  readonly number: number;
  /** ms since 1970 UTC. */
  readonly time: number;
}

const UUID = new TextEncoder().encode("srs-edge-stamp01");
const NAL_SEI = 6;
const PAYLOAD_USER_DATA = 5;
/** Bytes of the payload: UUID, run, number, time. */
const PAYLOAD_BYTES = 32;
const HEAD_BYTES = 3;
/** Bytes before the first NAL unit of a legacy AVC message. */
const FRAME_HEADER_BYTES = 5;
/** NAL units looked at: ours is the first, after a delimiter that a relay may have put there. */
const NALS_MAX = 4;

/** The stamp's NAL unit, without the bytes 03. */
export function stampNal({ run, number, time }: Stamp): Uint8Array {
  const nal = new Uint8Array(HEAD_BYTES + PAYLOAD_BYTES + 1);
  nal.set([NAL_SEI, PAYLOAD_USER_DATA, PAYLOAD_BYTES]);
  nal.set(UUID, HEAD_BYTES);
  const view = new DataView(nal.buffer, HEAD_BYTES + UUID.length);
  view.setUint32(0, run);
  view.setUint32(4, number);
  view.setFloat64(8, time);
  nal[nal.length - 1] = 0x80;
  return nal;
}

/** The stamp of an H.264 video message; null if it has none. Never throws. */
export function readStamp(payload: Uint8Array): Stamp | null {
  if (videoCodec(payload) !== VideoCodec.H264 || (payload[0] & 0x80) !== 0) return null;
  if (videoConfigOffset(payload) >= 0) return null;
  let at = FRAME_HEADER_BYTES;
  for (let i = 0; i < NALS_MAX && at + 4 < payload.length; i++) {
    const size = ((payload[at] << 24) | (payload[at + 1] << 16) | (payload[at + 2] << 8) |
      payload[at + 3]) >>> 0;
    at += 4;
    if ((payload[at] & 0x1f) === NAL_SEI) {
      const stamp = readNal(unescapeNal(payload.subarray(at, at + size)));
      if (stamp) return stamp;
    }
    at += size;
  }
  return null;
}

function readNal(nal: Uint8Array): Stamp | null {
  if (nal.length < HEAD_BYTES + PAYLOAD_BYTES) return null;
  if (nal[1] !== PAYLOAD_USER_DATA || nal[2] !== PAYLOAD_BYTES) return null;
  if (!UUID.every((byte, i) => nal[HEAD_BYTES + i] === byte)) return null;
  const view = new DataView(nal.buffer, nal.byteOffset + HEAD_BYTES + UUID.length);
  const stamp = { run: view.getUint32(0), number: view.getUint32(4), time: view.getFloat64(8) };
  return Number.isFinite(stamp.time) ? stamp : null;
}
