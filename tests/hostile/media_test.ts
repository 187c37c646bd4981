/**
 * Attacks with audio, video and timestamps, and with streams that come and go.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MAX_LOG_BYTES } from "../../src/live/limits.ts";
import { type Attacker, command, hello, message, setChunkSize } from "../tools/attacker.ts";
import { type Hostile, hostile, MEMORY_SLACK } from "../tools/hostile.ts";
import { until } from "../tools/process.ts";
import { encodeAmf } from "../tools/raw_client.ts";
import { concat } from "../unit/hex.ts";

const VIDEO = 9;
const AUDIO = 8;

/** A publisher that has been agreed to, with large chunks. */
async function publisher(h: Hostile, name = "s"): Promise<Attacker> {
  const attacker = await h.attacker(hello("publish", name));
  await attacker.hears("NetStream.Publish.Start");
  attacker.write(setChunkSize(60_000));
  return attacker;
}

async function player(h: Hostile, name = "s"): Promise<Attacker> {
  const attacker = await h.attacker(hello("play", name));
  await attacker.hears("NetStream.Play.Start");
  return attacker;
}

/** A message in chunks of 60,000 bytes. */
function media(type: number, payload: Uint8Array, timestamp = 0): Uint8Array {
  return message({ type, payload, timestamp }, 60_000);
}

/** A mark that a player must see when all before it has been taken. */
function mark(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x27, 1, 0, 0, 0]), Buffer.from(text)]);
}

const pairs = (count: number, each: (i: number) => string) =>
  concat(...Array.from({ length: count }, (_, i) => each(i)));

/** Extended headers that are cut short, lie about sizes, or go on for ever. */
const EXTENDED: readonly (readonly [string, number, Uint8Array])[] = [
  ["only the first byte", VIDEO, concat("80")],
  ["a FourCC cut short", VIDEO, concat("80 68 76")],
  ["a FourCC of nobody", VIDEO, concat("81", "'zzzz", "00")],
  ["a packet type of nobody", VIDEO, concat("8f", "'hvc1", "00")],
  ["ModEx for ever", VIDEO, concat("87", pairs(10_000, () => "00 00 07"))],
  ["ModEx with a size of 16 bits", VIDEO, concat("87 ff ffff", "'hvc1")],
  ["ModEx whose data is missing", VIDEO, concat("87 20 00")],
  ["multitrack, nothing more", VIDEO, concat("86")],
  ["multitrack in multitrack", VIDEO, concat("86 06", "'hvc1", "00")],
  ["a track longer than the message", VIDEO, concat("86 10", "'hvc1", "00 ffffff 01")],
  [
    "a thousand tracks of no bytes",
    VIDEO,
    concat("86 11", "'hvc1", pairs(1000, () => "05 000000")),
  ],
  ["many codecs, nothing more", VIDEO, concat("86 20")],
  ["audio: only the first byte", AUDIO, concat("90")],
  ["audio: multitrack", AUDIO, concat("95 10", "'Opus", "00 ffffff")],
  ["audio: ModEx for ever", AUDIO, concat("97", pairs(10_000, () => "00 00 07"))],
  ["audio: multichannel configuration of 255", AUDIO, concat("94", "'Opus", "02 ff")],
];

/** Configurations of decoders that no decoder would take. */
const CONFIGURATIONS: readonly (readonly [string, number, Uint8Array])[] = [
  ["avcC of no bytes", VIDEO, concat("17 00 000000")],
  ["avcC of three bytes", VIDEO, concat("17 00 000000 01 64 00")],
  ["avcC with 31 SPS that are not there", VIDEO, concat("17 00 000000 01 64 00 1f ff ff")],
  [
    "avcC with 31 SPS of no bytes",
    VIDEO,
    concat("17 00 000000 01 64 00 1f ff ff", pairs(31, () => "0000")),
  ],
  ["an SPS longer than the message", VIDEO, concat("17 00 000000 01 64 00 1f ff e1 ffff 67 64")],
  ["an SPS of zeros", VIDEO, concat("17 00 000000 01 64 00 1f ff e1 0040 67", new Uint8Array(63))],
  [
    "an SPS of ones",
    VIDEO,
    concat("17 00 000000 01 64 00 1f ff e1 0040 67", new Uint8Array(63).fill(255)),
  ],
  [
    "an SPS of 8192 x 8192",
    VIDEO,
    concat("17 00 000000 01 42 00 1f ff e1 0009 67 42 00 1f f8 01 00 08 00"),
  ],
  ["hvcC cut short", VIDEO, concat("1c 00 000000 01 01")],
  [
    "hvcC with 255 arrays",
    VIDEO,
    concat("1c 00 000000", new Uint8Array(22).fill(1), "ff a1 ffff ffff"),
  ],
  ["extended hvcC cut short", VIDEO, concat("90", "'hvc1", "01")],
  ["extended av1C cut short", VIDEO, concat("90", "'av01", "81")],
  ["AudioSpecificConfig of no bytes", AUDIO, concat("af 00")],
  ["AudioSpecificConfig of one byte", AUDIO, concat("af 00 ff")],
  ["AudioSpecificConfig of ones", AUDIO, concat("af 00", new Uint8Array(64).fill(255))],
  ["OpusHead cut short", AUDIO, concat("90", "'Opus", "'OpusHe")],
];

for (
  const [row, what, samples] of [
    ["H14", "extended headers", EXTENDED],
    ["H15", "decoder configurations", CONFIGURATIONS],
  ] as const
) {
  hostile(`${row}: broken ${what} pass through and stop nothing`, async (h) => {
    const [from, to] = [await publisher(h), await player(h)];
    for (const [name, type, payload] of samples) {
      from.write(media(type, payload));
      from.write(media(VIDEO, mark(`after ${name}`)));
      await to.hears(`after ${name}`);
      const { status } = await h.edge.request("/api/v1/streams/");
      assert.equal(status, 200, `the API after ${name}`);
    }
    const late = await player(h);
    from.write(media(VIDEO, mark("for the late one")));
    await late.hears("for the late one");
    await h.kept(from);
  }, { vhost: "min_latency on; play { gop_cache on; }" });
}

hostile(
  "H14: headers of 256 tracks, over and over, fill no memory and no joiner",
  async (h, rounds) => {
    const from = await publisher(h);
    for (let round = 0; round < rounds; round++) {
      const all: Uint8Array[] = [];
      for (let track = 0; track < 256; track++) {
        const body = Buffer.alloc(4000, round);
        // One track: sequence start of hvc1, track number, configuration.
        const head = concat("96 00", "'hvc1", track.toString(16).padStart(2, "0"));
        all.push(media(VIDEO, Buffer.concat([head, body])));
      }
      await from.flush(Buffer.concat(all));
    }
    await h.kept(from);
    const late = await player(h);
    from.write(media(VIDEO, mark("for the late one")));
    await late.hears("for the late one");
    assert.ok(
      late.receivedBytes < 40 * 4100,
      `a joiner gets ${late.receivedBytes} bytes of headers`,
    );
  },
  { full: 50, warmUp: 5, peak: 2 * MEMORY_SLACK },
);

hostile("H15: metadata that is none is left out with a line in the log", async (h) => {
  const [from, to] = [await publisher(h), await player(h)];
  const name = encodeAmf("@setDataFrame", "onMetaData");
  for (const rest of [concat("08 ffffffff 0005"), Buffer.alloc(50_000, 3), concat("02 ffff")]) {
    from.write(media(18, Buffer.concat([name, rest])));
  }
  from.write(media(VIDEO, mark("and on it goes")));
  await to.hears("and on it goes");
  // The log may come after the picture.
  await until("the line in the log", 5000, () => {
    const { lines } = h.edge.connection(from.localPort) ?? { lines: [] };
    return lines.some((line) => line.includes("data message left out"));
  });
});

const FRAME_BYTES = 50_000;

/** A keyframe, then pictures without another until they have `bytes` all in all. */
async function endlessGop(h: Hostile, from: Attacker, bytes: number): Promise<void> {
  const first = Buffer.alloc(FRAME_BYTES, 1);
  first.set([0x17, 1, 0, 0, 0]);
  await from.flush(media(VIDEO, first, 0));
  const picture = Buffer.alloc(FRAME_BYTES, 2);
  picture.set([0x27, 1, 0, 0, 0]);
  for (let sent = 0, number = 1; sent < bytes; sent += 20 * FRAME_BYTES) {
    const block = Array.from({ length: 20 }, () => media(VIDEO, picture, 40 * number++));
    await from.flush(Buffer.concat(block));
  }
  await h.kept(from);
}

hostile("H22: a GOP without end is cached up to 64 MB, then not at all", async (h, megabytes) => {
  const from = await publisher(h);
  await endlessGop(h, from, megabytes << 20);
  await h.control.progress("with a GOP without end");
  const late = await player(h);
  from.write(media(VIDEO, mark("now")));
  await late.hears("now");
  assert.ok(late.receivedBytes < 2 * FRAME_BYTES, "a joiner gets none of it, and starts at once");
}, {
  full: 200,
  warmUp: 200,
  vhost: "min_latency on; play { gop_cache on; gop_cache_max_frames 0; }",
  peak: MAX_LOG_BYTES + 2 * MEMORY_SLACK,
});

hostile("H22: a GOP of more frames than gop_cache_max_frames is not cached", async (h) => {
  const from = await publisher(h);
  await endlessGop(h, from, 101 * FRAME_BYTES);
  const late = await player(h);
  from.write(media(VIDEO, mark("now")));
  await late.hears("now");
  assert.ok(late.receivedBytes < 2 * FRAME_BYTES, "a joiner gets none of it");
}, { vhost: "min_latency on; play { gop_cache on; gop_cache_max_frames 100; }" });

hostile("H22: hours of pictures without a keyframe cost no memory", async (h, hours) => {
  const from = await publisher(h);
  const picture = Buffer.alloc(200, 2);
  picture.set([0x27, 1, 0, 0, 0]);
  for (let hour = 0; hour < hours; hour++) {
    const block: Uint8Array[] = [];
    for (let i = 0; i < 90_000; i += 9) {
      block.push(media(VIDEO, picture, hour * 3_600_000 + i * 40));
    }
    await from.flush(Buffer.concat(block));
  }
  await h.kept(from);
}, { full: 10, vhost: "play { gop_cache on; }", peak: 2 * MEMORY_SLACK });

for (
  const settings of ["", "time_jitter zero;", "time_jitter off;", "mix_correct on;", "atc on;"]
) {
  hostile(
    `H24: timestamps that wrap, jump and stand still; ${settings || "time_jitter full;"}`,
    async (h) => {
      const [from, to] = [await publisher(h), await player(h)];
      const times = [0, 40, 0xffffff, 0x1000000, 0x7fffffff, 0x80000000, 0xffffffff, 0, 10, 5, 5, 5]
        .concat([3_600_000, 0, 0xfffffffe, 1, 0x7ffffffe, 2]);
      for (const [round, step] of [0, 1, 0x40000000].entries()) {
        for (const [i, time] of times.entries()) {
          const at = (time + step) % 2 ** 32;
          from.write(media(AUDIO, concat("af 01", `'sound ${round}.${i}`), at));
          from.write(media(VIDEO, mark(`picture ${round}.${i};`), at));
        }
      }
      // `mix_correct` keeps some back until more has come.
      for (let i = 0; i < 20; i++) from.write(media(VIDEO, mark("end"), 0x7fffff00 + i));
      for (const text of [`picture 2.${times.length - 1};`, `sound 2.${times.length - 1}`]) {
        await to.hears(text);
      }
      await h.kept(from);
    },
    { vhost: `min_latency on; play { mw_latency 0; ${settings} }` },
  );
}

hostile(
  "H23: hundreds of names are published and given up; nothing is left of them",
  async (h, count) => {
    for (let i = 0; i < count; i++) {
      const attacker = await h.attacker(hello("publish", `name-${count}-${i}`));
      await attacker.hears("NetStream.Publish.Start");
      attacker.write(media(VIDEO, mark("x")));
      attacker.destroy();
    }
    await until("the API to forget the streams", 15_000, async () => {
      return (await h.edge.list("streams")).length === 1;
    });
  },
  { full: 600, warmUp: 100 },
);

hostile("H23: one connection publishes and unpublishes as fast as it may", async (h, count) => {
  const attacker = await h.attacker(hello("publish", "name-0"));
  await attacker.hears("NetStream.Publish.Start");
  for (let i = 1; i < count; i++) {
    attacker.write(command("closeStream", 0, null));
    attacker.write(command("publish", 3, null, `name-${i}`, "live"));
    attacker.write(message({ type: VIDEO, payload: mark("x") }));
    if (i % 40 === 0) await h.control.progress("while names change", 50);
  }
  await h.kept(attacker);
  attacker.destroy();
  await until("the API to forget the streams", 15_000, async () => {
    return (await h.edge.list("streams")).length === 1;
  });
}, { full: 200, warmUp: 40 });

hostile("H35: players join while publishers of their stream come and go", async (h, rounds) => {
  for (let round = 0; round < rounds; round++) {
    const from = await publisher(h);
    const crowd = await h.attackers(5, () => hello("play"));
    from.write(media(VIDEO, mark(`round ${round}`)));
    if (round % 2 === 0) from.write(command("deleteStream", 0, null, 1));
    else from.destroy();
    crowd[0].write(command("closeStream", 0, null));
    crowd[1].destroy();
    crowd[2].write(command("play", 4, null, "other"));
    if (round % 3 === 0) crowd[3].write(command("publish", 4, null, "s"));
    await until("the name to be free", 5000, () => h.unpublished(from));
    for (const attacker of [...crowd, from]) attacker.destroy();
  }
}, { full: 40, warmUp: 10 });
