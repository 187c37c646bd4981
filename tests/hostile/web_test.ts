/**
 * Web pages and proxies: whose word counts about who asks (H41, H62), who commands (H43), who plays (H44)
 * and who reads the API (H63). Each beside a stream that must not notice.
 * @module
 */
import assert from "node:assert/strict";
import net from "node:net";
import { freePort } from "../tools/server.ts";
import { until, within } from "../tools/process.ts";
import { type WatchedAttack, watchedAttack } from "../tools/watched_attack.ts";

/** ms for an answer. */
const ANSWER_LIMIT_MS = 15_000;

/** Where the trusted proxy calls from. */
const PROXY = "127.0.0.3";

/** Whom the rules keep out, and somebody else. */
const DENIED = "203.0.113.66";
const OTHER = "198.51.100.1";

const STREAM = "/control/stream.flv";

/** How a request by hand is. */
interface Asking {
  readonly method?: string;
  readonly host?: string;
  /** Header lines. */
  readonly headers?: readonly string[];
  /** The address that it comes from. */
  readonly from?: string;
  readonly port?: number;
}

/** What comes back; of an answer without end, its beginning. */
async function ask(a: WatchedAttack, path: string, asking: Asking = {}): Promise<string> {
  const { method = "GET", host, headers = [], from = "127.0.0.1", port = a.edge.apiPort } = asking;
  const socket = net.connect({ host: "127.0.0.1", port, localAddress: from });
  let text = "";
  let over = false;
  const ended = new Promise<void>((resolve) => {
    socket.on("data", (part: Uint8Array) => text += new TextDecoder("latin1").decode(part));
    socket.on("error", () => {});
    socket.on("close", () => {
      over = true;
      resolve();
    });
  });
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${host ?? `127.0.0.1:${port}`}`, ...headers];
  if (!headers.some((line) => line.startsWith("Connection:"))) lines.push("Connection: close");
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  try {
    if (path.startsWith(STREAM)) {
      await until(`an answer to ${lines[0]}`, ANSWER_LIMIT_MS, () => {
        return over || text.includes("\r\n\r\n");
      });
    } else {
      await within(`an answer to ${lines[0]}`, ANSWER_LIMIT_MS, ended);
    }
  } finally {
    socket.destroy();
  }
  return text;
}

async function status(a: WatchedAttack, path: string, asking: Asking = {}): Promise<number> {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(await ask(a, path, asking))?.[1]);
}

/** Header lines of a WebSocket's handshake. */
const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

const RULES = `min_latency on; http_remux { enabled on; }
  security { enabled on; allow publish all; allow play all; deny play ${DENIED}; }`;

function site(directives: string): string {
  return `http_server { enabled on; listen 127.0.0.1:API_PORT; ${directives} }`;
}

/** What the proxy says of the client, and what the client has added to make itself somebody else. */
const MIXES: readonly (readonly string[])[] = [
  [`X-Real-IP: ${DENIED}`, `X-Forwarded-For: ${OTHER}`],
  [`X-Real-IP: ${DENIED}`, `Forwarded: for=${OTHER}`],
  [`X-Forwarded-For: ${DENIED}`, `X-Real-IP: ${OTHER}`],
  [`X-Forwarded-For: ${OTHER}, ${DENIED}`, `Forwarded: for=${OTHER}`],
  [`Forwarded: for=${DENIED}`, `X-Forwarded-For: ${OTHER}`],
  [`Forwarded: for=", for=${DENIED}`],
  [`X-Real-IP: ${DENIED}`, `X-Real-IP: ${OTHER}`],
  [`X-Real-IP: ${DENIED}`, "X-Forwarded-For: unknown"],
];

watchedAttack("H41: what a client adds to its proxy's headers lets nobody in", async (a) => {
  const through = (headers: readonly string[], path = STREAM) => {
    return status(a, path, { from: PROXY, headers });
  };
  for (const headers of MIXES) {
    assert.equal(await through(headers), 403, headers.join());
    assert.equal(await through([...UPGRADE, ...headers]), 403, `WebSocket, ${headers.join()}`);
    assert.equal(await through(headers, "/api/v1/versions"), 403, `API, ${headers.join()}`);
  }
  for (let i = 0; i < 100; i++) await through(MIXES[0]);
  const lines = a.edge.log.split("\n").filter((line) => line.includes("client_address_header"));
  assert.equal(lines.length, 1, lines.join("\n"));
  // Who is clearly named is let in, or kept out.
  for (const name of ["X-Real-IP: ", "X-Forwarded-For: ", "Forwarded: for="]) {
    assert.equal(await through([name + DENIED]), 403, name);
    assert.equal(await through([name + OTHER]), 200, name);
    assert.equal(await through([...UPGRADE, name + OTHER]), 101, name);
  }
  assert.equal(await through([`X-Real-IP: ${OTHER}`, `X-Forwarded-For: ${OTHER}`]), 200);
  // Nobody but the proxy is believed.
  assert.equal(await status(a, STREAM, { headers: MIXES[0] }), 200);
  assert.equal(await status(a, "/healthz", { from: PROXY, headers: MIXES[0] }), 200);
}, { vhost: RULES, root: site(`trusted_proxies ${PROXY};`) });

watchedAttack("H41, H62: the header that is named decides, for passwords too", async (a) => {
  const as = (client: string, claim: string, path = STREAM, password = "") => {
    const headers = [
      `X-Real-IP: ${client}`,
      `X-Forwarded-For: ${claim}`,
      `Forwarded: for=${claim}`,
    ];
    if (password !== "") headers.push(`Authorization: Basic ${btoa(`a:${password}`)}`);
    return status(a, path, { from: PROXY, headers });
  };
  assert.equal(await as(DENIED, OTHER), 403);
  assert.equal(await as(OTHER, DENIED), 200);
  const api = "/api/v1/versions";
  const answers: number[] = [];
  for (let i = 0; i < 100; i++) answers.push(await as(DENIED, `198.51.100.${i}`, api, `wrong${i}`));
  assert.ok(answers.filter((answer) => answer === 429).length > 40, answers.join());
  assert.equal(await as(OTHER, DENIED, api, "right"), 200, "another client of the same proxy");
  assert.match(a.edge.log, new RegExp(`wrong password from ${DENIED}`));
}, {
  vhost: RULES,
  api: "auth { enabled on; username a; password right; }",
  root: site(`trusted_proxies ${PROXY}; client_address_header x-real-ip;`),
});

/** Requests that have an effect. */
const COMMANDS: readonly (readonly [string, string])[] = [
  ["DELETE", "/api/v1/clients/ID"],
  ["DELETE", "//api//v1/clients/ID"],
  ["POST", "/api/v1/drain"],
  ["GET", "/api/v1/raw?rpc=reload"],
  ["POST", "/api/v1/raw?rpc=reload"],
];

/** By which they are not this machine's own. */
const NOT_OURS: readonly Asking[] = [
  { headers: [`X-Forwarded-For: ${OTHER}`] },
  { headers: ["X-Forwarded-For: 127.0.0.1"] },
  { headers: ["X-Forwarded-Proto: https"] },
  { headers: ["X-Real-IP: 127.0.0.1"] },
  { headers: [`Forwarded: for=${OTHER}`] },
  { headers: ["Via: 1.1 proxy"] },
  { host: "edge.example" },
  { host: "127.0.0.1.evil.example" },
  { headers: ["Origin: https://evil.example"] },
  { headers: ["Origin: null"] },
  { headers: ["Sec-Fetch-Site: cross-site"] },
  { host: "evil.example", headers: ["Origin: http://evil.example"] },
];

watchedAttack(
  "H43: no proxy and no page opens the commands of an API without password",
  async (a) => {
    const { clients } = JSON.parse((await a.edge.request("/api/v1/clients/")).text);
    const { id } = clients.find(({ publish }: { publish: boolean }) => publish);
    for (const asking of NOT_OURS) {
      for (const [method, path] of COMMANDS) {
        const answer = await ask(a, path.replace("ID", id), { ...asking, method });
        assert.match(answer, /^HTTP\/1\.1 403 /, `${method} ${path} ${JSON.stringify(asking)}`);
        assert.match(answer, /\r\n\r\nForbidden: [^\n]+\n$/);
      }
    }
    assert.doesNotMatch(a.edge.log, /reload:|[Rr]eloading|drain/);
    // From here they are taken.
    const player = await a.open();
    player.destroy();
    for (const host of ["localhost", "127.0.0.1:1", "[::1]:1985"]) {
      const gone = await ask(a, "/api/v1/clients/nosuch", { method: "DELETE", host });
      assert.match(gone, /^HTTP\/1\.1 200 [^]*\{"code":2049\}$/, host);
    }
    assert.match(await ask(a, "/api/v1/raw?rpc=reload"), /^HTTP\/1\.1 200 [^]*\{"code":0\}$/);
    const flv = clients.find(({ publish }: { publish: boolean }) => !publish);
    assert.ok(flv, "there is a player");
  },
  { api: "raw_api { enabled on; allow_reload on; }" },
);

watchedAttack("H44: a page of another site opens no WebSocket", async (a) => {
  const own = `127.0.0.1:${a.edge.apiPort}`;
  const open = (origin: string | null) => {
    const headers = origin === null ? UPGRADE : [...UPGRADE, `Origin: ${origin}`];
    return status(a, STREAM, { headers });
  };
  const foreign = [
    "https://evil.example",
    "null",
    "http://player.example",
    `http://${own}.evil.example`,
  ]
    .concat("http://127.0.0.1:1", `http://evil.example/?${own}`, "https://player.example:444");
  for (const origin of foreign) assert.equal(await open(origin), 403, origin);
  for (const origin of [null, `http://${own}`, `https://${own}`, "https://player.example"]) {
    assert.equal(await open(origin), 101, `${origin}`);
  }
}, { root: site("crossdomain off; trusted_origins https://player.example;") });

watchedAttack("H44: with crossdomain on every page plays", async (a) => {
  const headers = [...UPGRADE, "Origin: https://any.example"];
  assert.equal(await status(a, STREAM, { headers }), 101);
});

/** The port of another site of ours. */
const filesPort = freePort();

watchedAttack("H63: a page reads streams and no names of streams", async (a) => {
  const paths = ["/api/v1/streams/", "//api/v1/clients/", "/metrics", "/api/v1/summaries"];
  const foreign = ["Origin: https://evil.example", "Origin: null", "Origin: http://127.0.0.1:1"];
  for (const origin of foreign) {
    for (const path of paths) {
      for (const method of ["GET", "HEAD", "OPTIONS"]) {
        const answer = await ask(a, path, { method, headers: [origin] });
        assert.doesNotMatch(answer, /access-control-allow-origin/i, `${method} ${path} ${origin}`);
      }
      const script = await ask(a, `${path}?callback=f`, {
        headers: ["Referer: https://evil.example/", "User-Agent: Mozilla/5.0"],
      });
      assert.match(script, /\r\n\r\nf\(\{"code":1062\}\)$/, path);
    }
    const list = await ask(a, "/control/nobody.flv", { headers: [origin] });
    assert.match(list, /^HTTP\/1\.1 404 /);
    assert.doesNotMatch(list, /control\/stream/, "what is live");
    const flv = await ask(a, STREAM, { headers: [origin] });
    assert.match(flv, /^HTTP\/1\.1 200 [^]*access-control-allow-origin: \*/i, "players read");
  }
  // A name of theirs, resolved to us.
  for (const path of [...paths, `${paths[0]}?callback=f`, "/live/nobody.flv"]) {
    const answer = await ask(a, path, { host: `evil.example:${a.edge.apiPort}` });
    assert.match(answer, /^HTTP\/1\.1 40[34] /, path);
    assert.doesNotMatch(answer, /control|code/, path);
  }
  // Pages of ours, on each of our ports, and those that are named.
  for (const port of [a.edge.apiPort, filesPort]) {
    const headers = [`Origin: http://127.0.0.1:${port}`];
    const answer = await ask(a, paths[0], { headers });
    assert.ok(answer.toLowerCase().includes(`allow-origin: http://127.0.0.1:${port}\r\n`), answer);
    assert.match(answer, /control/);
  }
  for (const page of ["http://127.0.0.1:" + filesPort, "https://console.example"]) {
    const headers = [`Referer: ${page}/x`, "User-Agent: Mozilla/5.0"];
    assert.match(await ask(a, `${paths[0]}?callback=f`, { headers }), /f\(\{"code":0,/, page);
  }
  const named = await ask(a, paths[0], { headers: ["Origin: https://console.example"] });
  assert.match(named, /allow-origin: https:\/\/console\.example\r\n/i);
  assert.match(await ask(a, paths[0], { host: "console.example" }), /^HTTP\/1\.1 200 /);
  assert.match(await ask(a, "/control/nobody.flv"), /control\/stream/, "for a program");
}, {
  api: "jsonp on;",
  root: `http_server { enabled on; listen 127.0.0.1:${filesPort};
    trusted_origins https://console.example; }`,
});
