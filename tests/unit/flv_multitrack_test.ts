import assert from "node:assert/strict";
import fc from "fast-check";
import { addTrackIds, mainTrack } from "../../src/codec/multitrack.ts";

const VIDEO = 6;
const AUDIO = 5;

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

const ROWS: [string, string, number, string | null][] = [
  ["one track, the main one", "96 01 68766331 00 aabbcc", VIDEO, "91 68766331 aabbcc"],
  ["one track, another one", "96 01 68766331 01 aabbcc", VIDEO, null],
  ["many tracks", "96 11 68766331 01 000002 aabb 00 000001 cc", VIDEO, "91 68766331 cc"],
  [
    "many codecs",
    "96 21 68766331 01 000002 aabb 61766331 00 000001 cc",
    VIDEO,
    "91 61766331 cc",
  ],
  ["behind ModEx", "97 00 05 06 21 61766331 00 000001 cc", VIDEO, "91 61766331 cc"],
  ["audio", "95 10 4f707573 00 000002 aabb", AUDIO, "90 4f707573 aabb"],
  ["an empty main track", "96 11 68766331 00 000000", VIDEO, "91 68766331"],
  ["a size past the end", "96 11 68766331 01 0000ff aabb", VIDEO, null],
  ["cut off in a size", "96 11 68766331 00 0000", VIDEO, null],
  ["no multitrack message", "91 68766331 000000 aabb", VIDEO, null],
  ["an unknown layout", "96 31 68766331 00 aabbcc", VIDEO, null],
  ["nothing", "", VIDEO, null],
];

for (const [what, input, multitrack, expected] of ROWS) {
  Deno.test(`Q60 main track: ${what}`, () => {
    const wanted = expected === null ? null : bytes(expected);
    assert.deepEqual(mainTrack(bytes(input), multitrack), wanted);
  });
}

Deno.test("H14 main track: no input makes it throw or read past the end", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (payload) => {
    payload[0] = 0x96;
    const found = mainTrack(payload, VIDEO);
    assert.ok(found === null || found.length < payload.length + 5);
  }));
});

Deno.test("F33 track ids: all of a message, of a broken one those before the break", () => {
  const cases: [string, number[]][] = [
    ["96 01 68766331 07 aabbcc", [7]],
    ["96 11 68766331 01 000002 aabb 00 000001 cc", [0, 1]],
    ["96 21 68766331 03 000002 aabb 61766331 00 000001 cc", [0, 3]],
    ["96 11 68766331 01 000002 aabb 00 0000ff cc", [1]],
    ["91 68766331 000000 aabb", []],
  ];
  for (const [input, expected] of cases) {
    const ids = new Set<number>();
    addTrackIds(bytes(input), VIDEO, ids);
    assert.deepEqual([...ids].sort(), expected, input);
  }
});
