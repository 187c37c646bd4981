/**
 * The table "What one client can hold" of conf/security.md, row by row: one client tries to hold more, and is held
 * to the limit, beside a control stream. A row is tried here, or a test elsewhere is named that does.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  type Attacker,
  command,
  connect,
  HANDSHAKE,
  hello,
  message,
  ping,
  setChunkSize,
} from "../tools/attacker.ts";
import { FlvClient } from "../tools/flv_client.ts";
import { holdingsIn } from "../tools/holdings.ts";
import { HookServer } from "../tools/hook_server.ts";
import { sleep, until, within } from "../tools/process.ts";
import { type Amf, RawClient, Type } from "../tools/raw_client.ts";
import { type WatchedAttack, watchedAttack } from "../tools/watched_attack.ts";

/** ms for what is there at once, on a machine that does other things as well. */
const SOON_MS = 10_000;

const ROWS = holdingsIn(
  await Deno.readTextFile(new URL("../../conf/security.md", import.meta.url)),
);

/** The limit of a row, in bytes where it is a size. */
function limit(name: string): number {
  const row = ROWS.find((one) => one.name === name) ?? assert.fail(`no row ${name}`);
  return row.limit * ({ KiB: 1024, MiB: 1024 ** 2 }[row.unit] ?? 1);
}

type Try = (a: WatchedAttack) => Promise<void>;

/** Asserts that the server ends a connection for a reason that it logs. */
async function refused(a: WatchedAttack, attacker: Attacker, reason: RegExp): Promise<void> {
  await within(`the server's close (${reason})`, SOON_MS, attacker.ended);
  await until(`the reason in the log (${reason})`, SOON_MS, () => {
    const line = a.edge.connection(attacker.localPort)?.disconnect;
    if (line) assert.match(line, reason);
    return Boolean(line);
  });
}

/** A client that says all this in one breath is refused. */
function says(reason: RegExp, ...parts: readonly (() => Uint8Array)[]): Try {
  return async (a) => {
    const attacker = await a.open(Buffer.concat(parts.map((part) => part())));
    await refused(a, attacker, reason);
  };
}

async function publisher(a: WatchedAttack, name: string, chunkBytes: number): Promise<Attacker> {
  const attacker = await a.open(
    Buffer.concat([hello("publish", name), setChunkSize(chunkBytes)]),
  );
  await attacker.hears("NetStream.Publish.Start");
  return attacker;
}

/** The beginning of a message of `bytes` on a chunk stream, one chunk long. */
function begun(csid: number, bytes: number, chunkBytes: number): Uint8Array {
  const payload = Buffer.alloc(bytes, 0x27);
  return message({ type: Type.VIDEO, payload, csid }, chunkBytes).subarray(0, 12 + chunkBytes);
}

function picture(first: number, bytes: number, timestamp: number, chunkBytes = 60_000): Uint8Array {
  const payload = Buffer.alloc(bytes, 0x42);
  payload.set([first, 1, 0, 0, 0]);
  return message({ type: Type.VIDEO, payload, timestamp }, chunkBytes);
}

function header(bytes: number): Uint8Array {
  const payload = Buffer.alloc(bytes, 0x42);
  payload.set([0x17, 0, 0, 0, 0]);
  return message({ type: Type.VIDEO, payload }, 60_000);
}

/** A number of a metric. */
async function metric(a: WatchedAttack, name: string): Promise<number> {
  const { text } = await a.edge.request("/metrics");
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? NaN);
}

function nested(depth: number): Amf {
  let value: Amf = 1;
  for (let i = 0; i < depth; i++) value = { a: value };
  return value;
}

const many = (count: number): Amf =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [i.toString(36), 1]));

/** Asks by HTTP; the status. */
async function status(a: WatchedAttack, request: string): Promise<number> {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(await a.ask(request))?.[1] ?? 0);
}

/** Statuses of a request at the limit and of one beyond it. */
function http(make: (size: number) => string, name: string, beyond: number): Try {
  return async (a) => {
    // The request line and the other fields have some bytes, too.
    const fits = await status(a, make(limit(name) - 300));
    assert.ok(fits === 200 || fits === 404 || fits === 405, `${fits} within the limit`);
    assert.equal(await status(a, make(limit(name) + 1)), beyond);
  };
}

/** Video messages of this size that a joining player gets. */
async function got(a: WatchedAttack, name: string, size: number): Promise<boolean> {
  const player = await RawClient.open(a.edge.port);
  try {
    await player.play("live", name);
    await player.next("a picture", ({ type, payload }) => {
      return type === Type.VIDEO && payload.length === 700;
    });
    return player.messages.some(({ payload }) => payload.length === size);
  } finally {
    player.destroy();
  }
}

/** Publishers of names of their own, and what is listed of them. */
async function many25(a: WatchedAttack, prefix: string, work: () => Promise<void>): Promise<void> {
  const open: Attacker[] = [];
  for (let i = 0; i < 25; i++) open.push(await publisher(a, `${prefix}${i}`, 60_000));
  for (const each of open) each.write(picture(0x17, 700, 0));
  await until("all of them", SOON_MS, async () => (await a.edge.list("streams")).length >= 26);
  await work();
}

const field = (name: string, size: number) => `${name}: ${"x".repeat(size)}\r\n`;

/** Rows that this file tries. */
const TRIED: Readonly<Record<string, Try>> = {
  MAX_CREATE_STREAM: says(
    /createStream more than 3 times/,
    () => hello("nothing"),
    ...Array.from({ length: 3 }, (_, i) => () => command("createStream", 3 + i, null)),
  ),
  MAX_REQUESTS_PER_SECOND: says(
    /more than 100 /,
    () => hello("nothing"),
    () => Buffer.concat(Array.from({ length: 150 }, (_, i) => ping(i))),
  ),
  MAX_MESSAGES_PER_SECOND: says(
    /more than 500 messages in a second/,
    () => hello("nothing"),
    () =>
      Buffer.concat(
        Array(700).fill(message({ type: 3, payload: Uint8Array.of(0, 0, 0, 1), msid: 0 })),
      ),
  ),
  MAX_COMMAND_BYTES: says(
    /at most 65536 allowed here/,
    () => hello("nothing"),
    () => begun(6, limit("MAX_COMMAND_BYTES") + 1, 128),
  ),
  MAX_PARTIAL_BYTES: async (a) => {
    const attacker = await publisher(a, "partial", 1 << 20);
    // Two messages of 10 MB, neither of them whole.
    const chunks = 9;
    const payload = Buffer.alloc(10 << 20, 0x27);
    for (const csid of [6, 7]) {
      const whole = message({ type: Type.VIDEO, payload, csid }, 1 << 20);
      await attacker.flush(whole.subarray(0, 12 + chunks * (1 << 20) + chunks - 1));
    }
    await refused(a, attacker, /unfinished messages add up to more than 17825791 bytes/);
  },
  MAX_CHUNK_STREAMS: async (a) => {
    const attacker = await publisher(a, "chunks", 128);
    const most = limit("MAX_CHUNK_STREAMS");
    // A chunk stream id above 63 takes two bytes.
    const start = (id: number) => {
      const one = begun(6, 200, 128);
      return id < 64
        ? Buffer.concat([Uint8Array.of(id), one.subarray(1)])
        : Buffer.concat([Uint8Array.of(0, id - 64), one.subarray(1)]);
    };
    const ids = Array.from({ length: most + 10 }, (_, i) => 3 + i);
    await attacker.flush(Buffer.concat(ids.map(start)));
    await refused(a, attacker, /64 chunk streams in the middle of a message/);
  },
  NAME_MAX_BYTES: says(/2049 bytes, 2048 are allowed/, () => hello("play", "n".repeat(2049))),
  URL_MAX_LENGTH: says(
    /8192 are allowed/,
    () => HANDSHAKE,
    () => connect({ tcUrl: `rtmp://127.0.0.1/live?${"q".repeat(8192)}` }),
    () => command("createStream", 2, null),
    () => command("play", 3, null, "s"),
  ),
  AMF_MAX_DEPTH: says(/nesting deeper than 32/, () => HANDSHAKE, () => connect({ x: nested(40) })),
  AMF_MAX_ITEMS: says(/more than 4096 values/, () => HANDSHAKE, () => connect({ x: many(4200) })),
  KEPT_CHARACTERS: async (a) => {
    const client = await RawClient.open(a.edge.port);
    const tcUrl = `rtmp://127.0.0.1:${a.edge.port}/live`;
    await client.call("connect", { app: "live", tcUrl, pageUrl: `http://a/${"p".repeat(50_000)}` });
    await client.call("createStream", null);
    client.command("play", null, "kept", -2000);
    await client.status("NetStream.Play.Start");
    const texts = (await a.edge.list("clients")).map(({ pageUrl }) => String(pageUrl).length);
    assert.equal(Math.max(...texts), limit("KEPT_CHARACTERS"));
    client.destroy();
  },
  MAX_HEADER_BYTES: async (a) => {
    for (const [more, kept] of [[0, true], [1, false]] as const) {
      const attacker = await publisher(a, `header${more}`, 60_000);
      const size = limit("MAX_HEADER_BYTES") + more;
      await attacker.flush(Buffer.concat([header(size), picture(0x17, 700, 40)]));
      assert.equal(await got(a, `header${more}`, size), kept, `a header of ${size} bytes`);
      attacker.destroy();
    }
  },
  MAX_LOG_BYTES: async (a) => {
    const attacker = await publisher(a, "log", 60_000);
    const player = await a.open(hello("play", "log"));
    await player.hears("NetStream.Play.Start");
    player.pause();
    for (let i = 0; i < 100; i++) await attacker.flush(picture(i ? 0x27 : 0x17, 1 << 20, i));
    const bytes = await metric(a, "srs_edge_log_bytes");
    assert.ok(bytes > 1 << 20, `${bytes}`);
    assert.ok(bytes <= limit("MAX_LOG_BYTES") + (4 << 20), `the logs have ${bytes >> 20} MB`);
    player.destroy();
    attacker.destroy();
  },
  "vhost.play.gop_cache_max_frames": async (a) => {
    const attacker = await publisher(a, "gop", 60_000);
    const pictures = Array.from(
      { length: limit("vhost.play.gop_cache_max_frames") + 200 },
      (_, i) => picture(i === 0 ? 0x17 : 0x27, 100, i),
    );
    await attacker.flush(Buffer.concat(pictures));
    await sleep(500);
    const player = await RawClient.open(a.edge.port);
    await player.play("live", "gop");
    await sleep(500);
    const pictured = player.messages.filter(({ payload }) => payload.length === 100);
    assert.ok(pictured.length <= limit("vhost.play.gop_cache_max_frames"), `${pictured.length}`);
    player.destroy();
    attacker.destroy();
  },
  MAX_HEAD_BYTES: http(
    (size) => `GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${field("X", size)}\r\n`,
    "MAX_HEAD_BYTES",
    431,
  ),
  MAX_FIELDS: async (a) => {
    const head = (count: number) =>
      `GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${field("X", 1).repeat(count)}\r\n`;
    assert.equal(await status(a, head(limit("MAX_FIELDS") - 2)), 200);
    assert.equal(await status(a, head(limit("MAX_FIELDS") + 1)), 431);
  },
  MAX_BODY_BYTES: http(
    (size) =>
      `POST /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n${
        "b".repeat(size)
      }`,
    "MAX_BODY_BYTES",
    413,
  ),
  MAX_PENDING_BYTES: async (a) => {
    const before = a.edge.residentBytes();
    const player = await a.open(undefined, a.edge.apiPort);
    player.pause();
    player.write(Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2000)));
    await sleep(1500);
    const more = a.edge.residentBytes() - before;
    assert.ok(more < 40 << 20, `2000 pages that nobody reads: ${more >> 20} MB more`);
    player.destroy();
  },
  MAX_HTTP_CONNECTIONS: async (a) => {
    const most = limit("MAX_HTTP_CONNECTIONS");
    const crowd: Attacker[] = [];
    for (let i = 0; i < most + 60; i++) crowd.push(await a.open(undefined, a.edge.apiPort));
    await until("the surplus closed", SOON_MS, () => {
      return crowd.filter(({ end }) => end === null).length <= most;
    });
    for (const each of crowd) each.destroy();
    await until("an answer to others", SOON_MS, async () => {
      return (await a.edge.request("/healthz").catch(() => null))?.status === 200;
    });
  },
  MAX_STREAM_SERIES: (a) =>
    many25(a, "series", async () => {
      const { text } = await a.edge.request("/metrics");
      const streams = new Set(Array.from(text.matchAll(/\bstream="([^"]*)"/g), ([, name]) => name));
      assert.ok(streams.size > 1 && streams.size <= limit("MAX_STREAM_SERIES"), `${streams.size}`);
      a.leave();
    }),
  MAX_LISTED: (a) =>
    many25(a, "listed", async () => {
      const answer = await a.ask(
        "GET /live/nobody.flv HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
      );
      assert.match(answer, /^HTTP\/1\.1 404/);
      assert.ok((answer.match(/\.flv$/gm) ?? []).length <= limit("MAX_LISTED"), answer);
      a.leave();
    }),
};

/** Rows whose attack is another test's. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  max_connections: "connections_test.ts: H17: max_connections",
  max_connections_per_ip: "connections_test.ts: H17: max_connections_per_ip",
  connect_rate_per_ip: "connections_test.ts: H17: connect_rate_per_ip",
  MAX_HANDSHAKES: "flood_test.ts: H65: half TLS handshakes",
  HANDSHAKE_TIMEOUT_MS: "deadlines_test.ts: H16:",
  IDENTIFY_TIMEOUT_MS: "deadlines_test.ts: H16: connected",
  REQUEST_TIMEOUT_S: "../unit/http_connection_test.ts: H36: a request has its time",
  PLAYER_STALL_MS: "deadlines_test.ts: H19",
  MAX_PLAYER_MESSAGES_PER_SECOND: "flood_test.ts: H57: a player floods",
  MAX_BYTES_PER_SECOND: "flood_test.ts: H57: a client that has only shaken hands",
  MAX_PUBLISHED_PER_SECOND: "flood_test.ts: H57: a publisher of tiny messages",
  MAX_HELD_BYTES:
    "../unit/read_budget_test.ts: H57: a publisher that is not read on for a second is not kept",
  MAX_UNSEEN_PULLS_PER_ADDRESS: "edge_test.ts: H40",
  MAX_UNSEEN_PULLS_PER_VHOST: "../unit/pull_budget_test.ts: H40: so has a vhost",
  IDLE_LINGER_MS:
    "../unit/edge_pull_test.ts: a stream that nobody has: the pull ends when its player goes",
  LINGER_MS: "../unit/edge_pull_test.ts: the last player's leaving ends it after the linger",
  KEPT_BUFFER_BYTES: "abuse_test.ts: H56",
  MAX_PENDING_ANSWERS: "in_memory_test.ts: H20: who asks",
  MAX_CLIENT_BYTES: "abuse_test.ts: H42",
  "vhost.play.queue_length": "../unit/player_lag_test.ts: a player that lags too much goes on",
  MAX_GOP_MS: "../unit/live_stream_test.ts: F9: a GOP of more than 5 min",
  MAX_KEPT_BYTES: "abuse_test.ts: H56",
  MAX_HEADERS: "abuse_test.ts: H56",
  MAX_LENT_BYTES: "../unit/mirror_test.ts: a thread that has too much gets nothing",
  "CONNECTION_LINES.burst": "process_test.ts: H46",
  "CONNECTION_LINES.perSecond": "process_test.ts: H46",
  "ADDRESS_LINES.burst": "process_test.ts: H46",
  "ADDRESS_LINES.perSecond": "process_test.ts: H46",
  LINE_MAX_BYTES: "../unit/log_test.ts: a line is cut at 8191 bytes",
  MAX_WRONG: "process_test.ts: H62",
  MAX_WAITING_CALLS: "../unit/hook_caller_test.ts: H48: a full queue has one line",
  HOOK_TIMEOUT_MS: "../unit/hook_caller_test.ts: hooks H28: a server that answers too late",
  IDLE_STREAM_MS:
    "../tools/invented_names.ts: invented streams, apps and vhosts leave nothing behind",
  PAGE_MAX: "../unit/http_api_test.ts: F19: pages: an answer has 10000 entries at most",
  MAX_ADDRESSES: "../unit/admission_test.ts: H17 a flood from ever new addresses",
  MAX_REMEMBERED: "../unit/takeover_test.ts: takeover replace: so many addresses are remembered",
};

/** Rows that need hooks, tried below. */
const HOOKS = ["MAX_ASKING_CALLS", "MAX_TELLING_CALLS", "MAX_ANSWER_BYTES"];

Deno.test("every row of the table is tried, here or in a test that there is", async () => {
  for (const { name } of ROWS) {
    if (name in TRIED || HOOKS.includes(name)) continue;
    const where = ELSEWHERE[name] ?? assert.fail(`nobody tries ${name}`);
    const [, file, title] = /^(\S+\.ts): (.+)$/.exec(where) ?? assert.fail(where);
    const text = await Deno.readTextFile(new URL(file, import.meta.url));
    assert.ok(text.includes(title), `${file} has no ${title}`);
  }
  const names = new Set(ROWS.map(({ name }) => name));
  for (const name of [...Object.keys(TRIED), ...Object.keys(ELSEWHERE), ...HOOKS]) {
    assert.ok(names.has(name), `no row ${name}`);
  }
});

watchedAttack("what one client can hold: it tries to hold more", async (a) => {
  for (const [name, tries] of Object.entries(TRIED)) {
    await tries(a).catch((error: unknown) => {
      throw new Error(`${name}: ${error}`, { cause: error });
    });
    a.leave();
    await a.control.fine(`after ${name}`);
  }
  const player = await FlvClient.open(`http://127.0.0.1:${a.edge.apiPort}/control/stream.flv`);
  await player.received(10);
  player.close();
}, {
  vhost: "min_latency on; http_remux { enabled on; } play { gop_cache on; }",
  root: "exporter { enabled on; listen 127.0.0.1:API_PORT; }",
  limitMs: 90_000,
});

const hooks = new HookServer();

watchedAttack("what one client can hold: hook calls", async (a) => {
  let release = () => {};
  const released = new Promise<void>((resolve) => release = resolve);
  try {
    hooks.reply = async ({ body }) => {
      if (body.app === "live") await released;
      return new Response("0");
    };
    const name = (i: number) => hello("play", `asked${i}`);
    for (let i = 0; i < 80; i++) await a.open(name(i));
    await until("as many questions as there may be", SOON_MS, () => hooks.open >= 32);
    await sleep(500);
    assert.equal(hooks.open, limit("MAX_ASKING_CALLS"));
    await a.control.fine("while the hook server does not answer");
    release();
    await until("all answers", SOON_MS, () => {
      return hooks.calls.filter(({ body }) => body.action === "on_play").length >= 80;
    });
    hooks.reply = async ({ body }) => {
      if (body.action === "on_stop" && body.app === "live") await sleep(1500);
      return new Response("0");
    };
    await until("rest", SOON_MS, () => hooks.open === 0);
    hooks.mostOpen = 0;
    a.leave();
    await sleep(1000);
    assert.ok(
      hooks.mostOpen > 0 && hooks.mostOpen <= limit("MAX_TELLING_CALLS"),
      `${hooks.mostOpen}`,
    );
    hooks.reply = ({ body }) =>
      new Response(body.app === "live" ? "0".padEnd(limit("MAX_ANSWER_BYTES") + 1) : "0");
    const talked = await a.open(hello("play", "talked"));
    await talked.hears("NetStream.Play.Failed", SOON_MS);
  } finally {
    release();
    await hooks.stop();
  }
}, {
  vhost: `min_latency on; http_remux { enabled on; }
http_hooks { enabled on; on_play ${hooks.url("/play")}; on_stop ${hooks.url("/stop")}; }`,
});
