/**
 * What Enhanced RTMP's video and audio headers have in common, and the bit set in which both tell what a
 * message is. Everything here runs once for each message and allocates nothing.
 *
 * After the first byte, whose low nibble is the packet type (Enhanced RTMP v2):
 *
 *     ModEx (7), any number of times: size-1 (u8; 255: u16 size-1 follows), data, type | packet type
 *     Multitrack (6): multitrack type | packet type
 *     FourCC (4)                      but not here with many codecs
 *     of each track, if Multitrack: [FourCC if many codecs] track id (1) [size (3) unless one track]
 *     body
 * @module
 */

/**
 * What a message is, as bits. KEYFRAME is set only on coded frames: a sequence header is not the start
 * of a GOP, whatever its frame type bits say. A message that is empty or broken has no bits and is
 * relayed like any other (H13, H14, Q42).
 */
export const FrameFlag = {
  /** A coded video frame that decoding can start with. */
  KEYFRAME: 1,
  /** Decoder configuration with a body; an empty one (Q41) must not replace a good one in a cache. */
  SEQUENCE_HEADER: 2,
  /** The stream ends here. */
  END_OF_SEQUENCE: 4,
  /** Enhanced video metadata, in practice `colorInfo`. */
  METADATA: 8,
  /** Video info or command frame (frame type 5). */
  COMMAND: 16,
  /** Enhanced audio MultichannelConfig. */
  MULTICHANNEL_CONFIG: 32,
  /** Enhanced multitrack; `trackIdOf` tells the track. The other bits speak of its first track. */
  MULTITRACK: 64,
  /** A track other than 0: of no use to players that know one track only (Q60). */
  SIDE_TRACK: 128,
} as const;

/** What a late joiner needs before the first frame; each kind is cached by itself. */
export const JOIN_FLAGS = FrameFlag.SEQUENCE_HEADER | FrameFlag.METADATA |
  FrameFlag.MULTICHANNEL_CONFIG;

/** Enhanced packet types that video and audio share; 4 and 5 differ. */
export const ExPacketType = {
  SEQUENCE_START: 0,
  CODED_FRAMES: 1,
  SEQUENCE_END: 2,
  CODED_FRAMES_X: 3,
  VIDEO_METADATA: 4,
  AUDIO_MULTICHANNEL_CONFIG: 4,
  VIDEO_MPEG2TS_SEQUENCE_START: 5,
  AUDIO_MULTITRACK: 5,
  VIDEO_MULTITRACK: 6,
  MOD_EX: 7,
} as const;

/** Result of a parser here when the header does not fit its message. */
export const BROKEN_HEADER = -1;

/** ModEx blocks that are followed in one header (H14). One kind exists; each may come once. */
const MOD_EX_MAX = 16;

const MANY_TRACKS = 1;
const MANY_TRACKS_MANY_CODECS = 2;

/**
 * Follows ModEx and Multitrack. Returns `BROKEN_HEADER`, or a small integer to be read with
 * `packetTypeOf`, `fourCcOf`, `trackIdOf` and `bodyOffsetOf`.
 * @param multitrack The packet type that means Multitrack: 6 for video, 5 for audio.
 */
export function parseExHeader(payload: Uint8Array, multitrack: number): number {
  const start = skipModEx(payload);
  if (start < 0 || packetTypeOf(start) !== multitrack) return start;
  const at = start >> 6;
  if (at >= payload.length) return BROKEN_HEADER;
  const type = payload[at] & 15;
  const layout = payload[at] >> 4;
  // Neither a multitrack inside a multitrack nor a ModEx behind it is allowed.
  if (type === multitrack || type === ExPacketType.MOD_EX || layout > MANY_TRACKS_MANY_CODECS) {
    return BROKEN_HEADER;
  }
  return ((at + 1) << 6) | ((layout + 1) << 4) | type;
}

/**
 * Follows only ModEx: the packet type found may be Multitrack. Result as of `parseExHeader`.
 * Bits 0-3 packet type, bits 4-5 multitrack layout plus one, from bit 6 on the offset that follows.
 */
export function skipModEx(payload: Uint8Array): number {
  if (payload.length === 0) return BROKEN_HEADER;
  let type = payload[0] & 15;
  let at = 1;
  for (let i = 0; type === ExPacketType.MOD_EX; i++) {
    if (i === MOD_EX_MAX || at + 3 > payload.length) return BROKEN_HEADER;
    let size = payload[at++] + 1;
    if (size === 256) {
      size = ((payload[at] << 8) | payload[at + 1]) + 1;
      at += 2;
    }
    at += size;
    if (at >= payload.length) return BROKEN_HEADER;
    type = payload[at++] & 15;
  }
  return (at << 6) | type;
}

/** The packet type of a parsed header; of the tracks, if there are any. */
export function packetTypeOf(header: number): number {
  return header & 15;
}

/** Where what follows ModEx, or the layout byte of Multitrack, begins. */
export function nextOffsetOf(header: number): number {
  return header >> 6;
}

/** Whether a parsed header is a multitrack one. */
export function isMultitrack(header: number): boolean {
  return (header & 0x30) !== 0;
}

/** The FourCC, of the first track if there are more, as a big-endian number; 0 if it is cut off. */
export function fourCcOf(payload: Uint8Array, header: number): number {
  const at = header >> 6;
  if (at + 4 > payload.length) return 0;
  return ((payload[at] << 24) | (payload[at + 1] << 16) | (payload[at + 2] << 8) |
    payload[at + 3]) >>> 0;
}

/** The id of the first track, 0 without tracks, `BROKEN_HEADER` if it is cut off. */
export function trackIdOf(payload: Uint8Array, header: number): number {
  if (!isMultitrack(header)) return 0;
  // The FourCC stands before the id in all three layouts.
  const at = (header >> 6) + 4;
  return at < payload.length ? payload[at] : BROKEN_HEADER;
}

/** Where the body, of the first track, begins; may lie past the end of a message that is cut off. */
export function bodyOffsetOf(header: number): number {
  const layout = ((header >> 4) & 3) - 1;
  if (layout < 0) return (header >> 6) + 4;
  return (header >> 6) + 5 + (layout >= MANY_TRACKS ? 3 : 0);
}

/** A FourCC as the number that `fourCcOf` gives. */
export function fourCc(text: string): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value = value * 256 + text.charCodeAt(i);
  return value;
}
