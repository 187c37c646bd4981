/**
 * AMF3, as it appears inside AMF0 behind marker 11 (Q35). Each such value has reference tables
 * of its own.
 *
 * Lengths, counts and references are U29: up to four bytes of 7, 7, 7 and 8 bits. Most complex values
 * begin with a U29 whose lowest bit tells a reference (0) from a value (1).
 *
 * Strings and traits referred to are looked up. References to objects stay `AmfReference`: see there.
 * @module
 */

import { AmfInput } from "./amf_input.ts";
import {
  Amf3Array,
  Amf3Dictionary,
  Amf3Object,
  Amf3ObjectVector,
  Amf3Traits,
  type Amf3Value,
  Amf3Vector,
  AmfDate,
  AmfReference,
  AmfXml,
} from "./amf_value.ts";
import { ByteWriter } from "./byte_writer.ts";
import { ErrorCode, RtmpError } from "./error.ts";

/** AMF3's marker bytes. */
export const Amf3Marker = {
  UNDEFINED: 0x00,
  NULL: 0x01,
  FALSE: 0x02,
  TRUE: 0x03,
  INTEGER: 0x04,
  DOUBLE: 0x05,
  STRING: 0x06,
  XML_DOCUMENT: 0x07,
  DATE: 0x08,
  ARRAY: 0x09,
  OBJECT: 0x0a,
  XML: 0x0b,
  BYTE_ARRAY: 0x0c,
  VECTOR_INT: 0x0d,
  VECTOR_UINT: 0x0e,
  VECTOR_DOUBLE: 0x0f,
  VECTOR_OBJECT: 0x10,
  DICTIONARY: 0x11,
} as const;

const U29_MAX = 0x1fffffff;
const INTEGER_MIN = -0x10000000;
const INTEGER_MAX = 0x0fffffff;

/** Reads one AMF3 value; throws `RtmpError` AMF_DECODE. */
export function readAmf3(input: AmfInput): Amf3Value {
  return new Amf3Reader(input).value();
}

/** Reads a payload that is one AMF3 value; throws `RtmpError` AMF_DECODE, also when bytes are left. */
export function decodeAmf3(bytes: Uint8Array): Amf3Value {
  const input = new AmfInput(bytes);
  const value = readAmf3(input);
  if (input.remaining > 0) input.fail("bytes left after the AMF3 value");
  return value;
}

/**
 * Appends one AMF3 value, strings and traits that repeat as references. Throws `RtmpError` AMF_INVALID
 * for what AMF3 cannot express: an empty dynamic name, or anything of 2^28 bytes or items.
 */
export function writeAmf3(out: ByteWriter, value: Amf3Value): void {
  new Amf3Writer(out).value(value);
}

/** Encodes one AMF3 value. Throws as `writeAmf3`. */
export function encodeAmf3(value: Amf3Value): Uint8Array {
  const out = new ByteWriter();
  writeAmf3(out, value);
  return out.bytes();
}

class Amf3Reader {
  readonly #input: AmfInput;
  readonly #strings: string[] = [];
  readonly #traits: Amf3Traits[] = [];
  #objects = 0;

  constructor(input: AmfInput) {
    this.#input = input;
  }

  value(): Amf3Value {
    const input = this.#input;
    input.count(1);
    const marker = input.u8();
    switch (marker) {
      case Amf3Marker.UNDEFINED:
        return undefined;
      case Amf3Marker.NULL:
        return null;
      case Amf3Marker.FALSE:
        return false;
      case Amf3Marker.TRUE:
        return true;
      case Amf3Marker.INTEGER: {
        const value = this.#u29();
        return value > INTEGER_MAX ? value - U29_MAX - 1 : value;
      }
      case Amf3Marker.DOUBLE:
        return input.f64();
      case Amf3Marker.STRING:
        return this.#string();
      default:
        return this.#complex(marker);
    }
  }

  #complex(marker: number): Amf3Value {
    const input = this.#input;
    if (marker > Amf3Marker.DICTIONARY) {
      input.fail(`no AMF3 value begins with the byte 0x${marker.toString(16)}`);
    }
    const head = this.#u29();
    const rest = head >> 1;
    if ((head & 1) === 0) {
      if (rest >= this.#objects) input.fail(`AMF3 object reference ${rest} points to nothing`);
      return new AmfReference(rest);
    }
    this.#objects++;
    switch (marker) {
      case Amf3Marker.XML_DOCUMENT:
        return new AmfXml(input.utf8(rest), true);
      case Amf3Marker.XML:
        return new AmfXml(input.utf8(rest), false);
      case Amf3Marker.DATE:
        return new AmfDate(input.f64());
      case Amf3Marker.BYTE_ARRAY:
        return input.take(rest, "a ByteArray").slice();
      case Amf3Marker.VECTOR_INT:
      case Amf3Marker.VECTOR_UINT:
      case Amf3Marker.VECTOR_DOUBLE:
        return this.#numbers(marker, rest);
    }
    input.enter();
    const value = this.#container(marker, rest);
    input.leave();
    return value;
  }

  #container(marker: number, rest: number): Amf3Value {
    switch (marker) {
      case Amf3Marker.ARRAY: {
        const array = new Amf3Array([]);
        this.#named(array);
        this.#values(rest, array.dense);
        return array;
      }
      case Amf3Marker.VECTOR_OBJECT: {
        const fixed = this.#input.u8() !== 0;
        return new Amf3ObjectVector(this.#string(), this.#values(rest, []), fixed);
      }
      case Amf3Marker.DICTIONARY: {
        const weakKeys = this.#input.u8() !== 0;
        this.#mustFit(rest, 2);
        const entries: [Amf3Value, Amf3Value][] = [];
        while (entries.length < rest) entries.push([this.value(), this.value()]);
        return new Amf3Dictionary(entries, weakKeys);
      }
      default:
        return this.#object(rest);
    }
  }

  #object(head: number): Amf3Object {
    const traits = this.#readTraits(head);
    const object = new Amf3Object(traits);
    for (const name of traits.sealed) object.set(name, this.value());
    if (traits.dynamic) this.#named(object);
    return object;
  }

  /** `head` without the value bit: traits-inline bit, externalizable bit, dynamic bit, sealed count. */
  #readTraits(head: number): Amf3Traits {
    const input = this.#input;
    if ((head & 1) === 0) {
      return this.#traits[head >> 1] ??
        input.fail(`AMF3 traits reference ${head >> 1} points to nothing`);
    }
    const className = this.#string();
    if ((head & 2) !== 0) {
      input.fail(
        "an externalizable AMF3 object, whose length only its class knows, is not supported",
      );
    }
    const count = head >> 3;
    this.#mustFit(count, 1);
    input.count(count);
    const sealed: string[] = [];
    while (sealed.length < count) sealed.push(this.#string());
    const traits = new Amf3Traits(className, sealed, (head & 4) !== 0);
    this.#traits.push(traits);
    return traits;
  }

  #named(into: Amf3Array | Amf3Object): void {
    for (let name = this.#string(); name !== ""; name = this.#string()) {
      into.set(name, this.value());
    }
  }

  #values(count: number, into: Amf3Value[]): Amf3Value[] {
    this.#mustFit(count, 1);
    while (into.length < count) into.push(this.value());
    return into;
  }

  #numbers(marker: number, count: number): Amf3Vector {
    const input = this.#input;
    const fixed = input.u8() !== 0;
    if (marker === Amf3Marker.VECTOR_DOUBLE) {
      this.#mustFit(count, 8);
      return new Amf3Vector(new Float64Array(count).map(() => input.f64()), fixed);
    }
    this.#mustFit(count, 4);
    const items = marker === Amf3Marker.VECTOR_INT ? new Int32Array(count) : new Uint32Array(count);
    return new Amf3Vector(items.map(() => input.u32()), fixed);
  }

  #string(): string {
    const head = this.#u29();
    if ((head & 1) === 0) {
      return this.#strings[head >> 1] ??
        this.#input.fail(`AMF3 string reference ${head >> 1} points to nothing`);
    }
    const text = this.#input.utf8(head >> 1);
    // The empty string is never put in the table, by the specification.
    if (head > 1) this.#strings.push(text);
    return text;
  }

  #u29(): number {
    let value = 0;
    for (let i = 0; i < 3; i++) {
      const byte = this.#input.u8();
      if (byte < 0x80) return (value << 7) | byte;
      value = (value << 7) | (byte & 0x7f);
    }
    return (value << 8) | this.#input.u8();
  }

  /** Refuses a count that the bytes left cannot hold, before anything is allocated for it. */
  #mustFit(count: number, bytesEach: number): void {
    if (count * bytesEach > this.#input.remaining) {
      this.#input.fail(`${count} AMF3 items do not fit in the message`);
    }
  }
}

class Amf3Writer {
  readonly #out: ByteWriter;
  readonly #strings = new Map<string, number>();
  readonly #traits = new Map<Amf3Traits, number>();

  constructor(out: ByteWriter) {
    this.#out = out;
  }

  value(value: Amf3Value): void {
    const out = this.#out;
    if (value === undefined) out.u8(Amf3Marker.UNDEFINED);
    else if (value === null) out.u8(Amf3Marker.NULL);
    else if (typeof value === "boolean") out.u8(value ? Amf3Marker.TRUE : Amf3Marker.FALSE);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "string") {
      out.u8(Amf3Marker.STRING);
      this.#string(value);
    } else if (value instanceof Uint8Array) {
      this.#head(Amf3Marker.BYTE_ARRAY, value.length);
      out.raw(value);
    } else this.#complex(value);
  }

  #complex(value: Exclude<Amf3Value & object, Uint8Array>): void {
    const out = this.#out;
    switch (value.kind) {
      case "amf3-object":
        this.#object(value);
        break;
      case "amf3-array":
        this.#head(Amf3Marker.ARRAY, value.dense.length);
        for (const [name, item] of value) this.#named(name, item);
        this.#u29(1);
        for (const item of value.dense) this.value(item);
        break;
      case "amf3-vector":
        this.#vector(value);
        break;
      case "amf3-object-vector":
        this.#head(Amf3Marker.VECTOR_OBJECT, value.items.length);
        out.u8(value.fixed ? 1 : 0);
        this.#string(value.typeName);
        for (const item of value.items) this.value(item);
        break;
      case "amf3-dictionary":
        this.#head(Amf3Marker.DICTIONARY, value.entries.length);
        out.u8(value.weakKeys ? 1 : 0);
        for (const [key, item] of value.entries) {
          this.value(key);
          this.value(item);
        }
        break;
      case "date":
        this.#head(Amf3Marker.DATE, 0);
        out.f64(value.time);
        break;
      case "xml":
        this.#head(
          value.document ? Amf3Marker.XML_DOCUMENT : Amf3Marker.XML,
          ByteWriter.utf8Length(value.text),
        );
        out.utf8(value.text);
        break;
      case "reference":
        // Any complex marker will do: the table of objects is one for all of them.
        out.u8(Amf3Marker.OBJECT);
        this.#u29(value.index * 2);
        break;
    }
  }

  #number(value: number): void {
    const isInteger = Number.isInteger(value) && value >= INTEGER_MIN && value <= INTEGER_MAX &&
      !Object.is(value, -0);
    if (isInteger) {
      this.#out.u8(Amf3Marker.INTEGER);
      this.#u29(value & U29_MAX);
    } else {
      this.#out.u8(Amf3Marker.DOUBLE);
      this.#out.f64(value);
    }
  }

  #object(object: Amf3Object): void {
    const traits = object.traits;
    const known = this.#traits.get(traits);
    this.#out.u8(Amf3Marker.OBJECT);
    if (known !== undefined) {
      this.#u29(known * 4 + 1);
    } else {
      this.#traits.set(traits, this.#traits.size);
      this.#u29(traits.sealed.length * 16 + (traits.dynamic ? 8 : 0) + 3);
      this.#string(traits.className);
      for (const name of traits.sealed) this.#string(name);
    }
    for (const name of traits.sealed) this.value(object.get(name));
    if (!traits.dynamic) return;
    const sealed = new Set(traits.sealed);
    for (const [name, item] of object) {
      if (!sealed.has(name)) this.#named(name, item);
    }
    this.#u29(1);
  }

  #vector(vector: Amf3Vector): void {
    const out = this.#out;
    const items = vector.items;
    const marker = items instanceof Float64Array
      ? Amf3Marker.VECTOR_DOUBLE
      : items instanceof Int32Array
      ? Amf3Marker.VECTOR_INT
      : Amf3Marker.VECTOR_UINT;
    this.#head(marker, items.length);
    out.u8(vector.fixed ? 1 : 0);
    for (const item of items) {
      if (marker === Amf3Marker.VECTOR_DOUBLE) out.f64(item);
      else out.u32(item);
    }
  }

  #named(name: string, value: Amf3Value): void {
    if (name === "") throw invalid("an empty name ends a list of AMF3 members and cannot be one");
    this.#string(name);
    this.value(value);
  }

  #head(marker: number, rest: number): void {
    this.#out.u8(marker);
    this.#u29(rest * 2 + 1);
  }

  #string(text: string): void {
    const known = this.#strings.get(text);
    if (known !== undefined) {
      this.#u29(known * 2);
      return;
    }
    if (text !== "") this.#strings.set(text, this.#strings.size);
    this.#u29(ByteWriter.utf8Length(text) * 2 + 1);
    this.#out.utf8(text);
  }

  #u29(value: number): void {
    const out = this.#out;
    if (value > U29_MAX) throw invalid(`${value} is more than a U29 holds`);
    if (value < 0x80) out.u8(value);
    else if (value < 0x4000) {
      out.u8(0x80 | (value >> 7));
      out.u8(value & 0x7f);
    } else if (value < 0x200000) {
      out.u8(0x80 | (value >> 14));
      out.u8(0x80 | ((value >> 7) & 0x7f));
      out.u8(value & 0x7f);
    } else {
      out.u8(0x80 | (value >> 22));
      out.u8(0x80 | ((value >> 15) & 0x7f));
      out.u8(0x80 | ((value >> 8) & 0x7f));
      out.u8(value & 0xff);
    }
  }
}

function invalid(reason: string): RtmpError {
  return new RtmpError(ErrorCode.AMF_INVALID, `AMF: ${reason}`);
}
