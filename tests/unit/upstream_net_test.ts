/**
 * Upstreams over loopback: what a connection that fails says, RTMP redirects, HTTP-FLV (S11), RTMPS
 * (S12).
 * @module
 */

import assert from "node:assert/strict";
import { toNamed } from "../../src/clients/redirect_rule.ts";
import { once } from "node:events";
import net from "node:net";
import type { Clock } from "../../src/live/clock.ts";
import { connectTcp } from "../../src/net/connect.ts";
import { openUpstream, type Upstream, type UpstreamOptions } from "../../src/clients/upstream.ts";
import type { UpstreamEnd } from "../../src/clients/upstream_handler.ts";
import { flvFileHeader, writeFlvTagHeader, writePreviousTagSize } from "../../src/flv/flv_tag.ts";
import { encodeAmf0 } from "../../src/rtmp/amf0.ts";
import { AmfEcmaArray, AmfObject } from "../../src/rtmp/amf_value.ts";
import { MessageWriter } from "../../src/rtmp/chunk_writer.ts";
import { concat, toHex } from "./hex.ts";
import { TEST_CA, TEST_CERTIFICATE, TEST_KEY } from "./support/certificate.ts";
import { plainServerHandshake, Recorder } from "./support/fake_upstream.ts";

const CLOCK: Clock = {
  now: () => performance.now(),
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};

const test = Deno.test;

/** A server that does as `serve` says; gone with the test. */
class Fake {
  readonly sockets: net.Socket[] = [];
  readonly #server = net.createServer((socket) => {
    this.sockets.push(socket);
    socket.on("error", () => {});
    this.serve(socket);
  });

  constructor(readonly serve: (socket: net.Socket) => void) {}

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    assert.ok(typeof address === "object" && address);
    return address.port;
  }

  [Symbol.dispose](): void {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
  }
}

/** Opens an upstream and waits for its end. */
class Attempt extends Recorder {
  readonly upstream: Upstream;
  readonly #done = Promise.withResolvers<UpstreamEnd>();

  constructor(url: string, options: Partial<UpstreamOptions> = {}) {
    super();
    this.upstream = openUpstream(url, { role: "play", ...options }, this, CLOCK);
  }

  override ended(end: UpstreamEnd): void {
    super.ended(end);
    this.#done.resolve(end);
  }

  get finished(): Promise<UpstreamEnd> {
    return this.#done.promise;
  }

  async assertEnds(reason: string, text: RegExp): Promise<void> {
    const end = await this.finished;
    assert.equal(end.reason, reason, end.text);
    assert.match(end.text, text);
    assert.equal(end.error, null);
  }
}

/** A port on which nothing listens. */
async function deadPort(): Promise<number> {
  using fake = new Fake(() => {});
  return await fake.listen();
}

// ---- connecting

test("a dead port, and a host that does not exist: named, with the cure", async () => {
  const port = await deadPort();
  const dead = new Attempt(`rtmp://127.0.0.1:${port}/live/s`);
  await dead.assertEnds(
    "unreachable",
    new RegExp(`127\\.0\\.0\\.1:${port}: refused.*start the server`),
  );
  const nobody = new Attempt("rtmp://no-such-host.invalid/live/s");
  await nobody.assertEnds("unreachable", /no such host.*"no-such-host\.invalid"/);
  const http = new Attempt(`http://127.0.0.1:${port}/live/s.flv`);
  await http.assertEnds("unreachable", new RegExp(`:${port}: refused`));
  const unknown = new Attempt("http://no-such-host.invalid/live/s.flv");
  await unknown.assertEnds("unreachable", /no such host/);
});

test("a connection is given up: neither of its callbacks is called", async () => {
  using fake = new Fake(() => {});
  const port = await fake.listen();
  const unexpected = () => assert.fail("called after all");
  connectTcp({ host: "127.0.0.1", port }, { timeoutMs: 1000 }, unexpected, unexpected)();
  const attempt = new Attempt(`rtmp://127.0.0.1:${port}/live/s`);
  attempt.upstream.close();
  await attempt.assertEnds("closed", /closed by us/);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(attempt.events, ["ended closed"]);
});

test("a server that accepts and says nothing: time-out of the handshake, of HTTP", async () => {
  using fake = new Fake(() => {});
  const place = `127.0.0.1:${await fake.listen()}`;
  const rtmp = new Attempt(`rtmp://${place}/live/s`, { answerTimeoutMs: 200 });
  const http = new Attempt(`http://${place}/live/s.flv`, { answerTimeoutMs: 200 });
  await rtmp.assertEnds("timeout", /no handshake within 200 ms/);
  await http.assertEnds("unreachable", /no answer from .* within 200 ms/);
});

test("an HTTP server on the RTMP port is recognised", async () => {
  using fake = new Fake((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const attempt = new Attempt(`rtmp://127.0.0.1:${await fake.listen()}/live/s`);
  await attempt.assertEnds("protocol", /an HTTP server/);
});

// ---- redirects (S8)

/** What a server says that shakes hands and answers `connect` with a redirect. */
function redirectAnswer(to: string): Uint8Array {
  const info = new AmfObject([
    ["level", "error"],
    ["code", "NetConnection.Connect.Rejected"],
    ["ex", new AmfObject([["code", 302], ["redirect2", to]])],
  ]);
  const writer = new MessageWriter();
  writer.write(3, 20, 0, 0, encodeAmf0("_error", 1, null, info));
  return concat(plainServerHandshake(), writer.take());
}

/** A server that says so. */
function redirecting(to: () => string): (socket: net.Socket) => void {
  return (socket) => void socket.write(redirectAnswer(to()));
}

test("S8: a redirect is followed at once; a loop ends after three", async () => {
  let port = 0;
  using fake = new Fake(redirecting(() => `rtmp://127.0.0.1:${port}/live/s?again`));
  port = await fake.listen();
  const attempt = new Attempt(`rtmp://127.0.0.1:${port}/live/s`);
  await attempt.assertEnds("redirect", /more than 3 redirects/);
  assert.equal(fake.sockets.length, 4);
  assert.deepEqual(
    attempt.of("redirected"),
    Array(3).fill(`redirected rtmp://127.0.0.1:${port}/live/s?again`),
  );
});

test("S8: a redirect to a dead server, and to what is no RTMP address", async () => {
  const port = await deadPort();
  using fake = new Fake(redirecting(() => `rtmp://127.0.0.1:${port}/live`));
  const dead = new Attempt(`rtmp://127.0.0.1:${await fake.listen()}/live/s`);
  await dead.assertEnds("unreachable", new RegExp(`:${port}: refused`));
  using other = new Fake(redirecting(() => "file:///etc/passwd"));
  const wrong = new Attempt(`rtmp://127.0.0.1:${await other.listen()}/live/s`);
  await wrong.assertEnds("protocol", /redirected to file.*no RTMP address/);
});

test("H60: a redirect leads to a server that is named, or has sent us on itself", async () => {
  const port = await deadPort();
  using away = new Fake(redirecting(() => `rtmp://localhost:${port}/live/s`));
  const refused = new Attempt(`rtmp://127.0.0.1:${await away.listen()}/live/s`, {
    mayRedirect: toNamed(["origin.example"]),
  });
  await refused.assertEnds("redirect", /redirected to .*does not name/);
  assert.deepEqual(refused.of("redirected"), []);
  using near = new Fake(redirecting(() => `rtmp://127.0.0.1:${port}/live/s`));
  const nearPort = await near.listen();
  for (const hosts of [["127.0.0.1"], []]) {
    const followed = new Attempt(`rtmp://127.0.0.1:${nearPort}/live/s`, {
      mayRedirect: toNamed(hosts),
    });
    await followed.assertEnds("unreachable", new RegExp(`:${port}: refused`));
  }
});

// ---- HTTP-FLV (S11)

const VIDEO = concat("17 01 000000 00000001 65");

function tag(type: number, timestamp: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(15 + payload.length);
  const at = writeFlvTagHeader(bytes, 0, type, payload.length, timestamp);
  bytes.set(payload, at);
  writePreviousTagSize(bytes, at + payload.length, payload.length);
  return bytes;
}

const METADATA = encodeAmf0("onMetaData", new AmfEcmaArray([["width", 640]]));
const FLV = concat(
  flvFileHeader(true, true),
  tag(18, 0, METADATA),
  tag(9, 0x1000000, VIDEO),
  tag(9, 40, VIDEO),
);

/** Calls `answer` with the path of each request. */
function http(answer: (socket: net.Socket, path: string) => void): (socket: net.Socket) => void {
  return (socket) => {
    socket.once("data", (bytes) => {
      const path = /^GET (\S+) HTTP\/1\.1\r\n/.exec(bytes.toString())?.[1];
      assert.ok(path, bytes.toString());
      answer(socket, path);
    });
  };
}

/** The bytes in chunks of 7, so that nothing lies within one. */
function chunked(bytes: Uint8Array): Uint8Array {
  const pieces: (Uint8Array | string)[] = [];
  for (let at = 0; at < bytes.length; at += 7) {
    const piece = bytes.subarray(at, at + 7);
    pieces.push(`'${piece.length.toString(16)}\r\n`, piece, "'\r\n");
  }
  return concat(...pieces, "'0\r\n\r\n");
}

const EVENTS = [
  "opened",
  "connected",
  "accepted",
  "metadata width",
  `media 18 0 ${toHex(METADATA)}`,
  `media 9 16777216 ${toHex(VIDEO)}`,
  `media 9 40 ${toHex(VIDEO)}`,
  "ended lost",
];

for (
  const [what, head, body] of [
    ["chunked", "Transfer-Encoding: chunked\r\n", chunked(FLV)],
    ["without any length", "", FLV],
    ["with a length", `Content-Length: ${FLV.length}\r\n`, FLV],
  ] as const
) {
  test(`S11: HTTP-FLV ${what}`, async () => {
    using fake = new Fake(http((socket) => {
      socket.end(concat(`'HTTP/1.1 200 OK\r\n${head}\r\n`, body));
    }));
    const attempt = new Attempt(`http://127.0.0.1:${await fake.listen()}/live/s.flv?k=v`);
    await attempt.assertEnds("lost", /the server ended the stream/);
    assert.deepEqual(attempt.events, EVENTS);
  });
}

test("S11: redirects are followed, absolute and relative, three at most", async () => {
  let port = 0;
  const paths: string[] = [];
  using fake = new Fake(http((socket, path) => {
    paths.push(path);
    const next: Record<string, string> = {
      "/live/s.flv": `http://127.0.0.1:${port}/a.flv?x=1`,
      "/a.flv?x=1": "b.flv",
      "/loop": "/loop",
      "/bad": "file:///etc/passwd",
    };
    socket.end(
      next[path]
        ? `HTTP/1.1 302 Found\r\nLocation: ${next[path]}\r\nContent-Length: 0\r\n\r\n`
        : concat("'HTTP/1.1 200 OK\r\n\r\n", FLV),
    );
  }));
  port = await fake.listen();
  const attempt = new Attempt(`http://127.0.0.1:${port}/live/s.flv`);
  await attempt.assertEnds("lost", /b\.flv/);
  assert.deepEqual(paths.splice(0), ["/live/s.flv", "/a.flv?x=1", "/b.flv"]);
  assert.deepEqual(attempt.events.filter((event) => !event.startsWith("redirected")), EVENTS);
  const loop = new Attempt(`http://127.0.0.1:${port}/loop`);
  await loop.assertEnds("redirect", /more than 3 redirects/);
  assert.equal(paths.length, 4);
  await new Attempt(`http://127.0.0.1:${port}/bad`).assertEnds("protocol", /no HTTP address/);
});

test("S11: 404, a body that is no FLV, one that breaks off, one that falls silent", async () => {
  using fake = new Fake(http((socket, path) => {
    if (path === "/404") {
      return void socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
    }
    if (path === "/html") {
      return void socket.end("HTTP/1.1 200 OK\r\n\r\n<html><body>no stream</body></html>");
    }
    socket.write(
      concat("'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n", FLV.subarray(0, 9)),
    );
    if (path === "/break") setTimeout(() => socket.destroy(), 50);
  }));
  const place = `http://127.0.0.1:${await fake.listen()}`;
  await new Attempt(`${place}/404`).assertEnds("not-found", /answers 404/);
  await new Attempt(`${place}/html`).assertEnds("protocol", /FLV header/);
  await new Attempt(`${place}/break`).assertEnds("lost", /connection lost/);
  await new Attempt(`${place}/silent`, { mediaTimeoutMs: 300 }).assertEnds("silent", /300 ms/);
});

test("S11: a paused pull makes the server wait", async () => {
  const frame = tag(9, 0, new Uint8Array(60_000));
  const total = 1000;
  let sent = 0;
  using fake = new Fake(http((socket) => {
    socket.write(concat("'HTTP/1.1 200 OK\r\n\r\n", flvFileHeader(false, true)));
    const more = () => {
      while (sent < total) {
        sent++;
        if (!socket.write(frame)) return void socket.once("drain", more);
      }
      socket.end();
    };
    more();
  }));
  let received = 0;
  const attempt = new Attempt(`http://127.0.0.1:${await fake.listen()}/s.flv`, {
    mediaTimeoutMs: 0,
  });
  attempt.media = () => {
    if (++received === 20) attempt.upstream.pauseReading();
  };
  let before = -1;
  while (before !== sent || received === 0) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.ok(sent < total, "the server has got rid of 60 MB while nobody read them");
  assert.ok(received < 200, `${received} frames came through`);
  attempt.upstream.resumeReading();
  await attempt.assertEnds("lost", /ended/);
  assert.equal(received, total);
});

// ---- RTMPS (S12)

test("S12: rtmps names its host in the TLS handshake, an address is no name", async () => {
  const hello = async (host: string) => {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    using fake = new Fake((socket) => socket.once("data", (bytes) => resolve(bytes)));
    const attempt = new Attempt(`rtmps://${host}:${await fake.listen()}/live/s`);
    const bytes = await promise;
    attempt.upstream.close();
    return bytes;
  };
  const named = await hello("localhost");
  assert.equal(named[0], 0x16, "a TLS handshake");
  // server_name: list length, type host_name, its length, the name (RFC 6066 §3).
  assert.ok(
    toHex(named).includes(toHex(concat("0000 000e 000c 00 0009", "'localhost"))),
    toHex(named),
  );
  assert.equal(toHex(await hello("127.0.0.1")).includes(toHex(concat("'127.0.0.1"))), false);
});

test(
  "S12: over rtmps all goes as over rtmp; a certificate that nobody trusts is named",
  async () => {
    const listener = Deno.listenTls({
      hostname: "localhost",
      port: 0,
      key: TEST_KEY,
      cert: TEST_CERTIFICATE,
    });
    const serve = async () => {
      for await (const connection of listener) {
        try {
          await connection.write(redirectAnswer("rtmp://else.invalid/live/s"));
        } catch {
          // The client that does not trust us.
          connection.close();
        }
      }
    };
    const served = serve();
    const url = `rtmps://localhost:${listener.addr.port}/live/s`;
    const trusted = new Attempt(url, { ca: TEST_CA });
    await trusted.assertEnds("unreachable", /else\.invalid.*no such host/);
    assert.deepEqual(trusted.of("redirected"), ["redirected rtmp://else.invalid/live/s"]);
    const untrusted = await new Attempt(url).finished;
    assert.match(untrusted.text, /localhost:\d+.*(?:certificate|issuer)/i);
    listener.close();
    await served;
  },
);
