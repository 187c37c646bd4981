/**
 * The comparison on which the end-to-end tests rest: it must notice what is missing, damaged or late.
 * @module
 */
import assert from "node:assert/strict";
import { assertContiguousRun, type Packet, parseFrameHashes, runsOf } from "../tools/packets.ts";

/** Ten packets of 40 ms, a keyframe every five. */
const SOURCE: readonly Packet[] = Array.from({ length: 10 }, (_, i) => ({
  hash: `h${i}`,
  dts: i * 40,
  pts: i * 40 + 80,
  key: i % 5 === 0,
}));

/** Source packets by index as a player gets them, on a clock that began elsewhere. */
function played(...indices: number[]): Packet[] {
  return indices.map((index, at) => ({
    hash: `h${index}`,
    dts: (indices[0] + at) * 40 + 1000,
    pts: (indices[0] + at) * 40 + 1080,
    key: false,
  }));
}

Deno.test("packets: an unbroken stretch is accepted", () => {
  const run = assertContiguousRun("x", played(3, 4, 5, 6), SOURCE, { minPackets: 4 });
  assert.deepEqual(run, { at: 0, from: 3, length: 4 });
});

Deno.test("packets: a loop is followed over its end only when the source is looped", () => {
  const packets = played(8, 9, 0, 1);
  assertContiguousRun("x", packets, SOURCE, { minPackets: 4, loop: true });
  assert.throws(
    () => assertContiguousRun("x", packets, SOURCE, { minPackets: 4 }),
    /after packet 1 \(source packet 9\) came source packet 0/,
  );
});

const faults: readonly [string, Packet[], Parameters<typeof assertContiguousRun>[3], RegExp][] = [
  ["a lost packet", played(1, 2, 4, 5), { minPackets: 1 }, /after packet 1 .*: 1 lost/],
  ["a packet of nowhere", played(1, 2, 99), { minPackets: 1 }, /packet 2 of 3 .*not in the source/],
  ["too few packets", played(1, 2), { minPackets: 3 }, /only 2 packets/],
  ["a start in mid-GOP", played(1, 2), { minPackets: 1, startsWithKeyframe: true }, /no keyframe/],
  ["a missing beginning", played(1, 2), { minPackets: 1, whole: true }, /first 1 packets/],
  ["a missing end", played(0, 1, 2), { minPackets: 1, whole: true }, /the end of the source/],
  [
    "a shifted timestamp",
    played(0, 1, 2).map((p, i) => i === 2 ? { ...p, dts: p.dts + 9, pts: p.pts + 9 } : p),
    { minPackets: 1 },
    /packet 2 .*9 ms off/,
  ],
  [
    "a changed composition time",
    played(0, 1, 2).map((p, i) => i === 1 ? { ...p, pts: p.dts } : p),
    { minPackets: 1 },
    /packet 1 .*composition time/,
  ],
];

for (const [what, packets, options, message] of faults) {
  Deno.test(`packets: ${what} is noticed`, () => {
    assert.throws(() => assertContiguousRun("x", packets, SOURCE, options), message);
  });
}

Deno.test("packets: stretches are as long as can be, also where payloads repeat", () => {
  const source = ["k", "s", "s", "K", "s", "t"].map((hash, i) => ({ ...SOURCE[i], hash }));
  const list = ["s", "t", "k", "s", "s"].map((hash, i) => ({ ...SOURCE[i], hash }));
  assert.deepEqual(runsOf("x", list, source, false), [
    { at: 0, from: 4, length: 2 },
    { at: 2, from: 0, length: 3 },
  ]);
});

Deno.test("packets: ffmpeg's list is read up to its last whole line", () => {
  const text = "#format: frame checksums\n#extradata 0,          45, cafe\n#media_type 0: video\n" +
    "#stream#, dts,        pts, duration,     size, hash\n" +
    "0,         40,        120,       40,     3523, 0d12\n0,         80,        1";
  assert.deepEqual(parseFrameHashes(text), {
    video: [{ hash: "0d12", dts: 40, pts: 120, key: false }],
    audio: [],
    config: { video: "cafe" },
  });
});
