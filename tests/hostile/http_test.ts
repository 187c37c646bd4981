/**
 * Attacks on the HTTP side, beside a live stream.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import { hello } from "../tools/attacker.ts";
import { parseExposition } from "../tools/exposition.ts";
import { type Hostile, hostile } from "../tools/hostile.ts";
import { media } from "../tools/media.ts";
import { until, within } from "../tools/process.ts";

/** ms for an answer. */
const ANSWER_LIMIT_MS = 15_000;

/** Says bytes to the API's port and returns all that comes until the server closes. */
async function say(h: Hostile, bytes: string | Uint8Array): Promise<string> {
  const socket = net.connect({ host: "127.0.0.1", port: h.edge.apiPort });
  h.onEnd(() => socket.destroy());
  const parts: Uint8Array[] = [];
  const over = new Promise<void>((resolve) => {
    socket.on("data", (part: Uint8Array) => parts.push(part));
    socket.on("error", () => {});
    socket.on("close", () => resolve());
  });
  socket.write(bytes);
  await within("an answer", ANSWER_LIMIT_MS, over);
  return Buffer.concat(parts).toString("latin1");
}

/** A request by hand, whose path no client library tidies up. */
function request(h: Hostile, path: string, method = "GET", headers = ""): Promise<string> {
  return say(
    h,
    `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n`,
  );
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1] ?? 0);
}

const PATHS = [
  "/../../etc/passwd",
  "/api/v1/../../../etc/passwd",
  "/%2e%2e/%2e%2e/etc/passwd",
  "/api/v1/streams/..%2f..%2f..%2fetc%2fpasswd",
  "/api/v1/streams/%00",
  "/api/v1/clients/%ff%fe",
  "/api/v1/clients/%zz",
  "//etc/passwd",
  "/\\..\\..\\etc\\passwd",
  "/.git/config",
  "/conf/realtime.conf",
  "/src/main.ts",
  `/api/v1/streams/${"x".repeat(6000)}`,
  "/api/v1/streams/?start=-1&count=-1",
  "/api/v1/streams/?start=1e999&count=NaN",
  "/api/v1/streams/?count=99999999999999999999",
  "/api/v1/streams/?start=__proto__&constructor=x",
];

hostile("H25: paths that lead elsewhere lead nowhere", async (h) => {
  for (const path of PATHS) {
    const answer = await request(h, path);
    assert.ok([200, 400, 404].includes(statusOf(answer)), `${path}: ${answer.slice(0, 80)}`);
    for (const secret of ["root:x:", "[core]", "vhost __default", "import process"]) {
      assert.ok(!answer.includes(secret), `${path} gives a file`);
    }
  }
});

hostile("H25: odd requests get an answer or a close, never silence", async (h) => {
  const requests: readonly (readonly [string, string | Uint8Array])[] = [
    ["HTTP/1.0", "GET /api/v1/versions HTTP/1.0\r\n\r\n"],
    ["HEAD", "HEAD /api/v1/versions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"],
    [
      "Range",
      "GET /api/v1/versions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: bytes=1-2\r\n\r\n",
    ],
    ["no host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"],
    [
      "two lengths",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    ],
    ["garbage", Buffer.alloc(4096, 0xff)],
    ["an RTMP handshake", Buffer.concat([Buffer.from([3]), Buffer.alloc(3072)])],
    ["headers of 10 MB", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(10 << 20)}\r\n\r\n`],
    ["100,000 headers", `GET / HTTP/1.1\r\nHost: x\r\n${"X: y\r\n".repeat(100_000)}\r\n`],
  ];
  for (const [what, bytes] of requests) {
    const answer = await say(h, bytes);
    assert.ok(answer === "" || statusOf(answer) >= 200, `${what}: ${answer.slice(0, 80)}`);
    await h.control.progress(`after ${what}`);
  }
  assert.equal((await h.edge.request("/healthz")).status, 200);
});

hostile("H25: a body that nobody wants does not fill the memory", async (h, megabytes) => {
  const socket = net.connect({ host: "127.0.0.1", port: h.edge.apiPort });
  h.onEnd(() => socket.destroy());
  let over = false;
  socket.on("error", () => {});
  socket.on("close", () => over = true);
  socket.on("data", () => {});
  socket.write(`POST /api/v1/versions HTTP/1.1\r\nHost: x\r\nContent-Length: ${1 << 30}\r\n\r\n`);
  const piece = Buffer.alloc(1 << 20);
  for (let i = 0; i < megabytes && !over; i++) {
    const taken = new Promise<void>((resolve) => socket.write(piece, () => resolve()));
    // A server that does not read it is as good as one that closes.
    const waited = await Promise.race([
      taken,
      new Promise((r) => setTimeout(() => r("full"), 300)),
    ]);
    if (waited === "full") break;
  }
  await h.control.progress("with a long body");
}, { full: 200, warmUp: 5, peak: 64 << 20 });

hostile("H25: 200 requests that never end hold up nobody", async (h, count) => {
  for (let i = 0; i < count; i++) {
    const socket = net.connect({ host: "127.0.0.1", port: h.edge.apiPort });
    h.onEnd(() => socket.destroy());
    socket.on("error", () => {});
    socket.write("GET /api/v1/streams/ HTTP/1.1\r\nHost: x\r\nX: ");
  }
  await h.control.progress("with requests that never end");
  assert.equal((await h.edge.request("/healthz")).status, 200);
}, { full: 200, warmUp: 20 });

const SCRIPT = "<script>alert(1)</script>";

hostile("H26: no JSONP, nothing that was sent comes back as a page", async (h) => {
  const publisher = await h.attacker(hello("publish", SCRIPT.replaceAll("/", "")));
  await publisher.hears("NetStream.Publish.Start");
  const query = `?callback=${encodeURIComponent(SCRIPT)}&jsonp=x&method=DELETE`;
  for (
    const path of [
      "/api/",
      "/api/v1/",
      "/api/v1/versions",
      "/api/v1/streams/",
      "/api/v1/clients/",
    ]
  ) {
    const url = `http://127.0.0.1:${h.edge.apiPort}${path}${query}`;
    const answer = await fetch(url, { headers: { accept: "text/html", referer: SCRIPT } });
    const text = await answer.text();
    assert.match(answer.headers.get("content-type") ?? "", /^application\/json/, path);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff", path);
    assert.ok(text.startsWith("{") && !text.includes("alert(1)</script>"), path);
    JSON.parse(text);
  }
  // Whatever the query is, the page is the same.
  const pages = await Promise.all(["", query].map(async (text) => {
    const url = `http://127.0.0.1:${h.edge.apiPort}/${text}`;
    return await (await fetch(url, { headers: { accept: "text/html", referer: SCRIPT } })).text();
  }));
  assert.match(pages[0], /^<!doctype html>/);
  assert.equal(pages[1], pages[0]);
  const odd = await request(h, `/${encodeURIComponent(SCRIPT)}`, "GET", `X-Y: ${SCRIPT}\r\n`);
  assert.equal(statusOf(odd), 404);
  assert.ok(!odd.includes("alert"));
  await h.kept(publisher);
});

hostile("H29: only DELETE of one's own page ends a client", async (h) => {
  const player = await h.attacker(hello("play", "victim"));
  await player.hears("NetStream.Play.Start");
  const clients = await h.edge.list("clients");
  const id = String(clients.find(({ name }) => name === "victim")?.id);
  const path = `/api/v1/clients/${id}`;
  for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH"]) {
    await request(h, `${path}?method=DELETE`, method, "X-HTTP-Method-Override: DELETE\r\n");
  }
  for (const header of ["Origin: http://evil.example", "Origin: null", "Origin: x"]) {
    assert.equal(statusOf(await request(h, path, "DELETE", `${header}\r\n`)), 403, header);
  }
  const preflight = await request(
    h,
    path,
    "OPTIONS",
    "Origin: http://evil.example\r\nAccess-Control-Request-Method: DELETE\r\n",
  );
  assert.ok(!/Access-Control-Allow-Methods:.*DELETE/i.test(preflight), preflight);
  for (const other of ["", "nobody", "*", "..", `${id}x`, "__proto__"]) {
    await request(h, `/api/v1/clients/${other}`, "DELETE");
  }
  await h.kept(player);
  assert.equal(statusOf(await request(h, path, "DELETE")), 200);
  await within("the kick", ANSWER_LIMIT_MS, player.ended);
  await until("the log to say so", 5000, () => {
    const { lines } = h.edge.connection(player.localPort) ?? { lines: [] };
    return lines.some((line) => /client kicked\. ret=1070/.test(line));
  });
});

hostile("H29: streams and vhosts cannot be changed through the API", async (h) => {
  for (const path of ["/api/v1/streams/x", "/api/v1/vhosts/x", "/api/v1/streams/"]) {
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      assert.equal(statusOf(await request(h, path, method)), 405, `${method} ${path}`);
    }
  }
  for (const path of ["/api/v1/raw?rpc=reload", "/api/v1/clients/?rpc=raw", "/api/v1/authors"]) {
    assert.ok([200, 404].includes(statusOf(await request(h, path))), path);
  }
});

/** Files and metrics on the API's port; the files are the test media. */
const FILES = "http_server { enabled on; listen 127.0.0.1:API_PORT; dir ./tests/.cache; } " +
  "exporter { enabled on; listen 127.0.0.1:API_PORT; }";

hostile("H25: no path leads out of the files' directory", async (h) => {
  const { path } = await media("h264-aac");
  const name = path.slice(path.lastIndexOf("/") + 1);
  assert.equal(statusOf(await request(h, `/${name}`, "HEAD")), 200);
  const paths = ["../../package.json", "../setup.ts", "../../.git/HEAD", "../../../../etc/passwd"]
    .flatMap((path) => [
      path,
      path.replaceAll("../", "..%2f"),
      path.replaceAll("../", "%2e%2e/"),
      path.replaceAll("../", "%2e%2e%2f"),
      path.replaceAll("../", "%252e%252e%252f"),
      path.replaceAll("../", "..%5c"),
      path.replaceAll("../", "..\\"),
      path.replaceAll("../", "....//"),
      path.replaceAll("../", "%c0%ae%c0%ae/"),
      `${name}/${path}`,
      `console/${path}`,
    ]);
  for (
    const path of [...paths, `${name}%00.txt`, `${name}/`, `/${name}/..`, `file:///etc/passwd`]
  ) {
    const answer = await request(h, `/${path}`);
    assert.ok([302, 400, 404].includes(statusOf(answer)) || answer.includes('"urls"'), answer);
    for (const secret of ["root:x:", "hono", "module", "ref:"]) {
      assert.ok(!answer.includes(secret), `${path} gives a file`);
    }
  }
}, { root: FILES });

hostile("H25: downloads that are broken off, or not read, leave no open file", async (h, count) => {
  const { path } = await media("high-bitrate");
  const name = path.slice(path.lastIndexOf("/") + 1);
  for (let i = 0; i < count; i++) {
    const socket = net.connect({ host: "127.0.0.1", port: h.edge.apiPort });
    h.onEnd(() => socket.destroy());
    socket.on("error", () => {});
    socket.write(`GET /${name} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await within("the first bytes", ANSWER_LIMIT_MS, new Promise((r) => socket.once("data", r)));
    if (i % 2 === 0) socket.destroy();
    else socket.pause();
  }
  await h.control.progress("with downloads that nobody reads");
  assert.equal((await h.edge.request("/healthz")).status, 200);
  h.destroy();
  await until("all files to be closed", 10_000, () => openFiles(h.edge.process.pid, path) === 0);
}, { root: FILES, full: 100, warmUp: 100 });

/** How often a process has a file open. */
function openFiles(pid: number, path: string): number {
  let count = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      if (Deno.readLinkSync(`/proc/${pid}/fd/${name}`) === path) count++;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return count;
}

hostile(
  "H23 H26: whatever streams are called, answers and metrics can be read",
  async (h, count) => {
    const names = ['a"b', "a{b}=c,d", "é😀", "<i>x", "a b\tc", 'x"} 1', "__proto__", "a\\b"];
    for (let i = 0; i < count; i++) {
      await h.attacker(hello("publish", `${names[i % names.length]}-${i}`));
    }
    await h.control.progress("with odd names");
    const { text } = await h.edge.request("/metrics");
    const series = parseExposition(text).get("srs_edge_stream_players")?.samples ?? [];
    assert.ok(series.length > 1 && series.length <= 20, `${series.length} series`);
    const streams = await h.edge.list("streams");
    assert.ok(streams.length > Math.min(5, count / 2), `${streams.length} streams`);
  },
  { root: FILES, full: 200, warmUp: 8 },
);
