/**
 * From text and environment to values: defaults, kinds, overrides, validation.
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { ConfigError } from "../../src/config/grammar/diagnostic.ts";
import { loadConfig, type Loaded } from "../../src/config/file/load.ts";
import { type Config, DEFAULT_VHOST, findVhost, type VhostConfig } from "../../src/config/types.ts";

type Env = Record<string, string>;

/** Loads a text as `a.conf`; null for environment-only mode. */
function load(text: string | null, env: Env = {}): Loaded {
  return loadConfig(
    text === null ? null : "a.conf",
    () => text ?? assert.fail("a file was read"),
    env,
  );
}

function errors(text: string, env: Env = {}): string[] {
  try {
    load(text, env);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.diagnostics.map((diagnostic) => diagnostic.format());
  }
}

function warnings(text: string, env: Env = {}): string[] {
  return load(text, env).warnings.map((warning) => warning.format());
}

/** A good file with one vhost `v` that has some directives. */
function withVhost(directives: string): string {
  return `listen 1935;vhost v {\n${directives}\n}`;
}

function vhostOf(directives: string, env: Env = {}): VhostConfig {
  return load(withVhost(directives), env).config.vhosts[0];
}

const DEFAULT_PLAY = {
  gopCache: true,
  gopCacheMaxFrames: 2500,
  queueLengthMs: 30_000,
  timeJitter: "full",
  mixCorrect: false,
  atc: false,
  atcAuto: false,
  mwLatencyMs: 350,
  mwMsgs: 8,
  sendMinIntervalMs: 0,
  reduceSequenceHeader: false,
  passData: true,
  secrets: [],
} as const;

const DEFAULT_PUBLISH = {
  mr: false,
  mrLatencyMs: 350,
  firstPacketTimeoutMs: 20_000,
  normalTimeoutMs: 5000,
  kickoffForIdleMs: 0,
  takeover: "if_stalled" as const,
  parseSps: true,
  secrets: [],
};

const DEFAULT_HLS = { enabled: false, fragment: 2, part: 0.2, window: 60, sessions: true };

const DEFAULT_REMUX = {
  enabled: true,
  mount: "[vhost]/[app]/[stream].flv",
  guessHasAv: true,
  hasAudio: true,
  hasVideo: true,
  dropIfNotMatch: true,
};

const DEFAULTS: Config = {
  file: "a.conf",
  listen: [{ host: "0.0.0.0", port: 1935 }],
  workers: 1,
  maxConnections: 1000,
  maxConnectionsPerIp: 0,
  connectRatePerIp: 0,
  daemonRequested: false,
  pid: null,
  workDir: null,
  log: { tank: "console", level: "info", file: "./objs/srs.log", utc: false },
  grace: { startWaitMs: 2300, maxWaitMs: 300_000, finalWaitMs: 3200, onTerm: false },
  httpApi: {
    listen: { host: "127.0.0.1", port: 1985 },
    asked: false,
    https: null,
    auth: null,
    jsonp: false,
    remoteCommands: false,
    rawApi: { enabled: false, allowReload: false },
  },
  httpServer: {
    listen: null,
    https: null,
    dir: "./objs/nginx/html",
    crossdomain: true,
    trustedOrigins: [],
    trustedProxies: [],
    clientAddressHeader: null,
  },
  exporter: { listen: null, label: "", tag: "" },
  pithyPrintMs: 10_000,
  vhosts: [{
    name: "v",
    enabled: true,
    tcpNodelay: false,
    minLatency: false,
    chunkSize: 60_000,
    inAckSize: 0,
    outAckSize: 2_500_000,
    play: DEFAULT_PLAY,
    publish: DEFAULT_PUBLISH,
    edge: null,
    forward: null,
    httpRemux: DEFAULT_REMUX,
    hls: DEFAULT_HLS,
    security: { enabled: false, allow: [], deny: [] },
    refer: { enabled: false, all: [], publish: [], play: [] },
    hooks: {
      on_connect: [],
      on_close: [],
      on_publish: [],
      on_unpublish: [],
      on_play: [],
      on_stop: [],
    },
  }],
};

Deno.test("config load: defaults", () => {
  const { config, warnings } = load(withVhost(""));
  assert.deepEqual(config, DEFAULTS);
  assert.deepEqual(warnings, []);
});

Deno.test("config load: the recipe's file", () => {
  const path = new URL("../../conf/realtime.conf", import.meta.url);
  const { config, warnings, ignored, files } = loadConfig(
    "conf/realtime.conf",
    () => readFileSync(path, "utf8"),
    {},
  );
  assert.deepEqual(warnings, []);
  assert.deepEqual(ignored, []);
  assert.deepEqual(files, ["conf/realtime.conf"]);
  assert.deepEqual(config, {
    ...DEFAULTS,
    file: "conf/realtime.conf",
    vhosts: [{
      ...DEFAULTS.vhosts[0],
      name: DEFAULT_VHOST,
      tcpNodelay: true,
      minLatency: true,
      play: {
        ...DEFAULT_PLAY,
        gopCache: false,
        queueLengthMs: 10_000,
        mwLatencyMs: 100,
        mwMsgs: 0,
      },
    }],
  });
});

Deno.test("config load: every honoured directive", () => {
  const { config, warnings } = load(`
    listen 1935 127.0.0.1:1936 [::1]:1937 [::]:1938;
    workers 3; max_connections 5; max_connections_per_ip 2; connect_rate_per_ip 3; daemon on; pid ./a.pid; work_dir /tmp;
    grace_start_wait 1; grace_max_wait 2; grace_final_wait 3; force_grace_quit on; chunk_size 4096; pithy_print_ms 3000;
    srs_log_tank console; srs_log_level warn; srs_log_level_v2 debug; srs_log_file ./a.log; utc_time on;
    http_api {
      enabled on; listen 10.0.0.1:80;
      auth { enabled on; username u; password p:q; }
      raw_api { enabled on; allow_reload on; } jsonp off;
      https { enabled on; listen 10.0.0.1:443; key k.pem; cert c.pem; }
    }
    http_server {
      enabled on; listen 8081; dir ./www; crossdomain off; trusted_origins https://a.example:443;
      trusted_proxies 127.0.0.1 10.0.0.0/8; client_address_header X-Real-IP;
      https { enabled on; listen 8443; key k2.pem; cert c2.pem; }
    }
    exporter { enabled on; listen 9973; label l; tag t; }
    vhost v {
      enabled off; tcp_nodelay on; min_latency on; chunk_size 128; in_ack_size 1; out_ack_size 0;
      play {
        gop_cache off; gop_cache_max_frames 0; queue_length 1; mw_latency 0; mw_msgs 128;
        send_min_interval 10.5; reduce_sequence_header on; pass_data off; atc on; atc_auto on; mix_correct on;
        time_jitter zero; secret new-secret-0123456 old-secret-0123456;
      }
      publish {
        mr on; mr_latency 1; firstpkt_timeout 2; normal_timeout 3; kickoff_for_idle 0.5; takeover replace; parse_sps off;
        secret "a secret with blanks";
      }
      security { enabled on; allow publish 10.0.0.0/8; deny play all; allow play 2001:db8::1; }
      refer { enabled on; all a.com b.com; publish a.com; play b.com; }
      http_hooks {
        enabled on; on_connect http://h/1 https://h/2; on_close http://h/3; on_publish http://h/4;
        on_unpublish http://h/5; on_play http://h/6; on_stop http://h/7;
      }
      http_remux {
        enabled on; mount [vhost]/x/[app]/[stream].flv; guess_has_av off; has_audio off; has_video off;
        drop_if_not_match off;
      }
      hls { enabled off; hls_fragment 4; hls_part 0.5; hls_window 30; hls_ctx off; }
      cluster { mode local; origin not.asked; }
      forward { enabled off; destination not.asked; }
    }`);
  assert.deepEqual(warnings, []);
  assert.deepEqual(config, {
    file: "a.conf",
    listen: [
      { host: "0.0.0.0", port: 1935 },
      { host: "127.0.0.1", port: 1936 },
      { host: "::1", port: 1937 },
      { host: "::", port: 1938 },
    ],
    workers: 3,
    maxConnections: 5,
    maxConnectionsPerIp: 2,
    connectRatePerIp: 3,
    daemonRequested: true,
    pid: "./a.pid",
    workDir: "/tmp",
    log: { tank: "console", level: "debug", file: "./a.log", utc: true },
    httpApi: {
      listen: { host: "10.0.0.1", port: 80 },
      asked: true,
      https: { listen: { host: "10.0.0.1", port: 443 }, key: "k.pem", cert: "c.pem" },
      auth: { username: "u", password: "p:q" },
      jsonp: false,
      remoteCommands: false,
      rawApi: { enabled: true, allowReload: true },
    },
    httpServer: {
      listen: { host: "0.0.0.0", port: 8081 },
      https: { listen: { host: "0.0.0.0", port: 8443 }, key: "k2.pem", cert: "c2.pem" },
      dir: "./www",
      crossdomain: false,
      trustedOrigins: ["https://a.example"],
      trustedProxies: [
        { family: 4, value: 0x7f000001n, prefix: 32 },
        { family: 4, value: 0x0a000000n, prefix: 8 },
      ],
      clientAddressHeader: "x-real-ip",
    },
    exporter: { listen: { host: "0.0.0.0", port: 9973 }, label: "l", tag: "t" },
    grace: { startWaitMs: 1, maxWaitMs: 2, finalWaitMs: 3, onTerm: true },
    pithyPrintMs: 3000,
    vhosts: [{
      name: "v",
      enabled: false,
      tcpNodelay: true,
      minLatency: true,
      chunkSize: 128,
      inAckSize: 1,
      outAckSize: 0,
      play: {
        gopCache: false,
        gopCacheMaxFrames: 0,
        queueLengthMs: 1000,
        timeJitter: "zero",
        mixCorrect: true,
        atc: true,
        atcAuto: true,
        mwLatencyMs: 0,
        mwMsgs: 128,
        sendMinIntervalMs: 10.5,
        reduceSequenceHeader: true,
        passData: false,
        secrets: ["new-secret-0123456", "old-secret-0123456"],
      },
      publish: {
        mr: true,
        mrLatencyMs: 1,
        firstPacketTimeoutMs: 2,
        normalTimeoutMs: 3,
        kickoffForIdleMs: 500,
        takeover: "replace",
        parseSps: false,
        secrets: ["a secret with blanks"],
      },
      security: {
        enabled: true,
        allow: [
          {
            action: "publish",
            network: { family: 4, value: 0x0a000000n, prefix: 8 },
            text: "10.0.0.0/8",
          },
          {
            action: "play",
            network: { family: 6, value: 0x20010db8000000000000000000000001n, prefix: 128 },
            text: "2001:db8::1",
          },
        ],
        deny: [{ action: "play", network: null, text: "all" }],
      },
      refer: { enabled: true, all: ["a.com", "b.com"], publish: ["a.com"], play: ["b.com"] },
      hooks: {
        on_connect: ["http://h/1", "https://h/2"],
        on_close: ["http://h/3"],
        on_publish: ["http://h/4"],
        on_unpublish: ["http://h/5"],
        on_play: ["http://h/6"],
        on_stop: ["http://h/7"],
      },
      edge: null,
      forward: null,
      httpRemux: {
        enabled: true,
        mount: "[vhost]/x/[app]/[stream].flv",
        guessHasAv: false,
        hasAudio: false,
        hasVideo: false,
        dropIfNotMatch: false,
      },
      hls: { enabled: false, fragment: 4, part: 0.5, window: 30, sessions: false },
    }],
  });
});

Deno.test("config values: booleans have SRS's two flavours, and an odd word is told", () => {
  for (const [word, preferOn, preferOff] of [["on", true, true], ["off", false, false]] as const) {
    const { play, minLatency } = vhostOf(`min_latency ${word}; play { gop_cache ${word}; }`);
    assert.deepEqual([play.gopCache, minLatency], [preferOn, preferOff]);
  }
  for (const word of ["yes", "true", "1", "no", "false", "0", "ON"]) {
    const text = withVhost(`min_latency ${word}; play { gop_cache ${word}; }`);
    const [vhost] = load(text).config.vhosts;
    assert.deepEqual([vhost.play.gopCache, vhost.minLatency], [true, false]);
    assert.deepEqual(warnings(text), [
      `a.conf:2:13: min_latency: "${word}" is neither on nor off; it is read as off, as SRS does`,
      `a.conf:2:${
        32 + word.length
      }: gop_cache: "${word}" is neither on nor off; it is read as on, as SRS does`,
    ]);
  }
});

const NUMBERS: [word: string, latency: number, remark: RegExp | null][] = [
  ["100", 100, null],
  ["+100", 100, null],
  ["007", 7, null],
  ["100ms", 100, /"100ms" is read as "100"/],
  ["1.9", 1, /"1.9" is read as "1"/],
  ["0x10", 0, /"0x10" is read as "0"/],
  ['" 5"', 5, null],
  ["-1", 0, /-1 is outside 0\.\.2147483647; 0 is used/],
  ["99999999999999999999", 2147483647, /outside .*; 2147483647 is used/],
];

for (const [word, latency, remark] of NUMBERS) {
  Deno.test(`config values: mw_latency ${word}`, () => {
    const text = withVhost(`play { mw_latency ${word}; }`);
    assert.equal(load(text).config.vhosts[0].play.mwLatencyMs, latency);
    const remarks = warnings(text);
    assert.equal(remarks.length, remark ? 1 : 0, remarks.join());
    if (remark) assert.match(remarks[0], remark);
  });
}

const DECIMALS: [word: string, ms: number][] = [
  ["10.0", 10],
  [".5", 0.5],
  ["5.", 5],
  ["1e2", 100],
  ["2.5ms", 2.5],
  ["1e999", 2147483647],
  ["-0.1", 0],
];

for (const [word, ms] of DECIMALS) {
  Deno.test(`config values: send_min_interval ${word}`, () => {
    assert.equal(vhostOf(`play { send_min_interval ${word}; }`).play.sendMinIntervalMs, ms);
  });
}

const CUT: [directive: string, read: (vhost: VhostConfig) => number, value: number][] = [
  ["chunk_size 127;", (v) => v.chunkSize, 128],
  ["chunk_size 65537;", (v) => v.chunkSize, 65_536],
  ["play { mw_msgs 129; }", (v) => v.play.mwMsgs, 128],
  ["play { gop_cache_max_frames -1; }", (v) => v.play.gopCacheMaxFrames, 0],
  ["play { queue_length 0; }", (v) => v.play.queueLengthMs, 1000],
  ["play { queue_length 99999999; }", (v) => v.play.queueLengthMs, 2_147_483_000],
  ["publish { kickoff_for_idle 1e9; }", (v) => v.publish.kickoffForIdleMs, 2_147_483_000],
];

for (const [directive, read, value] of CUT) {
  Deno.test(`config values: cut with a warning: ${directive}`, () => {
    assert.equal(read(vhostOf(directive)), value);
    assert.match(
      warnings(withVhost(directive)).join(),
      /^a\.conf:2:\d+: \w+: .* is outside .* is used$/,
    );
  });
}

const REFUSED: [text: string, error: string][] = [
  [
    withVhost("play { mw_latency abc; }"),
    'a.conf:2:19: mw_latency: "abc" is not a whole number; expected a number of ms, 0 or more',
  ],
  [
    withVhost("play { send_min_interval inf; }"),
    'a.conf:2:26: send_min_interval: "inf" is not a number; expected a number of ms, 0 or more',
  ],
  [
    withVhost("publish { normal_timeout 0; }"),
    "a.conf:2:26: normal_timeout: 0 is too small; expected a number of ms, 1 or more",
  ],
  [
    `max_connections 0;${withVhost("")}`,
    "a.conf:1:17: max_connections: 0 is too small; expected a number of connections, 1 or more",
  ],
  ["vhost v {}", "a.conf:1:1: listen requires params: add listen 1935;"],
  ["vhost v {}\nlisten;", "a.conf:2:1: listen requires params: add listen 1935;"],
  [
    "# nothing",
    "a.conf:1:1: conf is empty: it needs at least listen 1935; and vhost __defaultVhost__ { }",
  ],
];

for (const [text, error] of REFUSED) {
  Deno.test(`config values: refused: ${error}`, () => assert.deepEqual(errors(text), [error]));
}

const BAD_LISTEN: [word: string, message: RegExp][] = [
  ["0", /listen\.port="0" is invalid: a port is a number from 1 to 65535/],
  ["65536", /listen\.port="65536" is invalid/],
  ["-1", /listen\.port="-1" is invalid/],
  ["rtmp", /listen\.port="rtmp" is invalid/],
  ["127.0.0.1:", /listen\.port="" is invalid/],
  ["localhost:1935", /listen\.ip="localhost" is invalid: write 127\.0\.0\.1/],
  ["example.com:1935", /listen\.ip="example.com" is invalid: .*host names are not looked up/],
  ["256.0.0.1:1935", /listen\.ip="256.0.0.1" is invalid/],
  ["1.2.3:1935", /listen\.ip="1.2.3" is invalid/],
  [":1935", /listen\.ip="" is invalid/],
  ["[1.2.3.4.5]:1935", /listen\.ip="1.2.3.4.5" is invalid/],
  ["::1:1935", /listen\.port="" is invalid|in brackets, as in \[::1\]:1935/],
  ["[::1::2]:1935", /listen\.ip="::1::2" is invalid/],
  ["[::1]", /is invalid.*in brackets/],
  ["[]:1935", /listen\.ip="" is invalid/],
];

for (const [word, message] of BAD_LISTEN) {
  Deno.test(`config listen: refused: ${word}`, () => {
    const found = errors(`listen 1935 ${word}; vhost v {}`);
    assert.equal(found.length, 1);
    assert.match(found[0], /^a\.conf:1:13: listen: /);
    assert.match(found[0], message);
  });
}

Deno.test("config listen: digits count as in SRS, a repeated address is used once", () => {
  const text = "listen 1935x 0.0.0.0:1935; vhost v {}";
  assert.deepEqual(load(text).config.listen, [{ host: "0.0.0.0", port: 1935 }]);
  assert.deepEqual(warnings(text), [
    'a.conf:1:8: listen: port "1935x" is read as 1935, as SRS does',
    'a.conf:1:14: listen: "0.0.0.0:1935" is there twice; it is used once',
  ]);
});

Deno.test("config values: all errors of a file are told at once, in order, with the warnings", () => {
  const text = `max_connections x;
listen 0;
vhost v { play { gop_cache yes; nonsense; mw_latency y; } }`;
  try {
    load(text);
    assert.fail("it was accepted");
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.deepEqual(error.diagnostics.map(({ line, column }) => [line, column]), [
      [1, 17],
      [2, 8],
      [3, 33],
      [3, 54],
    ]);
    assert.deepEqual(error.warnings.map(({ line, column }) => [line, column]), [[3, 28]]);
    assert.equal(error.message.split("\n").length, 4);
  }
});

Deno.test("config values: no value means the default, more than one is told", () => {
  const text = withVhost("play { mw_latency; gop_cache; queue_length 5 6; }");
  const { play } = load(text).config.vhosts[0];
  assert.deepEqual(play, { ...DEFAULT_PLAY, queueLengthMs: 5000 });
  assert.deepEqual(warnings(text), [
    "a.conf:2:8: mw_latency has no value: 350 ms is used, as if it were absent",
    "a.conf:2:20: gop_cache has no value: on is used, as if it were absent",
    'a.conf:2:46: queue_length: one value is expected, "6" and what follows is ignored',
  ]);
});

Deno.test("config values: the first of a name counts", () => {
  const { config } = load(
    `listen 1; listen 2; vhost v { play { mw_latency 1; mw_latency 2; } play { atc on; } }
    vhost w {}`,
  );
  assert.deepEqual(config.listen, [{ host: "0.0.0.0", port: 1 }]);
  assert.deepEqual(config.vhosts.map(({ name }) => name), ["v", "w"]);
  const [v] = config.vhosts;
  assert.deepEqual([v.enabled, v.play.mwLatencyMs, v.play.atc], [true, 1, false]);
});

Deno.test("config values: a block where a value belongs still has arguments", () => {
  assert.equal(vhostOf("play { mw_latency 7 { nonsense; } }").play.mwLatencyMs, 7);
});

Deno.test("config values: mw_msgs depends on min_latency unless it is given", () => {
  const rows: [string, number][] = [
    ["", 8],
    ["min_latency on;", 0],
    ["play { mw_msgs 3; } min_latency on;", 3],
  ];
  for (const [directives, msgs] of rows) {
    assert.equal(vhostOf(directives).play.mwMsgs, msgs, directives);
  }
  assert.equal(vhostOf("", { SRS_VHOST_MIN_LATENCY: "on" }).play.mwMsgs, 0);
});

Deno.test("config values: the root's chunk_size is the default of every vhost", () => {
  const { vhosts } =
    load("listen 1; chunk_size 1000; vhost a {} vhost b { chunk_size 2000; }").config;
  assert.deepEqual(vhosts.map(({ chunkSize }) => chunkSize), [1000, 2000]);
});

Deno.test("config log: tank", () => {
  const rows: [string, "console" | "file"][] = [
    ["", "console"],
    ["srs_log_tank file;", "file"],
    ["srs_log_tank console; srs_log_file a;", "console"],
    ["srs_log_file a;", "file"],
    ["srs_log_tank syslog;", "console"],
  ];
  for (const [directives, tank] of rows) {
    assert.equal(load(directives + withVhost("")).config.log.tank, tank, directives);
  }
});

Deno.test("config log: levels", () => {
  const rows: [string, string][] = [
    ["srs_log_level verbose;", "trace"],
    ["srs_log_level info;", "debug"],
    ["srs_log_level trace;", "info"],
    ["srs_log_level error;", "error"],
    ["srs_log_level off;", "off"],
    ["srs_log_level loud;", "off"],
    ["srs_log_level_v2 trace;", "trace"],
    ["srs_log_level_v2 info; srs_log_level error;", "info"],
    ["srs_log_level_v2 loud;", "off"],
  ];
  for (const [directives, level] of rows) {
    assert.equal(load(directives + withVhost("")).config.log.level, level, directives);
  }
});

Deno.test("config http_api: where it listens", () => {
  const everywhere = { host: "0.0.0.0", port: 1985 };
  const rows: [string, Env, { host: string; port: number } | null][] = [
    ["", {}, { host: "127.0.0.1", port: 1985 }],
    ["http_api { }", {}, null],
    ["http_api { enabled off; listen 80; }", {}, null],
    ["http_api { listen 80; }", {}, null],
    ["http_api { enabled on; }", {}, everywhere],
    ["http_api { enabled on; listen 80; }", {}, { host: "0.0.0.0", port: 80 }],
    ["http_api { enabled on; listen [::1]:80; }", {}, { host: "::1", port: 80 }],
    ["", { SRS_HTTP_API_ENABLED: "on" }, everywhere],
    ["", { SRS_HTTP_API_ENABLED: "off" }, null],
    ["", { SRS_HTTP_API_LISTEN: "80" }, null],
    [
      "http_api { enabled off; }",
      { SRS_HTTP_API_ENABLED: "on", SRS_HTTP_API_LISTEN: "1.2.3.4:5" },
      {
        host: "1.2.3.4",
        port: 5,
      },
    ],
  ];
  for (const [directives, env, listen] of rows) {
    assert.deepEqual(
      load(directives + withVhost(""), env).config.httpApi.listen,
      listen,
      directives,
    );
  }
  assert.match(
    warnings(`http_api { listen 80; }${withVhost("")}`)[0],
    /http_api is off.* enabled on;/,
  );
});

Deno.test("config http_api: its port must not be RTMP's", () => {
  assert.deepEqual(errors("listen 1985; http_api { enabled on; } vhost v {}"), [
    "a.conf:1:14: http_api needs 0.0.0.0:1985, which 0.0.0.0:1985 takes in listen: give one of them another port",
  ]);
  assert.equal(
    errors("listen [::]:80; http_api { enabled on; listen 127.0.0.1:80; } vhost v {}").length,
    1,
  );
  assert.equal(errors("listen [::1]:80; http_api { enabled on; listen 80; } vhost v {}").length, 0);
  assert.equal(
    errors("listen 10.0.0.1:80; http_api { enabled on; listen 10.0.0.2:80; } vhost v {}").length,
    0,
  );
  const unasked = "listen 1985; vhost v {}";
  assert.equal(load(unasked).config.httpApi.listen, null);
  assert.match(
    warnings(unasked)[0],
    /^a\.conf:1:1: http_api needs 127\.0\.0\.1:1985, .*; the API is off$/,
  );
});

Deno.test("config http: endpoints may share an address, but not half of one", () => {
  const on = "enabled on; listen";
  const tls = (port: number, key = "k") => `https { ${on} ${port}; key ${key}; cert c; }`;
  const good = [
    `http_api { ${on} 80; } http_server { ${on} 80; } exporter { ${on} 80; }`,
    `http_api { ${on} 80; ${tls(443)} } http_server { ${on} 80; ${tls(443)} }`,
    `http_api { ${on} 10.0.0.1:80; } http_server { ${on} 10.0.0.2:80; }`,
    // HTTPS without HTTP is nothing, as in SRS.
    `http_api { enabled off; ${tls(1935)} }`,
  ];
  for (const text of good) assert.deepEqual(errors(text + withVhost("")), [], text);
  const bad: [string, RegExp][] = [
    [`http_server { ${on} 1935; }`, /http_server needs 0\.0\.0\.0:1935, which .* takes in listen/],
    [`http_api { ${on} 127.0.0.1:80; } http_server { ${on} 80; }`, /http_api needs .* http_server/],
    [`http_server { ${on} 80; ${tls(80)} }`, /http_server\.https needs .* takes in http_server/],
    [
      `http_api { ${on} 80; ${tls(443)} } http_server { ${on} 80; ${tls(443, "other")} }`,
      /http_api\.https needs .* takes in http_server\.https/,
    ],
    [`exporter { ${on} 1935; }`, /exporter needs /],
  ];
  for (const [text, expected] of bad) {
    const found = errors(text + withVhost(""));
    assert.equal(found.length, 1, text);
    assert.match(found[0], expected);
  }
});

Deno.test("config http: an API that nobody asked for gives way", () => {
  const text = `http_server { enabled on; listen 1985; }${withVhost("")}`;
  assert.equal(load(text).config.httpApi.listen, null);
  assert.match(
    warnings(text)[0],
    /http_api needs 127\.0\.0\.1:1985.* in http_server; the API is off/,
  );
});

Deno.test("config http_api.auth: it needs a name and a password", () => {
  for (const given of ["", "username u;", "password p;", 'username u; password "";']) {
    const [error] = errors(
      `http_api { enabled on; auth { enabled on; ${given} } }${withVhost("")}`,
    );
    assert.match(error, /http_api\.auth is on without a username and password: add both/);
  }
  assert.deepEqual(errors(`http_api { enabled on; auth { username u; } }${withVhost("")}`), []);
});

Deno.test("config load: a file without any vhost is told", () => {
  assert.deepEqual(warnings("listen 1;"), [
    "a.conf:1:1: there is no vhost, so every client is refused: add vhost __defaultVhost__ { }",
  ]);
});

Deno.test("config load: old spellings are read, a new one wins", () => {
  const { config, warnings } = load(
    withVhost("gop_cache on; mr { enabled on; latency 9; } play { gop_cache off; }"),
  );
  const [{ play, publish }] = config.vhosts;
  assert.deepEqual([play.gopCache, publish.mr, publish.mrLatencyMs], [false, true, 9]);
  assert.equal(warnings.filter(({ message }) => message.startsWith("transform: ")).length, 3);
});

Deno.test("config load: include is read through the same function", () => {
  const read = (path: string) => path === "m" ? "include l; vhost v {}" : "listen 7;";
  const { config, files } = loadConfig("m", read, {});
  assert.deepEqual(config.listen, [{ host: "0.0.0.0", port: 7 }]);
  assert.deepEqual(files, ["m", "l"]);
});

Deno.test("config environment: wins over the file, in every vhost", () => {
  const text =
    "listen 1; max_connections 2; vhost a { play { gop_cache on; } } vhost b { min_latency off; }";
  const { config, settings } = load(text, {
    SRS_LISTEN: "1935  [::1]:1936",
    SRS_MAX_CONNECTIONS: "77",
    SRS_DAEMON: "on",
    SRS_PID: "x.pid",
    SRS_WORK_DIR: "/w",
    SRS_UTC_TIME: "on",
    SRS_PITHY_PRINT_MS: "500",
    SRS_VHOST_MIN_LATENCY: "on",
    SRS_VHOST_CHUNK_SIZE: "4096",
    SRS_VHOST_PLAY_GOP_CACHE: "off",
    SRS_VHOST_PLAY_TIME_JITTER: "zero",
    SRS_VHOST_PLAY_SEND_MIN_INTERVAL: "0.5",
    SRS_VHOST_PUBLISH_KICKOFF_FOR_IDLE: "2.5",
    SRS_LOG_FILE: "x.log",
    SRS_SRS_LOG_LEVEL: "warn",
  });
  assert.deepEqual(config.listen, [{ host: "0.0.0.0", port: 1935 }, { host: "::1", port: 1936 }]);
  assert.deepEqual(
    [
      config.maxConnections,
      config.daemonRequested,
      config.pid,
      config.workDir,
      config.pithyPrintMs,
    ],
    [77, true, "x.pid", "/w", 500],
  );
  assert.deepEqual(config.log, { tank: "file", level: "warn", file: "x.log", utc: true });
  for (const { minLatency, chunkSize, play, publish } of config.vhosts) {
    assert.deepEqual([minLatency, chunkSize, play.gopCache, play.timeJitter], [
      true,
      4096,
      false,
      "zero",
    ]);
    assert.deepEqual([play.sendMinIntervalMs, publish.kickoffForIdleMs], [0.5, 2500]);
  }
  const chunkSizes = settings.filter(({ path }) => path.endsWith("chunk_size"));
  assert.deepEqual(chunkSizes.map(({ path, vhost, origin }) => [path, vhost, origin]), [
    ["chunk_size", null, "env"],
    ["vhost.chunk_size", "a", "env"],
    ["vhost.chunk_size", "b", "env"],
  ]);
});

Deno.test("config environment: empty is unset, names that SRS does not read are not read", () => {
  const env = {
    SRS_MAX_CONNECTIONS: "",
    SRS_CHUNK_SIZE: "500",
    SRS_VHOST_ENABLED: "off",
    SRS_PORT: "tcp://10.0.0.1:80",
  };
  const { config, warnings } = load(withVhost(""), env);
  assert.deepEqual(config, DEFAULTS);
  assert.deepEqual(warnings, []);
});

Deno.test("config environment: the first of two names wins", () => {
  const env = { SRS_LOG_LEVEL: "error", SRS_SRS_LOG_LEVEL: "warn" };
  assert.equal(load(withVhost(""), env).config.log.level, "error");
});

Deno.test("config environment: booleans keep their flavour", () => {
  const { vhosts: [vhost] } =
    load(withVhost(""), { SRS_VHOST_PLAY_GOP_CACHE: "no", SRS_VHOST_TCP_NODELAY: "yes" }).config;
  assert.deepEqual([vhost.play.gopCache, vhost.tcpNodelay], [true, false]);
});

Deno.test("config environment: faults name the variable, once for all vhosts", () => {
  const env = { SRS_VHOST_PLAY_MW_LATENCY: "abc", SRS_LISTEN: "1 localhost:2" };
  assert.deepEqual(errors("listen 1; vhost a {} vhost b {}", env), [
    'env SRS_LISTEN: listen: listen.ip="localhost" is invalid: write 127.0.0.1 (or [::1])',
    'env SRS_VHOST_PLAY_MW_LATENCY: mw_latency: "abc" is not a whole number; expected a number of ms, 0 or more',
  ]);
});

Deno.test("config environment: a variable for what is not offered is told", () => {
  const { warnings, ignored } = load(withVhost(""), { SRS_HEARTBEAT_ENABLED: "on" });
  assert.deepEqual(warnings.map((warning) => warning.format()), [
    "env SRS_HEARTBEAT_ENABLED: heartbeat.enabled is known to SRS but not offered here, it is ignored",
  ]);
  assert.deepEqual(ignored.map(({ path }) => path), ["heartbeat.enabled"]);
});

Deno.test("config environment: without a file", () => {
  const { config, warnings, files } = load(null);
  assert.deepEqual(config, {
    ...DEFAULTS,
    file: null,
    vhosts: [{ ...DEFAULTS.vhosts[0], name: DEFAULT_VHOST }],
  });
  assert.deepEqual(warnings, []);
  assert.deepEqual(files, []);
  const changed = load(null, { SRS_LISTEN: "7", SRS_VHOST_PLAY_GOP_CACHE: "off" }).config;
  assert.deepEqual(changed.listen, [{ host: "0.0.0.0", port: 7 }]);
  assert.equal(changed.vhosts[0].play.gopCache, false);
});

Deno.test("config environment: SRS_LISTEN is enough for a file without listen", () => {
  assert.deepEqual(load("vhost v {}", { SRS_LISTEN: "7" }).config.listen, [{
    host: "0.0.0.0",
    port: 7,
  }]);
});

Deno.test("config vhost: the name's own block, else the default one, else none", () => {
  const { config } = load("listen 1; vhost a {} vhost __defaultVhost__ {}");
  assert.equal(findVhost(config, "a")?.name, "a");
  assert.equal(findVhost(config, "b")?.name, DEFAULT_VHOST);
  assert.equal(findVhost(load("listen 1; vhost a {}").config, "b"), null);
});

Deno.test("config load: no text and no environment make it throw anything but ConfigError", () => {
  const word = fc.oneof(
    fc.constantFrom("on", "off", "1935", "-1", "1e9", "[::1]:1", "constructor", "a:b:c"),
    fc.string({ maxLength: 4 }),
  );
  const name = fc.constantFrom(
    ..."listen max_connections chunk_size srs_log_tank pid http_api vhost play publish enabled mw_latency gop_cache mr hls refer forward rtc bframe toString __proto__"
      .split(" "),
  );
  const directive = fc.letrec<{ directive: string }>((tie) => ({
    directive: fc.tuple(
      name,
      fc.array(word, { maxLength: 2 }),
      fc.option(fc.array(tie("directive"), { maxLength: 4 }), { maxDepth: 4 }),
    ).map(([head, args, block]) =>
      `${head} ${args.join(" ")}${block ? `{${block.join("\n")}}` : ";"}`
    ),
  })).directive;
  const env = fc.record({
    SRS_LISTEN: word,
    SRS_VHOST_PLAY_MW_MSGS: word,
    SRS_HTTP_API_LISTEN: word,
  });
  fc.assert(
    fc.property(fc.array(directive, { maxLength: 6 }), env, (directives, environment) => {
      try {
        load(directives.join("\n"), environment);
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("config load: http_remux is on by itself only where nobody said anything about HTTP", () => {
  const enabled = (text: string) => load(text).config.vhosts[0].httpRemux.enabled;
  assert.equal(enabled("listen 1935; vhost v { }"), true);
  assert.equal(enabled("listen 1935; vhost v { http_remux { enabled on; } }"), true);
  assert.equal(enabled("listen 1935; vhost v { http_remux { has_audio off; } }"), false);
  assert.equal(enabled("listen 1935; http_api { enabled on; } vhost v { }"), false);
  assert.equal(enabled("listen 1935; http_api { enabled off; } vhost v { }"), false);
});

Deno.test("config load: hls is on where it is asked for, but not with several workers", () => {
  const vhost = "vhost v { hls { enabled on; } } vhost w { }";
  const one = load(`listen 1935; ${vhost}`);
  assert.deepEqual(one.config.vhosts.map(({ hls }) => hls.enabled), [true, false]);
  assert.deepEqual(one.warnings, []);
  for (const workers of ["2", "auto"]) {
    const { config, warnings } = load(`listen 1935; workers ${workers}; ${vhost}`);
    assert.equal(config.vhosts[0].hls.enabled, false);
    assert.match(warnings.map((w) => w.format()).join(), /hls is off: it needs `workers 1`/);
  }
});

Deno.test("config load: a mount may end in each container", () => {
  for (const ending of ["flv", "ts", "aac", "mp3"]) {
    const { config, warnings } = load(
      `listen 1935; vhost v { http_remux { enabled on; mount [vhost]/[app]/[stream].${ending}; } }`,
    );
    assert.equal(config.vhosts[0].httpRemux.enabled, true, ending);
    assert.deepEqual(warnings, []);
  }
});

Deno.test("config load: a mount that is no stream's path is told, and switches http_remux off", () => {
  for (const mount of ["[vhost]/[app]/[stream].mkv", "[vhost]/[stream].flv", "/x.flv"]) {
    const { config, warnings } = load(
      `listen 1935; vhost v { http_remux { enabled on; mount ${mount}; } }`,
    );
    assert.equal(config.vhosts[0].httpRemux.enabled, false, mount);
    assert.match(warnings.map((w) => w.format()).join(), /mount .* is not offered, so http_remux/);
  }
});
