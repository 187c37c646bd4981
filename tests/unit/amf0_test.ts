/**
 * AMF0: bytes as clients write them, write/read identity, and hostile input.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Amf0Reader, decodeAmf0All, encodeAmf0 } from "../../src/rtmp/amf0.ts";
import {
  booleanOf,
  numberOf,
  propertiesOf,
  propertyOf,
  stringOf,
} from "../../src/rtmp/amf_access.ts";
import { AMF_MAX_DEPTH, AMF_MAX_ITEMS } from "../../src/rtmp/limits.ts";
import {
  Amf3Array,
  AmfAvmPlus,
  AmfDate,
  AmfEcmaArray,
  AmfObject,
  AmfReference,
  AmfTypedObject,
  AmfUnsupported,
  type AmfValue,
  AmfXml,
} from "../../src/rtmp/amf_value.ts";
import { ErrorCode, RtmpError } from "../../src/rtmp/error.ts";
import { concat, hex, toHex } from "./hex.ts";

const isDecodeError = (error: unknown) =>
  error instanceof RtmpError && error.code === ErrorCode.AMF_DECODE;

/** Decodes; null if refused in the one allowed way. */
function decodeOrRefuse(bytes: Uint8Array): AmfValue[] | null {
  try {
    return decodeAmf0All(bytes);
  } catch (error) {
    assert.ok(isDecodeError(error), String(error));
    return null;
  }
}

const text = fc.string({ unit: "grapheme", maxLength: 12 });
const names = fc.oneof(
  text,
  fc.constantFrom("__proto__", "constructor", "hasOwnProperty", "", "a"),
);
const leaf: fc.Arbitrary<AmfValue> = fc.oneof(
  fc.double(),
  fc.boolean(),
  text,
  fc.constant(null),
  fc.constant(undefined),
  fc.constant(new AmfUnsupported()),
  fc.nat(0xffff).map((index) => new AmfReference(index)),
  text.map((xml) => new AmfXml(xml)),
  fc.tuple(fc.double(), fc.integer({ min: -0x8000, max: 0x7fff }))
    .map(([time, zone]) => new AmfDate(time, zone)),
  text.map((value) => new AmfAvmPlus(value)),
);
function values(depth: number): fc.Arbitrary<AmfValue> {
  if (depth === 0) return leaf;
  const inner = values(depth - 1);
  const entries = fc.array(fc.tuple(names, inner), { maxLength: 4 });
  return fc.oneof(
    leaf,
    fc.array(inner, { maxLength: 4 }),
    entries.map((list) => new AmfObject(list)),
    entries.map((list) => new AmfEcmaArray(list)),
    fc.tuple(names, entries).map(([name, list]) => new AmfTypedObject(name, list)),
  );
}
const messages = fc.array(values(3), { maxLength: 4 });

Deno.test("AMF0: a connect command as ffmpeg writes it", () => {
  const bytes = concat(
    "02 0007",
    "'connect",
    "00 3ff0000000000000",
    "03 0003",
    "'app",
    "02 0004",
    "'live",
    "0005",
    "'tcUrl",
    "02 0013",
    "'rtmp://127.0.0.1/li",
    "00 00 09",
  );
  const [name, tid, object] = decodeAmf0All(bytes);
  assert.equal(name, "connect");
  assert.equal(tid, 1);
  assert.deepEqual(object, new AmfObject([["app", "live"], ["tcUrl", "rtmp://127.0.0.1/li"]]));
  assert.equal(toHex(encodeAmf0(name, tid, object)), toHex(bytes));
});

Deno.test("AMF0: each marker decodes to its type", () => {
  const cases: [string, AmfValue][] = [
    ["00 7ff8000000000000", NaN],
    ["00 8000000000000000", -0],
    ["01 00", false],
    ["01 02", true],
    ["02 0000", ""],
    ["05", null],
    ["06", undefined],
    ["07 0003", new AmfReference(3)],
    ["08 000000ff 000161 05 000009", new AmfEcmaArray([["a", null]])],
    ["0a 00000002 05 06", [null, undefined]],
    ["0b 4000000000000000 ffc4", new AmfDate(2, -60)],
    ["0c 00000001 78", "x"],
    ["0d", new AmfUnsupported()],
    ["0f 00000004 3c612f3e", new AmfXml("<a/>")],
    ["10 0001 43 000009", new AmfTypedObject("C")],
    ["11 09 03 01 05 3ff8000000000000", new AmfAvmPlus(new Amf3Array([1.5]))],
  ];
  for (const [bytes, expected] of cases) {
    assert.deepEqual(decodeAmf0All(hex(bytes)), [expected], bytes);
  }
});

Deno.test("AMF0: markers that carry no defined value are refused", () => {
  for (const marker of ["04", "09", "0e", "12", "ff"]) {
    assert.throws(() => decodeAmf0All(hex(marker + "0000000000")), isDecodeError, marker);
  }
});

Deno.test("AMF0: strings use all of the u16 length, and the long form beyond it", () => {
  for (const [length, marker] of [[0x7fff, 2], [0x8000, 2], [0xffff, 2], [0x10000, 12]]) {
    const bytes = encodeAmf0("x".repeat(length));
    assert.equal(bytes[0], marker);
    assert.deepEqual(decodeAmf0All(bytes), ["x".repeat(length)]);
  }
  const emoji = "\u{1f600}é".repeat(10923); // 6 bytes each, 65538 in all
  assert.equal(encodeAmf0(emoji)[0], 12);
  assert.deepEqual(decodeAmf0All(encodeAmf0(emoji)), [emoji]);
});

Deno.test("AMF0: malformed UTF-8 and a byte order mark pass", () => {
  assert.deepEqual(decodeAmf0All(hex("02 0003 61 e9 62")), ["a\ufffdb"]);
  assert.deepEqual(decodeAmf0All(hex("02 0004 efbbbf 61")), ["\ufeffa"]);
});

Deno.test("AMF0: a property name that cannot be written is an RtmpError", () => {
  const object = new AmfObject([["k".repeat(0x10000), 1]]);
  assert.throws(
    () => encodeAmf0(object),
    (e) => e instanceof RtmpError && e.code === ErrorCode.AMF_INVALID,
  );
});

Deno.test("AMF0 Q16: an extra connect argument may be a string or an array", () => {
  const [, , , extra] = decodeAmf0All(encodeAmf0("connect", 1, new AmfObject(), ["a"]));
  assert.deepEqual(extra, ["a"]);
  assert.equal(propertyOf(extra, "srs_id"), undefined);
});

Deno.test("AMF0 Q17: an object without its end marker at the end of the message", () => {
  for (const head of ["03", "08 00000000", "10 0000"]) {
    const [value] = decodeAmf0All(concat(head, "0003 617070 02 0001 6c"));
    assert.equal(propertyOf(value, "app"), "l");
  }
  const [nested] = decodeAmf0All(hex("03 0001 61 03 0001 62 05"));
  assert.deepEqual(nested, new AmfObject([["a", new AmfObject([["b", null]])]]));
  assert.throws(() => decodeAmf0All(hex("03 0001 61 05 00")), isDecodeError);
});

Deno.test("AMF0 Q18: connect's argument as ECMA array, tcurl in lower case", () => {
  const [value] = decodeAmf0All(encodeAmf0(new AmfEcmaArray([["tcurl", "rtmp://h/a"]])));
  assert.equal(stringOf(propertyOf(value, "tcUrl")), "rtmp://h/a");
  const both = new AmfObject([["tcurl", "wrong"], ["tcUrl", "right"]]);
  assert.equal(propertyOf(both, "tcUrl"), "right");
});

Deno.test("AMF0 Q35: avmplus holds for one value", () => {
  const got = decodeAmf0All(hex("11 06 03 61 02 0001 62"));
  assert.deepEqual(got, [new AmfAvmPlus("a"), "b"]);
  assert.equal(stringOf(got[0]), "a");
});

Deno.test("AMF0 Q36: the ECMA array count is ignored", () => {
  for (const count of ["00000000", "00000009", "ffffffff"]) {
    const [array] = decodeAmf0All(concat("08", count, "0001 61 01 01 0001 62 05 000009"));
    assert.deepEqual(array, new AmfEcmaArray([["a", true], ["b", null]]));
  }
});

Deno.test("AMF0: a repeated key takes the last value and moves to the end", () => {
  const [object] = decodeAmf0All(hex("03 0001 61 0100 0001 62 05 0001 61 0101 000009"));
  assert.ok(object instanceof AmfObject);
  assert.deepEqual([...object], [["b", null], ["a", true]]);
});

Deno.test("AMF0: the reader leaves optional and trailing bytes to its caller", () => {
  const reader = new Amf0Reader(concat("ff", encodeAmf0("play", 0, null), "ff ff"), 1);
  assert.deepEqual([reader.value(), reader.value(), reader.value()], ["play", 0, null]);
  assert.equal(reader.done, false);
  assert.equal(reader.position, 18);
  assert.throws(() => reader.value(), isDecodeError);
});

Deno.test("AMF0: a view into a larger buffer reads its own bytes only", () => {
  const whole = concat("ffff", encodeAmf0("a", 1), "ffff");
  assert.deepEqual(decodeAmf0All(whole.subarray(2, whole.length - 2)), ["a", 1]);
});

Deno.test("AMF0 H7: nesting is limited, in objects, arrays and AMF3 inside", () => {
  for (const level of ["03 0001 61", "0a 00000001", "08 00000000 0001 61"]) {
    const deepest = concat(...Array<string>(AMF_MAX_DEPTH).fill(level), "05");
    assert.equal(decodeAmf0All(deepest).length, 1);
    for (const depth of [AMF_MAX_DEPTH + 1, 100_000]) {
      const unit = hex(level);
      const bytes = new Uint8Array(unit.length * depth + 1).fill(5);
      for (let i = 0; i < depth; i++) bytes.set(unit, i * unit.length);
      assert.throws(() => decodeAmf0All(bytes), isDecodeError);
    }
  }
  const outer = "0a 00000001".repeat(AMF_MAX_DEPTH);
  assert.throws(() => decodeAmf0All(concat(outer, "11 09 01 01")), isDecodeError);
});

Deno.test("AMF0 H7: the number of values is limited", () => {
  const fits = new Uint8Array(AMF_MAX_ITEMS).fill(5);
  assert.equal(decodeAmf0All(fits).length, AMF_MAX_ITEMS);
  assert.throws(() => decodeAmf0All(new Uint8Array(AMF_MAX_ITEMS + 1).fill(5)), isDecodeError);
  const array = new Uint8Array(100_005).fill(5);
  array.set(hex("0a 000186a0"));
  assert.throws(() => decodeAmf0All(array), isDecodeError);
});

Deno.test("AMF0 H7: lengths past the end and huge counts are refused", () => {
  const cases = [
    "02 ffff 61",
    "0c ffffffff 61",
    "0a ffffffff 05",
    "03 ffff 61",
    "0f 7fffffff",
    "02 00",
  ];
  for (const bytes of [...cases, "00 00", "0b 00", "07 00", "08 0000", "10 00", "01", "11"]) {
    assert.throws(() => decodeAmf0All(hex(bytes)), isDecodeError, bytes);
  }
  // An object that ends at once is empty.
  assert.deepEqual(decodeAmf0All(hex("03 000009 05")), [new AmfObject(), null]);
});

Deno.test("AMF0 H7: references build neither cycles nor trees", () => {
  const [object] = decodeAmf0All(hex("03 0004 73656c66 07 0000 000009"));
  assert.deepEqual(propertyOf(object, "self"), new AmfReference(0));
});

Deno.test("AMF0 H8: names of JavaScript's own are names like any other", () => {
  const keys = ["__proto__", "constructor", "hasOwnProperty", "toString"];
  const object = new AmfObject(keys.map((key) => [key, new AmfObject([["x", 1]])]));
  const [read] = decodeAmf0All(encodeAmf0(object));
  assert.deepEqual([...propertiesOf(read) ?? []].map(([key]) => key), keys);
  assert.equal(Object.hasOwn({}, "x"), false);
  assert.equal(propertyOf(new AmfObject(), "constructor"), undefined);
  assert.equal(propertyOf(new AmfObject(), "__proto__"), undefined);
});

Deno.test("AMF0 H9 Q34: accessors answer null for every wrong type", () => {
  const all: AmfValue[] = [
    null,
    undefined,
    true,
    NaN,
    [],
    new AmfObject(),
    new AmfDate(1),
    new AmfAvmPlus(null),
  ];
  for (const value of all) {
    assert.equal(stringOf(value), null);
    assert.equal(numberOf(value), null);
    assert.equal(propertyOf(value, "a"), undefined);
  }
  assert.equal(numberOf(new AmfAvmPlus(5)), 5);
  assert.equal(booleanOf("true"), null);
  assert.equal(booleanOf(false), false);
  assert.equal(propertiesOf([]), null);
});

Deno.test("AMF0: the encoder's buffer grows at every kind of write", () => {
  const item: AmfValue[] = ["ab", 1, null, new AmfObject([["k", true]]), new AmfDate(1, 2), []];
  for (let pad = 0; pad < 300; pad++) {
    const message = ["x".repeat(pad), ...item, ...item];
    assert.deepEqual(decodeAmf0All(encodeAmf0(...message)), message);
  }
});

Deno.test("AMF0: writing and reading back is the identity", () => {
  fc.assert(fc.property(messages, (message) => {
    const bytes = encodeAmf0(...message);
    const read = decodeAmf0All(bytes);
    assert.deepEqual(read, message);
    assert.equal(toHex(encodeAmf0(...read)), toHex(bytes)); // order of properties too
  }));
});

Deno.test("AMF0 H7: arbitrary bytes give values or an RtmpError, and the values can be written", () => {
  const marker = fc.constantFrom(0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17);
  const shaped = fc.array(fc.oneof(marker, fc.constant(0), fc.nat(255)), { maxLength: 60 })
    .map((list) => Uint8Array.from(list));
  fc.assert(
    fc.property(fc.oneof(shaped, fc.uint8Array({ maxLength: 60 })), (bytes) => {
      const read = decodeOrRefuse(bytes);
      if (read !== null) assert.deepEqual(decodeAmf0All(encodeAmf0(...read)), read);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("AMF0 H7: a message cut anywhere gives values or an RtmpError", () => {
  fc.assert(
    fc.property(messages, (message) => {
      const bytes = encodeAmf0(...message);
      for (let end = 0; end < bytes.length; end++) {
        const read = decodeOrRefuse(bytes.subarray(0, end));
        assert.ok(read === null || read.length <= message.length);
      }
    }),
    { numRuns: 30 },
  );
});

Deno.test("F20: property: skip ends where value ends, and refuses what value refuses", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const end = (read: (reader: Amf0Reader) => void) => {
        const reader = new Amf0Reader(bytes);
        try {
          read(reader);
          return reader.position;
        } catch (error) {
          assert.ok(isDecodeError(error), String(error));
          return null;
        }
      };
      const expected = end((reader) => reader.value());
      assert.equal(end((reader) => reader.skip()), expected, toHex(bytes));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("F20: skip counts values, and goes past the limit of values", () => {
  const long = encodeAmf0(Array.from({ length: AMF_MAX_ITEMS * 2 }, () => 1), "next");
  const reader = new Amf0Reader(long);
  assert.equal(reader.skip(), AMF_MAX_ITEMS * 2 + 1);
  assert.equal(reader.value(), "next");
  const values: AmfValue[] = [null, undefined, true, new AmfDate(1, 2), new AmfXml("x"), "s"];
  values.push(new AmfObject([["a", 1]]), new AmfTypedObject("C", [["b", 2]]), new AmfReference(3));
  const all = new Amf0Reader(
    encodeAmf0(...values, new AmfEcmaArray([["c", new AmfUnsupported()]])),
  );
  const counts: number[] = [];
  while (!all.done) counts.push(all.skip());
  assert.deepEqual(counts, [1, 1, 1, 1, 1, 1, 2, 2, 1, 2]);
});
