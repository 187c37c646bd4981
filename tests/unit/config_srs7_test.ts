/**
 * Configurations of SRS 7.0.64 and later (F24).
 * @module
 */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/config/grammar/diagnostic.ts";
import { loadConfig } from "../../src/config/file/load.ts";
import { formatListen } from "../../src/config/directives/kinds.ts";

function load(text: string, env: Record<string, string> = {}) {
  const { config, warnings, ...rest } = loadConfig("a.conf", () => text, env);
  return {
    ...rest,
    config,
    listen: config.listen.map(formatListen).join(" "),
    warnings: warnings.map((warning) => warning.format()),
  };
}

function errorsOf(text: string): string[] {
  try {
    load(text);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.diagnostics.map((one) => one.format());
  }
  return [];
}

Deno.test("F24: rtmp { listen; chunk_size; } is read as the root's", () => {
  const { listen, config, warnings, settings } = load(
    "rtmp {\n  listen 1935 127.0.0.1:1936 [::1]:1937;\n  chunk_size 4096;\n}\nvhost a { }",
  );
  assert.equal(listen, "0.0.0.0:1935 127.0.0.1:1936 [::1]:1937");
  assert.equal(config.vhosts[0].chunkSize, 4096);
  assert.deepEqual(warnings, []);
  const place = settings.find(({ path }) => path === "listen")?.place;
  assert.deepEqual([place?.line, place?.column], [2, 3], "the summary points into the block");
});

Deno.test("F24: the block wins over the root, whichever comes first; each name by itself", () => {
  for (
    const text of [
      "listen 1;\nrtmp { listen 2; }\nchunk_size 4096; vhost a { }",
      "rtmp { listen 2; }\nlisten 1; chunk_size 4096; vhost a { }",
    ]
  ) {
    const { listen, config, warnings } = load(text);
    assert.equal(listen, "0.0.0.0:2");
    assert.equal(config.vhosts[0].chunkSize, 4096, "what is not in the block comes from the root");
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0],
      /^a\.conf:[12]:1: listen is ignored: the one in rtmp \{ \} at a\.conf:[12]:8 counts/,
    );
  }
});

Deno.test("F24: the environment wins over the block, by either name", () => {
  for (const name of ["SRS_LISTEN", "SRS_RTMP_LISTEN"]) {
    assert.equal(load("rtmp { listen 2; } vhost a { }", { [name]: "3 4" }).listen.length, 19);
  }
});

Deno.test("F24: in rtmp { } names and values are checked, and the first counts", () => {
  assert.deepEqual(errorsOf("rtmp { lisen 1; } listen 1; vhost a { }"), [
    'a.conf:1:8: unknown directive "lisen", did you mean "listen"?',
  ]);
  assert.match(
    errorsOf("rtmp { listen host:1; } vhost a { }")[0],
    /^a\.conf:1:15: listen: listen.ip/,
  );
  assert.match(errorsOf("rtmp { listen; } listen 1; vhost a { }")[0], /listen requires params/);
  assert.match(errorsOf("rtmp { } vhost a { }")[0], /listen requires params/);
  assert.deepEqual(load("rtmp { listen 1; listen 2; } rtmp { listen 3; } vhost a { }").warnings, [
    "a.conf:1:18: listen is given again and ignored: the one at a.conf:1:8 counts, remove one",
    "a.conf:1:30: rtmp is given again and ignored: the one at a.conf:1:1 counts, remove one",
  ]);
  assert.equal(load("rtmp { listen 1; listen 2; } vhost a { }").listen, "0.0.0.0:1");
});

Deno.test("F24: what else SRS has there is known: one warning for each block", () => {
  const { warnings, listen } = load(`rtmp { listen 1935; }
rtmps { enabled on; listen 443; key a; cert b; }
rtsp_server { enabled on; listen 554; }
vhost a {
rtsp { enabled on; rtmp_to_rtsp on; }
hls { enabled on; hls_use_fmp4 on; hls_fmp4_file a; hls_init_file b; hls_recover on; hls_master_m3u8_path_relative on; }
rtc { enabled on; init_rate_from_sdp on; keep_bframe on; dtls_version auto; }
}
stream_caster { enabled on; caster gb28181; output x; listen 9000; host *; rtp_port_min 1; rtp_port_max 2; sip { enabled on; listen 5060; timeout 1; reinvite 2; candidate *; } }`);
  assert.equal(listen, "0.0.0.0:1935");
  const ignored = "is known to SRS but not offered here, it is ignored";
  assert.deepEqual(warnings, [
    `a.conf:2:1: rtmps ${ignored}`,
    `a.conf:3:1: rtsp_server ${ignored}`,
    `a.conf:5:1: vhost.rtsp ${ignored}`,
    ...[
      [19, "hls_use_fmp4"],
      [36, "hls_fmp4_file"],
      [53, "hls_init_file"],
      [70, "hls_recover"],
      [86, "hls_master_m3u8_path_relative"],
    ].map(([column, name]) => `a.conf:6:${column}: vhost.hls.${name} ${ignored}`),
    `a.conf:7:1: vhost.rtc ${ignored}`,
    `a.conf:9:1: stream_caster ${ignored}`,
  ]);
});
