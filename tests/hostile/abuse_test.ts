/**
 * What strangers make the server keep: frames and headers that are too long. Others feel nothing.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Attacker, command, hello, message, setChunkSize } from "../tools/attacker.ts";
import { FlvClient } from "../tools/flv_client.ts";
import { sleep, until, within } from "../tools/process.ts";
import { encodeAmf, RawClient, Type } from "../tools/raw_client.ts";
import { type WatchedAttack, watchedAttack } from "../tools/watched_attack.ts";

/** ms for what is there at once, on a machine that does other things as well. */
const SOON_MS = 10_000;

const MB = 1 << 20;

/** Chunks of this many bytes, so that a message of 15 MB is no work. */
const BIG_CHUNK = 60_000;

// H42

/** A frame of a client (RFC 6455), masked with zeros. `announced`: what its head says of its length. */
function frame(opcode: number, final: boolean, payload: Uint8Array, announced = payload.length) {
  const head = Buffer.alloc(14);
  head[0] = (final ? 0x80 : 0) | opcode;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(announced), 2);
  return Buffer.concat([head, payload]);
}

/** A frame whose length has seven bits. */
function shortFrame(opcode: number, final: boolean, payload: Uint8Array): Uint8Array {
  const head = [(final ? 0x80 : 0) | opcode, 0x80 | payload.length, 0, 0, 0, 0];
  return Buffer.concat([Uint8Array.from(head), payload]);
}

const UPGRADE = "GET /control/stream.flv HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n" +
  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** Players by WebSocket that have got something. */
async function webSockets(a: WatchedAttack, count: number): Promise<Attacker[]> {
  const players: Attacker[] = [];
  for (let i = 0; i < count; i++) players.push(await a.open(UPGRADE, a.edge.apiPort));
  for (const player of players) await player.hears("FLV");
  return players;
}

/** Asserts that each is sent away with this code. */
async function closed(players: readonly Attacker[], code: number): Promise<void> {
  const close = Buffer.from([0x88, 2, code >> 8, code & 0xff]);
  for (const player of players) {
    await within("the end of a WebSocket", SOON_MS, player.ended);
    assert.ok(player.received.subarray(-200).includes(close), `not closed with ${code}`);
  }
}

watchedAttack("H42: WebSocket frames announced with 60 MB, and sent", async (a) => {
  const players = await webSockets(a, 20);
  const piece = Buffer.alloc(MB);
  for (const player of players) player.write(frame(2, true, new Uint8Array(0), 60 * MB));
  for (let i = 0; i < 4; i++) for (const player of players) player.write(piece);
  await closed(players, 1009);
  assert.ok(a.grown < 60 * MB, `20 of them made the server grow by ${a.grown / MB} MB`);
});

watchedAttack("H42: WebSocket messages of endless fragments", async (a) => {
  const players = await webSockets(a, 20);
  const fragment = shortFrame(0, false, Buffer.alloc(100));
  for (const player of players) player.write(shortFrame(2, false, Buffer.alloc(100)));
  for (let i = 0; i < 12; i++) for (const player of players) player.write(fragment);
  await closed(players, 1009);
});

watchedAttack("H42: WebSocket players that say a little, and ping, go on", async (a) => {
  const [player] = await webSockets(a, 1);
  // A chat that a page's library sends: text, in fragments within the bound, and a ping between them.
  for (let i = 0; i < 20; i++) {
    player.write(shortFrame(1, false, Buffer.alloc(100)));
    player.write(shortFrame(9, true, Buffer.from(`ping-${i}.`)));
    player.write(shortFrame(0, true, Buffer.alloc(100)));
  }
  await player.hears("ping-19.");
  const before = player.receivedBytes;
  await until("more of the stream", SOON_MS, () => player.receivedBytes > before + 5000);
  assert.equal(player.end, null);
});

// H55, H56

/** Bytes of a header that no codec has. */
const HUGE = 15 * MB;

function video(payload: Uint8Array, timestamp = 0): Uint8Array {
  return message({ type: Type.VIDEO, payload, timestamp }, BIG_CHUNK);
}

function sequenceHeader(bytes: number): Uint8Array {
  const payload = Buffer.alloc(bytes, 0x42);
  payload.set([0x17, 0, 0, 0, 0]);
  return video(payload);
}

function metadata(bytes: number): Uint8Array {
  const values: Record<string, string> = {};
  // A string of AMF0 has 64 KB at most.
  for (let left = bytes, i = 0; left > 0; left -= 60_000, i++) {
    values[`k${i}`] = "m".repeat(Math.min(left, 60_000));
  }
  const payload = encodeAmf("@setDataFrame", "onMetaData", values);
  return message({ type: Type.DATA, payload, csid: 5 }, BIG_CHUNK);
}

/** One picture that stands by itself. */
function keyframe(timestamp: number): Uint8Array {
  return video(Buffer.concat([Uint8Array.from([0x17, 1, 0, 0, 0]), Buffer.alloc(500)]), timestamp);
}

/** A publisher that may send large chunks. */
async function publisher(a: WatchedAttack, name: string): Promise<Attacker> {
  const attacker = await a.open(Buffer.concat([hello("publish", name), setChunkSize(BIG_CHUNK)]));
  await attacker.hears("NetStream.Publish.Start");
  return attacker;
}

/** Players of both kinds that read nothing more once they are let in. */
async function deafPlayers(a: WatchedAttack, name: string, count: number): Promise<Attacker[]> {
  const get = `GET /live/${name}.flv HTTP/1.1\r\nHost: x\r\n\r\n`;
  const players: Attacker[] = [];
  for (let i = 0; i < count; i++) {
    const player = i % 2 === 0
      ? await a.open(hello("play", name))
      : await a.open(get, a.edge.apiPort);
    player.pause();
    players.push(player);
  }
  return players;
}

/** Video messages that a player of a stream has got, of this size. */
async function headersOf(a: WatchedAttack, name: string, size: number): Promise<number> {
  const player = await RawClient.open(a.edge.port);
  try {
    await player.play("live", name);
    const isHeader = ({ type, payload }: { type: number; payload: Buffer }) =>
      type === Type.VIDEO && payload.length === size;
    await until("a header", SOON_MS, () => player.messages.some(isHeader)).catch(() => {});
    return player.messages.filter(isHeader).length;
  } finally {
    player.destroy();
  }
}

for (
  const [what, bytes] of [["sequence header", sequenceHeader], ["metadata", metadata]] as const
) {
  watchedAttack(`H55: a ${what} of 15 MB, and 40 players that join and do not read`, async (a) => {
    const attacker = await publisher(a, "huge");
    await attacker.flush(bytes(HUGE));
    await attacker.flush(keyframe(40));
    const players = await deafPlayers(a, "huge", 40);
    for (let i = 0; i < 10; i++) {
      await attacker.flush(keyframe(80 + i * 40));
      await sleep(50);
    }
    await until("the players", SOON_MS, async () => (await a.edge.connections()) >= 40);
    console.log(`grown by ${Math.round(a.grown / MB)} MB`);
    // The message itself, and what the runtime needs to take it in: not 40 times 15 MB.
    assert.ok(a.grown < 130 * MB, `the server grew by ${a.grown / MB} MB`);
    for (const player of players) player.destroy();
    attacker.destroy();
    if (bytes === sequenceHeader) await a.settled();
  });
}

watchedAttack("H55: a header of 20 KB and metadata of 20 KB come to those who join", async (a) => {
  const attacker = await publisher(a, "usual");
  await attacker.flush(Buffer.concat([sequenceHeader(20_000), metadata(20_000), keyframe(40)]));
  assert.equal(await headersOf(a, "usual", 20_000), 1);
  const player = await FlvClient.open(`http://127.0.0.1:${a.edge.apiPort}/live/usual.flv`);
  try {
    await until("header and metadata", SOON_MS, () => {
      const large = player.tags.filter(({ payload }) => payload.length >= 20_000);
      return new Set(large.map(({ type }) => type)).size === 2;
    });
  } finally {
    player.close();
  }
});

/** A sequence header of one track of several (Enhanced RTMP v2). */
function trackHeader(track: number, bytes: number): Uint8Array {
  const payload = Buffer.alloc(bytes, track);
  payload.set([0x96, 0x00, 0x61, 0x76, 0x63, 0x31, track]);
  return video(payload);
}

watchedAttack(
  "H56: 32 tracks with a header of 15 MB each, released when it has gone",
  async (a) => {
    const attacker = await publisher(a, "tracks");
    for (let track = 0; track < 32; track++) await attacker.flush(trackHeader(track, HUGE));
    await attacker.flush(keyframe(40));
    const players = await deafPlayers(a, "tracks", 10);
    await until("the players", SOON_MS, async () => (await a.edge.connections()) >= 10);
    console.log(`grown by ${Math.round(a.grown / MB)} MB`);
    assert.ok(a.grown < 250 * MB, `the server grew by ${a.grown / MB} MB`);
    for (const player of players) player.destroy();
    attacker.write(command("deleteStream", 9, null, 1));
    attacker.destroy();
    await a.settled();
  },
);

watchedAttack("H56: three tracks with headers of 2 KB come to those who join", async (a) => {
  const attacker = await publisher(a, "three");
  for (let track = 0; track < 3; track++) await attacker.flush(trackHeader(track, 2000 + track));
  await attacker.flush(keyframe(40));
  const player = await RawClient.open(a.edge.port);
  try {
    const tcUrl = `rtmp://127.0.0.1:${a.edge.port}/live`;
    // capsEx 2: it understands several tracks.
    await player.call("connect", { app: "live", tcUrl, capsEx: 2 });
    await player.call("createStream", null);
    player.command("play", null, "three", -2000);
    await until("three headers", SOON_MS, () => {
      const sizes = new Set(player.messages.map(({ payload }) => payload.length));
      return [0, 1, 2].every((track) => sizes.has(2000 + track));
    });
  } finally {
    player.destroy();
  }
});
