/**
 * What strangers say too often, or in a form that another reader would take for something else. Others
 * feel nothing.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Attacker, hello, message, setChunkSize } from "../tools/attacker.ts";
import { freePort } from "../tools/server.ts";
import { sleep, until, within } from "../tools/process.ts";
import { Type } from "../tools/raw_client.ts";
import { type WatchedAttack, watchedAttack } from "../tools/watched_attack.ts";
import { TEST_CA, TEST_CERTIFICATE, TEST_KEY } from "../unit/support/certificate.ts";

/** ms for what is there at once, on a machine that does other things as well. */
const SOON_MS = 10_000;

// H57

/** ms for which an attacker floods. */
const FLOOD_MS = 2500;

/** Many copies of one message, written at a time. */
function flood(payload: Uint8Array, chunkBytes: number, type: number, copies: number): Buffer {
  const one = message({ type, payload, msid: type === Type.AUDIO ? 1 : 0 }, chunkBytes);
  return Buffer.concat(Array(copies).fill(one));
}

const TINY = Uint8Array.from([0xaf, 1]);
/** An acknowledgement, which everybody may send. */
const ACKNOWLEDGEMENT = Uint8Array.from([0, 0, 0, 1]);

/** Sends as fast as the server takes it, until `FLOOD_MS` are over or it has closed; bytes sent. */
async function send(attacker: Attacker, bytes: Uint8Array): Promise<number> {
  const end = performance.now() + FLOOD_MS;
  let sent = 0;
  while (performance.now() < end && attacker.end === null) {
    // A server that has stopped reading is not waited for.
    await Promise.race([attacker.flush(bytes), sleep(FLOOD_MS)]);
    sent += bytes.length;
    // The control stream's publisher and players live in this process.
    await sleep(0);
  }
  return sent;
}

async function publishes(a: WatchedAttack, chunkBytes: number): Promise<Attacker> {
  const hi = Buffer.concat([hello("publish", "flood"), setChunkSize(chunkBytes)]);
  const attacker = await a.open(hi);
  await attacker.hears("NetStream.Publish.Start");
  return attacker;
}

for (const chunkBytes of [128, 1]) {
  const how = `chunk size ${chunkBytes}`;
  watchedAttack(`H57: a publisher of tiny messages as fast as it can, ${how}`, async (a) => {
    const attacker = await publishes(a, chunkBytes);
    const payload = chunkBytes === 1 ? Buffer.concat([TINY, Buffer.alloc(30)]) : TINY;
    const sent = await send(attacker, flood(payload, chunkBytes, Type.AUDIO, 5000));
    assert.ok(sent > 0);
    await a.control.fine("with a flood");
  });

  watchedAttack(`H57: a client that has only shaken hands floods, ${how}`, async (a) => {
    const attacker = await a.open(Buffer.concat([hello("nothing"), setChunkSize(chunkBytes)]));
    await send(attacker, flood(ACKNOWLEDGEMENT, chunkBytes, 3, 5000));
    await within("the close", SOON_MS, attacker.ended);
    await until("the reason in the log", SOON_MS, () => {
      const line = a.edge.connection(attacker.localPort)?.disconnect;
      if (line) assert.match(line, /more than \d+ (messages|bytes) in a second/);
      return Boolean(line);
    });
  });

  watchedAttack(`H57: a player floods, waits for its turn and plays on, ${how}`, async (a) => {
    const hi = hello("play", "stream", "control");
    const attacker = await a.open(Buffer.concat([hi, setChunkSize(chunkBytes)]));
    await attacker.hears("NetStream.Play.Start");
    await send(attacker, flood(ACKNOWLEDGEMENT, chunkBytes, 3, 5000));
    const before = attacker.receivedBytes;
    await until("more of the stream", SOON_MS, () => attacker.receivedBytes > before + 5000);
    assert.equal(attacker.end, null);
    assert.ok(a.grown < 60 << 20, `the server grew by ${a.grown >> 20} MB`);
  });
}

watchedAttack("H57: a publisher of 1000 messages a second loses none", async (a) => {
  const attacker = await publishes(a, 128);
  const player = await a.open(hello("play", "flood"));
  await player.hears("NetStream.Play.Start");
  const before = player.receivedBytes;
  const payload = Buffer.concat([TINY, Buffer.alloc(98, 7)]);
  for (let i = 0; i < 100; i++) {
    await attacker.flush(flood(payload, 128, Type.AUDIO, 10));
    await sleep(10);
  }
  await until("1000 messages", SOON_MS, () => player.receivedBytes - before >= 1000 * 100);
});

// H58

/** The beginning of a connection by HTTP/2 (RFC 9113 §3.4). */
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** A frame of HTTP/2. */
function frame2(type: number, flags: number, stream: number, payload: Uint8Array): Uint8Array {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** GET / of host x (HPACK), and SETTINGS with a window of 0. */
const GET_PAGE = Uint8Array.from([0x82, 0x86, 0x84, 0x41, 1, 0x78]);
const WINDOW_0 = Uint8Array.from([0, 4, 0, 0, 0, 0]);

watchedAttack("H58: HTTP/2 with prior knowledge is refused on a plain port", async (a) => {
  const requests = Array.from({ length: 200 }, (_, i) => frame2(1, 5, 1 + 2 * i, GET_PAGE));
  const said = Buffer.concat([Buffer.from(PREFACE), frame2(4, 0, 0, WINDOW_0), ...requests]);
  for (let i = 0; i < 5; i++) {
    const answer = await a.ask(said);
    assert.match(answer, /^HTTP\/1\.1 505 /);
    assert.equal(answer.match(/HTTP\/1\.1 \d{3} /g)?.length, 1, "one answer");
    assert.doesNotMatch(answer, /<html/i);
  }
  // The upgrade to h2c is not taken either.
  const upgraded = await a.ask(
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n" +
      "HTTP2-Settings: AAQAAAAA\r\n\r\n",
  );
  assert.match(upgraded, /^HTTP\/1\.1 200 /);
  assert.ok(a.grown < 40 << 20, `the server grew by ${a.grown >> 20} MB`);
  assert.equal((await a.edge.request("/")).status, 200);
});

// H59, H65

const HOSTS = [
  "h/api/v1/clients/?",
  "h/api/v1/clients/#",
  "h\\api\\v1\\clients",
  "user@h",
  "h:99999",
  "h h",
  "[::1",
];

watchedAttack("H59: Host changes nothing of what is asked for", async (a) => {
  for (const host of HOSTS) {
    const answer = await a.ask(`GET /nothing HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 400 /, host);
    assert.doesNotMatch(answer, /"clients"/, host);
  }
  for (let i = 0; i < 300; i++) await a.ask(`GET / HTTP/1.1\r\nHost: ${HOSTS[0]}\r\n\r\n`);
  const lines = a.edge.log.split("\n").filter((line) => line.includes("api/v1/clients"));
  assert.ok(lines.length <= 10, `${lines.length} lines in the log`);
  const usual = await a.ask(
    "GET /api/v1/clients/ HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n\r\n",
  );
  assert.match(usual, /^HTTP\/1\.1 200 [^]*"clients"/);
});

const AMBIGUOUS = [
  "GET / HTTP/1.1\nHost: h\n\n",
  "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: h\r\nhost: other\r\n\r\n",
];

watchedAttack("H65: bare line feeds and two Hosts are refused", async (a) => {
  for (const request of AMBIGUOUS) {
    assert.match(await a.ask(request), /^HTTP\/1\.1 400 /, JSON.stringify(request));
  }
  const usual = await a.ask("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  assert.match(usual, /^HTTP\/1\.1 200 /);
});

/** The port for HTTPS of the next server. */
const tlsPort = freePort();

/** ms that a handshake has (`HANDSHAKE_TIMEOUT_MS` of net/tls.ts), and what is added by a busy machine. */
const HANDSHAKE_MS = 10_000;
const LATE_MS = 4000;

watchedAttack("H65: half TLS handshakes are closed after 10 s", async (a) => {
  const halves = [
    new Uint8Array(0),
    Uint8Array.from([0x16]),
    Uint8Array.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
  ];
  const from = performance.now();
  const attackers: Attacker[] = [];
  // More than the handshakes that may be on their way on Deno (`MAX_HANDSHAKES`): an honest one gets in.
  for (let i = 0; i < 300; i++) attackers.push(await a.open(halves[i % 3], tlsPort));
  const plain = await a.open("GET / HTTP/1.1\r\nHost: x\r\n\r\n", tlsPort);
  await within("the close after what is no TLS", SOON_MS / 2, plain.ended);
  const client = Deno.createHttpClient({ caCerts: [TEST_CA] });
  try {
    const answer = await fetch(`https://localhost:${tlsPort}/api/v1/versions`, { client });
    assert.equal(answer.status, 200);
    await answer.body?.cancel();
  } finally {
    client.close();
  }
  const early = attackers.slice(-200).filter(({ end }) => end !== null).length;
  assert.equal(early, 0, "the youngest have their 10 s");
  for (const attacker of attackers) {
    await within("the close", HANDSHAKE_MS + LATE_MS, attacker.ended);
  }
  assert.ok(performance.now() - from > HANDSHAKE_MS - 1500);
  assert.equal(a.edge.process.exit, null);
}, {
  prepare: async (folder) => {
    await Deno.writeTextFile(`${folder}/server.crt`, TEST_CERTIFICATE);
    await Deno.writeTextFile(`${folder}/server.key`, TEST_KEY);
  },
  api: `https { enabled on; listen 127.0.0.1:${tlsPort};
    key FOLDER/server.key; cert FOLDER/server.crt; }`,
});
