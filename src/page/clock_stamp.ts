/**
 * Clock stamps in a stream: SEI messages of user data (ITU-T H.264 D.1.6) in which an encoder says when
 * it made a picture. With one of them the delay that is shown is the true one, from end to end.
 *
 *     UUID                              then
 *     "srs-edge-stamp01"                u32 run, u32 number, f64 ms since 1970       (srs-edge probe)
 *     "MISPmicrosectime"                u8 status, u64 microseconds since 1970, with a byte FF after
 *                                       every two bytes but the last                  (MISB ST 0604)
 *     0aecffe7 52724e2f a62fd19c d61a93b5
 *                                       u8 number of entries - 1, entries of u8 type, u8 event, value
 *                                       (Broadcast Performance Metrics: OBS with Enhanced Broadcasting)
 *
 * @module
 */

const TEXT = new TextDecoder();
const MISP_BYTES = 12;
const SRS_EDGE_BYTES = 16;
/** Kinds of value in OBS's entries: text of RFC 3339, u64 ms, u64 ns; and the event that counts. */
const BPM_TEXT = 1;
const BPM_COMPOSED = 1;
const BPM_UUID = "0aecffe752724e2fa62fd19cd61a93b5";
/** ms since 1970 that are believed: the years 2001 to 2100. */
const FIRST_TIME = 978_307_200_000;
const LAST_TIME = 4_102_444_800_000;

/** When the picture was made, ms since 1970 UTC; null: these user data are no stamp. Never throws. */
export function readClockStamp(uuid: Uint8Array, data: Uint8Array): number | null {
  const time = readTime(uuid, data);
  return time !== null && time > FIRST_TIME && time < LAST_TIME ? time : null;
}

function readTime(uuid: Uint8Array, data: Uint8Array): number | null {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  switch (TEXT.decode(uuid)) {
    case "srs-edge-stamp01":
      return data.length >= SRS_EDGE_BYTES ? view.getFloat64(8) : null;
    case "MISPmicrosectime":
      return data.length >= MISP_BYTES ? mispTime(view) : null;
  }
  return hex(uuid) === BPM_UUID ? composedTime(data) : null;
}

function mispTime(view: DataView): number {
  const words = [1, 4, 7, 10].map((at) => view.getUint16(at));
  return words.reduce((sum, word) => sum * 0x10000 + word, 0) / 1000;
}

/** The first entry, which OBS makes that of the composition; others would be later in the encoder. */
function composedTime(data: Uint8Array): number | null {
  if (data[1] !== BPM_TEXT || data[2] !== BPM_COMPOSED) return null;
  const end = data.indexOf(0, 3);
  const time = Date.parse(TEXT.decode(data.subarray(3, end < 0 ? data.length : end)));
  return Number.isNaN(time) ? null : time;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
