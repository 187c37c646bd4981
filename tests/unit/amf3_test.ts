/**
 * AMF3: bytes, reference tables, write/read identity, and hostile input.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeAmf3, encodeAmf3 } from "../../src/rtmp/amf3.ts";
import { propertyOf } from "../../src/rtmp/amf_access.ts";
import { AMF_MAX_DEPTH } from "../../src/rtmp/limits.ts";
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
} from "../../src/rtmp/amf_value.ts";
import { ErrorCode, RtmpError } from "../../src/rtmp/error.ts";
import { concat, hex, toHex } from "./hex.ts";

const isDecodeError = (error: unknown) =>
  error instanceof RtmpError && error.code === ErrorCode.AMF_DECODE;

const text = fc.string({ unit: "grapheme", maxLength: 6 });
const name = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }),
  fc.constantFrom("__proto__", "constructor"),
);
const leaf: fc.Arbitrary<Amf3Value> = fc.oneof(
  fc.double(),
  fc.integer({ min: -0x10000001, max: 0x10000000 }),
  fc.boolean(),
  text,
  fc.constant(null),
  fc.constant(undefined),
  fc.double().map((time) => new AmfDate(time)),
  fc.tuple(text, fc.boolean()).map(([xml, document]) => new AmfXml(xml, document)),
  fc.uint8Array({ maxLength: 8 }),
  fc.tuple(fc.int32Array({ maxLength: 4 }), fc.boolean())
    .map(([items, fixed]) => new Amf3Vector(items, fixed)),
  fc.uint32Array({ maxLength: 4 }).map((items) => new Amf3Vector(items)),
  fc.float64Array({ maxLength: 4 }).map((items) => new Amf3Vector(items)),
);
/** Shared by many objects, so that traits references are written. */
const SHARED = new Amf3Traits("Shared", ["a", "b"], false);
function values(depth: number): fc.Arbitrary<Amf3Value> {
  if (depth === 0) return leaf;
  const inner = values(depth - 1);
  const list = fc.array(inner, { maxLength: 3 });
  const entries = fc.array(fc.tuple(name, inner), { maxLength: 3 });
  return fc.oneof(
    leaf,
    fc.tuple(list, entries).map(([dense, named]) => new Amf3Array(dense, named)),
    entries.map((named) => new Amf3Object(new Amf3Traits("", [], true), named)),
    fc.tuple(inner, inner).map(([a, b]) => new Amf3Object(SHARED, [["a", a], ["b", b]])),
    fc.tuple(text, list, fc.boolean())
      .map(([type, items, fixed]) => new Amf3ObjectVector(type, items, fixed)),
    fc.tuple(fc.array(fc.tuple(inner, inner), { maxLength: 2 }), fc.boolean())
      .map(([pairs, weak]) => new Amf3Dictionary(pairs, weak)),
  );
}

Deno.test("AMF3: each marker decodes to its type", () => {
  const cases: [string, Amf3Value][] = [
    ["00", undefined],
    ["01", null],
    ["02", false],
    ["03", true],
    ["04 7f", 127],
    ["04 81 00", 128],
    ["04 bf ff ff ff", 0x0fffffff],
    ["04 c0 80 80 00", -0x10000000],
    ["04 ff ff ff ff", -1],
    ["05 3ff8000000000000", 1.5],
    ["06 03 61", "a"],
    ["06 01", ""],
    ["07 03 78", new AmfXml("x", true)],
    ["0b 03 78", new AmfXml("x", false)],
    ["08 01 4000000000000000", new AmfDate(2)],
    ["09 03 03 6b 04 01 01 04 02", new Amf3Array([2], [["k", 1]])],
    ["0c 05 0102", hex("0102")],
    ["0d 03 01 ffffffff", new Amf3Vector(Int32Array.of(-1), true)],
    ["0e 03 00 ffffffff", new Amf3Vector(Uint32Array.of(0xffffffff))],
    ["0f 03 00 3ff8000000000000", new Amf3Vector(Float64Array.of(1.5))],
    ["10 03 00 03 54 01", new Amf3ObjectVector("T", [null])],
    ["11 03 01 04 01 03", new Amf3Dictionary([[1, true]], true)],
    [
      "0a 1b 03 43 03 61 04 01 03 62 04 02 01",
      new Amf3Object(new Amf3Traits("C", ["a"], true), [["a", 1], ["b", 2]]),
    ],
  ];
  for (const [bytes, expected] of cases) {
    assert.deepEqual(decodeAmf3(hex(bytes)), expected, bytes);
    assert.equal(toHex(encodeAmf3(expected)), bytes.replaceAll(" ", ""), bytes);
  }
});

Deno.test("AMF3: strings and traits are looked up in their tables", () => {
  // Two objects of class "C" with member "a"; the second by traits reference, its value by string
  // reference 0, which is the class name.
  const bytes = hex("09 05 01 0a 13 03 43 03 61 06 03 78 0a 01 06 00");
  const array = decodeAmf3(bytes);
  assert.ok(array instanceof Amf3Array);
  assert.equal(propertyOf(array.dense[0], "a"), "x");
  assert.equal(propertyOf(array.dense[1], "a"), "C");
  assert.equal(toHex(encodeAmf3(array)), toHex(bytes));
});

Deno.test("AMF3: what repeats is written once", () => {
  const long = "x".repeat(1000);
  assert.ok(encodeAmf3(new Amf3Array(Array<string>(100).fill(long))).length < 1400);
});

Deno.test("AMF3 H7: an object may refer to itself, without harm", () => {
  const value = decodeAmf3(hex("09 03 01 09 00"));
  assert.deepEqual(value, new Amf3Array([new AmfReference(0)]));
  assert.deepEqual(decodeAmf3(encodeAmf3(value)), value);
});

Deno.test("AMF3 H7: references to nothing, externalizable objects and bad markers are refused", () => {
  for (const bytes of ["06 02", "09 00", "0a 05", "0a 01", "0a 07 03 43 00", "12", "ff", "01 01"]) {
    assert.throws(() => decodeAmf3(hex(bytes)), isDecodeError, bytes);
  }
});

Deno.test("AMF3 H7: counts that the bytes cannot hold are refused before memory is taken", () => {
  const huge = "ff ff ff ff";
  const heads = ["06", "07", "0b", "0c", "0d", "0e", "0f", "10", "11", "0a"];
  for (const marker of heads) {
    assert.throws(() => decodeAmf3(hex(`${marker} ${huge} 01 01 01`)), isDecodeError, marker);
  }
  assert.throws(() => decodeAmf3(hex(`09 ${huge} 01 01`)), isDecodeError);
});

Deno.test("AMF3 H7: nesting and the number of values are limited", () => {
  const nested = (depth: number) => concat(...Array<string>(depth).fill("09 03 01"), "01");
  assert.ok(decodeAmf3(nested(AMF_MAX_DEPTH)) instanceof Amf3Array);
  assert.throws(() => decodeAmf3(nested(AMF_MAX_DEPTH + 1)), isDecodeError);
  assert.throws(() => decodeAmf3(nested(10_000)), isDecodeError);
  const wide = concat("09 81 a0 83 01", new Uint8Array(100_000).fill(1)); // 0x50180 values
  assert.throws(() => decodeAmf3(wide), isDecodeError);
});

Deno.test("AMF3: an empty dynamic name cannot be written", () => {
  const object = new Amf3Array([], [["", 1]]);
  assert.throws(
    () => encodeAmf3(object),
    (e) => e instanceof RtmpError && e.code === ErrorCode.AMF_INVALID,
  );
});

Deno.test("AMF3: writing and reading back is the identity", () => {
  fc.assert(fc.property(values(3), (value) => {
    const bytes = encodeAmf3(value);
    const read = decodeAmf3(bytes);
    assert.deepEqual(read, value);
    assert.equal(toHex(encodeAmf3(read)), toHex(bytes));
  }));
});

Deno.test("AMF3 H7: arbitrary and cut bytes give a value or an RtmpError", () => {
  const shaped = fc.array(fc.oneof(fc.nat(0x12), fc.nat(9), fc.nat(255)), { maxLength: 40 })
    .map((list) => Uint8Array.from(list));
  const cut = fc.tuple(values(3), fc.nat(200)).map(([v, end]) => encodeAmf3(v).subarray(0, end));
  fc.assert(
    fc.property(fc.oneof(shaped, cut), (bytes) => {
      let read: Amf3Value;
      try {
        read = decodeAmf3(bytes);
      } catch (error) {
        assert.ok(isDecodeError(error), String(error));
        return;
      }
      assert.deepEqual(decodeAmf3(encodeAmf3(read)), read);
    }),
    { numRuns: 2000 },
  );
});
