/**
 * What the log says, and what it must not say.
 * @module
 */
import assert from "node:assert/strict";
import { media } from "../tools/media.ts";
import { assertPlayed, scenario } from "../tools/scenario.ts";
import { sleep } from "../tools/process.ts";

/** Start of a line: time, level, pid, connection id, then an error number in warnings and errors. */
const LINE = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\]\[([A-Z]+)\]\[(\d+)\]\[([0-9a-z]+)\](.*)$/;

/** ANSI colours, which SRS puts around warnings and errors. */
// deno-lint-ignore no-control-regex
const COLOUR = /\x1b\[\d*m/g;

interface Line {
  readonly level: string;
  readonly id: string;
  readonly text: string;
}

function parse(log: string, pid: number): Line[] {
  // Indented lines are the greeting for who starts it by hand.
  const lines = log.replace(COLOUR, "").split("\n").filter((line) => !/^(\s|$)/.test(line));
  return lines.map((line) => {
    const match = LINE.exec(line);
    assert.ok(match !== null, `not a log line: ${line}`);
    assert.equal(match[2], String(pid), `pid in: ${line}`);
    return { level: match[1], id: match[3], text: match[4] };
  });
}

scenario("no token reaches the log", async (s) => {
  const server = await s.server({ global: "srs_log_level_v2 trace;", vhost: "min_latency on;" });
  const clip = await media("small-0");
  const secrets = ["sesame-one", "sesame-two", "sesame-three", "sesame-four"];
  const publisher = s.publish(clip, server.url(`live?token=${secrets[0]}/s`), { loop: true });
  const player = await s.play(server.url(`live/s?token=${secrets[1]}`));
  await player.received("video", 25);
  const refused = s.publish(clip, server.url(`live/s?key=${secrets[2]}`));
  await refused.finish(10_000);
  const raw = await s.raw(server);
  await raw.connect("live", `rtmp://user:${secrets[3]}@127.0.0.1:${server.port}/live`);
  raw.destroy();
  assertPlayed("player", await player.stop(), clip, { seconds: 0.5, loop: true });
  await publisher.stop("SIGINT");
  await server.process.stop();
  for (const secret of secrets) {
    const line = server.log.split("\n").find((text) => text.includes(secret));
    assert.equal(line, undefined, "a secret is in the log");
  }
  assert.match(server.log, /token=/, "that there was a token may be seen");
});

scenario("every connection says once why it ended", async (s) => {
  const server = await s.server({ vhost: "min_latency on;" });
  const clip = await media("small-0");
  const url = server.url("live/livestream");

  // One of each: plays, publishes, is refused, leaves in the middle of a handshake, breaks the protocol.
  const publisher = s.publish(clip, url, { loop: true });
  const player = await s.play(url);
  await player.received("video", 25);
  await s.publish(clip, url).finish(10_000);
  const health = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await health.write(new Uint8Array([3, 0, 0]));
  health.close();
  const rude = await s.raw(server);
  rude.write(new Uint8Array(64).fill(0xff));
  await rude.ended;
  await player.stop();
  await publisher.stop("SIGINT");
  await sleep(500);
  const byServer = await s.raw(server);
  await byServer.play("live", "livestream");
  await server.process.stop();

  const all = parse(server.log, server.process.pid);
  const accepted = all.filter(({ text }) => /RTMP client ip=/.test(text));
  // The harness itself connects once, to see whether the port accepts.
  assert.equal(accepted.length, 7, "each connection has a first line");
  assert.equal(new Set(accepted.map(({ id }) => id)).size, 7, "each has an id of its own");
  for (const { id } of accepted) {
    const own = all.filter((line) => line.id === id);
    const reasons = own.filter(({ text }) => /(disconnect|connection lost).* ret=\d+$/.test(text));
    const told = own.map(({ text }) => text).join("\n");
    assert.equal(reasons.length, 1, `${id}: one line with the reason\n${told}`);
    assert.match(own[own.length - 1].text, /client finished\.$/, `${id}: the last line\n${told}`);
  }
});
