/**
 * No file is left: whoever takes them, by RTMP, HTTP, WebSocket or through pulls, forwards and hooks, the
 * process goes on, sleeps, serves who is there, and recovers by itself (H36, H37).
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import { hello } from "../tools/attacker.ts";
import { sleep, until } from "../tools/process.ts";
import { RawClient } from "../tools/raw_client.ts";
import { type WatchedAttack, watchedAttack, type WatchedOptions } from "../tools/watched_attack.ts";
import { freePort } from "../tools/server.ts";

/** ms until there is room again after those who took it have gone. */
const ROOM_MS = 2000;

/** ms for which the CPU is watched, and the share of a core that may be used meanwhile, of 1. */
const WATCH_MS = 2000;
const IDLE_SHARE = 0.05;
/** What each player that is let in may take besides: it gets the stream. */
const PLAYER_SHARE = 0.003;

/** Looks at the CPU, one of which must show that the server sleeps. */
const MAX_LOOKS = 5;

/** Ticks of a second in /proc. */
const TICKS = 100;

/** ms for what takes an instant, on a machine that does other things as well. */
const SOON_MS = 10_000;

/** The shell's own limit decides; few clients, so that the rest is for others. */
const OPTIONS: WatchedOptions = { openFiles: 320, maxConnections: 100, limitMs: 60_000 };

/** CPU time of a process, ms. */
function cpuMs(pid: number): number {
  const [, rest] = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ");
  const fields = rest.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 1000 / TICKS;
}

/**
 * Asserts that a server which has nothing to give but its streams sleeps. One that spins takes a core in
 * every look; on a machine that does other things a single look proves nothing.
 */
async function sleeps(
  a: WatchedAttack,
  streamShare: number,
  what: string,
  players = 0,
): Promise<void> {
  const most = IDLE_SHARE + streamShare + players * PLAYER_SHARE;
  let share = await shareOf(a);
  for (let look = 1; share >= most && look < MAX_LOOKS; look++) share = await shareOf(a);
  assert.ok(share < most, `${what}: ${(share * 100).toFixed(1)} % of a core, of ${most * 100} %`);
}

async function shareOf(a: WatchedAttack): Promise<number> {
  const before = cpuMs(a.edge.process.pid);
  const from = performance.now();
  await sleep(WATCH_MS);
  return (cpuMs(a.edge.process.pid) - before) / (performance.now() - from);
}

/** Connections that say `bytes` and stay, however many of them the server takes. */
function flood(port: number, count: number, bytes: (i: number) => Uint8Array | string) {
  const sockets = Array.from({ length: count }, (_, i) => {
    const socket = net.connect({ host: "127.0.0.1", port });
    socket.on("error", () => {});
    socket.on("data", () => {});
    const said = bytes(i);
    if (said.length > 0) socket.write(said);
    return socket;
  });
  return { leave: () => sockets.forEach((socket) => socket.destroy()) };
}

/** A player and a publisher come in, and a request is answered. */
async function room(a: WatchedAttack): Promise<void> {
  const begun = performance.now();
  let last: unknown;
  while (performance.now() - begun < SOON_MS) {
    try {
      const client = await RawClient.open(a.edge.port);
      await client.play("control", "stream");
      client.destroy();
      assert.equal((await a.edge.request("/healthz")).status, 200);
      const took = performance.now() - begun;
      assert.ok(took < ROOM_MS, `room after ${took} ms`);
      return;
    } catch (error) {
      last = error;
      await sleep(50);
    }
  }
  throw new Error("no room again", { cause: last });
}

/** How each side is exhausted. */
const FLOODS: Readonly<Record<string, (a: WatchedAttack) => { leave(): void }>> = {
  "HTTP connections that say nothing": (a) => flood(a.edge.apiPort, 700, () => ""),
  "half requests": (a) => flood(a.edge.apiPort, 700, () => "GET / HTTP/1.1\r\nHost: "),
  "WebSockets": (a) =>
    flood(
      a.edge.apiPort,
      700,
      () =>
        "GET /control/stream.flv HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n" +
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ),
  "RTMP connections that say nothing": (a) => flood(a.edge.port, 700, () => ""),
  "RTMP players": (a) => flood(a.edge.port, 700, (i) => hello("play", `nobody-${i}`)),
};

watchedAttack("H36, H37: whoever takes all files, by RTMP and HTTP, ends nothing", async (a) => {
  const usual = await shareOf(a);
  for (const [what, begin] of Object.entries(FLOODS)) {
    const attackers = begin(a);
    await sleep(500);
    await sleeps(a, usual, what, what === "WebSockets" ? 100 : 0);
    assert.equal(a.edge.process.exit, null, what);
    attackers.leave();
    await room(a);
    await a.control.fine(what);
  }
}, OPTIONS);

/** A server that accepts and says nothing. */
async function silent(): Promise<{ port: number; taken: () => number; stop(): void }> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => {});
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    taken: () => sockets.filter(({ destroyed }) => !destroyed).length,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const HTTP = "min_latency on; http_remux { enabled on; }";
/** Known before the server starts. */
const targets = { origin: freePort(), hooks: freePort() };

watchedAttack("H37: pulls, forwards and hooks take no file from the clients", async (a) => {
  const listen = async (port: number) => {
    const proxy = await silent();
    const server = net.createServer((socket) => {
      socket.on("error", () => {});
      const to = net.connect({ host: "127.0.0.1", port: proxy.port });
      to.on("error", () => {});
      socket.pipe(to).pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return { stop: () => (server.close(), proxy.stop()) };
  };
  const held = [await listen(targets.origin), await listen(targets.hooks)];
  try {
    const usual = await shareOf(a);
    const floods = {
      pulls: (i: number) => hello("play", `name-${i}?vhost=edge.example`),
      forwards: (i: number) => hello("publish", `name-${i}?vhost=forwards.example`),
      hooks: (i: number) => hello("play", `name-${i}?vhost=hooks.example`),
    };
    for (const [what, bytes] of Object.entries(floods)) {
      const attackers = flood(a.edge.port, 90, bytes);
      await sleep(500);
      await sleeps(a, usual, what);
      const { status } = await a.edge.request("/api/v1/summaries");
      assert.equal(status, 200, what);
      attackers.leave();
      await room(a);
      await a.control.fine(what);
    }
  } finally {
    for (const each of held) each.stop();
  }
}, {
  ...OPTIONS,
  root: `vhost edge.example { ${HTTP} cluster { mode remote; origin 127.0.0.1:${targets.origin}; } }
    vhost forwards.example { ${HTTP} forward { enabled on;
      destination 127.0.0.1:${targets.origin} 127.0.0.1:${targets.origin}; } }
    vhost hooks.example { ${HTTP}
      http_hooks { enabled on; on_play http://127.0.0.1:${targets.hooks}/; } }`,
});

watchedAttack("H37: a limit that is too small is said at the start", async (a) => {
  const file = `${a.folder}/many.conf`;
  await Deno.writeTextFile(
    file,
    `listen 127.0.0.1:${freePort()}; max_connections 1000; vhost a { }`,
  );
  const command = Deno.readTextFileSync(`/proc/${a.edge.process.pid}/cmdline`).split("\0");
  const words = command.slice(0, command.indexOf("-c"));
  const child = new Deno.Command("sh", {
    args: ["-c", 'ulimit -n 320 && exec "$@"', "sh", ...words, "-c", file],
    cwd: new URL("../../", import.meta.url).pathname,
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stderr } = await child.output();
  const text = Buffer.from(stderr).toString();
  assert.notEqual(code, 0);
  assert.match(
    text,
    /max_connections=1000 needs 1128 open files .*may have \d+\. Run: ulimit -HSn/,
  );
  assert.match(text, /or lower max_connections to \d+/);
  await until("the server to run on", SOON_MS, () => a.edge.process.exit === null);
}, OPTIONS);
