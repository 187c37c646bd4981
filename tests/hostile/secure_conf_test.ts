/**
 * Attacks on a server that runs `conf/secure.conf` itself, with the ports and the words in capitals
 * replaced. What is not allowed is refused; the right publisher and the players go on.
 * @module
 */
import assert from "node:assert/strict";
import net from "node:net";
import { EXAMPLES } from "../../src/install/examples.ts";
import { signature } from "../../src/access/signed_url.ts";
import { FlvClient } from "../tools/flv_client.ts";
import { until, within } from "../tools/process.ts";
import { RawClient, statusCode } from "../tools/raw_client.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { accepts, freePort, type Server } from "../tools/server.ts";
import { WatchedControl } from "../tools/watched_control.ts";

/** ms for what is there at once, on a machine that does other things as well. */
const SOON_MS = 10_000;

const PASSWORD = "3f0a9d5c6be1a774";
const SECRET = "b4d6f1e2907c5a3d8e";
const EXPIRES = "4102444800";

/** A server that runs the file, and where its ports are. */
interface Secured {
  readonly server: Server;
  readonly api: number;
  readonly http: number;
}

/** What is replaced in the file. `more`: beyond the ports and the words in capitals. */
function secured(api: number, http: number, more: Readonly<Record<string, string>> = {}): string {
  const replaced = {
    "listen                  1935;": "listen 127.0.0.1:PORT;",
    "127.0.0.1:1985;\n": `127.0.0.1:${api};\n`,
    "listen              8080;": `listen 127.0.0.1:${http};`,
    "CHANGE_ME_PASSWORD": PASSWORD,
    "CHANGE_ME_SECRET": SECRET,
    ...more,
  };
  let text = EXAMPLES.get("secure") ?? assert.fail("no secure.conf");
  for (const [from, to] of Object.entries(replaced)) {
    assert.ok(text.includes(from), `secure.conf has ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

async function serve(s: Scenario, more?: Readonly<Record<string, string>>): Promise<Secured> {
  const [api, http] = [freePort(), freePort()];
  const server = await s.server({ text: secured(api, http, more) });
  for (const port of [api, http]) await until("a port", SOON_MS, () => accepts(port));
  assert.doesNotMatch(server.log, /of an example/);
  return { server, api, http };
}

function signed(key: string, action: "publish" | "play" = "publish", secret = SECRET): string {
  return `?expires=${EXPIRES}&sign=${signature(secret, action, key, EXPIRES)}`;
}

/** Asks to publish; the status that it gets. */
async function publish(s: Scenario, { server }: Secured, name: string): Promise<string> {
  const client: RawClient = await s.raw(server);
  await client.connect("live");
  client.command("publish", null, name, "live");
  const answer = await client.next("an answer", (message) => {
    return statusCode(message).startsWith("NetStream.Publish");
  });
  const code = statusCode(answer);
  if (!code.endsWith("Start")) await within("the end", SOON_MS, client.ended);
  client.destroy();
  return code;
}

/** Sends a request from an address of this machine; what has come when the server closes, or is enough. */
async function ask(
  port: number,
  path: string,
  { method = "GET", headers = {}, from = "127.0.0.1" }: {
    method?: string;
    headers?: Readonly<Record<string, string>>;
    from?: string;
  } = {},
): Promise<string> {
  const socket = net.connect({ host: "127.0.0.1", port, localAddress: from });
  let answer = "";
  let over = false;
  socket.on("data", (part: Uint8Array) => answer += new TextDecoder("latin1").decode(part));
  socket.on("error", () => {});
  socket.on("close", () => over = true);
  const fields = Object.entries({ Host: `127.0.0.1:${port}`, Connection: "close", ...headers });
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(`${method} ${path} HTTP/1.1\r\n${head}\r\n`);
  try {
    await until(
      "an answer",
      SOON_MS,
      () => over || /video\/x-flv|101 Switching|403 Forbidden/.test(answer),
    );
    return answer;
  } finally {
    socket.destroy();
  }
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);

/** As a browser opens a WebSocket from a page of this origin. */
function webSocket(origin: string): Record<string, string> {
  return {
    Connection: "Upgrade",
    Upgrade: "websocket",
    Origin: origin,
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
}

/** Names that strangers may try, and that no answer may tell. */
const PRIVATE_NAME = "stream";

/** Headers that a reverse proxy on this machine adds. */
const FORWARDED = { "X-Forwarded-For": "203.0.113.7", "Via": "1.1 proxy", "Host": "box.example" };

/** Each attack by what it tries. */
const ATTACKS: Readonly<Record<string, (s: Scenario, at: Secured) => Promise<void>>> = {
  "publish without signature, or with that of another secret, action or stream": async (s, at) => {
    const wrong = [
      "cam",
      `cam?expires=${EXPIRES}`,
      `cam${signed("/live/cam", "publish", "CHANGE_ME_SECRET")}`,
      `cam${signed("/live/cam", "play")}`,
      `cam${signed("/live/other")}`,
      `cam?vhost=other.example&${signed("/live/cam2").slice(1)}`,
      `cam${signed("/live/cam").replace(EXPIRES, "4102444801")}`,
    ];
    for (const name of wrong) {
      assert.equal(await publish(s, at, name), "NetStream.Publish.Denied", name);
    }
    assert.equal(await publish(s, at, `cam${signed("/live/cam")}`), "NetStream.Publish.Start");
  },
  "take the control stream's name": async (s, at) => {
    const client = await s.raw(at.server);
    await client.connect("control");
    client.command("publish", null, PRIVATE_NAME, "live");
    await client.status("NetStream.Publish.Denied");
  },
  "the API without password, through a proxy, with an effect": async (_s, { api, http }) => {
    const paths = ["/api/v1/streams/", "/api/v1/clients/", "/api/v1/summaries", "/metrics"];
    for (const headers of [{}, FORWARDED]) {
      for (const path of paths) {
        const answer = await ask(api, path, { headers });
        assert.equal(statusOf(answer), 401, `${path}: ${answer.slice(0, 80)}`);
        assert.ok(!answer.includes(PRIVATE_NAME));
      }
      for (const [method, path] of [["DELETE", "/api/v1/clients/x"], ["POST", "/api/v1/drain"]]) {
        assert.equal(statusOf(await ask(api, path, { method, headers })), 401, path);
      }
      const raw = await ask(api, "/api/v1/raw?rpc=reload", { headers });
      assert.equal(statusOf(raw), 401);
    }
    // Not at all on the port that others reach.
    for (const path of ["/api/v1/streams/", "/api/v1/raw?rpc=reload", "/metrics"]) {
      const answer = await ask(http, path);
      assert.ok([401, 404].includes(statusOf(answer)), `${path}: ${answer.slice(0, 80)}`);
    }
    const Authorization = `Basic ${btoa(`admin:${PASSWORD}`)}`;
    assert.equal(
      statusOf(await ask(http, "/api/v1/streams/", { headers: { Authorization } })),
      404,
    );
  },
  "commands with the password, which are off": async (_s, { api }) => {
    const Authorization = `Basic ${btoa(`admin:${PASSWORD}`)}`;
    const answer = await ask(api, "/api/v1/raw?rpc=reload", { headers: { Authorization } });
    assert.doesNotMatch(answer, /"code":0\b/);
    const streams = await ask(api, "/api/v1/streams/", { headers: { Authorization } });
    assert.equal(statusOf(streams), 200);
    assert.ok(streams.includes(PRIVATE_NAME), "whoever has the password sees it");
  },
  "guess the password": async (_s, { api }) => {
    const headers = { Authorization: `Basic ${btoa("admin:CHANGE_ME_PASSWORD")}` };
    const answers: number[] = [];
    for (let i = 0; i < 60; i++) {
      answers.push(statusOf(await ask(api, "/api/v1/versions", { headers, from: "127.0.0.3" })));
    }
    assert.ok(answers.every((status) => status === 401 || status === 429), String(answers));
    assert.ok(answers.filter((status) => status === 429).length > 20, String(answers));
  },
  "read the stream from a page of another site": async (_s, { http }) => {
    const path = "/control/stream.flv";
    const own = `http://127.0.0.1:${http}`;
    assert.equal(statusOf(await ask(http, path, { headers: webSocket(own) })), 101);
    const foreign = await ask(http, path, { headers: webSocket("https://evil.example") });
    assert.equal(statusOf(foreign), 403, "a page of another site (H44)");
    const read = await ask(http, path, { headers: { Origin: "https://evil.example" } });
    assert.doesNotMatch(read, /access-control-allow-origin/i);
  },
  "learn names that nobody has told": async (_s, { http }) => {
    for (const path of ["/live/nobody.flv", "/control/nobody.flv", "/", "/control/", "/live"]) {
      for (const accept of ["*/*", "application/json"]) {
        const answer = await ask(http, path, { headers: { Accept: accept } });
        assert.ok(!answer.includes("control/stream"), `${path}: ${answer}`);
      }
    }
  },
  "claim another address by a header": async (_s, { server, http }) => {
    const headers = { "X-Forwarded-For": "198.51.100.99", "X-Real-IP": "198.51.100.98" };
    const answer = await ask(http, "/control/stream.flv", { headers });
    assert.equal(statusOf(answer), 200);
    assert.doesNotMatch(server.log, /client ip=198/);
  },
};

scenario("conf/secure.conf stands what strangers try", async (s) => {
  const at = await serve(s);
  const { server, http } = at;
  const query = signed("/control/stream");
  const control = await WatchedControl.start({
    port: server.port,
    apiPort: http,
    process: server.process,
  }, query);
  try {
    for (const [what, attack] of Object.entries(ATTACKS)) {
      await attack(s, at).catch((error: unknown) => {
        throw new Error(`${what}: ${error}`, { cause: error });
      });
      // The limits are for each address and second: the next attack has its own.
      await until("a second without new connections", SOON_MS, async () => {
        await new Promise((done) => setTimeout(done, 1100));
        return true;
      });
    }
    const webSocket = await FlvClient.open(`http://127.0.0.1:${http}/control/stream.flv`);
    await webSocket.received(20);
    webSocket.close();
    await control.fine("after all attacks");
    assert.ok(!server.log.includes(SECRET) && !server.log.includes(PASSWORD), "secrets in the log");
    assert.doesNotMatch(server.log, /\[ERROR\]/);
  } finally {
    control.stop();
  }
});

/** Connections from an address that stay; how many the server has left open. */
async function crowd(port: number, from: string, count: number, pauseMs: number): Promise<number> {
  const sockets: net.Socket[] = [];
  let closed = 0;
  try {
    for (let i = 0; i < count; i++) {
      const socket = net.connect({ host: "127.0.0.1", port, localAddress: from });
      socket.on("error", () => {});
      socket.on("close", () => closed++);
      // Without it the end of what is read, and so the close, is not seen.
      socket.resume();
      sockets.push(socket);
      await new Promise((done) => setTimeout(done, pauseMs));
    }
    await new Promise((done) => setTimeout(done, 500));
    return count - closed;
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

scenario("conf/secure.conf: one address has its share, the others have theirs", async (s) => {
  const at = await serve(s);
  const { server, http } = at;
  const query = signed("/control/stream");
  const control = await WatchedControl.start({
    port: server.port,
    apiPort: http,
    process: server.process,
  }, query);
  try {
    const atOnce = await crowd(server.port, "127.0.0.5", 100, 0);
    assert.ok(atOnce <= 40, `${atOnce} of 100 at once were let in; 20 a second may`);
    const slowly = await crowd(server.port, "127.0.0.6", 70, 60);
    assert.equal(slowly, 50);
    assert.match(server.log, /refused by connect_rate_per_ip=20/);
    await control.fine("with two greedy addresses");
  } finally {
    control.stop();
  }
});
