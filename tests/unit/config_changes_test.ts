/**
 * What has changed between two configurations, in words, and what stays in effect.
 * @module
 */
import assert from "node:assert/strict";
import { changesBetween, inEffect } from "../../src/config/file/changes.ts";
import { loadConfig } from "../../src/config/file/load.ts";

function settings(text: string) {
  return loadConfig("a.conf", () => text, {}).settings;
}

function changes(before: string, after: string): string[] {
  return changesBetween(settings(before), settings(after)).map((one) =>
    `${one.reload}: ${one.text}`
  );
}

const API = "http_api { enabled on; auth { enabled on; username u; password p; } }";

Deno.test("config changes: by directive, with units, and for each vhost", () => {
  const before = "listen 1935; vhost a { play { queue_length 10; } } vhost b { }";
  const rows: [string, string, string[]][] = [
    [before, before, []],
    [before, `# a remark\n${before} max_connections 1000;`, []],
    ["listen 1935; vhost a { }", "listen 1935 [::1]:1936; vhost a { }", [
      "applied: listen 0.0.0.0:1935 -> 0.0.0.0:1935 [::1]:1936",
    ]],
    [before, `${before} max_connections 2000; pid ./a.pid;`, [
      "applied: max_connections 1000 -> 2000 connections",
      "restart: pid (none) -> ./a.pid",
    ]],
    [before, "listen 1935; vhost a { play { queue_length 20; } } vhost b { enabled off; }", [
      "applied: vhost a: play.queue_length 10 -> 20 s",
      "live: vhost b: enabled on -> off",
    ]],
    [before, "listen 1935; vhost b { } vhost c { play { gop_cache off; } }", [
      "live: vhost c added",
      "live: vhost a removed, its clients may stay",
    ]],
    [
      "listen 1935; vhost a { security { enabled on; allow play all; deny publish all; } }",
      "listen 1935; vhost a { security { enabled on; allow play all; allow publish 10.0.0.0/8; deny publish all; } }",
      ["live: vhost a: security.allow play all -> play all, publish 10.0.0.0/8"],
    ],
    // What follows from another directive is a change too.
    ["listen 1935; vhost a { }", "listen 1935; vhost a { min_latency on; }", [
      "applied: vhost a: min_latency off -> on",
      "applied: vhost a: play.mw_msgs 8 -> 0 messages",
    ]],
  ];
  for (const [from, to, expected] of rows) assert.deepEqual(changes(from, to), expected);
});

Deno.test("config changes: a secret that has changed is noticed, and not shown", () => {
  const found = changes(
    `listen 1; vhost a { } ${API}`,
    `listen 1; vhost a { } ${API.replace(" p;", " q;")}`,
  );
  assert.deepEqual(found, ["live: http_api.auth.password *** -> ***"]);
});

Deno.test("config changes: what needs a restart is a change again at the next reload", () => {
  const [one, two] = ["listen 1; vhost a { }", "listen 1; pid ./x; max_connections 7; vhost a { }"]
    .map(settings);
  const effective = inEffect(one, two);
  assert.deepEqual(changesBetween(effective, two).map(({ text }) => text), ["pid (none) -> ./x"]);
  assert.deepEqual(changesBetween(effective, one).map(({ text }) => text), [
    "max_connections 7 -> 1000 connections",
  ]);
});
