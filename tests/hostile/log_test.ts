/**
 * What peers say of themselves, and what the log makes of it.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LINE_MAX_BYTES } from "../../src/log/limits.ts";
import { command, connect, HANDSHAKE, hello } from "../tools/attacker.ts";
import { type Hostile, hostile } from "../tools/hostile.ts";

/** Everything that a line must not have: controls, line separators, bidi controls. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

const POISON =
  "a\r\n[2026-01-01 00:00:00.000][INFO][1][x] forged\x1b[2J\x1b]0;x\x07\0\x7f\x9b31m\u2028\u202eb";

const LINE = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\]\[(INFO|WARN)\]\[\d+\]\[\w+\](\[\d+\])? /;

/** The log's lines, without the welcome that the start prints. */
function lines(h: Hostile): string[] {
  const { log } = h.edge;
  return log.slice(log.indexOf("watch  ")).split("\n").slice(1)
    .filter((line) => line !== "");
}

hostile(
  "H31: nothing that a peer says breaks a line of the log or reaches a terminal",
  async (h) => {
    for (const field of ["app", "tcUrl", "flashVer", "pageUrl", "swfUrl"]) {
      const value = field === "tcUrl" ? `rtmp://127.0.0.1/${POISON}` : POISON;
      const attacker = await h.attacker(Buffer.concat([
        HANDSHAKE,
        connect({ [field]: value }),
        command("createStream", 2, null),
        command("publish", 3, null, "s"),
        command("closeStream", 0, null),
      ]));
      if (field === "tcUrl" || field === "app") await h.refused(attacker, /ret=2006/);
      else await h.kept(attacker);
    }
    for (const what of ["publish", "play"] as const) {
      await h.refused(await h.attacker(hello(what, POISON)), /ret=2006/);
      await h.refused(await h.attacker(hello(what, `../\u202e${"x".repeat(600)}`)), /ret=2006/);
    }
    const odd = await h.attacker(hello("play", "right\u202eto\u2066left"));
    await odd.hears("NetStream.Play.Start");
    for (const line of lines(h)) {
      assert.ok(!UNSAFE.test(line), JSON.stringify(line));
      assert.match(line, LINE);
      assert.ok(!line.startsWith("[2026-01-01"), "forged");
    }
    assert.ok(h.edge.log.includes("\\x0d\\x0a"), "controls are shown as escapes");
    assert.ok(h.edge.log.includes("right\\u202eto\\u2066left"), "so are bidi controls");
  },
);

hostile("H31: what is long is cut", async (h) => {
  const long = "é".repeat(7000);
  const attacker = await h.attacker(Buffer.concat([
    HANDSHAKE,
    connect({ flashVer: long, pageUrl: long, swfUrl: long, tcUrl: `rtmp://h/live?${long}` }),
  ]));
  await attacker.hears("NetConnection.Connect.Success");
  for (const line of lines(h)) assert.ok(Buffer.byteLength(line) <= LINE_MAX_BYTES);
  const said = lines(h).find((line) => line.includes("ééé")) ?? "";
  assert.ok(said.length < 4 * 600, `${said.length} characters`);
});

const SECRET = "s3cr3t-v4lu3";

hostile("H30: tokens, keys and passwords are not in the log and not in the API", async (h) => {
  const keys = ["token", "key", "sign", "pass", "auth_key", "X-Signature", "%74oken"];
  for (const [i, key] of keys.entries()) {
    const query = `?a=1&${key}=${SECRET}&b=2`;
    const publisher = await h.attacker(Buffer.concat([
      HANDSHAKE,
      connect({
        tcUrl: `rtmp://user:${SECRET}@127.0.0.1/live${query}`,
        app: `live${query}`,
        pageUrl: `http://page/${query}`,
        swfUrl: `http://user:${SECRET}@page/${query}`,
        flashVer: `x${query}`,
      }),
      command("createStream", 2, null),
      command("publish", 3, null, `s-${i}${query}`),
    ]));
    await publisher.hears("NetStream.Publish.Start");
    const second = await h.attacker(hello("publish", `s-${i}${query}`));
    await h.refused(second, /ret=1028/);
    const wrong = await h.attacker(hello("play", `../x${query}`));
    await h.refused(wrong, /ret=2006/);
  }
  assert.ok(!h.edge.log.includes(SECRET), "the log");
  for (const path of ["clients/", "streams/", "vhosts/", "summaries"]) {
    const { text } = await h.edge.request(`/api/v1/${path}?count=1000`);
    assert.ok(!text.includes(SECRET), `the API's ${path}`);
  }
}, { vhost: "publish { takeover deny; }" });
