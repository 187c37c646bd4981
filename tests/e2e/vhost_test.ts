/**
 * Which vhost a client gets, and what happens when there is none.
 * @module
 */
import assert from "node:assert/strict";
import { media } from "../tools/media.ts";
import { assertPlayed, type Scenario, scenario } from "../tools/scenario.ts";
import { statusCode } from "../tools/raw_client.ts";
import { sleep, within } from "../tools/process.ts";
import type { Server } from "../tools/server.ts";

const TWO_VHOSTS = `
vhost one.example { min_latency on; }
vhost two.example { min_latency on; }
vhost off.example { enabled off; }`;

scenario("the same name in two vhosts is two streams, however the vhost is given", async (s) => {
  const server = await s.server({ vhosts: TWO_VHOSTS });
  const [one, two] = [await media("small-0"), await media("small-1")];
  s.publish(one, server.url("live/livestream?vhost=one.example"), { loop: true });
  s.publish(two, server.url("live?vhost=two.example/livestream"), { loop: true });
  const ways = [
    { clip: one, path: "live?vhost=one.example/livestream" },
    { clip: one, path: "live/livestream?domain=one.example" },
    { clip: one, path: "live...vhost...one.example/livestream" },
    { clip: two, path: "live/livestream?vhost=two.example&token=x" },
    { clip: two, path: "live?token=x&vhost=two.example/livestream" },
  ];
  const players = ways.map(({ path }) => s.startPlayer(server.url(path)));
  for (const player of players) await player.received("video", 50);
  for (const [i, { clip, path }] of ways.entries()) {
    const label = `player of ${path}`;
    assertPlayed(label, await players[i].stop(), clip, { seconds: 1.5, loop: true });
  }
});

/** Asserts that publishing and playing end without having begun. */
async function assertRefused(s: Scenario, server: Server, path: string): Promise<void> {
  const publisher = s.publish(await media("small-0"), server.url(path));
  const status = await publisher.finish(10_000);
  assert.ok(!status.success, `publishing ${path} ends with an error`);
  const [app, stream] = path.split("/");
  const player = await s.raw(server);
  await player.connect(app);
  player.command("play", null, stream, -2000);
  assert.equal(await within("the close", 5000, player.ended), "end", `playing ${path}`);
  const codes = player.messages.map(statusCode);
  assert.ok(!codes.includes("NetStream.Play.Start"), `playing ${path} never started`);
}

scenario("an unknown vhost is refused when there is no default", async (s) => {
  const server = await s.server({ vhosts: TWO_VHOSTS });
  await assertRefused(s, server, "live/livestream?vhost=three.example");
  await assertRefused(s, server, "live/livestream");
});

scenario("a vhost that is switched off is refused", async (s) => {
  const server = await s.server({ vhosts: TWO_VHOSTS });
  await assertRefused(s, server, "live/livestream?vhost=off.example");
});

scenario("an unknown vhost is served by the default, where names are shared", async (s) => {
  const server = await s.server();
  const clip = await media("small-0");
  s.publish(clip, server.url("live/livestream?vhost=three.example"), { loop: true });
  await sleep(500);
  const player = await s.play(server.url("live/livestream"));
  await player.received("video", 25);
  assertPlayed("player", await player.stop(), clip, { seconds: 0.5, loop: true });
});
