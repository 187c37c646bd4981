/**
 * F30: the lines that are printed at start work as they stand, whatever is configured.
 * @module
 */
import assert from "node:assert/strict";
import { type Child, until } from "../tools/process.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { freePort, type Server } from "../tools/server.ts";

/** ms from a line's start until the stream plays: encoder, player, and the first keyframe. */
const PLAYING_LIMIT_MS = 40_000;

/** Bytes that a player gets: seconds of the stream that the line publishes. */
const PLAYED_BYTES = 100_000;

/** ffplay without a screen and a loudspeaker. */
const HEADLESS = { SDL_VIDEODRIVER: "dummy", SDL_AUDIODRIVER: "dummy" };

const SECRET = "a-secret-that-no-log-may-show";

/** The line of this name, as a user copies it. */
async function line(server: Server, name: "push" | "watch"): Promise<string> {
  const pattern = new RegExp(`^  ${name} +(ff.*)$`, "m");
  let found: string | undefined;
  await until(`the line ${name}`, PLAYING_LIMIT_MS, () => {
    found = pattern.exec(server.process.stdout)?.[1];
    return found !== undefined;
  });
  return found ?? "";
}

/** Runs a line in a shell, in another directory than the server's. */
function shell(s: Scenario, label: string, command: string): Child {
  return s.spawn(label, ["env", "-C", s.folder, ...words(HEADLESS), "sh", "-c", `exec ${command}`]);
}

function words(environment: Record<string, string>): string[] {
  return Object.entries(environment).map(([name, value]) => `${name}=${value}`);
}

interface Listed {
  readonly type: string;
  readonly send_bytes: number;
}

async function clients(api: number): Promise<Listed[]> {
  const answer = await fetch(`http://127.0.0.1:${api}/api/v1/clients/`);
  return (await answer.json()).clients;
}

/** Takes both lines out of the output of `server`, runs them, and sees the stream play. */
async function assertLinesWork(s: Scenario, server: Server, api: number): Promise<void> {
  const [push, watch] = [await line(server, "push"), await line(server, "watch")];
  const publisher = shell(s, "the line push", push);
  await until("the stream published", PLAYING_LIMIT_MS, async () => {
    assert.equal(publisher.exit, null, publisher.report());
    return (await clients(api)).some(({ type }) => type.endsWith("publish"));
  });
  const player = shell(s, "the line watch", watch);
  await until("the stream playing", PLAYING_LIMIT_MS, async () => {
    assert.equal(publisher.exit, null, publisher.report());
    assert.equal(player.exit, null, player.report());
    const playing = (await clients(api)).filter(({ type }) => type === "rtmp-play");
    return playing.some(({ send_bytes }) => send_bytes > PLAYED_BYTES) &&
      /Video: h264/.test(player.stderr) && /Audio: aac/.test(player.stderr);
  });
  await player.stop("SIGINT");
  await publisher.stop("SIGINT");
}

/** A server whose API is on a port of its own: the usual one may be in use by another test. */
async function start(s: Scenario, text: string): Promise<{ server: Server; api: number }> {
  const api = freePort();
  const http = `http_api { enabled on; listen 127.0.0.1:${api}; }`;
  return { server: await s.server({ text: `${text}\n${http}\n` }), api };
}

scenario("F30: the lines of the recipe's configuration", async (s) => {
  const shipped = await Deno.readTextFile(new URL("../../conf/realtime.conf", import.meta.url));
  const text = shipped.replace(/listen\s+1935;/, "listen PORT;");
  assert.notEqual(text, shipped, "conf/realtime.conf listens on 1935");
  const { server, api } = await start(s, text);
  assert.match(await line(server, "push"), /rtmp:\/\/127\.0\.0\.1:\d+\/live\/livestream$/);
  const said = server.process.stdout;
  assert.ok(said.indexOf("RTMP listen at") < said.indexOf("  push "), `below the log\n${said}`);
  assert.ok(said.includes("RTMP listen at"), said);
  await assertLinesWork(s, server, api);
});

scenario("F30: the lines where all vhosts have names, and the first is off", async (s) => {
  const { server, api } = await start(
    s,
    `listen 127.0.0.1:PORT; max_connections 100;
vhost off.example.com { enabled off; }
vhost cam.example.com { min_latency on; }
vhost other.example.com { }`,
  );
  assert.match(await line(server, "watch"), /\?vhost=cam\.example\.com'$/);
  await assertLinesWork(s, server, api);
});

scenario("F30: the lines where publishing and playing must be signed", async (s) => {
  const { server, api } = await start(
    s,
    `listen 127.0.0.1:PORT; max_connections 100;
vhost cam.example.com {
  publish { secret ${SECRET} an-older-one; }
  play { secret ${SECRET}-2; }
}`,
  );
  await assertLinesWork(s, server, api);
  const all = server.log;
  assert.ok(!all.includes(SECRET), `no secret in the output\n${all}`);
  assert.ok(!/sign=[0-9a-f]{8}/.test(all), `no signature in the output\n${all}`);
});

scenario("F30: the lines with other ports, IPv6 first", async (s) => {
  const { server, api } = await start(
    s,
    `listen [::1]:PORT 127.0.0.1:PORT; max_connections 100; vhost __defaultVhost__ { }`,
  );
  assert.match(await line(server, "push"), /'rtmp:\/\/\[::1\]:\d+\/live\/livestream'$/);
  await assertLinesWork(s, server, api);
});

scenario("F30: the lines of an edge", async (s) => {
  const origin = await s.server({ vhost: "min_latency on;" });
  const { server, api } = await start(
    s,
    `listen 127.0.0.1:PORT; max_connections 100;
vhost __defaultVhost__ { min_latency on; cluster { mode remote; origin 127.0.0.1:${origin.port}; } }`,
  );
  await assertLinesWork(s, server, api);
});
