/**
 * The publisher's `onMetaData` on its way to the players (Q36, Q37).
 * @module
 */

import { MAX_FIELDS } from "./limits.ts";
import { Amf0Marker, Amf0Reader, writeAmf0 } from "../rtmp/amf0.ts";
import { type AnyAmf, propertiesOf, stringOf } from "../rtmp/amf_access.ts";
import {
  Amf3Array,
  Amf3Dictionary,
  Amf3Object,
  Amf3ObjectVector,
  Amf3Vector,
  AmfAvmPlus,
  AmfEcmaArray,
  type AmfValue,
} from "../rtmp/amf_value.ts";
import { ByteWriter } from "../rtmp/byte_writer.ts";

/** Message type of a data message whose payload may begin with a format byte 00. */
const TYPE_DATA_AMF3 = 15;

const ON_METADATA = "onMetaData";

/** Our name for the field `server`. */
const SERVER_NAME = "srs-edge";

/** A live stream has no duration, and the server's fields are ours. */
const REPLACED = new Set(["duration", "server", "server_version"]);

/**
 * The index of a file's keyframes, by time and position in that file: of no use in a live stream, and as
 * long as the file.
 */
const KEYFRAME_INDEX = "keyframes";

/**
 * Values that one field may consist of. A list of some tracks has dozens; what has far more is an index
 * under another name (`seekpoints`, `cuePoints`), and would cost every joining player its bytes.
 */
const MAX_FIELD_VALUES = 512;

/**
 * Turns a data message into the payload that players get: `onMetaData` and an ECMA array with the
 * publisher's fields in order, without `duration`, and with `server` and `server_version` at the end.
 * Null for every other data message. Throws `RtmpError` as the AMF0 codec does.
 * @param type Message type, 18 or 15.
 * @param version Of this server, without its name.
 */
export function playerMetadata(
  type: number,
  payload: Uint8Array,
  version: string,
): Uint8Array | null {
  const fields = readMetadata(type, payload);
  return fields === null ? null : writeMetadata(fields, version);
}

/**
 * The fields of an `onMetaData` message, with or without `@setDataFrame`; empty if its body is a string
 * or missing. Without a keyframe index, and without fields of more than `MAX_FIELD_VALUES` values (F20).
 * Null for every other data message, ffmpeg's 4-byte time code included (Q49). Throws
 * `RtmpError` AMF_DECODE if it is metadata but broken.
 */
export function readMetadata(type: number, payload: Uint8Array): AmfEcmaArray | null {
  const start = type === TYPE_DATA_AMF3 && payload[0] === 0 ? 1 : 0;
  const marker = payload[start];
  // Nothing but a text can be a name; the rest is not even decoded.
  if (marker !== Amf0Marker.STRING && marker !== Amf0Marker.AVMPLUS) return null;
  const reader = new Amf0Reader(payload, start);
  let name = stringOf(reader.value());
  if (name === "@setDataFrame" && !reader.done) name = stringOf(reader.value());
  if (name !== ON_METADATA) return null;

  const fields = new AmfEcmaArray();
  if (reader.done) return fields;
  const isObject = reader.eachProperty((key) => {
    const from = reader.position;
    const isIndex = key === KEYFRAME_INDEX;
    if (reader.skip() > MAX_FIELD_VALUES || isIndex || fields.size >= MAX_FIELDS) return;
    fields.set(key, toAmf0(new Amf0Reader(payload, from).value()));
  });
  if (isObject) return fields;
  for (const [key, value] of propertiesOf(reader.value()) ?? []) {
    if (key !== KEYFRAME_INDEX) fields.set(key, toAmf0(value));
  }
  return fields;
}

/** The payload for players; see `playerMetadata`. */
export function writeMetadata(fields: AmfEcmaArray, version: string): Uint8Array {
  const kept = new AmfEcmaArray();
  for (const [key, value] of fields) {
    if (!REPLACED.has(key)) kept.set(key, value);
  }
  kept.set("server", `${SERVER_NAME}/${version}`);
  kept.set("server_version", version);
  const out = new ByteWriter();
  writeAmf0(out, ON_METADATA);
  writeAmf0(out, kept);
  return out.bytes();
}

/** What only AMF3 can express stays AMF3, behind marker 11. */
function toAmf0(value: AnyAmf): AmfValue {
  const onlyAmf3 = value instanceof Amf3Object || value instanceof Amf3Array ||
    value instanceof Amf3Vector || value instanceof Amf3ObjectVector ||
    value instanceof Amf3Dictionary || value instanceof Uint8Array;
  return onlyAmf3 ? new AmfAvmPlus(value) : value;
}
