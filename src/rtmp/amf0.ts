/**
 * AMF0: the encoding of RTMP commands, their answers, and metadata.
 *
 * A value is one marker byte and what follows it:
 *
 *     00 number      f64                     09 object end  (only after an empty name)
 *     01 boolean     u8                      0A strict array u32 count, values
 *     02 string      u16 length, UTF-8       0B date        f64 ms, i16 zone
 *     03 object      properties, 00 00 09    0C long string u32 length, UTF-8
 *     05 null        -                       0D unsupported -
 *     06 undefined   -                       0F XML         u32 length, UTF-8
 *     07 reference   u16 index               10 typed object u16 + class name, as 03
 *     08 ECMA array  u32 hint, as 03         11 AMF3        one AMF3 value
 *
 * A property is a name (u16 length, UTF-8) and a value.
 * @module
 */

import { readAmf3, writeAmf3 } from "./amf3.ts";
import { AmfInput } from "./amf_input.ts";
import {
  AmfAvmPlus,
  AmfDate,
  AmfEcmaArray,
  AmfObject,
  type AmfProperties,
  AmfReference,
  AmfTypedObject,
  AmfUnsupported,
  type AmfValue,
  AmfXml,
} from "./amf_value.ts";
import { ByteWriter } from "./byte_writer.ts";
import { ErrorCode, RtmpError } from "./error.ts";

/** AMF0's marker bytes. */
export const Amf0Marker = {
  NUMBER: 0x00,
  BOOLEAN: 0x01,
  STRING: 0x02,
  OBJECT: 0x03,
  NULL: 0x05,
  UNDEFINED: 0x06,
  REFERENCE: 0x07,
  ECMA_ARRAY: 0x08,
  OBJECT_END: 0x09,
  STRICT_ARRAY: 0x0a,
  DATE: 0x0b,
  LONG_STRING: 0x0c,
  UNSUPPORTED: 0x0d,
  XML: 0x0f,
  TYPED_OBJECT: 0x10,
  AVMPLUS: 0x11,
} as const;

/** Bytes behind the markers of values that have a fixed size. */
const FIXED_BYTES: Readonly<Record<number, number>> = {
  [Amf0Marker.NUMBER]: 8,
  [Amf0Marker.BOOLEAN]: 1,
  [Amf0Marker.NULL]: 0,
  [Amf0Marker.UNDEFINED]: 0,
  [Amf0Marker.REFERENCE]: 2,
  [Amf0Marker.DATE]: 10,
  [Amf0Marker.UNSUPPORTED]: 0,
};

/** Longest text whose length fits the u16 of a string or a property name, bytes. */
const MAX_SHORT_UTF8 = 0xffff;

/**
 * Reads the values of one message one by one, so that optional trailing arguments and trailing rubbish
 * are the caller's decision. Throws `RtmpError` AMF_DECODE and nothing else; after that the reader is
 * of no more use.
 */
export class Amf0Reader {
  readonly #input: AmfInput;

  /** @param bytes One message's payload, not changed and not kept beyond the reader's life. */
  constructor(bytes: Uint8Array, start = 0) {
    this.#input = new AmfInput(bytes);
    this.#input.position = start;
  }

  /** Offset of the next value, bytes. */
  get position(): number {
    return this.#input.position;
  }

  /** Whether all bytes were read. */
  get done(): boolean {
    return this.#input.remaining <= 0;
  }

  /** Reads the next value. */
  value(): AmfValue {
    const input = this.#input;
    input.count(1);
    const marker = input.u8();
    switch (marker) {
      case Amf0Marker.NUMBER:
        return input.f64();
      case Amf0Marker.BOOLEAN:
        return input.u8() !== 0;
      case Amf0Marker.STRING:
        return input.utf8(input.u16());
      case Amf0Marker.OBJECT:
        return this.#properties(new AmfObject());
      case Amf0Marker.NULL:
        return null;
      case Amf0Marker.UNDEFINED:
        return undefined;
      case Amf0Marker.REFERENCE:
        return new AmfReference(input.u16());
      case Amf0Marker.ECMA_ARRAY:
        // DJI, Dahua and ffmpeg write 0 or a wrong count (Q36): only the end marker tells.
        input.u32();
        return this.#properties(new AmfEcmaArray());
      case Amf0Marker.STRICT_ARRAY:
        return this.#strictArray();
      case Amf0Marker.DATE:
        return new AmfDate(input.f64(), input.i16());
      case Amf0Marker.LONG_STRING:
        return input.utf8(input.u32());
      case Amf0Marker.UNSUPPORTED:
        return new AmfUnsupported();
      case Amf0Marker.XML:
        return new AmfXml(input.utf8(input.u32()));
      case Amf0Marker.TYPED_OBJECT:
        return this.#properties(new AmfTypedObject(input.utf8(input.u16())));
      case Amf0Marker.AVMPLUS:
        return new AmfAvmPlus(readAmf3(input));
      default:
        return input.fail(`no AMF0 value begins with the byte 0x${marker.toString(16)}`);
    }
  }

  /**
   * Passes over the next value and tells how many values it consists of. These do not count against the
   * limit of values, and nothing is kept of them; nesting is limited as ever. AMF3 behind marker 11 is
   * read, and counts.
   */
  skip(): number {
    const input = this.#input;
    const marker = input.u8();
    const fixed = FIXED_BYTES[marker];
    if (fixed !== undefined) {
      input.take(fixed, "a value");
      return 1;
    }
    switch (marker) {
      case Amf0Marker.STRING:
        input.take(input.u16(), "a string");
        return 1;
      case Amf0Marker.LONG_STRING:
      case Amf0Marker.XML:
        input.take(input.u32(), "a string");
        return 1;
      case Amf0Marker.TYPED_OBJECT:
        input.take(input.u16(), "a string");
        return this.#skipProperties();
      case Amf0Marker.ECMA_ARRAY:
        input.u32();
        return this.#skipProperties();
      case Amf0Marker.OBJECT:
        return this.#skipProperties();
      case Amf0Marker.STRICT_ARRAY:
        return this.#skipItems(input.u32());
      default:
        input.position--;
        this.value();
        return 1;
    }
  }

  /**
   * If the next value is an object or an ECMA array: goes into it and calls `take` with the name of each
   * property, whose value it has to read or skip. False: it is something else, and is still to be read.
   */
  eachProperty(take: (name: string) => void): boolean {
    const input = this.#input;
    const from = input.position;
    const marker = input.u8();
    if (marker === Amf0Marker.ECMA_ARRAY) input.u32();
    else if (marker === Amf0Marker.TYPED_OBJECT) input.take(input.u16(), "a class name");
    else if (marker !== Amf0Marker.OBJECT) {
      input.position = from;
      return false;
    }
    input.enter();
    while (input.remaining > 0) {
      if (input.atObjectEnd()) {
        input.position += 3;
        break;
      }
      take(input.utf8(input.u16()));
    }
    input.leave();
    return true;
  }

  #skipProperties(): number {
    const input = this.#input;
    let values = 1;
    input.enter();
    while (input.remaining > 0) {
      if (input.atObjectEnd()) {
        input.position += 3;
        break;
      }
      input.take(input.u16(), "a name");
      values += this.skip();
    }
    input.leave();
    return values;
  }

  #skipItems(count: number): number {
    const input = this.#input;
    if (count > input.remaining) input.fail(`an array of ${count} values does not fit`);
    let values = 1;
    input.enter();
    for (let i = 0; i < count; i++) values += this.skip();
    input.leave();
    return values;
  }

  #properties<T extends AmfProperties<AmfValue>>(into: T): T {
    const input = this.#input;
    input.enter();
    // Envivio leaves the end marker out at the end of the message (Q17), so does SRS allow.
    while (input.remaining > 0) {
      if (input.atObjectEnd()) {
        input.position += 3;
        break;
      }
      const name = input.utf8(input.u16());
      into.set(name, this.value());
    }
    input.leave();
    return into;
  }

  #strictArray(): AmfValue[] {
    const input = this.#input;
    const count = input.u32();
    if (count > input.remaining) input.fail(`an array of ${count} values does not fit`);
    input.enter();
    const items: AmfValue[] = [];
    while (items.length < count) items.push(this.value());
    input.leave();
    return items;
  }
}

/** Reads all values of a payload. Throws `RtmpError` AMF_DECODE. */
export function decodeAmf0All(bytes: Uint8Array): AmfValue[] {
  const reader = new Amf0Reader(bytes);
  const values: AmfValue[] = [];
  while (!reader.done) values.push(reader.value());
  return values;
}

/**
 * Appends one value. A string that is too long for marker 02 becomes a long string. Throws `RtmpError`
 * AMF_INVALID for a property name or class name above 65535 bytes: AMF0 has no form for it.
 */
export function writeAmf0(out: ByteWriter, value: AmfValue): void {
  if (typeof value === "number") {
    out.u8(Amf0Marker.NUMBER);
    out.f64(value);
  } else if (typeof value === "boolean") {
    out.u8(Amf0Marker.BOOLEAN);
    out.u8(value ? 1 : 0);
  } else if (typeof value === "string") {
    writeString(out, value);
  } else if (value === null) {
    out.u8(Amf0Marker.NULL);
  } else if (value === undefined) {
    out.u8(Amf0Marker.UNDEFINED);
  } else if (Array.isArray(value)) {
    out.u8(Amf0Marker.STRICT_ARRAY);
    out.u32(value.length);
    for (const item of value) writeAmf0(out, item);
  } else {
    writeComplex(out, value);
  }
}

/** Encodes values one after the other, as in a command's payload. Throws as `writeAmf0`. */
export function encodeAmf0(...values: AmfValue[]): Uint8Array {
  const out = new ByteWriter();
  for (const value of values) writeAmf0(out, value);
  return out.bytes();
}

function writeComplex(out: ByteWriter, value: Exclude<AmfValue & object, AmfValue[]>): void {
  switch (value.kind) {
    case "object":
      out.u8(Amf0Marker.OBJECT);
      writeProperties(out, value);
      break;
    case "ecma-array":
      out.u8(Amf0Marker.ECMA_ARRAY);
      out.u32(value.size);
      writeProperties(out, value);
      break;
    case "typed-object":
      out.u8(Amf0Marker.TYPED_OBJECT);
      writeName(out, value.className);
      writeProperties(out, value);
      break;
    case "date":
      out.u8(Amf0Marker.DATE);
      out.f64(value.time);
      out.u16(value.zone);
      break;
    case "xml":
      out.u8(Amf0Marker.XML);
      out.u32(ByteWriter.utf8Length(value.text));
      out.utf8(value.text);
      break;
    case "unsupported":
      out.u8(Amf0Marker.UNSUPPORTED);
      break;
    case "reference":
      out.u8(Amf0Marker.REFERENCE);
      out.u16(value.index);
      break;
    case "avmplus":
      out.u8(Amf0Marker.AVMPLUS);
      writeAmf3(out, value.value);
      break;
  }
}

function writeString(out: ByteWriter, text: string): void {
  const length = ByteWriter.utf8Length(text);
  if (length <= MAX_SHORT_UTF8) {
    out.u8(Amf0Marker.STRING);
    out.u16(length);
  } else {
    out.u8(Amf0Marker.LONG_STRING);
    out.u32(length);
  }
  out.utf8(text);
}

function writeName(out: ByteWriter, name: string): void {
  const length = ByteWriter.utf8Length(name);
  if (length > MAX_SHORT_UTF8) {
    throw new RtmpError(
      ErrorCode.AMF_INVALID,
      `AMF: a name of ${length} bytes cannot be written, ${MAX_SHORT_UTF8} is the most`,
    );
  }
  out.u16(length);
  out.utf8(name);
}

function writeProperties(out: ByteWriter, properties: AmfProperties<AmfValue>): void {
  for (const [name, value] of properties) {
    writeName(out, name);
    writeAmf0(out, value);
  }
  out.u16(0);
  out.u8(Amf0Marker.OBJECT_END);
}
