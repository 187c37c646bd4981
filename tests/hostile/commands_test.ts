/**
 * Attacks with AMF and commands: nesting, names, types, orders that no client means.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { AMF_MAX_DEPTH, AMF_MAX_ITEMS } from "../../src/rtmp/limits.ts";
import { NAME_MAX_BYTES } from "../../src/rtmp/limits.ts";
import { URL_MAX_LENGTH } from "../../src/rtmp/limits.ts";
import { MAX_CREATE_STREAM, MAX_REQUESTS_PER_SECOND } from "../../src/servers/rtmp/limits.ts";
import {
  type Attacker,
  command,
  connect,
  HANDSHAKE,
  hello,
  message,
  setChunkSize,
} from "../tools/attacker.ts";
import { type Hostile, hostile } from "../tools/hostile.ts";
import { type Amf, encodeAmf } from "../tools/raw_client.ts";
import { concat } from "../unit/hex.ts";

const CONNECT = encodeAmf("connect", 1);

/** A connection that says a command made by hand. */
function raw(h: Hostile, payload: Uint8Array): Promise<Attacker> {
  const bytes = message({ type: 20, payload, csid: 3, msid: 0 }, 60_000);
  return h.attacker(Buffer.concat([HANDSHAKE, setChunkSize(60_000), bytes]));
}

/** AMF0 that begins well and is not what it says. Each: what it is, bytes, the reason in the log. */
const BROKEN_AMF: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ["20,000 objects in each other", repeat("03 0001 61", 15_000), /nesting deeper than 32 levels/],
  ["60,000 arrays in each other", repeat("0a 00000001", 12_000), /nesting deeper than 32 levels/],
  ["an array of 4 billion", concat("0a ffffffff"), /array of 4294967295 values does not fit/],
  ["an array of 60,000", concat("0a 0000ea60", repeat("05", 60_000)), /more than 4096 values/],
  ["60,000 values side by side", repeat("05", 60_000), /more than 4096 values/],
  ["a string past the end", concat("02 ffff 41"), /string of 65535 bytes does not fit/],
  [
    "a long string past the end",
    concat("0c ffffffff 41"),
    /string of 4294967295 bytes does not fit/,
  ],
  ["a name past the end", concat("03 ff00 61"), /string of 65280 bytes does not fit/],
  ["a number cut short", concat("00 3ff0"), /a double of 8 bytes does not fit/],
  ["an object end by itself", concat("000009"), /no AMF0 value begins|does not fit/],
  ["a marker that is none", concat("7f"), /no AMF0 value begins with the byte 0x7f/],
  ["AMF3 vectors of 4 billion", concat("11 0d ffffffff 7f 00"), /does not fit|more than|AMF/],
  ["AMF3 arrays in each other", concat("11", repeat("09 03 01", 15_000)), /nesting deeper than 32/],
];

function repeat(hex: string, count: number): Uint8Array {
  return Buffer.alloc(concat(hex).length * count, concat(hex));
}

hostile("H7: AMF that nests, counts and ends as none should is refused", async (h) => {
  for (const [what, bytes, reason] of BROKEN_AMF) {
    const attacker = await raw(h, Buffer.concat([CONNECT, bytes]));
    await h.refused(attacker, reason).catch((error: unknown) => {
      throw new Error(what, { cause: error });
    });
    assert.match(h.reason(attacker) ?? "", /ret=2003$/, what);
  }
});

hostile("H7: an ECMA array without its end, and a wrong count, are taken", async (h) => {
  const array = concat(
    "08 ffffffff",
    "0003",
    "'app",
    encodeAmf("live"),
    "0005",
    "'tcUrl",
    encodeAmf("rtmp://127.0.0.1/live"),
  );
  const attacker = await raw(h, Buffer.concat([CONNECT, array]));
  await attacker.hears("NetConnection.Connect.Success");
});

hostile("H7: as deep and as many as allowed is allowed", async (h) => {
  const deep = Buffer.concat([
    repeat("03 0001 61", AMF_MAX_DEPTH - 1),
    concat("05"),
    repeat("000009", AMF_MAX_DEPTH - 1),
  ]);
  const object = encodeAmf({ app: "live", tcUrl: "rtmp://127.0.0.1/live" });
  // Name, transaction, object with two members, the array itself.
  const many = Buffer.alloc(AMF_MAX_ITEMS - 2 - 3 - 1, 5);
  const array = Buffer.concat([
    concat("0a"),
    concat(many.length.toString(16).padStart(8, "0")),
    many,
  ]);
  for (const rest of [deep, array]) {
    const attacker = await raw(h, Buffer.concat([CONNECT, object, rest]));
    await attacker.hears("NetConnection.Connect.Success");
  }
});

hostile("H8: names that mean something in JavaScript are names", async (h) => {
  const names = ["__proto__", "constructor", "hasOwnProperty", "toString", "valueOf", "then"];
  const members = names.flatMap((name) => [
    concat(name.length.toString(16).padStart(4, "0"), `'${name}`),
    encodeAmf({ polluted: "yes", app: "polluted" }),
  ]);
  const object = Buffer.concat([
    concat("03"),
    ...members,
    encodeAmf({ app: "live", tcUrl: "rtmp://127.0.0.1/live" }).subarray(1),
  ]);
  const attacker = await raw(h, Buffer.concat([CONNECT, object]));
  await attacker.hears("NetConnection.Connect.Success");
  const publisher = await h.attacker(hello("publish"));
  await publisher.hears("NetStream.Publish.Start");
  const metadata = Buffer.concat([encodeAmf("@setDataFrame", "onMetaData"), object]);
  publisher.write(message({ type: 18, payload: metadata }));
  for (const name of names) {
    publisher.write(command(name, 9, { polluted: "yes" }));
    publisher.write(command(name, 9, null, name));
  }
  await h.kept(publisher);
  const player = await h.attacker(hello("play", "__proto__"));
  await player.hears("NetStream.Play.Start");
  const clients = await h.edge.list("clients");
  assert.ok(clients.every((client) => !("polluted" in client)));
  assert.ok(clients.some((client) => client.url === "/live/__proto__"));
  assert.equal((await h.edge.request("/api/v1/streams/__proto__")).text, '{"code":2048}');
});

hostile("H9: commands without a usable name are left out", async (h) => {
  const attacker = await h.attacker(Buffer.concat([HANDSHAKE, connect()]));
  await attacker.hears("NetConnection.Connect.Success");
  for (const name of [null, 7, true, "", {}]) attacker.write(command(name, 1, null, "s"));
  for (const payload of ["05 05 05", "06", "01 01"]) {
    attacker.write(message({ type: 20, payload: concat(payload), csid: 3 }));
  }
  await h.kept(attacker);
});

hostile(
  "H9: publish and play with a name that is none are refused in the protocol's words",
  async (h) => {
    const names: readonly Amf[] = [null, 7, true, {}, "", "x".repeat(64_000 - 200)];
    for (const [what, code] of [["publish", "Publish.Denied"], ["play", "Play.Failed"]] as const) {
      for (const name of names) {
        const attacker = await h.attacker(
          Buffer.concat([HANDSHAKE, connect(), command("createStream", 2, null)]),
        );
        attacker.write(command(what, 3, null, name));
        await h.refused(attacker, /ret=(2004|2006)$/);
        assert.equal(attacker.end, "end", `${what}: an orderly close`);
        assert.ok(
          attacker.received.includes(`NetStream.${code}`),
          `${what} ${typeof name}: says why`,
        );
      }
    }
  },
);

hostile("H10: connect twice, publish and play before connect mean nothing", async (h) => {
  const early = await h.attacker(Buffer.concat([
    HANDSHAKE,
    command("createStream", 1, null),
    command("publish", 2, null, "s", "live"),
    command("play", 3, null, "s"),
    message({ type: 9, payload: Buffer.from([0x17, 1, 0, 0, 0, 1]) }),
  ]));
  await h.kept(early);
  assert.equal((await h.edge.list("clients")).length, 2, "nobody but the control stream");
  early.write(Buffer.concat([connect(), connect(), connect({ app: "other" })]));
  await early.hears("NetConnection.Connect.Success");
  await h.kept(early);
});

hostile("H10: publish twice, play while publishing, publish while playing", async (h) => {
  const twice = await h.attacker(hello("publish", "one"));
  await twice.hears("NetStream.Publish.Start");
  twice.write(command("publish", 4, null, "two", "live"));
  twice.write(command("publish", 5, null, "one", "live"));
  twice.write(command("play", 6, null, "one"));
  await twice.hears("NetStream.Play.Start");
  twice.write(command("publish", 7, null, "three", "live"));
  await h.kept(twice);
  const published = (await h.edge.list("streams")).filter((s) => {
    const { publish } = s;
    return typeof publish === "object" && publish !== null && "active" in publish && publish.active;
  });
  assert.ok(published.length <= 2, "one name for one connection, and the control stream");
});

hostile("H10: a fourth createStream ends the connection", async (h) => {
  const attacker = await h.attacker(Buffer.concat([HANDSHAKE, connect()]));
  for (let i = 0; i <= MAX_CREATE_STREAM; i++) attacker.write(command("createStream", 2 + i, null));
  await h.refused(attacker, /createStream more than 3 times\. ret=2046/);
});

/** Commands of `hello`: connect, createStream, and publish or play. */
const GREETING_COMMANDS = 3;

hostile("H10: 10,000 commands in a breath end the connection at the first hundred", async (h) => {
  for (const role of ["nothing", "publish", "play"] as const) {
    const attacker = await h.attacker(hello(role, `s-${role}`));
    const one = command("whatAboutThis", 4, null);
    await attacker.flush(Buffer.alloc(10_000 * one.length, one));
    await h.refused(attacker, /more than 100 commands or pings in a second\. ret=2046/);
    const answers = attacker.received.toString("latin1").split("_result").length - 1;
    // The greeting may have come in the second before.
    assert.ok(answers <= MAX_REQUESTS_PER_SECOND + GREETING_COMMANDS, `${answers} answers`);
  }
});

const BAD_TC_URLS: readonly Amf[] = [
  "javascript:alert(1)",
  "//no-schema/live",
  "rtmp",
  "rtmp:/127.0.0.1/live",
  "rtmp://127.0.0.1/li\r\nve",
  "rtmp://127.0.0.1/li\0ve",
  `rtmp://127.0.0.1/${"x".repeat(URL_MAX_LENGTH)}`,
];

hostile("H11: tcUrls that are none are refused in the protocol's words", async (h) => {
  for (const tcUrl of BAD_TC_URLS) {
    const attacker = await h.attacker(Buffer.concat([HANDSHAKE, connect({ tcUrl })]));
    await h.refused(attacker, /ret=2006$/);
    assert.ok(attacker.received.includes("NetConnection.Connect.Rejected"), `says why: ${tcUrl}`);
  }
});

hostile("H11: neither tcUrl nor app", async (h) => {
  for (const object of [{}, null, { tcUrl: null, app: 5 }, "x", 7]) {
    const attacker = await h.attacker(Buffer.concat([HANDSHAKE, command("connect", 1, object)]));
    await h.refused(attacker, /neither tcUrl nor app\. ret=2005/);
    assert.ok(attacker.received.includes("NetConnection.Connect.Rejected"));
  }
});

hostile("H11: a tcUrl of 1 MB is not even read", async (h) => {
  const payload = encodeAmf("connect", 1, { app: "live", tcUrl: "rtmp://h/".padEnd(60_000, "x") });
  const header = Buffer.from(message({ type: 20, payload, csid: 3, msid: 0 }, 60_000));
  header.writeUIntBE(1 << 20, 4, 3);
  const attacker = await h.attacker(Buffer.concat([HANDSHAKE, setChunkSize(60_000), header]));
  await h.refused(attacker, /message of 1048576 bytes, at most 65536 allowed here\. ret=2046/);
});

hostile("H11: odd tcUrls that other servers take are taken", async (h) => {
  const urls = [
    "rtmp://ümläut.example/live",
    "rtmp://[::1]:1935/live",
    "rtmp://user:secret@127.0.0.1:99999/live?x=%zz",
    "rtmp://127.0.0.1:not-a-port/live",
    "RTMP://127.0.0.1/live/",
    "rtmp:///live",
  ];
  for (const tcUrl of urls) {
    const attacker = await h.attacker(Buffer.concat([HANDSHAKE, connect({ tcUrl })]));
    await attacker.hears("NetConnection.Connect.Success");
    attacker.write(
      Buffer.concat([command("createStream", 2, null), command("play", 3, null, "s")]),
    );
    await attacker.hears("NetStream.Play.Start");
    attacker.destroy();
  }
});

const BAD_NAMES: readonly string[] = [
  "..",
  ".",
  "../../etc/passwd",
  "a/../b",
  "%2e%2e",
  "%2e%2e%2fetc",
  "%252e%252e%252fetc",
  "..%2fb",
  "a%5cb",
  "..\\..\\etc",
  "C:\\x",
  "a\x1b[31mb",
  "a\nb",
  "a%0d%0ab",
  "a\0b",
  "a%00b",
  "a\x7fb",
  "a\x9bb",
  "x".repeat(NAME_MAX_BYTES + 1),
  "😀".repeat(NAME_MAX_BYTES / 4 + 1),
];

hostile(
  "H12: stream and app names that could leave a directory or a log line are refused",
  async (h) => {
    for (const name of BAD_NAMES) {
      const stream = await h.attacker(hello("publish", name));
      await h.refused(stream, /ret=2006$/);
      assert.ok(stream.received.includes("NetStream.Publish.Denied"), `says why: ${name}`);
      // Of an app's parts and of tcUrls, ".." in a name alone is refused once it is known.
      const app = await h.attacker(Buffer.concat([
        HANDSHAKE,
        connect({ app: name, tcUrl: `rtmp://127.0.0.1/${name}/x` }),
        command("createStream", 2, null),
        command("play", 3, null, "s"),
      ]));
      await h.refused(app, /ret=2006$/);
    }
    const urls = (await h.edge.list("streams")).map((stream) => stream.url);
    assert.deepEqual(urls, ["/control/stream"], "no stream came of it");
  },
);

hostile("H12: names of the largest size, emoji and dots inside are names", async (h) => {
  const names = [
    "x".repeat(NAME_MAX_BYTES),
    "😀".repeat(NAME_MAX_BYTES / 4),
    "a..b",
    "...",
    "ü%20%C3%BC",
    "a%2fb",
  ];
  for (const name of names) {
    const attacker = await h.attacker(hello("publish", name));
    await attacker.hears("NetStream.Publish.Start");
    attacker.destroy();
  }
});

hostile("H12: one stream has one name, whatever slashes and escapes stand in it", async (h) => {
  const publisher = await h.attacker(hello("publish", "s"));
  await publisher.hears("NetStream.Publish.Start");
  for (const name of ["s", "%73", "/s", "s/", "//s//", "_definst_/s", "s.flv"]) {
    const second = await h.attacker(hello("publish", name));
    await h.refused(second, /is being published already\. ret=1028/);
    assert.ok(second.received.includes("NetStream.Publish.BadName"), name);
  }
}, { vhost: "publish { takeover deny; }" });
