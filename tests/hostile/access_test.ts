/**
 * Every rule that keeps somebody out, by every protocol, however the vhost is spelled (H47): who is refused
 * is refused in the protocol's words, who may gets in, and a control stream beside them notices nothing.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import { signature } from "../../src/access/signed_url.ts";
import { HookServer } from "../tools/hook_server.ts";
import { until, within } from "../tools/process.ts";
import { RawClient, statusCode, Type } from "../tools/raw_client.ts";
import { scenario } from "../tools/scenario.ts";
import { freePort, type Server } from "../tools/server.ts";
import { WatchedControl } from "../tools/watched_control.ts";

/** ms for what takes an instant, on a machine that does other things as well. */
const SOON_MS = 10_000;

const HTTP = "min_latency on; http_remux { enabled on; }";
const SECRET = "a-secret-that-is-long-enough";

const PROTOCOLS = ["rtmp-play", "rtmp-publish", "http-flv", "ws-flv"] as const;
type Protocol = typeof PROTOCOLS[number];

/** Where a client comes from, and what it says. */
interface Client {
  readonly from: string;
  readonly page: string;
  /** Pairs of the query. */
  readonly query: readonly string[];
}

/** A rule, and two clients that differ in nothing but what it looks at. */
interface Rule {
  readonly name: string;
  /** The address by which its second vhost is asked for. */
  readonly ip: string;
  readonly directives: string;
  readonly refused: Partial<Client>;
  /** Null: nobody gets in. */
  readonly allowed: ((action: "play" | "publish", key: string) => Partial<Client>) | null;
}

function signed(action: "play" | "publish", key: string): Partial<Client> {
  const expires = String(Math.floor(Date.now() / 1000) + 60);
  return { query: [`expires=${expires}`, `sign=${signature(SECRET, action, key, expires)}`] };
}

/** `hooks`, `origin`: where these are; `nowhere`: a port that nobody listens on. */
function rulesOf(hooks: HookServer, origin: number, nowhere: number): readonly Rule[] {
  const edge = (port: number) =>
    `cluster { mode remote; token_traverse on; origin 127.0.0.1:${port}; }`;
  return [
    {
      name: "address",
      ip: "127.0.0.11",
      directives: "security { enabled on; allow play 127.0.0.2; allow publish 127.0.0.2; }",
      refused: { from: "127.0.0.1" },
      allowed: () => ({ from: "127.0.0.2" }),
    },
    {
      name: "deny",
      ip: "127.0.0.12",
      directives:
        "security { enabled on; allow play all; allow publish all; deny play 127.0.0.2; deny publish 127.0.0.2; }",
      refused: { from: "127.0.0.2" },
      allowed: () => ({ from: "127.0.0.3" }),
    },
    {
      name: "referer",
      ip: "127.0.0.13",
      directives: "refer { enabled on; all site.example; }",
      refused: { page: "https://site.example.evil/" },
      allowed: () => ({ page: "https://www.site.example/x" }),
    },
    {
      name: "signature",
      ip: "127.0.0.14",
      directives: `play { secret ${SECRET}; } publish { secret ${SECRET}; }`,
      refused: { query: ["expires=9999999999", `sign=${"0".repeat(64)}`] },
      allowed: signed,
    },
    {
      name: "hook",
      ip: "127.0.0.15",
      directives: `http_hooks { enabled on; on_play ${hooks.url("/")}; on_publish ${
        hooks.url("/")
      }; }`,
      refused: { query: ["token=bad"] },
      allowed: () => ({ query: ["token=good"] }),
    },
    {
      // Nobody answers: a rule that cannot be evaluated refuses.
      name: "dead-hook",
      ip: "127.0.0.16",
      directives:
        `http_hooks { enabled on; on_play http://127.0.0.1:${nowhere}/; on_publish http://127.0.0.1:${nowhere}/; }`,
      refused: {},
      allowed: null,
    },
    { name: "off", ip: "127.0.0.17", directives: "enabled off;", refused: {}, allowed: null },
    {
      name: "dead-origin",
      ip: "127.0.0.18",
      directives: edge(nowhere),
      refused: {},
      allowed: null,
    },
    {
      name: "good-origin",
      ip: "127.0.0.19",
      directives: edge(origin),
      refused: { query: ["vhost=nobody/"] },
      allowed: () => ({}),
    },
  ];
}

/** How one vhost's name may be spelled. */
function spellings({ name, ip }: Rule): Readonly<Record<string, string>> {
  return {
    "as configured": `${name}.Example.com`,
    "in capitals": `${name}.EXAMPLE.COM`.toUpperCase(),
    "with a final dot": `${name}.example.com.`,
    "by IP": ip,
  };
}

/** Where a vhost is named. */
const PLACES = ["host", "query"] as const;

/** "in", or how it was refused. */
async function tryRtmp(
  server: Server,
  action: "play" | "publish",
  stream: string,
  vhost: string,
  place: typeof PLACES[number],
  { from, page, query }: Client,
): Promise<{ answer: string; client: RawClient }> {
  const host = place === "host" ? vhost : "127.0.0.1";
  const pairs = place === "host" ? query : [...query, `vhost=${vhost}`];
  const client = await RawClient.open(server.port, from);
  await client.call("connect", {
    app: "live",
    tcUrl: `rtmp://${host}:${server.port}/live`,
    pageUrl: page,
  });
  await client.call("createStream", null);
  client.command(action, null, pairs.length === 0 ? stream : `${stream}?${pairs.join("&")}`);
  const wanted = action === "play"
    ? /^NetStream\.Play\.(Start|Failed)$/
    : /^NetStream\.Publish\.(Start|Denied|Rejected|BadName)$/;
  const answer = statusCode(
    await client.next(action, (message) => {
      return wanted.test(statusCode(message));
    }),
  );
  if (answer.endsWith("Start")) return { answer: "in", client };
  await within("the end of a refused client", SOON_MS, client.ended);
  return { answer, client };
}

async function tryHttp(
  server: Server,
  ws: boolean,
  vhost: string,
  place: typeof PLACES[number],
  { from, page, query }: Client,
): Promise<string> {
  const host = place === "host" ? vhost : "127.0.0.1";
  const pairs = place === "host" ? query : [...query, `vhost=${vhost}`];
  const socket = net.connect({ host: "127.0.0.1", port: server.apiPort, localAddress: from });
  let text = "";
  socket.on("error", () => {});
  socket.on("data", (part: Uint8Array) => text += new TextDecoder("latin1").decode(part));
  const lines = [
    `GET /live/cam.flv${pairs.length === 0 ? "" : `?${pairs.join("&")}`} HTTP/1.1`,
    `Host: ${host}:${server.apiPort}`,
    ...page === "" ? [] : [`Referer: ${page}`],
    ...ws
      ? [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ]
      : [],
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  try {
    await until("an answer by HTTP", SOON_MS, () => text.includes("\r\n\r\n"));
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
    return status === (ws ? 101 : 200) ? "in" : String(status);
  } finally {
    socket.destroy();
  }
}

const EVERYBODY: Client = { from: "127.0.0.1", page: "", query: [] };

/** Publishes until the connection's end. */
function sendPictures(client: RawClient): void {
  client.send(Type.VIDEO, Buffer.from([0x17, 0, 0, 0, 0, 1, 2, 3, 4]));
  let time = 0;
  const timer = setInterval(() => {
    client.send(Type.VIDEO, Buffer.from([0x17, 1, 0, 0, 0, 9, 9, 9, 9]), time += 40);
  }, 40);
  void client.ended.then(() => clearInterval(timer));
}

scenario("every rule, by every protocol, however the vhost is spelled", async (s) => {
  const hooks = new HookServer(({ body }) => {
    return new Response(String(body.param).includes("token=good") ? "0" : "1");
  });
  const origin = await s.server({ vhost: HTTP });
  const rules = rulesOf(hooks, origin.port, freePort());
  const blocks = rules.flatMap((rule) =>
    [spellings(rule)["as configured"], rule.ip].map((name) =>
      `vhost ${name} { ${HTTP} ${rule.directives} }`
    )
  );
  const server = await s.server({
    vhosts: `vhost __defaultVhost__ { ${HTTP} } ${blocks.join("\n")}`,
    maxConnections: 500,
  });
  const control = await WatchedControl.start(server);
  const held: RawClient[] = [];
  const wrong: string[] = [];
  let tried = 0;
  try {
    for (const rule of rules) {
      const names = spellings(rule);
      // What may be played is there; the two vhosts of an edge have it from one of the origin.
      const sources = rule.name === "good-origin" ? [rule.ip] : [names["as configured"], rule.ip];
      for (const name of rule.allowed ? sources : []) {
        const who = { ...EVERYBODY, ...rule.allowed?.("publish", `${name}/live/cam`) };
        const { answer, client } = await tryRtmp(server, "publish", "cam", name, "host", who);
        assert.equal(answer, "in", `${rule.name}: the publisher`);
        sendPictures(client);
        held.push(client);
      }
      for (const [spelling, name] of Object.entries(names)) {
        const key = spelling === "by IP" ? rule.ip : names["as configured"];
        for (const place of PLACES) {
          for (const protocol of PROTOCOLS) {
            const what = `${rule.name}, ${spelling} in the ${place}, ${protocol}`;
            const see = async (client: Partial<Client>, stream: string) => {
              tried++;
              return await attempt(server, protocol, stream, name, place, {
                ...EVERYBODY,
                ...client,
              });
            };
            const action = protocol === "rtmp-publish" ? "publish" : "play";
            const stream = action === "publish" ? `new-${tried}` : "cam";
            if (rule.name !== "good-origin") {
              const refused = await see(rule.refused, stream);
              if (!/^(NetStream\..*(Failed|Denied|Rejected|BadName)|403|404)$/.test(refused)) {
                wrong.push(`${what}: ${refused}`);
              }
            }
            if (!rule.allowed) continue;
            const allowed = await see(rule.allowed(action, `${key}/live/${stream}`), stream);
            if (allowed !== "in") wrong.push(`${what}: who may is ${allowed}`);
          }
        }
      }
      await control.fine(`after the rule ${rule.name}`);
    }
    assert.deepEqual(wrong, []);
    assert.ok(tried > 400, `${tried} attempts`);
  } finally {
    for (const client of held) client.destroy();
    control.stop();
    await hooks.stop();
  }
}, { limitMs: 120_000 });

async function attempt(
  server: Server,
  protocol: Protocol,
  stream: string,
  vhost: string,
  place: typeof PLACES[number],
  who: Client,
): Promise<string> {
  if (protocol === "http-flv" || protocol === "ws-flv") {
    return await tryHttp(server, protocol === "ws-flv", vhost, place, who);
  }
  const action = protocol === "rtmp-play" ? "play" : "publish";
  const { answer, client } = await tryRtmp(server, action, stream, vhost, place, who);
  client.destroy();
  return answer;
}
