/**
 * A publisher whose audio and video lie apart, or come in lumps: at the origin, at its edge, and with
 * two workers every message keeps its time (F1, F2).
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { sleep, until } from "../tools/process.ts";
import { isMedia, type RawClient, Type } from "../tools/raw_client.ts";
import { scenario } from "../tools/scenario.ts";
import { whyNoWorkers } from "../tools/workers.ts";

const LATENCY = "min_latency on; tcp_nodelay on; play { gop_cache on; mw_latency 50; }";
/** ms of media, and between two frames of each kind. */
const SPAN_MS = 2000;
const FRAME_MS = 40;

/** A frame with a number that tells which one it is. */
function frame(type: number, number: number): Buffer {
  const head = type === Type.AUDIO ? [0xaf, 1] : [number % 25 === 0 ? 0x17 : 0x27, 1, 0, 0, 0];
  const payload = Buffer.alloc(head.length + 8);
  payload.set(head);
  payload.writeUInt32BE(type, head.length);
  payload.writeUInt32BE(number, head.length + 4);
  return payload;
}

/** Sends the media, audio `skewMs` ahead, in lumps of one kind; returns their timestamps by payload. */
async function send(publisher: RawClient, skewMs: number, lumpMs: number) {
  const sent = new Map<string, number>();
  const start = Math.max(0, -skewMs);
  for (let lump = 0; lump < SPAN_MS; lump += lumpMs) {
    for (const type of [Type.AUDIO, Type.VIDEO]) {
      for (let t = lump; t < lump + lumpMs; t += FRAME_MS) {
        const payload = frame(type, t / FRAME_MS);
        const time = start + t + (type === Type.AUDIO ? skewMs : 0);
        sent.set(payload.toString("hex"), time);
        publisher.send(type, payload, time);
      }
    }
    await sleep(lumpMs);
  }
  return sent;
}

/**
 * All messages have come (at an edge, which may have asked too late for the first ones, the newest GOP
 * at least), all moved by the same time.
 */
async function assertSameTime(label: string, player: RawClient, sent: Map<string, number>) {
  const own = () =>
    player.messages.filter((m) => isMedia(m) && sent.has(m.payload.toString("hex")));
  const least = label.startsWith("edge") ? sent.size / 4 : sent.size;
  const last = [...sent.keys()].at(-1);
  await until(`${label}: ${least} of ${sent.size} messages and the last`, 10_000, () => {
    return own().length >= least && own().at(-1)?.payload.toString("hex") === last;
  });
  const offsets = new Set(
    own().map((m) => m.timestamp - (sent.get(m.payload.toString("hex")) ?? 0)),
  );
  assert.equal(offsets.size, 1, `${label}: moved by ${[...offsets].join(", ")} ms`);
}

// Several workers are not possible everywhere.
const workers = await whyNoWorkers() === null ? 2 : 1;

scenario(
  `F1, F2: audio and video apart or in lumps, at an origin with ${workers} worker(s) and its edge`,
  async (s) => {
    const origin = await s.server({ global: `workers ${workers};`, vhost: LATENCY });
    const edge = await s.server({
      vhost: `${LATENCY} cluster { mode remote; origin 127.0.0.1:${origin.port}; }`,
    });
    const cases: readonly (readonly [skewMs: number, lumpMs: number])[] = [
      [240, FRAME_MS],
      [-1000, FRAME_MS],
      [20_000, FRAME_MS],
      [0, 400],
      [-450, 1000],
    ];
    await Promise.all(cases.map(async ([skewMs, lumpMs], i) => {
      const players: [string, RawClient][] = [];
      for (
        const [name, server] of [["origin", origin], ["origin", origin], ["edge", edge]] as const
      ) {
        const player = await s.raw(server);
        await player.play("live", `apart${i}`);
        players.push([`${name}, skew ${skewMs} ms, lumps of ${lumpMs} ms`, player]);
      }
      const publisher = await s.raw(origin);
      await publisher.publish("live", `apart${i}`);
      const sent = await send(publisher, skewMs, lumpMs);
      for (const [label, player] of players) await assertSameTime(label, player, sent);
    }));
  },
);
