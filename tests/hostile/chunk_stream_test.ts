/**
 * Attacks on the chunk stream: lengths that nobody means, chunk sizes, headers out of order.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MAX_CHUNK_STREAMS, MAX_MESSAGE_SIZE, MAX_PARTIAL_BYTES } from "../../src/rtmp/limits.ts";
import {
  type Attacker,
  command,
  control,
  HANDSHAKE,
  hello,
  message,
  setChunkSize,
} from "../tools/attacker.ts";
import { until } from "../tools/process.ts";
import { type Hostile, hostile, MEMORY_SLACK } from "../tools/hostile.ts";
import { chunk } from "../unit/support/naive_chunks.ts";

const KEYFRAME = Buffer.concat([Buffer.from([0x17, 1, 0, 0, 0]), Buffer.alloc(200, 7)]);

/** A publisher that has been agreed to. */
async function publisher(h: Hostile, name = "s"): Promise<Attacker> {
  const attacker = await h.attacker(hello("publish", name));
  await attacker.hears("NetStream.Publish.Start");
  return attacker;
}

/** The beginning of a message: its header and the first chunk of `have` bytes. */
function beginning(length: number, have: Uint8Array, csid = 6): Uint8Array {
  return chunk(0, { csid, length, type: 9, msid: 1 }, have);
}

hostile("H1: 100 publishers announce 16 MB each and fall silent", async (h, count) => {
  const crowd = await h.attackers(count, (i) => {
    return Buffer.concat([
      hello("publish", `s${i}`),
      beginning(MAX_MESSAGE_SIZE, KEYFRAME.subarray(0, 128)),
    ]);
  });
  for (const attacker of crowd) await attacker.hears("NetStream.Publish.Start");
  await h.control.progress("with 1.6 GB announced");
}, { full: 100, warmUp: 10, peak: MEMORY_SLACK });

hostile("H1: who has not published may announce 64 KB at most", async (h, count) => {
  const long = chunk(0, { csid: 3, length: 64 * 1024 + 1, type: 20, msid: 0 }, "");
  const crowd = await h.attackers(count, () => Buffer.concat([HANDSHAKE, long]));
  for (const attacker of crowd) {
    await h.refused(attacker, /message of 65537 bytes, at most 65536 allowed here\. ret=2046$/);
  }
}, { full: 50, warmUp: 5, peak: MEMORY_SLACK });

hostile("H1: messages of the largest size pass, and leave nothing behind", async (h, count) => {
  const player = await h.attacker(hello("play"));
  await player.hears("NetStream.Play.Start");
  const payload = Buffer.alloc(MAX_MESSAGE_SIZE, 1);
  KEYFRAME.copy(payload);
  for (let i = 0; i < count; i++) {
    const attacker = await publisher(h);
    attacker.write(setChunkSize(MAX_MESSAGE_SIZE));
    const before = player.receivedBytes;
    await attacker.flush(message({ type: 9, payload }, MAX_MESSAGE_SIZE));
    await until("the whole message at the player", 10_000, () => {
      return player.receivedBytes - before > MAX_MESSAGE_SIZE;
    });
    await h.control.progress("with a message of 16 MB");
    attacker.destroy();
    await until("the end of the publish", 5000, () => h.unpublished(attacker));
  }
}, { full: 8, warmUp: 4 });

hostile("H2: unfinished messages of one connection add up to 17 MB at most", async (h) => {
  const attacker = await publisher(h);
  const third = Buffer.alloc(Math.ceil(MAX_PARTIAL_BYTES / 3) + 1, 9);
  attacker.write(setChunkSize(third.length));
  for (const csid of [10, 11, 12]) await attacker.flush(beginning(MAX_MESSAGE_SIZE, third, csid));
  await h.refused(attacker, /unfinished messages add up to more than \d+ bytes\. ret=2046/);
});

hostile("H2: 65 chunk streams in the middle of a message are one too many", async (h) => {
  const attacker = await publisher(h);
  for (let i = 0; i <= MAX_CHUNK_STREAMS; i++) {
    attacker.write(beginning(1000, Buffer.alloc(128), 200 + 1000 * i));
  }
  await h.refused(attacker, /64 chunk streams in the middle of a message.*ret=2046/);
});

hostile("H2: 65,000 chunk streams one after the other are forgotten again", async (h, count) => {
  const attacker = await publisher(h);
  for (let first = 64; first < 64 + count; first += 1000) {
    const block: Uint8Array[] = [];
    for (let csid = first; csid < first + 1000; csid++) {
      block.push(message({ type: 8, csid, payload: Buffer.from([0xaf, 1, 2, 3]) }));
    }
    await attacker.flush(Buffer.concat(block));
  }
  await h.kept(attacker);
}, { full: 65_000, warmUp: 2000, peak: MEMORY_SLACK });

for (const size of [0, 0x80000000, 0xffffffff]) {
  hostile(`H3: Set Chunk Size ${size} is refused`, async (h) => {
    const attacker = await h.attacker(Buffer.concat([HANDSHAKE, setChunkSize(size)]));
    await h.refused(attacker, new RegExp(`chunk size ${size} is not allowed.*ret=2010`));
  });
}

hostile("H3: Set Chunk Size without its four bytes is refused", async (h) => {
  const short = message({ type: 1, payload: Buffer.from([1, 0]), csid: 2, msid: 0 });
  const attacker = await h.attacker(Buffer.concat([HANDSHAKE, short]));
  await h.refused(attacker, /control message 1 has 2 bytes, at least 4 needed\. ret=2010/);
});

hostile(
  "H3: the largest chunk size that can be said is taken for the largest message",
  async (h) => {
    const attacker = await publisher(h);
    attacker.write(setChunkSize(0x7fffffff));
    attacker.write(message({ type: 9, payload: Buffer.alloc(100_000, 3) }, MAX_MESSAGE_SIZE));
    await h.kept(attacker);
  },
);

hostile("H3: chunks of one byte stop nobody", async (h, megabytes) => {
  const attacker = await publisher(h);
  attacker.write(setChunkSize(1));
  const payload = Buffer.alloc(100_000, 1);
  KEYFRAME.copy(payload);
  const bytes = message({ type: 9, payload }, 1);
  for (let sent = 0; sent < megabytes << 20; sent += payload.length) await attacker.flush(bytes);
  await h.control.progress("with chunks of one byte");
}, { full: 10 });

hostile("H4: the chunk size changes in the middle of a message", async (h) => {
  const player = await h.attacker(hello("play"));
  await player.hears("NetStream.Play.Start");
  const attacker = await publisher(h);
  // 16-byte words, so that a byte in the wrong place shows.
  const payload = Buffer.concat(
    [KEYFRAME.subarray(0, 16)].concat(Array.from({ length: 100 }, (_, i) => {
      return Buffer.from(`word ${String(i).padStart(10, "0")}.`);
    })),
  );
  const rest = (from: number, to: number) => chunk(3, { csid: 6 }, payload.subarray(from, to));
  attacker.write(Buffer.concat([
    beginning(payload.length, payload.subarray(0, 128)),
    setChunkSize(1),
    rest(128, 129),
    rest(129, 130),
    setChunkSize(1000, 1),
    rest(130, 1130),
    setChunkSize(60_000),
    rest(1130, payload.length),
  ]));
  await player.hears(payload.subarray(16).toString("latin1"));
  await h.kept(attacker);
});

hostile("H5: a type-0 header in the middle of a message ends the connection", async (h) => {
  const attacker = await publisher(h);
  attacker.write(beginning(1000, Buffer.alloc(128)));
  attacker.write(beginning(1000, Buffer.alloc(128)));
  await h.refused(attacker, /type-0 header in the middle of a message\. ret=2001/);
});

hostile("H5: another length in the middle of a message ends the connection", async (h) => {
  for (const length of [100, 999, 1001, MAX_MESSAGE_SIZE]) {
    const attacker = await publisher(h, `s${length}`);
    attacker.write(beginning(1000, Buffer.alloc(128)));
    attacker.write(chunk(1, { csid: 6, length, type: 9 }, Buffer.alloc(128)));
    await h.refused(
      attacker,
      /message length changes from 1000 to \d+ bytes in mid-message\. ret=2013/,
    );
  }
});

hostile("H6: types 2 and 3 on a chunk stream that has not begun end the connection", async (h) => {
  for (const fmt of [2, 3] as const) {
    const attacker = await h.attacker(Buffer.concat([HANDSHAKE, chunk(fmt, { csid: 9 }, "00")]));
    await h.refused(
      attacker,
      new RegExp(`chunk stream 9 starts with a type-${fmt} header.*ret=2001`),
    );
  }
});

hostile(
  "H6: a type-1 ping on a fresh chunk stream 2 is answered, as librtmp sends it",
  async (h) => {
    const ping = chunk(1, { csid: 2, length: 6, type: 4 }, "0006 00000007");
    const attacker = await h.attacker(Buffer.concat([HANDSHAKE, ping]));
    await h.kept(attacker);
    // S0 S1 S2, then two answers of 18 bytes: to this ping, and to that of `kept`.
    assert.equal(attacker.receivedBytes, 3073 + 2 * 18);
  },
);

hostile("H13: empty messages of every type mean nothing", async (h) => {
  const attacker = await publisher(h);
  for (let type = 0; type < 256; type++) {
    // 1, 2, 3 and 5 carry a number, and an empty one is no message at all.
    attacker.write(message({ type, payload: new Uint8Array(0) }));
  }
  await h.kept(attacker);
  attacker.write(message({ type: 9, payload: KEYFRAME }));
  await h.kept(attacker);
});

hostile("H13: unknown message types and Abort of what is not there are left out", async (h) => {
  const attacker = await publisher(h);
  for (const type of [0, 7, 10, 11, 16, 19, 21, 23, 100, 255]) {
    attacker.write(message({ type, payload: Buffer.alloc(300, type) }));
  }
  attacker.write(Buffer.concat([control(2, 6), control(2, 99), control(3, 5), control(5, 0)]));
  attacker.write(command("onSomething", 0, null));
  await h.kept(attacker);
});
