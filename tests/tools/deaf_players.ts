/**
 * Players that do not read (H19), and a publisher that sends them a lot.
 * @module
 */

import { Buffer } from "node:buffer";
import { MAX_LOG_BYTES } from "../../src/live/limits.ts";
import { type Attacker, hello, message, setChunkSize } from "./attacker.ts";
import { type Hostile, type HostileOptions, MEMORY_SLACK } from "./hostile.ts";

/** Publishes pictures of 100 KB: `megabytes` at once, then one every 100 ms. */
export async function flood(h: Hostile, name: string, megabytes: number): Promise<Attacker> {
  const from = await h.attacker(Buffer.concat([hello("publish", name), setChunkSize(60_000)]));
  await from.hears("NetStream.Publish.Start");
  let number = 0;
  const picture = () => {
    const payload = Buffer.alloc(100_000, number);
    payload.set([number % 20 === 0 ? 0x17 : 0x27, 1, 0, 0, 0]);
    return message({ type: 9, payload, timestamp: 40 * number++ }, 60_000);
  };
  for (let i = 0; i < 10 * megabytes; i++) await from.flush(picture());
  const timer = setInterval(() => from.write(picture()), 100);
  h.onEnd(() => clearInterval(timer));
  return from;
}

/** What `deafPlayers` needs of the server, and what that may need. */
export const DEAF_PLAYERS: HostileOptions = {
  limitMs: 170_000,
  vhost: "min_latency on; play { gop_cache off; queue_length 5; mw_latency 0; }",
  // Ten times a kernel's socket buffers are not ours; the log of 5 s and the runtime's heap are.
  peak: MAX_LOG_BYTES + 2 * MEMORY_SLACK,
};

/** Ten players that never read, and 30 MB at once. */
export async function deafPlayers(h: Hostile): Promise<Attacker[]> {
  const deaf: Attacker[] = [];
  for (let i = 0; i < 10; i++) {
    const player = await h.attacker(hello("play"));
    await player.hears("NetStream.Play.Start");
    player.pause();
    deaf.push(player);
  }
  await flood(h, "s", 30);
  await h.control.progress("with deaf players");
  return deaf;
}
