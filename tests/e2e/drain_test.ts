/**
 * The slow end: SIGQUIT and `POST /api/v1/drain`. Who can be asked to go goes to a second server on the
 * same port, the others stay for a while.
 * @module
 */
import assert from "node:assert/strict";
import { media } from "../tools/media.ts";
import { Movable, REQUEST } from "../tools/movable.ts";
import { type Child, sleep, until, within } from "../tools/process.ts";
import { A_SECOND, anotherSecond } from "../tools/publisher_changes.ts";
import { isMedia, statusCode } from "../tools/raw_client.ts";
import { assertPlayed, type Scenario, scenario } from "../tools/scenario.ts";
import { accepts, type Server } from "../tools/server.ts";

/** ms for something that takes a second at most. */
const SOON_MS = 10_000;
const QUICK = "grace_start_wait 200; grace_final_wait 100;";

async function healthz(server: Server): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${server.apiPort}/healthz`);
  return `${response.status} ${await response.text()}`;
}

/** Starts a second server with the configuration of another one, which has the ports or leaves them. */
async function successor(s: Scenario, server: Server): Promise<Child> {
  const second = s.command("-c", server.configFile);
  await until("the second server", SOON_MS, () => {
    assert.equal(second.exit, null, second.report());
    return second.stdout.includes("RTMP listen at");
  });
  return second;
}

scenario("drain: who can connect anew moves to the next server, who cannot plays on", async (s) => {
  const server = await s.server({
    global: `${QUICK} grace_max_wait 6000;`,
    vhost: "min_latency on; play { mw_latency 100; }",
  });
  const clip = await media("small-0");
  const url = server.url("live/ordinary");
  s.publish(clip, url, { loop: true });
  const ordinary = await s.play(url);
  await ordinary.received("video", A_SECOND);
  const movers = {
    publisher: (await Movable.connect(server.port, "publish", "moving")).send(),
    player: await Movable.connect(server.port, "play", "moving"),
  };
  await movers.player.client.next("media", isMedia);

  server.process.signal("SIGQUIT");
  await until("/healthz", SOON_MS, async () => await healthz(server) === "503 draining");
  for (const mover of Object.values(movers)) assert.equal(await mover.asked(), undefined);
  assert.ok(!await accepts(server.port), "nobody new");
  const second = await successor(s, server);
  const moved = {
    publisher: (await Movable.connect(server.port, "publish", "moving")).send(),
    player: await Movable.connect(server.port, "play", "moving"),
  };
  await moved.player.client.next("media", isMedia);
  for (const mover of Object.values(movers)) mover.leave();

  await until(
    "a line about those who are left",
    SOON_MS,
    () => /drain: 2 clients left$/m.test(server.log),
  );
  await anotherSecond(ordinary);
  assert.equal(server.process.exit, null);
  assert.equal(await healthz(server), "503 draining", "the API is there until the end");
  const ended = await server.process.finish(SOON_MS);
  assert.equal(ended.code, 0, server.process.report());
  assert.match(server.log, /drain: the time is up, 2 clients left/);
  assertPlayed("player", await ordinary.stop(), clip, { seconds: 2, loop: true });
  // Now it gets the API's port, for which it had to wait.
  await until("the second server's API", SOON_MS, async () => {
    return await healthz(server).catch(() => "") === "200 ok";
  });
  for (const mover of Object.values(moved)) mover.leave();
  assert.equal((await second.stop("SIGTERM")).code, 0);
});

scenario(
  "drain: through the API, to another address; a player whose stream ends is let go",
  async (s) => {
    const server = await s.server({ global: `${QUICK} grace_max_wait 0;` });
    const mover = (await Movable.connect(server.port, "publish", "moving")).send();
    const player = await s.raw(server);
    await player.play("live", "moving");
    const post = (headers: Record<string, string>) => {
      const body = '{"tcUrl":"rtmp://127.0.0.1:9/live"}';
      const address = `http://127.0.0.1:${server.apiPort}/api/v1/drain`;
      return fetch(address, { method: "POST", body, headers });
    };
    const foreign = await post({ Origin: "http://evil.example" });
    assert.equal(foreign.status, 403);
    await foreign.body?.cancel();
    assert.equal(await healthz(server), "200 ok");
    const { data } = await (await post({})).json();
    assert.deepEqual(data, { draining: true, connections: 2 });
    assert.equal(await mover.asked(), "rtmp://127.0.0.1:9/live");
    await sleep(1500);
    assert.equal(server.process.exit, null, "the publisher may stay as long as it likes");
    mover.leave();
    assert.equal(await within("the player's end", SOON_MS, player.ended), "end");
    assert.ok(player.messages.map(statusCode).includes("NetStream.Play.Stop"));
    assert.ok(!player.messages.map(statusCode).includes(REQUEST), "it has not said that it can");
    assert.equal((await server.process.finish(SOON_MS)).code, 0);
  },
);

scenario("drain: SIGTERM if force_grace_quit is on; a second signal ends it at once", async (s) => {
  const server = await s.server({ global: `${QUICK} force_grace_quit on; pid ${s.folder}/pid;` });
  const player = await s.raw(server);
  await player.play("live", "any");
  server.process.signal("SIGTERM");
  await until("the drain", SOON_MS, () => server.log.includes("drain: 1 client left"));
  server.process.signal("SIGHUP");
  await until("no reload", SOON_MS, () => server.log.includes("reload: refused"));
  // What another server has written there is not its to remove.
  await Deno.writeTextFile(`${s.folder}/pid`, "1");
  server.process.signal("SIGQUIT");
  assert.equal((await server.process.finish(SOON_MS)).code, 0);
  assert.match(server.log, /SIGQUIT, user terminate program, fast quit/);
  assert.equal(await Deno.readTextFile(`${s.folder}/pid`), "1");
});
