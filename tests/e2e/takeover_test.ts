/**
 * Publishers come, go, die and are replaced; players stay.
 * @module
 */
import assert from "node:assert/strict";
import { HookServer } from "../tools/hook_server.ts";
import { media } from "../tools/media.ts";
import type { Kind } from "../tools/packets.ts";
import {
  A_SECOND,
  anotherSecond,
  assertOneTimeline,
  assertStretches,
} from "../tools/publisher_changes.ts";
import { assertPlayed, kindsOf, type Scenario, scenario } from "../tools/scenario.ts";
import { type RawClient, statusCode } from "../tools/raw_client.ts";
import { sleep, within } from "../tools/process.ts";

/** ms within which a new publisher must be on the air. */
const TAKEOVER_LIMIT_MS = 3000;

scenario("a killed publisher is replaced within 3 s and its players go on", async (s) => {
  const server = await s.server({ vhost: "min_latency on; play { mw_latency 100; }" });
  const [one, two] = [await media("small-0"), await media("small-1")];
  const url = server.url("live/livestream");
  const players = [await s.play(url), await s.play(url)];
  const witness = await s.raw(server);
  await witness.play("live", "livestream");
  const first = s.publish(one, url, { loop: true });
  for (const player of players) await player.received("video", 2 * A_SECOND);
  await first.stop("SIGKILL");
  const killed = performance.now();
  const raw = await s.raw(server);
  await raw.publish("live", "livestream");
  const gap = performance.now() - killed;
  assert.ok(gap < TAKEOVER_LIMIT_MS, `the name was taken for another ${gap} ms`);
  raw.destroy();
  s.publish(two, url, { loop: true });
  for (const player of players) await anotherSecond(player);
  for (const player of players) assertStretches(await player.stop(), [one, two]);
  assertOneTimeline(witness);
});

scenario("a publisher that falls silent loses the name after normal_timeout", async (s) => {
  const server = await s.server({
    vhost: "play { mw_latency 0; } publish { firstpkt_timeout 2000; normal_timeout 2000; }",
  });
  const clip = await media("small-0");
  const url = server.url("live/livestream");
  const player = await s.play(url);
  const first = s.publish(clip, url, { loop: true });
  await player.received("video", 2 * A_SECOND);
  first.signal("SIGSTOP");
  // SRS looks only every normal_timeout, so that it takes up to twice as long.
  await sleep(5000);
  s.publish(await media("small-1"), url, { loop: true });
  await anotherSecond(player);
  assertStretches(await player.stop(), [clip, await media("small-1")]);
});

scenario(
  "F8: a stalled publisher's on_unpublish comes before the newcomer's on_publish",
  async (s) => {
    const hooks = new HookServer();
    try {
      // A slow hook server: the order must not be a matter of luck.
      const told: string[] = [];
      hooks.reply = async ({ body }) => {
        if (body.action === "on_unpublish") await sleep(500);
        told.push(`${body.action} ${body.client_id}`);
        return new Response("0");
      };
      const server = await s.server({
        vhost: `min_latency on; play { mw_latency 0; }
        http_hooks { enabled on; on_publish ${hooks.url("/publish")}; on_unpublish ${
          hooks.url("/unpublish")
        }; }`,
      });
      const [clip, next] = [await media("small-0"), await media("small-1")];
      const url = server.url("live/livestream");
      const player = await s.play(url);
      const first = s.publish(clip, url, { loop: true });
      await player.received("video", A_SECOND);
      // While the publisher is healthy a newcomer is refused, and the application hears of nothing.
      const refused = s.publish(next, url);
      assert.ok(!(await refused.finish(10_000)).success);
      assert.equal(told.length, 1, told.join());
      first.signal("SIGSTOP");
      await sleep(3000);
      s.publish(next, url, { loop: true });
      await anotherSecond(player);
      assert.deepEqual(told.map((each) => each.split(" ")[0]), [
        "on_publish",
        "on_unpublish",
        "on_publish",
      ]);
      assert.equal(told[0].split(" ")[1], told[1].split(" ")[1], "the old one's end");
      assertStretches(await player.stop(), [clip, next]);
    } finally {
      await hooks.stop();
    }
  },
);

scenario("players wait for a publisher that comes, leaves and comes again", async (s) => {
  const server = await s.server({ vhost: "min_latency on; play { mw_latency 100; }" });
  const clips = [await media("small-0"), await media("small-1"), await media("small-2")];
  const url = server.url("live/livestream");
  const player = await s.play(url);
  const witness = await s.raw(server);
  await witness.play("live", "livestream");
  await sleep(1000);
  for (const [number, clip] of clips.entries()) {
    const publisher = s.publish(clip, url);
    assert.ok((await publisher.finish(20_000)).success, `publisher ${number + 1}`);
    await sleep(1000);
  }
  assert.equal(player.process.exit, null, "the player stayed");
  assertOneTimeline(witness);
  assertStretches(await player.stop(), clips, true);
});

/** Publishes, and returns a player that plays. */
async function busyStream(s: Scenario) {
  const server = await s.server({ vhost: "min_latency on;" });
  const clip = await media("small-0");
  const url = server.url("live/livestream");
  const player = await s.play(url);
  const first = s.publish(clip, url, { loop: true });
  await player.received("video", A_SECOND);
  return { server, clip, url, player, first };
}

scenario("a second publisher of a busy stream is refused, the first goes on", async (s) => {
  const { clip, url, player, first } = await busyStream(s);
  const second = s.publish(await media("small-1"), url);
  const status = await second.finish(10_000);
  assert.ok(!status.success, "the second ffmpeg ends with an error");
  await anotherSecond(player);
  assert.equal(first.exit, null, "the first publisher is still there");
  assertPlayed("player", await player.stop(), clip, { seconds: 2, loop: true });
});

scenario("the second publisher is told NetStream.Publish.BadName, then closed", async (s) => {
  const { server, clip, player } = await busyStream(s);
  for (const way of ["ffmpeg's", "Flash's"]) {
    const second = await s.raw(server);
    await refusedPublish(second, way === "Flash's");
    await second.status("NetStream.Publish.BadName");
    const codes = second.messages.map(statusCode);
    assert.ok(
      codes.lastIndexOf("NetStream.Publish.BadName") > codes.lastIndexOf("NetStream.Publish.Start"),
      `${way} sequence: BadName is the last word, not Start`,
    );
    assert.equal(await within("the close", 5000, second.ended), "end", `${way} sequence`);
  }
  await anotherSecond(player);
  assertPlayed("player", await player.stop(), clip, { seconds: 2, loop: true });
});

/** Asks to publish without waiting for an agreement. */
async function refusedPublish(client: RawClient, flash: boolean): Promise<void> {
  await client.call("connect", { app: "live", tcUrl: `rtmp://127.0.0.1:${client.port}/live` });
  if (!flash) {
    client.command("releaseStream", null, "livestream");
    client.command("FCPublish", null, "livestream");
  }
  await client.call("createStream", null);
  client.command("publish", null, "livestream", "live");
}

scenario("publishers of different streams do not meet", async (s) => {
  const { server, clip, player } = await busyStream(s);
  const other = await media("small-1");
  const kinds: Kind[] = kindsOf(other.recording);
  for (const path of ["live/other", "other/livestream"]) {
    const second = await s.play(server.url(path));
    s.publish(other, server.url(path), { loop: true });
    for (const kind of kinds) await second.received(kind, A_SECOND);
    assertPlayed(path, await second.stop(), other, { seconds: 0.5, loop: true });
  }
  assertPlayed("player", await player.stop(), clip, { seconds: 2, loop: true });
});
