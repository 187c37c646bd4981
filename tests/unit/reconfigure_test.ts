/**
 * Other settings for a stream that is on the air: what changes at once, and what with the next publisher.
 * @module
 */
import assert from "node:assert/strict";
import type { PlayConfig, VhostConfig } from "../../src/config/types.ts";
import { FakePublisher, vhostOf } from "./support/live_fixture.ts";
import { HEADERS, playing, type Scene, taken } from "./support/live_scene.ts";

function configure(
  scene: Scene,
  play: Partial<PlayConfig>,
  vhost: Partial<VhostConfig> = { minLatency: true },
): void {
  scene.live.configure(vhostOf(play, vhost));
}

Deno.test("reconfigure: gop_cache on begins with the next keyframe, off at once", () => {
  const scene = playing(`${HEADERS} K1 P2`, { gopCache: false });
  configure(scene, { gopCache: true });
  assert.equal(taken(scene.join()), HEADERS, "this GOP was not kept");
  scene.publish("K3 P4");
  assert.equal(taken(scene.join()), `${HEADERS} K3 P4`);
  configure(scene, { gopCache: false });
  assert.equal(taken(scene.join()), HEADERS);
});

Deno.test("reconfigure: queue_length holds for players that are there", () => {
  const scene = playing(`${HEADERS} K1`, { queueLengthMs: 30_000 });
  const player = scene.join();
  player.take();
  player.sink.fast = false;
  scene.publish("P2 P3", 1000);
  scene.seconds(3);
  assert.equal(player.player.jumps, 0);
  configure(scene, { queueLengthMs: 2000 });
  scene.seconds(1);
  assert.equal(player.player.jumps, 1);
});

Deno.test("reconfigure: what was held for mw_latency goes out, and the next goes at once", () => {
  const scene = playing(HEADERS, { mwLatencyMs: 20_000 }, false);
  const player = scene.join();
  player.take();
  scene.publish("K1 P2");
  assert.equal(taken(player), "");
  configure(scene, { mwLatencyMs: 100, mwMsgs: 0 });
  assert.equal(taken(player), "K1 P2");
  scene.publish("P3");
  assert.equal(taken(player), "P3");
});

Deno.test("reconfigure: the log's chunks keep their size", () => {
  const scene = playing(`${HEADERS} K1`);
  const { chunkSize } = scene.live.vhost;
  configure(scene, {}, { chunkSize: 128, minLatency: true });
  assert.equal(scene.live.vhost.chunkSize, chunkSize);
  assert.equal(taken(scene.join()), HEADERS, "written as announced, or it could not be read");
});

Deno.test("reconfigure: takeover counts for the next who comes", () => {
  const scene = playing(`${HEADERS} K1`);
  assert.equal(new FakePublisher(scene.live).start(), false);
  const { publish } = scene.live.vhost;
  configure(scene, {}, { publish: { ...publish, takeover: "replace" } });
  assert.equal(new FakePublisher(scene.live).start(), true);
  assert.equal(scene.publisher.replacements, 1);
});

Deno.test("reconfigure: time_jitter and mix_correct wait for the next publisher", () => {
  const scene = playing(`${HEADERS} K1`, { timeJitter: "full" });
  configure(scene, { timeJitter: "off", mixCorrect: true });
  scene.time = 50_000;
  scene.publish("P2");
  assert.ok(scene.live.time < 1000, "a jump is still corrected");
  scene.publisher.stop();
  assert.ok(scene.publisher.start());
  scene.time = 90_000;
  // With mix_correct sound has to wait for a picture.
  scene.publish("A1");
  assert.ok(scene.live.time < 1000);
  scene.publish("K2");
  assert.equal(scene.live.time, scene.time - 40);
});
