/**
 * A picture of H.264 or HEVC as MP4 wants it: NAL units, each behind its length. So FLV has it, too, but
 * for what careless encoders do: units without bytes (Q43), start codes instead of lengths (Q44).
 * @module
 */

import { type NalKinds, NalUnits } from "../codec/nal_units.ts";
import { START_CODE } from "../codec/parameter_sets.ts";

const units = new NalUnits();

/**
 * A copy of the picture in a message's `payload` from `offset` on, whose units have lengths of
 * `lengthBytes`. Empty when there is nothing in it.
 */
export function pictureSample(
  payload: Uint8Array,
  offset: number,
  lengthBytes: number,
  kinds: NalKinds,
): Uint8Array {
  units.find(payload, offset, lengthBytes, kinds);
  const size = units.bytes - (START_CODE.length - lengthBytes) * units.count;
  const sample = new Uint8Array(size);
  let at = 0;
  units.each((start, end) => {
    for (let shift = 8 * (lengthBytes - 1), length = end - start; shift >= 0; shift -= 8) {
      sample[at++] = length >>> shift;
    }
    sample.set(payload.subarray(start, end), at);
    at += end - start;
  });
  return sample;
}
