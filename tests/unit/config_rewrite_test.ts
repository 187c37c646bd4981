/**
 * Old spellings to new ones.
 * @module
 */
import assert from "node:assert/strict";
import { parseText } from "../../src/config/grammar/parser.ts";
import { printTree } from "../../src/config/grammar/print.ts";
import { Report } from "../../src/config/grammar/report.ts";
import { rewriteOldSpellings } from "../../src/config/grammar/rewrite.ts";

function rewritten(text: string): { tree: string; warnings: string[] } {
  const report = new Report();
  const tree = rewriteOldSpellings(parseText("a", text).directives, report);
  return { tree: printTree(tree), warnings: report.warnings.map((warning) => warning.format()) };
}

/** Text in one layout, for comparison. */
function tidy(text: string): string {
  return printTree(parseText("b", text).directives);
}

const IN_PLAY = "time_jitter mix_correct atc atc_auto mw_latency gop_cache gop_cache_max_frames " +
  "queue_length send_min_interval reduce_sequence_header";
const IN_CLUSTER = "mode origin token_traverse vhost debug_srs_upnode";

const ROWS: [old: string, now: string][] = [
  ["http_stream { enabled on; }", "http_server { enabled on; }"],
  ["vhost v { http { dir x; } }", "vhost v { http_static { dir x; } }"],
  ["vhost v { refer a b; }", "vhost v { refer { enabled on; all a b; } }"],
  ["vhost v { refer_play a; }", "vhost v { refer { enabled on; play a; } }"],
  [
    "vhost v { refer a; refer_play b; refer_publish c; }",
    "vhost v { refer { enabled on; all a; play b; publish c; } }",
  ],
  ["vhost v { mr { enabled on; latency 7; } }", "vhost v { publish { mr on; mr_latency 7; } }"],
  ["vhost v { publish_1stpkt_timeout 1; }", "vhost v { publish { firstpkt_timeout 1; } }"],
  ["vhost v { publish_normal_timeout 1; }", "vhost v { publish { normal_timeout 1; } }"],
  ["vhost v { forward a b; }", "vhost v { forward { enabled on; destination a b; } }"],
  ["vhost v { nack { enabled on; } }", "vhost v { rtc { nack on; } }"],
  ["vhost v { twcc { enabled off; } }", "vhost v { rtc { twcc off; } }"],
  [
    "vhost v { rtc { aac transcode; bframe discard; } }",
    "vhost v { rtc { rtmp_to_rtc on; keep_bframe off; } }",
  ],
  ["vhost v { http_remux { enabled on; hstrs on; } }", "vhost v { http_remux { enabled on; } }"],
  ...IN_PLAY.split(" ").map((name): [string, string] => [
    `vhost v { ${name} x; }`,
    `vhost v { play { ${name} x; } }`,
  ]),
  ...IN_CLUSTER.split(" ").map((name): [string, string] => [
    `vhost v { ${name} x y; }`,
    `vhost v { cluster { ${name} x y; } }`,
  ]),
];

for (const [old, now] of ROWS) {
  Deno.test(`config rewrite: ${old}`, () => {
    const { tree, warnings } = rewritten(old);
    assert.equal(tree, tidy(now));
    assert.ok(warnings.length > 0);
    for (const warning of warnings) assert.match(warning, /^a:1:\d+: transform: /);
  });
}

Deno.test("config rewrite: an explicit new spelling stands first, wherever it is in the file", () => {
  const { tree } = rewritten(
    "vhost v { gop_cache on; play { gop_cache off; } mr { enabled on; } publish { mr off; } }",
  );
  assert.equal(
    tree,
    tidy("vhost v { play { gop_cache off; gop_cache on; } publish { mr off; mr on; } }"),
  );
});

Deno.test("config rewrite: present spelling is left alone", () => {
  const text =
    `listen 1; vhost v { refer { all a; } forward { } play { gop_cache on; } publish; mw_msgs 3; }
    vhost w; gop_cache on; http { }`;
  assert.deepEqual(rewritten(text), { tree: tidy(text), warnings: [] });
});

Deno.test("config rewrite: the warning names both spellings and the place of the old one", () => {
  assert.deepEqual(rewritten("vhost v {\n  mr { latency 7; }\n}").warnings, [
    "a:2:8: transform: mr.latency is an old spelling, read as vhost.publish.mr_latency: write it there",
  ]);
});
