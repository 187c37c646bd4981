/**
 * One HTTP connection: answers in order, what a client may leave unsaid or untaken, and streams.
 * @module
 */

import assert from "node:assert/strict";
import { REQUEST_TIMEOUT_S } from "../../src/net/limits.ts";
import { type FetchHandler, HttpConnection } from "../../src/net/http_connection.ts";
import type { WebLink, WebLinkHandler } from "../../src/net/web_link.ts";
import { FakeSocket } from "./support/fake_socket.ts";

/** Turns of the event loop in which all that is due happens; each takes a ms at least. */
const SETTLE_TURNS = 20;

async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLE_TURNS; turn++) {
    await new Promise<void>((resolve) => setTimeout(resolve, 1));
  }
}

/** A connection, its client, and what becomes of it. */
class Scene {
  readonly socket = new FakeSocket();
  readonly connection: HttpConnection;
  readonly faults: unknown[] = [];
  finished = 0;
  closing = false;

  constructor(fetch: FetchHandler) {
    const closing = () => this.closing;
    this.connection = new HttpConnection(this.socket, {
      fetch,
      scheme: "http",
      get closing() {
        return closing();
      },
      finished: () => void this.finished++,
      fault: (error) => void this.faults.push(error),
    });
    this.socket.handler = this.connection;
  }

  async says(text: string): Promise<void> {
    this.connection.onBytes(Uint8Array.from(text, (character) => character.charCodeAt(0)));
    await settle();
  }

  /** What has been sent since this was asked, without the lines that change. */
  heard(): string {
    const text = Array.from(this.socket.sent, (byte) => String.fromCharCode(byte)).join("");
    this.socket.writes.length = 0;
    return text.replace(/Date: .* GMT\r\n/g, "").replaceAll("\r\n", "\n");
  }

  seconds(count: number): void {
    for (let second = 0; second < count; second++) this.connection.tick();
  }
}

const get = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: h\r\n${more}\r\n`;

/** Answers with what was asked, as plain text. */
const echo: FetchHandler = async (request) => {
  const { pathname, search, host } = new URL(request.url);
  const text = `${request.method} ${host} ${pathname}${search} ${await request.text()}`;
  return new Response(text, { headers: { "X-Case": "1", "Content-Type": "text/plain" } });
};

function answer(text: string, connection = "keep-alive"): string {
  return `HTTP/1.1 200 OK\nContent-Type: text/plain\nX-Case: 1\nContent-Length: ${text.length}\n` +
    `Connection: ${connection}\n\n${text}`;
}

Deno.test("HTTP connection: answers in order, in one write each, and is used again", async () => {
  const scene = new Scene(echo);
  await scene.says(
    get("/a?b") + get("/c") + "POST /d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
  );
  assert.equal(scene.socket.writes.length, 3);
  assert.equal(scene.heard(), answer("GET h /a?b ") + answer("GET h /c ") + answer("POST h /d hi"));
  await scene.says(get("/e", "Connection: close\r\n") + get("/never"));
  assert.equal(scene.heard(), answer("GET h /e ", "close"));
  assert.equal(scene.socket.state, "closed");
  scene.connection.onClose();
  assert.equal(scene.finished, 1);
});

Deno.test("HTTP connection: HEAD, 304 and an empty answer have no body", async () => {
  const scene = new Scene((request) => {
    if (request.url.endsWith("/304")) return new Response(null, { status: 304 });
    if (request.method === "HEAD") {
      return new Response(null, { headers: { "Content-Length": "99" } });
    }
    return new Response(null);
  });
  await scene.says("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  assert.equal(scene.heard(), "HTTP/1.1 200 OK\nContent-Length: 99\nConnection: keep-alive\n\n");
  await scene.says(get("/304"));
  assert.equal(scene.heard(), "HTTP/1.1 304 Not Modified\nConnection: keep-alive\n\n");
  await scene.says(get("/"));
  assert.equal(scene.heard(), "HTTP/1.1 200 OK\nContent-Length: 0\nConnection: keep-alive\n\n");
});

/** A body of these texts, each as late as the reader asks for it and a turn more. */
function slowBody(texts: string[], cancelled: () => void = () => {}): ReadableStream<Uint8Array> {
  const left = [...texts];
  return new ReadableStream({
    async pull(controller) {
      await new Promise<void>((resolve) => setTimeout(resolve, 2));
      const text = left.shift();
      if (text === undefined) controller.close();
      else if (text === "fault") controller.error(new Error("broken off"));
      else controller.enqueue(new TextEncoder().encode(text));
    },
    cancel: cancelled,
  }, { highWaterMark: 0 });
}

Deno.test("HTTP connection: a long body goes in chunks, or as long as it says", async () => {
  const scene = new Scene((request) => {
    const said = new Headers(request.url.endsWith("/said") ? { "Content-Length": "5" } : {});
    return new Response(slowBody(["abc", "de"]), { headers: said });
  });
  await scene.says(get("/"));
  await settle();
  assert.equal(
    scene.heard(),
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nConnection: keep-alive\n\n3\nabc\n2\nde\n0\n\n",
  );
  await scene.says(get("/said"));
  await settle();
  assert.equal(
    scene.heard(),
    "HTTP/1.1 200 OK\nContent-Length: 5\nConnection: keep-alive\n\nabcde",
  );
  await scene.says("GET / HTTP/1.0\r\n\r\n");
  await settle();
  assert.equal(scene.heard(), "HTTP/1.1 200 OK\nConnection: close\n\nabcde");
  assert.equal(scene.socket.state, "closed");
});

Deno.test("HTTP connection: a body that breaks off is no whole answer", async () => {
  const scene = new Scene(() => new Response(slowBody(["abc", "fault"])));
  await scene.says(get("/"));
  await settle();
  assert.doesNotMatch(scene.heard(), /\n0\n\n$/);
  assert.equal(scene.socket.state, "aborted");
});

Deno.test("HTTP connection: a client that does not read holds up the body, and itself alone", async () => {
  const piece = "x".repeat(200_000);
  let cancelled = 0;
  const scene = new Scene(() => new Response(slowBody(Array(50).fill(piece), () => cancelled++)));
  scene.socket.busy = true;
  await scene.says(get("/"));
  await settle();
  assert.ok(scene.socket.pendingBytes < 3 * piece.length, String(scene.socket.pendingBytes));
  scene.seconds(30);
  assert.equal(scene.socket.state, "open");
  scene.seconds(1);
  assert.equal(scene.socket.state, "aborted");
  scene.connection.onClose();
  await settle();
  assert.equal(cancelled, 1);
});

Deno.test("HTTP connection: a fault of ours is a 500 and goes to the log; nonsense is a 400", async () => {
  const scene = new Scene(() => {
    throw new Error("inner detail");
  });
  await scene.says(get("/"));
  assert.match(
    scene.heard(),
    /^HTTP\/1\.1 500 Internal Server Error\n[^]*\n\nInternal Server Error$/,
  );
  assert.equal(scene.faults.length, 1);
  await scene.says("nonsense\r\n\r\n");
  assert.match(
    scene.heard(),
    /^HTTP\/1\.1 400 Bad Request\n[^]*\n\nBad Request: the first line is no request\n$/,
  );
  assert.equal(scene.socket.state, "closed");
});

Deno.test("H36: a request has its time, and an idle connection as much", async () => {
  const silent = new Scene(echo);
  silent.seconds(REQUEST_TIMEOUT_S);
  assert.equal(silent.socket.state, "open");
  silent.seconds(1);
  assert.equal(silent.socket.state, "closed");
  assert.equal(silent.heard(), "");

  for (
    const text of [
      "GET / HT",
      get("/").slice(0, -2),
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf",
    ]
  ) {
    const half = new Scene(echo);
    await half.says(text);
    half.seconds(REQUEST_TIMEOUT_S - 1);
    // A byte now and then is no request.
    await half.says("x");
    half.seconds(2);
    assert.match(half.heard(), /^HTTP\/1\.1 408 Request Timeout\n/, text);
    assert.equal(half.socket.state, "closed");
  }

  const used = new Scene(echo);
  used.seconds(REQUEST_TIMEOUT_S);
  await used.says(get("/"));
  used.seconds(REQUEST_TIMEOUT_S);
  assert.equal(used.socket.state, "open");
  used.seconds(1);
  assert.equal(used.socket.state, "closed");
});

Deno.test("HTTP connection: requests without end wait in the kernel", async () => {
  let release: (response: Response) => void = () => {};
  const scene = new Scene(() => new Promise<Response>((resolve) => release = resolve));
  await scene.says(get("/"));
  for (let i = 0; i < 9; i++) await scene.says(get("/", `X: ${"x".repeat(5000)}\r\n`));
  assert.equal(scene.socket.reading, false);
  release(new Response("first"));
  await settle();
  assert.equal(scene.socket.reading, true);
});

Deno.test("HTTP connection: who waits is told when the client is gone (H39)", async () => {
  const signals: AbortSignal[] = [];
  const scene = new Scene((request) => {
    signals.push(request.signal);
    return new Promise<Response>(() => {});
  });
  await scene.says(get("/"));
  assert.equal(signals[0].aborted, false);
  scene.connection.onClose();
  assert.equal(signals[0].aborted, true);
});

/** A stream of which the test is the source. */
class Source implements WebLinkHandler {
  link: WebLink | null = null;
  writable = 0;
  closed = 0;
  onOpen(link: WebLink): void {
    this.link = link;
  }
  onWritable(): void {
    this.writable++;
  }
  onClose(): void {
    this.closed++;
  }
}

Deno.test("HTTP connection: a stream in chunks, which all players share", async () => {
  const sources = [new Source(), new Source()];
  const scenes = sources.map((source) =>
    new Scene((_, peer) => {
      peer.stream(source);
      return new Response(null, { headers: { "Content-Type": "video/x-flv", "Connection": "x" } });
    })
  );
  const bytes = new Uint8Array([65, 66, 67]);
  for (const scene of scenes) await scene.says(get("/"));
  assert.equal(scenes[0].connection.streams, true);
  const [first, second] = scenes.map(({ socket }, index) => {
    const sent: Uint8Array[] = [];
    const send = socket.send.bind(socket);
    socket.send = (bytes) => {
      sent.push(bytes);
      return send(bytes);
    };
    assert.equal(sources[index].link?.send(bytes), true);
    return sent;
  });
  assert.equal(first[0], second[0], "the same bytes");
  assert.equal(
    scenes[0].heard(),
    "HTTP/1.1 200 OK\nContent-Type: video/x-flv\nTransfer-Encoding: chunked\nConnection: close\n\n3\nABC\n",
  );
  assert.equal(scenes[0].socket.expected, "player");
  scenes[0].seconds(100);
  assert.equal(scenes[0].socket.state, "open", "a stream may be silent");
  scenes[0].socket.busy = true;
  assert.equal(sources[0].link?.send(bytes), false);
  scenes[0].socket.drain();
  assert.equal(sources[0].writable, 1);
  scenes[0].heard();
  sources[0].link?.end();
  assert.equal(scenes[0].heard(), "0\n\n");
  assert.equal(scenes[0].socket.state, "closed");
  scenes[0].connection.onClose();
  assert.equal(sources[0].closed, 1);
});

Deno.test("F21: a client that has closed its sending side is served on, one that is gone is not", async () => {
  const source = new Source();
  const scene = new Scene((_, peer) => {
    peer.stream(source);
    return new Response(null);
  });
  assert.equal(scene.connection.onEnd(), false, "nothing was asked for");
  await scene.says(get("/"));
  assert.equal(scene.connection.onEnd(), true);
  for (let second = 0; second < 10; second++) {
    source.link?.send(new Uint8Array([1]));
    scene.seconds(1);
  }
  assert.equal(scene.socket.state, "open");
  scene.seconds(3);
  assert.equal(scene.socket.state, "aborted");
});

Deno.test("HTTP connection: a WebSocket answers its client, and H42: closes when it says too much", async () => {
  const source = new Source();
  const scene = new Scene((_, peer) =>
    new Response(null, { status: peer.upgrade(source) ? 200 : 400 })
  );
  const handshake = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  await scene.says(`${get("/", handshake)}\x89\x80\x00\x00\x00\x00`);
  assert.equal(
    scene.heard(),
    "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\n" +
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n\n\x8a\x00",
  );
  source.link?.send(new Uint8Array([65]));
  assert.equal(scene.heard(), "\x82\x01A");
  assert.equal(scene.connection.onEnd(), false, "a WebSocket has no half");
  await scene.says("\x82\xff\x00\x00\x00\x00\x03\x93\x87\x00");
  assert.equal(scene.heard(), "\x88\x02\x03\xf1");
  assert.equal(scene.socket.state, "closed");
  const plain = new Scene((_, peer) =>
    new Response(null, { status: peer.upgrade(source) ? 200 : 400 })
  );
  await plain.says(get("/"));
  assert.match(plain.heard(), /^HTTP\/1\.1 400 /);
});

Deno.test("HTTP connection: a stream whose answer comes to nothing is told", async () => {
  const source = new Source();
  const scene = new Scene((_, peer) => {
    peer.stream(source);
    return new Response("no", { status: 403 });
  });
  await scene.says(get("/"));
  assert.match(scene.heard(), /^HTTP\/1\.1 403 Forbidden\n/);
  assert.equal(source.closed, 1);
  assert.equal(source.link, null);
});
