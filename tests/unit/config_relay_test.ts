/**
 * `cluster` and `forward` in the configuration.
 * @module
 */

import assert from "node:assert/strict";
import { loadConfig } from "../../src/config/file/load.ts";
import { formatSummary } from "../../src/config/file/summary.ts";
import { ConfigError } from "../../src/config/grammar/diagnostic.ts";

function load(vhost: string) {
  return loadConfig("a.conf", () => `listen 1935; vhost v { ${vhost} }`, {});
}

function errorOf(vhost: string): string {
  try {
    load(vhost);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  assert.fail("it was accepted");
}

Deno.test("config: an edge", () => {
  const { config, warnings } = load(`cluster {
    mode remote; origin a.example b.example:1936 [2001:db8::1]:80; protocol flv; follow_client on;
    token_traverse on; vhost [vhost].example.com; debug_srs_upnode off;
  }`);
  assert.deepEqual(warnings, []);
  assert.deepEqual(config.vhosts[0].edge, {
    origins: [
      { host: "a.example", port: null },
      { host: "b.example", port: 1936 },
      { host: "2001:db8::1", port: 80 },
    ],
    protocol: "flv",
    followClient: true,
    tokenTraverse: true,
    takeover: "if_stalled",
    vhost: "[vhost].example.com",
    debugUpnode: false,
  });
  assert.equal(config.vhosts[0].publish.takeover, "deny", "the origin decides who publishes");
});

Deno.test("config: SRS's old spelling of an edge", () => {
  const { config } = load("mode remote; origin 127.0.0.1:1936;");
  assert.deepEqual(config.vhosts[0].edge?.origins, [{ host: "127.0.0.1", port: 1936 }]);
  const forwards = load("forward 10.0.0.1 10.0.0.2:1940;").config.vhosts[0].forward;
  assert.deepEqual(forwards?.destinations, ["10.0.0.1", "10.0.0.2:1940"]);
});

Deno.test("config: an edge without or with an unusable origin", () => {
  assert.match(errorOf("cluster { mode remote; }"), /add origin host:port/);
  for (const origin of ["a:0", "a:70000", "rtmp://a/b", "a:b", "a b:c", "[::1", "u@h"]) {
    assert.match(errorOf(`cluster { mode remote; origin ${origin}; }`), /is no host:port/, origin);
  }
});

Deno.test("config: forward", () => {
  const { config, warnings } = load(`forward {
    enabled on; destination 10.0.0.1 rtmp://u.example/live2/abcd-efgh-ijkl?backup=1 rtmps://h:444/a/b/c;
  }`);
  assert.deepEqual(warnings, []);
  assert.deepEqual(config.vhosts[0].forward, {
    destinations: [
      "10.0.0.1",
      "rtmp://u.example/live2/abcd-efgh-ijkl?backup=1",
      "rtmps://h:444/a/b/c",
    ],
    backend: null,
  });
  const backend = load("forward { enabled on; backend http://127.0.0.1:8085/f; }");
  assert.equal(backend.config.vhosts[0].forward?.backend, "http://127.0.0.1:8085/f");
});

Deno.test("config: a destination's key is not shown", () => {
  const key = "abcd-efgh-ijkl-mnop";
  const loaded = load(`forward { enabled on; destination rtmp://u.example/live2/${key}?a=b; }`);
  const summary = formatSummary(loaded);
  assert.match(summary, /rtmp:\/\/u\.example\/live2\/abc\*\*\*/);
  assert.ok(!summary.includes("efgh") && !summary.includes("a=b"), summary);
  assert.ok(!errorOf(`forward { enabled on; destination rtmp://u.example/${key}; }`).includes(key));
});

Deno.test("config: forward in vain, and against kickoff_for_idle", () => {
  const [warning] = load("forward { enabled on; }").warnings;
  assert.match(warning.message, /nowhere to go/);
  assert.match(
    errorOf("publish { kickoff_for_idle 3; } forward { enabled on; destination a; }"),
    /kickoff_for_idle cannot be used together with forward/,
  );
  assert.match(errorOf("forward { enabled on; backend nonsense; }"), /backend: expected a URL/);
});
