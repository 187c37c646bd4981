/**
 * What viewers and publishers can do to an edge and, through it, to the origin; and what an origin can do to
 * an edge. Each beside a stream through that edge that must not notice.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import { sleep, until } from "../tools/process.ts";
import { decodeAmf, RawClient, statusCode, Type } from "../tools/raw_client.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { freePort, type Server } from "../tools/server.ts";
import { WatchedControl } from "../tools/watched_control.ts";
import { whyNoWorkers } from "../tools/workers.ts";

/** ms for what takes an instant, on a machine that does other things as well. */
const SOON_MS = 10_000;

/** ms of the clock in which a name is free again, and a place. */
const FREE_MS = 1000;

const HTTP = "min_latency on; http_remux { enabled on; }";

function edgeOf(origin: number, more = ""): string {
  return `${HTTP} cluster { mode remote; origin 127.0.0.1:${origin}; ${more} }`;
}

/** An origin and its edge, with a control stream that is published and played at the edge. */
async function withEdge(
  s: Scenario,
  settings: { vhosts?: string; cluster?: string; maxConnections?: number },
  attack: (edge: Server, origin: Server) => Promise<void>,
): Promise<void> {
  const { vhosts = `vhost __defaultVhost__ { ${HTTP} }`, cluster = "" } = settings;
  const origin = await s.server({ vhosts, maxConnections: 1000 });
  const edge = await s.server({
    vhost: edgeOf(origin.port, cluster),
    maxConnections: settings.maxConnections ?? 1000,
  });
  const control = await WatchedControl.start(edge);
  try {
    await attack(edge, origin);
    await control.fine("after the attack");
    assert.doesNotMatch(edge.log + origin.log, /\[ERROR\]|internal fault/);
  } finally {
    control.stop();
  }
}

/** A picture that shows whose it is. */
function picture(mark: string): Buffer {
  return Buffer.concat([Buffer.from([0x17, 1, 0, 0, 0]), Buffer.from(mark.repeat(16))]);
}

/** Publishes pictures until the test's end. */
async function publish(s: Scenario, server: Server, stream: string, mark: string) {
  const client = await s.raw(server);
  await client.publish("live", stream);
  client.send(Type.VIDEO, Buffer.from([0x17, 0, 0, 0, 0, 1, 2, 3, 4]));
  let time = 0;
  const timer = setInterval(() => client.send(Type.VIDEO, picture(mark), time += 40), 40);
  void client.ended.then(() => clearInterval(timer));
  return client;
}

/** The mark in the first picture that a viewer gets. */
async function seen(client: RawClient): Promise<string> {
  const { payload } = await client.next("a picture", ({ type, payload }) => {
    return type === Type.VIDEO && payload[1] === 1;
  });
  return String.fromCharCode(payload[5]);
}

scenario("H38: no viewer's query changes what the others see at an edge", async (s) => {
  const vhosts = `vhost __defaultVhost__ { ${HTTP} } vhost int.local { ${HTTP} }`;
  await withEdge(s, { vhosts }, async (edge, origin) => {
    await publish(s, origin, "cam", "A");
    await publish(s, origin, "cam?vhost=int.local", "B");
    const queries = [
      "?x=1;vhost=int.local",
      "?x=1,vhost=int.local",
      "?x=1?vhost=int.local",
      "?x=1&%76host=int.local",
      "?x=1;domain=int.local",
      "?vhost=__defaultVhost__;domain=int.local",
      "?vhost=int.local",
    ];
    const attackers: RawClient[] = [];
    for (const query of queries) {
      const byName = await s.raw(edge);
      await byName.play("live", `cam${query}`);
      const byUrl = await s.raw(edge);
      await byUrl.play(`live${query}`, "cam");
      const path = `/live/cam.flv${query}`;
      const byHttp = net.connect({ host: "127.0.0.1", port: edge.apiPort });
      byHttp.on("error", () => {});
      byHttp.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
      attackers.push(byName, byUrl);
      // While they are there, and first.
      const viewer = await s.raw(edge);
      await viewer.play("live", "cam");
      assert.equal(await seen(viewer), "A", query);
      viewer.destroy();
      byHttp.destroy();
    }
    // Who names a vhost of the origin explicitly gets that one's stream, and nobody else does.
    const explicit = await s.raw(edge);
    await explicit.play("live", "cam?vhost=int.local");
    assert.equal(await seen(explicit), "B");
    for (const attacker of attackers) attacker.destroy();
    // So it is for publishers.
    const publisher = await publish(s, edge, "up?x=1;vhost=int.local", "C");
    const other = await s.raw(edge);
    await other.play("live", "up?vhost=int.local");
    assert.equal(await seen(other), "C");
    const plain = await publish(s, edge, "up", "D");
    const viewer = await s.raw(edge);
    await viewer.play("live", "up");
    assert.equal(await seen(viewer), "D");
    publisher.destroy();
    plain.destroy();
  });
});

scenario("H39: requests that are dropped leave their places at once", async (s) => {
  await withEdge(s, { maxConnections: 50 }, async (edge) => {
    const sockets = Array.from({ length: 200 }, (_, i) => {
      const socket = net.connect({ host: "127.0.0.1", port: edge.apiPort });
      socket.on("error", () => {});
      socket.write(`GET /live/nobody${i % 20}.flv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
      return socket;
    });
    await sleep(300);
    for (const socket of sockets) socket.destroy();
    const dropped = performance.now();
    await until("a place", SOON_MS, async () => {
      const response = await fetch(`http://127.0.0.1:${edge.apiPort}/control/stream.flv`);
      await response.body?.cancel();
      return response.status === 200;
    });
    const took = performance.now() - dropped;
    assert.ok(took < 2 * FREE_MS, `a place was free after ${took} ms`);
  });
});

scenario("H40: who invents names has few connections to the origin", async (s) => {
  await withEdge(s, {}, async (edge, origin) => {
    const connections = async () => {
      const { data } = await origin.api("/api/v1/summaries") as {
        data: { system: { conn_srs: number } };
      };
      return data.system.conn_srs;
    };
    const before = await connections();
    let most = 0;
    // One connection that goes from name to name ...
    const player = await s.raw(edge);
    await player.play("live", "invented");
    for (let i = 0; i < 100; i++) {
      player.command("play", null, `invented-${i}`);
      await sleep(15);
      if (i % 10 === 9) most = Math.max(most, await connections());
    }
    assert.ok(most - before <= 6, `${most - before} connections for one player`);
    // ... and many of one address.
    const refused: string[] = [];
    const players = await Promise.all(Array.from({ length: 80 }, async (_, i) => {
      const client = await s.raw(edge);
      await client.connect("live");
      client.command("play", null, `other-${i}`);
      const answer = await client.next("an answer", (message) => {
        return /^NetStream\.Play\.(Start|Failed)$/.test(statusCode(message));
      });
      if (statusCode(answer).endsWith("Failed")) {
        const info = decodeAmf(answer.payload).at(-1) as { description: string };
        refused.push(info.description);
      }
      return client;
    }));
    await until("pulls", SOON_MS, async () => await connections() >= before + 20);
    most = await connections();
    assert.ok(most - before <= 34, `${most - before} connections for one address`);
    assert.ok(refused.length >= 40, `${refused.length} refused`);
    for (const text of refused) {
      assert.match(text, /waits for \d+ streams that are not live/);
    }
    // What is live is had at once, all the same.
    const viewer = await s.raw(edge);
    await viewer.play("control", "stream");
    await viewer.next("a picture", ({ type }) => type === Type.VIDEO);
    viewer.destroy();
    for (const client of [player, ...players]) client.destroy();
    await until("the end of the pulls", SOON_MS, async () => await connections() <= before);
    // The bound is given back.
    await publish(s, origin, "late", "E");
    const late = await s.raw(edge);
    await late.play("live", "late");
    assert.equal(await seen(late), "E");
  });
});

scenario("H50: who is refused by an origin learns nothing of where it is", async (s) => {
  const origin = `127.0.0.1:${freePort()}`;
  const edge = await s.server({
    vhosts: `vhost __defaultVhost__ { ${HTTP} }
      vhost asks.example { ${HTTP} cluster { mode remote; origin ${origin}; token_traverse on; } }
      vhost plain.example { ${HTTP} cluster { mode remote; origin ${origin}; } }`,
  });
  const control = await WatchedControl.start(edge);
  try {
    const wishes = [["asks", "play"], ["asks", "publish"], ["plain", "publish"]];
    for (const [vhost, what] of wishes) {
      const before = edge.log.length;
      const client = await s.raw(edge);
      await client.connect(`live?vhost=${vhost}.example`);
      client.command(what, null, "cam", "live");
      const answer = await client.next("a refusal", (message) => {
        return /Failed|BadName|Denied|Rejected/.test(statusCode(message));
      });
      const text = JSON.stringify(decodeAmf(answer.payload));
      assert.ok(!text.includes(origin) && !text.includes(origin.split(":")[1]), text);
      await client.ended;
      await until("the origin's address in the log", SOON_MS, () => {
        return edge.log.slice(before).split("\n").some((line) =>
          line.includes("refused: ") && line.includes(origin)
        );
      });
    }
    const flv = await fetch(`http://127.0.0.1:${edge.apiPort}/live/cam.flv?vhost=asks.example`);
    assert.equal(flv.status, 403);
    assert.equal(await flv.text(), "Forbidden: the origin does not let it in");
    await control.fine("while clients are refused");
  } finally {
    control.stop();
  }
});

/** How an encoder ends its publish. */
const ENDS: Readonly<Record<string, (client: RawClient) => void>> = {
  FIN: (client) => client.destroy(),
  FCUnpublish: (client) => void client.command("FCUnpublish", null, "cam"),
  deleteStream: (client) => void client.command("deleteStream", null, 1),
  closeStream: (client) => client.send(Type.COMMAND, Buffer.from(CLOSE_STREAM)),
};

/** closeStream on message stream 1, as Flash sends it. */
const CLOSE_STREAM = [
  2,
  0,
  11,
  ...new TextEncoder().encode("closeStream"),
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  5,
];

async function comesBack(s: Scenario, server: Server): Promise<void> {
  const control = await WatchedControl.start(server);
  try {
    for (const [how, end] of Object.entries(ENDS)) {
      for (let round = 0; round < 2; round++) {
        const first = await publish(s, server, "cam", "A");
        // Long enough that its socket is read now and then only.
        await sleep(350 + 90 * round);
        end(first);
        const second = await s.raw(server);
        await second.connect("live");
        second.command("publish", null, "cam", "live");
        const answer = await second.next("an answer", (message) => {
          return /^NetStream\.Publish\./.test(statusCode(message));
        });
        assert.equal(statusCode(answer), "NetStream.Publish.Start", `${how}, round ${round}`);
        second.destroy();
        first.destroy();
        await sleep(50);
      }
    }
    // One that goes on keeps its name.
    await publish(s, server, "kept", "A");
    await sleep(500);
    const second = await s.raw(server);
    await second.connect("live");
    second.command("publish", null, "kept", "live");
    await second.status("NetStream.Publish.BadName");
    await control.fine("while encoders come back");
  } finally {
    control.stop();
  }
}

scenario("H53: an encoder that nobody watches comes back at once", async (s) => {
  await comesBack(s, await s.server({ vhost: HTTP }));
});

const impossible = await whyNoWorkers();

scenario("H53: so it does with two workers", async (s) => {
  const server = await s.server({ vhost: HTTP, global: "workers 2;" });
  await comesBack(s, server);
}, { ignore: impossible });

scenario(
  "H60: a redirect leads to a stream of an origin that is named, and nowhere else",
  async (s) => {
    const real = await s.server({ vhost: HTTP });
    await publish(s, real, "good", "A");
    const [originPort, port] = [freePort(), freePort()];
    const edge = await s.server({
      text: `listen 127.0.0.1:PORT; max_connections 100;
      http_api { enabled on; listen 127.0.0.1:${port}; raw_api { enabled on; allow_reload on; } }
      http_server { enabled on; listen 127.0.0.1:${port}; }
      vhost __defaultVhost__ { ${HTTP} }
      vhost edge.example { ${HTTP} cluster { mode remote; protocol flv; origin 127.0.0.1:ORIGIN; } }`
        .replace("ORIGIN", String(originPort)),
    });
    let asked = 0;
    const origin = Deno.serve(
      { hostname: "127.0.0.1", port: originPort, onListen: () => {} },
      (request) => {
        asked++;
        const name = new URL(request.url).pathname;
        const to: Readonly<Record<string, string>> = {
          "/live/reload.flv": `http://127.0.0.1:${port}/api/v1/raw?rpc=reload`,
          "/live/reload2.flv": `http://127.0.0.1:${port}/api/v1/raw?rpc=reload&x=.flv`,
          "/live/elsewhere.flv": `http://localhost:${port}/live/x.flv`,
          "/live/scheme.flv": `https://127.0.0.1:${port}/live/x.flv`,
          "/live/good.flv": `http://127.0.0.1:${real.apiPort}/live/good.flv`,
        };
        return new Response(null, { status: 302, headers: { Location: to[name] ?? "/" } });
      },
    );
    const control = await WatchedControl.start({
      port: edge.port,
      apiPort: port,
      process: edge.process,
    });
    try {
      const watch = async (name: string) => {
        const client = await s.raw(edge);
        await client.play("live?vhost=edge.example", name);
        return client;
      };
      for (const name of ["reload", "reload2", "elsewhere", "scheme"]) {
        const before = asked;
        const client = await watch(name);
        await until(`${name} to be asked for`, SOON_MS, () => asked > before);
        await until("the log", SOON_MS, () => {
          return edge.log.split("\n").some((line) =>
            line.includes(`/${name} ended (redirect)`) &&
            /which is no stream|does not name/.test(line)
          );
        });
        client.destroy();
      }
      assert.equal(await seen(await watch("good")), "A");
      assert.doesNotMatch(edge.log, /reload(ing|ed)|reload:/i);
      await control.fine("while an origin sends it elsewhere");
    } finally {
      control.stop();
      await origin.shutdown();
    }
  },
);
