/**
 * Floods: of connections, of pings and acknowledgements, of words in another protocol.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MAX_REQUESTS_PER_SECOND } from "../../src/servers/rtmp/limits.ts";
import {
  type Attacker,
  command,
  connect,
  control,
  HANDSHAKE,
  hello,
  ping,
} from "../tools/attacker.ts";
import { type Hostile, hostile } from "../tools/hostile.ts";
import { sleep, until } from "../tools/process.ts";
import { concat } from "../unit/hex.ts";

/** Connections of the control stream. */
const CONTROL = 2;

/** Whether a publisher gets through at present. */
async function letIn(h: Hostile): Promise<boolean> {
  const guest = await h.attacker(hello("publish", "guest"));
  return await guest.hears("NetStream.Publish.Start").then(() => true, () => false)
    .finally(() => guest.destroy());
}

/** How many of them the server has closed. */
async function refusals(attackers: readonly Attacker[]): Promise<number> {
  // A connection beyond the limit is closed at once, without a word.
  await sleep(1000);
  return attackers.filter(({ end }) => end !== null).length;
}

hostile(
  "H17: max_connections refuses the excess and serves the others; then it lets in again",
  async (h, count) => {
    const crowd = await h.attackers(count, () => HANDSHAKE);
    const expected = Math.max(0, count - (100 - CONTROL));
    await until("the refusals", 10_000, async () => await refusals(crowd) >= expected);
    assert.equal(await refusals(crowd), expected);
    assert.equal(await h.edge.connections(), Math.min(100, count + CONTROL));
    if (expected > 0) {
      assert.equal(await letIn(h), false, "full");
      assert.match(h.edge.log, /\[WARN\].*refused by max_connections=100; \d+ refused so far/);
    }
    await h.control.progress("with the server full");
    await h.leave();
    assert.equal(await letIn(h), true, "room again");
  },
  { maxConnections: 100, full: 500, warmUp: 20 },
);

hostile("H17: 5000 idle connections, and the stream goes on", async (h, count) => {
  const crowd = await h.attackers(count, () => HANDSHAKE);
  await until("all of them", 20_000, async () => await h.edge.connections() === count + CONTROL);
  await h.control.progress(`with ${count} idle connections`);
  assert.ok(crowd.every(({ end }) => end === null));
}, { maxConnections: 6000, full: 5000, warmUp: 5000, memoryLimitMs: 60_000, limitMs: 150_000 });

hostile("H17: max_connections_per_ip", async (h) => {
  const crowd = await h.attackers(50, () => HANDSHAKE);
  assert.equal(await refusals(crowd), 50 - (20 - CONTROL));
  assert.match(h.edge.log, /\[WARN\].*refused by max_connections_per_ip=20;/);
  await h.control.progress("with the address full");
  await h.leave();
  assert.equal(await letIn(h), true, "room again");
}, { root: "max_connections_per_ip 20;" });

hostile("H17: connect_rate_per_ip", async (h) => {
  // The control stream and the harness's own look at the port are connections too.
  await sleep(1100);
  const crowd = await h.attackers(100, () => HANDSHAKE);
  const refused = await refusals(crowd);
  assert.ok(refused > 0, "some are too many for one second");
  assert.match(h.edge.log, /\[WARN\].*refused by connect_rate_per_ip=10;/);
  await h.control.progress("with an address that is too fast");
  await sleep(1100);
  assert.equal(await letIn(h), true, "a second later");
}, { root: "connect_rate_per_ip 10;" });

hostile(
  "H17: without open files left it accepts nobody, and everybody again later",
  async (h, count) => {
    // The HTTP port does not count connections, so that it can use up what RTMP has been promised.
    const crowd: Deno.TcpConn[] = [];
    h.onEnd(() => crowd.splice(0).forEach((conn) => conn.close()));
    for (let i = 0; i < count; i++) {
      crowd.push(await Deno.connect({ hostname: "127.0.0.1", port: h.edge.apiPort }));
    }
    await h.control.progress("without files left");
    const guests = await h.attackers(10, () => hello("nothing"));
    await h.control.progress("with guests at the door");
    for (const conn of crowd.splice(0)) conn.close();
    await until("an open door", 15_000, () => letIn(h));
    for (const guest of guests) guest.destroy();
  },
  { maxConnections: 100, openFiles: 300, full: 400, warmUp: 20 },
);

hostile("H16: bytes of other protocols are refused at once", async (h) => {
  const greetings: readonly (readonly [string, Uint8Array, RegExp])[] = [
    [
      "HTTP",
      Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
      /HTTP request on the RTMP port.*ret=2000/,
    ],
    ["TLS", concat("16 0301 0200 01 0001fc 0303"), /TLS on the RTMP port.*ret=2000/],
    [
      "a proxy header of 64 KB",
      concat("f3 ffff 7f000001"),
      /proxy header of 65535 bytes.*ret=2000/,
    ],
  ];
  for (const [, bytes, reason] of greetings) {
    await h.refused(await h.attacker(bytes), reason);
  }
});

hostile("H16: a version of RTMP that is encrypted is refused once C1 is there", async (h) => {
  for (const version of [0, 2, 6, 8, 9, 0xff]) {
    const bytes = Buffer.from(HANDSHAKE);
    bytes[0] = version;
    await h.refused(await h.attacker(bytes), /RTMP version \d+ is not supported.*ret=2000/);
  }
});

hostile("H20: a flood of pings ends the connection", async (h) => {
  for (const role of ["nothing", "publish", "play"] as const) {
    const attacker = await h.attacker(hello(role, `s-${role}`));
    const one = ping(7);
    await attacker.flush(Buffer.alloc(10_000 * one.length, one));
    await h.refused(attacker, /more than 100 commands or pings in a second\. ret=2046/);
    const answers = (attacker.receivedBytes - 3073) / one.length;
    assert.ok(answers < 2 * MAX_REQUESTS_PER_SECOND, `${answers} answers`);
  }
});

hostile(
  "H20: a player's garbage, acknowledgements and media are read and thrown away",
  async (h, megabytes) => {
    const player = await h.attacker(hello("play"));
    await player.hears("NetStream.Play.Start");
    const ack = control(3, 0xffffffff);
    const media = concat("04 000000 000074 09 01000000", new Uint8Array(116).fill(0x27));
    const one = Buffer.concat([ack, media, control(5, 1), ack]);
    const block = Buffer.alloc(one.length * 1000, one);
    for (let sent = 0; sent < megabytes << 20; sent += block.length) {
      if (sent % (10 * block.length) === 0) await h.control.progress("during the garbage", 1);
      await player.flush(block);
    }
    await h.kept(player);
  },
  { full: 8, warmUp: 1 },
);

hostile("H20: a refused peer that neither reads nor closes is cut off", async (h) => {
  const connected = Buffer.concat([HANDSHAKE, connect(), command("createStream", 2, null)]);
  const stubborn: Attacker[] = [];
  for (let i = 0; i < 20; i++) {
    const attacker = await h.attacker(connected, true);
    await attacker.hears("NetConnection.Connect.Success");
    attacker.pause();
    attacker.write(command("publish", 3, null, "../x"));
    stubborn.push(attacker);
  }
  await until("the server to give them up", 10_000, async () => {
    return await h.edge.connections() === CONTROL;
  });
});
