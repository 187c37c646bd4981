/**
 * The directive table is complete and consistent, and what is in it decides what a file may say.
 * @module
 */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/config/grammar/diagnostic.ts";
import { allDirectives, entryOf, lookUp } from "../../src/config/directives/directives.ts";
import { loadConfig } from "../../src/config/file/load.ts";
import type { Block } from "../../src/config/directives/spec.ts";
import { nearest } from "../../src/config/directives/suggest.ts";
import { CONFIG } from "../../src/config/directives/root.ts";

/** Every name that SRS accepts, by block: 7.0.18, later 7.0 releases (F24), and what these removed. */
const KNOWN: Record<string, string> = {
  "": "listen pid chunk_size ff_log_dir srs_log_tank srs_log_level srs_log_level_v2 srs_log_file " +
    "max_connections daemon heartbeat tencentcloud_cls tencentcloud_apm http_api stats vhost " +
    "pithy_print_ms http_server stream_caster rtc_server srt_server utc_time work_dir asprocess " +
    "server_id ff_log_level grace_start_wait grace_final_wait force_grace_quit empty_ip_ok " +
    "disable_daemon_for_docker inotify_auto_reload auto_reload_for_docker tcmalloc_release_rate " +
    "query_latest_version first_wait_for_qlv threads circuit_breaker is_full in_docker exporter " +
    "rtmp rtmps rtsp_server threads_interval",
  "rtmp": "listen chunk_size",
  "rtmps": "enabled listen key cert",
  "rtsp_server": "enabled listen",
  "vhost.rtsp": "enabled rtmp_to_rtsp",
  "vhost": "enabled chunk_size min_latency tcp_nodelay dvr ingest hls http_hooks refer forward " +
    "transcode bandcheck play publish cluster security http_remux dash http_static hds exec " +
    "in_ack_size out_ack_size rtc rtsp srt",
  "http_api": "enabled listen crossdomain raw_api auth https",
  "http_api.raw_api": "enabled allow_reload allow_query allow_update",
  "http_api.auth": "enabled username password",
  "http_api.https": "enabled listen key cert",
  "http_server": "enabled listen dir crossdomain https",
  "stats": "enabled network disk",
  "exporter": "enabled listen label tag",
  "heartbeat": "enabled interval url device_id summaries ports",
  "vhost.play":
    "gop_cache gop_cache_max_frames queue_length time_jitter mix_correct atc atc_auto " +
    "mw_latency mw_msgs send_min_interval reduce_sequence_header",
  "vhost.publish":
    "firstpkt_timeout normal_timeout mr mr_latency parse_sps try_annexb_first kickoff_for_idle",
  "vhost.refer": "enabled all publish play",
  "vhost.security": "enabled allow deny",
  "vhost.cluster": "mode origin protocol follow_client token_traverse vhost debug_srs_upnode " +
    "origin_cluster coworkers",
  "vhost.forward": "enabled destination backend",
  "vhost.http_remux": "enabled mount fast_cache drop_if_not_match has_audio has_video guess_has_av",
  "vhost.http_static": "enabled mount dir",
  "vhost.http_hooks":
    "enabled on_connect on_close on_publish on_unpublish on_play on_stop on_dvr on_hls on_hls_notify",
  "vhost.hls":
    "enabled hls_entry_prefix hls_path hls_fragment hls_window hls_on_error hls_storage " +
    "hls_mount hls_td_ratio hls_aof_ratio hls_acodec hls_vcodec hls_m3u8_file hls_ts_file hls_ts_floor " +
    "hls_cleanup hls_nb_notify hls_wait_keyframe hls_dispose hls_keys hls_fragments_per_key hls_key_file " +
    "hls_key_file_path hls_key_url hls_dts_directly hls_ctx hls_ts_ctx " +
    "hls_use_fmp4 hls_fmp4_file hls_init_file hls_recover hls_master_m3u8_path_relative",
  "vhost.dash": "enabled dash_fragment dash_update_period dash_timeshift dash_path dash_mpd_file " +
    "dash_window_size dash_dispose dash_cleanup",
  "vhost.hds": "enabled hds_fragment hds_window hds_path",
  "vhost.dvr": "enabled dvr_apply dvr_path dvr_plan dvr_duration dvr_wait_keyframe time_jitter",
  "vhost.exec": "enabled publish",
  "vhost.ingest": "enabled input ffmpeg engine",
  "vhost.ingest.input": "type url",
  "vhost.transcode": "enabled ffmpeg engine",
  "vhost.transcode.engine": "enabled perfile iformat vfilter vcodec vbitrate vfps vwidth vheight " +
    "vthreads vprofile vpreset vparams acodec abitrate asample_rate achannels aparams oformat output",
  "vhost.rtc":
    "enabled nack twcc nack_no_copy bframe aac stun_timeout stun_strict_check dtls_role " +
    "dtls_version drop_for_pt rtc_to_rtmp pli_for_rtmp rtmp_to_rtc keep_bframe keep_avc_nalu_sei " +
    "opus_bitrate aac_bitrate init_rate_from_sdp",
  "vhost.srt": "enabled srt_to_rtmp",
  "rtc_server": "enabled listen dir candidate ecdsa tcp encrypt reuseport merge_nalus black_hole " +
    "protocol ip_family api_as_candidates resolve_api_domain keep_api_domain use_auto_detect_network_ip " +
    "perf_stat queue_length",
  "rtc_server.tcp": "enabled listen",
  "rtc_server.black_hole": "enabled addr",
  "srt_server": "enabled listen maxbw mss latency recvlatency peerlatency connect_timeout " +
    "peer_idle_timeout sendbuf recvbuf payloadsize default_app sei_filter mix_correct tlpktdrop tlpkdrop " +
    "tsbpdmode passphrase pbkeylen",
  "stream_caster": "enabled caster output listen sip host rtp_port_min rtp_port_max",
  "stream_caster.sip": "enabled listen timeout reinvite candidate",
  "tencentcloud_cls": "enabled label tag secret_id secret_key endpoint topic_id debug_logging " +
    "stat_heartbeat heartbeat_ratio stat_streams streams_ratio",
  "tencentcloud_apm": "enabled token endpoint service_name debug_logging team",
  "threads": "interval",
  "circuit_breaker":
    "enabled high_threshold high_pulse critical_threshold critical_pulse dying_threshold dying_pulse",
};

function blockAt(path: string): Block {
  let block = CONFIG;
  for (const name of path === "" ? [] : path.split(".")) {
    const spec = lookUp(block, name)?.spec;
    assert.ok(spec?.type === "block", `${path} is a block`);
    block = spec;
  }
  return block;
}

/** Directives of our own. */
const EXTENSIONS: Record<string, string[]> = {
  "": ["workers", "max_connections_per_ip", "connect_rate_per_ip", "grace_max_wait"],
  "vhost.publish": ["takeover", "secret"],
  "vhost.play": ["secret", "pass_data"],
  "vhost.hls": ["hls_part"],
  "http_api": ["jsonp", "remote_commands"],
  "http_server": ["trusted_origins", "trusted_proxies", "client_address_header"],
};

for (const [path, names] of Object.entries(KNOWN)) {
  Deno.test(`config table: ${path || "root"} has the names that SRS knows, and our own`, () => {
    const expected = [...names.split(" "), ...(EXTENSIONS[path] ?? [])];
    assert.deepEqual(Object.keys(blockAt(path).children).sort(), expected.sort());
  });
}

Deno.test("config table: paths are unique, everything is described, defaults are what they would be read as", () => {
  const paths = allDirectives().map(({ path }) => path);
  assert.equal(new Set(paths).size, paths.length);
  for (const { spec, path } of allDirectives()) {
    assert.match(spec.about, /^.*\S.*\.$/, path);
    if (spec.type === "leaf" && spec.range) {
      const silent = { odd: () => assert.fail(path), bad: () => assert.fail(path) };
      assert.equal(spec.kind.parse([spec.kind.format(spec.default)], silent), spec.default, path);
    }
  }
});

Deno.test("config table: what is honoured", () => {
  const honoured = allDirectives().filter(({ status }) => status === "honoured").map(({ path }) =>
    path
  );
  assert.deepEqual(
    honoured.filter((path) => !/^vhost\.(play|publish)\./.test(path)),
    "listen workers max_connections max_connections_per_ip connect_rate_per_ip chunk_size pithy_print_ms daemon pid work_dir utc_time srs_log_tank srs_log_level srs_log_level_v2 srs_log_file grace_start_wait grace_max_wait grace_final_wait force_grace_quit rtmp rtmp.listen rtmp.chunk_size http_api http_api.enabled http_api.listen http_api.jsonp http_api.remote_commands http_api.raw_api http_api.raw_api.enabled http_api.raw_api.allow_reload http_api.auth http_api.auth.enabled http_api.auth.username http_api.auth.password http_api.https http_api.https.enabled http_api.https.listen http_api.https.key http_api.https.cert http_server http_server.enabled http_server.listen http_server.dir http_server.crossdomain http_server.trusted_origins http_server.trusted_proxies http_server.client_address_header http_server.https http_server.https.enabled http_server.https.listen http_server.https.key http_server.https.cert exporter exporter.enabled exporter.listen exporter.label exporter.tag vhost vhost.enabled vhost.min_latency vhost.tcp_nodelay vhost.chunk_size vhost.in_ack_size vhost.out_ack_size vhost.play vhost.publish vhost.cluster vhost.cluster.mode vhost.cluster.origin vhost.cluster.protocol vhost.cluster.follow_client vhost.cluster.token_traverse vhost.cluster.vhost vhost.cluster.debug_srs_upnode vhost.forward vhost.forward.enabled vhost.forward.destination vhost.forward.backend vhost.refer vhost.refer.enabled vhost.refer.all vhost.refer.publish vhost.refer.play vhost.security vhost.security.enabled vhost.security.allow vhost.security.deny vhost.http_remux vhost.http_remux.enabled vhost.http_remux.mount vhost.http_remux.drop_if_not_match vhost.http_remux.has_audio vhost.http_remux.has_video vhost.http_remux.guess_has_av vhost.http_hooks vhost.http_hooks.enabled vhost.http_hooks.on_connect vhost.http_hooks.on_close vhost.http_hooks.on_publish vhost.http_hooks.on_unpublish vhost.http_hooks.on_play vhost.http_hooks.on_stop vhost.hls vhost.hls.enabled vhost.hls.hls_fragment vhost.hls.hls_part vhost.hls.hls_window vhost.hls.hls_ctx"
      .split(" "),
  );
  assert.equal(honoured.filter((path) => path.startsWith("vhost.play.")).length, 13);
  assert.equal(honoured.filter((path) => path.startsWith("vhost.publish.")).length, 8);
});

Deno.test("config table: what a reload does not change", () => {
  const leaves = allDirectives().filter(({ spec, status }) => {
    return spec.type === "leaf" && status === "honoured";
  });
  const of = (reload: string) =>
    leaves.filter((one) => one.reload === reload).map((one) => one.path);
  assert.deepEqual(of("restart"), ["workers", "daemon", "pid", "work_dir"]);
  assert.deepEqual(of("none"), []);
});

Deno.test("config table: environment variables", () => {
  const variables = new Map(
    allDirectives().map(({ path, variables }) => [path, variables.join(" ")]),
  );
  const rows: [string, string][] = [
    ["listen", "SRS_LISTEN SRS_RTMP_LISTEN"],
    ["srs_log_tank", "SRS_LOG_TANK SRS_SRS_LOG_TANK"],
    ["srs_log_level_v2", "SRS_LOG_LEVEL_V2 SRS_SRS_LOG_LEVEL_V2"],
    ["chunk_size", "SRS_VHOST_CHUNK_SIZE SRS_RTMP_CHUNK_SIZE"],
    ["vhost.chunk_size", "SRS_VHOST_CHUNK_SIZE"],
    ["http_api.raw_api.allow_reload", "SRS_HTTP_API_RAW_API_ALLOW_RELOAD"],
    ["http_api.https.key", "SRS_HTTP_API_HTTPS_KEY"],
    ["http_server.https.listen", "SRS_HTTP_SERVER_HTTPS_LISTEN"],
    ["vhost.play.gop_cache", "SRS_VHOST_PLAY_GOP_CACHE"],
    ["vhost.publish.try_annexb_first", "SRS_VHOST_PUBLISH_TRY_ANNEXB_FIRST"],
    ["vhost.http_hooks.on_connect", "SRS_VHOST_HTTP_HOOKS_ON_CONNECT"],
    ["circuit_breaker.high_pulse", "SRS_CIRCUIT_BREAKER_HIGH_PULSE"],
    ["threads.interval", "SRS_THREADS_INTERVAL"],
    ["vhost.enabled", ""],
    ["vhost.cluster.origin", ""],
    ["vhost.forward.enabled", ""],
    ["vhost.security.enabled", ""],
    ["stats.network", ""],
  ];
  for (const [path, names] of rows) assert.equal(variables.get(path), names, path);
});

Deno.test("config table: a spec from elsewhere is a bug of ours", () => {
  assert.throws(() => entryOf({ ...CONFIG }), TypeError);
});

Deno.test("config suggestions", () => {
  const names = ["gop_cache", "gop_cache_max_frames", "queue_length", "atc", "hls", "mr"];
  const rows: [string, string | null][] = [
    ["gop_cahce", "gop_cache"],
    ["gopcache", "gop_cache"],
    ["gop_cache_max_frame", "gop_cache_max_frames"],
    ["queue_lenght", "queue_length"],
    ["hsl", "hls"],
    ["banana", null],
    ["x", null],
    ["q".repeat(1_000_000), null],
  ];
  for (const [name, meant] of rows) assert.equal(nearest(name, names), meant, name.slice(0, 30));
});

function errorsOf(text: string): string[] {
  try {
    loadConfig("a.conf", () => text, {});
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.diagnostics.map((diagnostic) => diagnostic.format());
  }
}

function warningsOf(text: string): string[] {
  return loadConfig("a.conf", () => text, {}).warnings.map((warning) => warning.format());
}

Deno.test("config check: every unknown name is an error with its place and a hint", () => {
  const text = `listen 1935;
lisen 1;
vhost a {
  play { gop_cahce off; constructor 1; __proto__ 2; }
  mw_msgs 3; gop_cahce on; hls { hls_widow 9; }
  dash_path x;
}
toString;`;
  assert.deepEqual(errorsOf(text), [
    'a.conf:2:1: unknown directive "lisen", did you mean "listen"?',
    'a.conf:4:10: unknown directive "gop_cahce", did you mean "gop_cache"?',
    'a.conf:4:25: unknown directive "constructor" in vhost.play { }: SRS has none of that name there, remove it',
    'a.conf:4:40: unknown directive "__proto__" in vhost.play { }: SRS has none of that name there, remove it',
    'a.conf:5:3: unknown directive "mw_msgs" in vhost { }: it belongs in vhost.play { }',
    'a.conf:5:14: unknown directive "gop_cahce", did you mean "gop_cache" in vhost.play { }?',
    'a.conf:5:34: unknown directive "hls_widow", did you mean "hls_window"?',
    'a.conf:6:3: unknown directive "dash_path" in vhost { }: SRS has none of that name there, remove it',
    'a.conf:8:1: unknown directive "toString" in the top level of the file: SRS has none of that name there, remove it',
  ]);
});

Deno.test("config check: a hostile number of errors ends at a hundred", () => {
  assert.equal(errorsOf(`listen 1;${"\nnonsense;".repeat(5000)}`).length, 100);
});

Deno.test("config check: a hostile number of warnings is cut", () => {
  const warnings = warningsOf(`listen 1;vhost a {}${"\nlisten 2;".repeat(5000)}`);
  assert.equal(warnings.length, 201);
  assert.match(warnings[200], /4800 more warnings are not shown/);
});

Deno.test("config check: what is not offered gets one warning for its block", () => {
  const text = `listen 1935;
heartbeat { enabled on; interval 9; }
query_latest_version on;
vhost a { rtc { enabled on; stun_timeout 1; } bandcheck { anything 1; } hds { enabled on; what 1; } }
http_api { enabled on; crossdomain on; raw_api { enabled on; allow_query on; } }`;
  assert.deepEqual(warningsOf(text), [
    "a.conf:2:1: heartbeat is known to SRS but not offered here, it is ignored",
    "a.conf:3:1: query_latest_version has no effect and is ignored: remove it",
    "a.conf:4:11: vhost.rtc is known to SRS but not offered here, it is ignored",
    "a.conf:4:47: vhost.bandcheck has no effect and is ignored: remove it",
    "a.conf:4:73: vhost.hds is known to SRS but not offered here, it is ignored",
    "a.conf:5:24: http_api.crossdomain has no effect and is ignored: remove it",
    "a.conf:5:62: http_api.raw_api.allow_query has no effect and is ignored: remove it",
  ]);
});

Deno.test("F26: what is off is no loss and gets no warning", () => {
  const off = `listen 1935;
heartbeat { enabled off; interval 9; }
rtc_server { enabled off; listen 8000; tcp { enabled on; } }
rtmps { enabled off; } rtsp_server { } srt_server { listen 1; }
stream_caster { enabled off; sip { enabled on; } }
stats { enabled off; } tencentcloud_cls { enabled off; } circuit_breaker { enabled off; }
asprocess off; inotify_auto_reload off; query_latest_version off;
http_api { enabled off; crossdomain off; }
vhost a {
  hls { enabled off; hls_path x; } rtc { enabled no; } dash { dash_path x; } dvr { enabled; }
  hds { enabled off; } exec { enabled off; } srt { enabled off; } http_static { enabled off; }
  ingest one { enabled off; engine x { enabled on; } } ingest two { enabled off; }
  transcode { enabled off; engine { enabled on; } } bandcheck { enabled off; }
  http_hooks { enabled off; on_dvr http://127.0.0.1/; on_hls http://127.0.0.1/; }
  cluster { origin_cluster off; }
}
vhost b { enabled off; hls { enabled on; } http_hooks { enabled on; on_hls http://127.0.0.1/; } }`;
  assert.deepEqual(warningsOf(off), []);
  assert.deepEqual(loadConfig("a.conf", () => off, {}).ignored, []);
});

Deno.test("F26: what is on, by SRS's flavours of boolean, is warned about all the same", () => {
  const text = `listen 1935;
stats { enabled what; }
stats { network 1; }
asprocess on;
empty_ip_ok off;
rtc_server { enabled on; enabled off; }
vhost a {
rtc { enabled on; }
rtc;
ingest one { enabled off; } ingest two { enabled on; }
http_hooks { enabled on; on_dvr http://127.0.0.1/; }
}`;
  assert.deepEqual(warningsOf(text).map((line) => line.split(" ").slice(0, 2).join(" ")), [
    "a.conf:2:1: stats",
    "a.conf:3:1: stats",
    "a.conf:4:1: asprocess",
    "a.conf:5:1: empty_ip_ok",
    "a.conf:6:1: rtc_server",
    "a.conf:8:1: vhost.rtc",
    "a.conf:9:1: vhost.rtc",
    "a.conf:10:29: vhost.ingest",
    "a.conf:11:26: vhost.http_hooks.on_dvr",
  ]);
});

Deno.test("F26: a name that is unknown is an error in a block that is off, too", () => {
  assert.equal(errorsOf("listen 1; vhost a { hls { enabled off; hls_pth x; } }").length, 1);
});

Deno.test("F26: the environment's switches count as the file's", () => {
  const ignored = (env: Record<string, string>, vhost = "") =>
    loadConfig("a.conf", () => `listen 1; vhost a { ${vhost} }`, env).ignored.map(({ path }) =>
      path
    );
  assert.deepEqual(ignored({ SRS_HEARTBEAT_ENABLED: "off", SRS_HEARTBEAT_INTERVAL: "9" }), []);
  assert.deepEqual(ignored({ SRS_HEARTBEAT_INTERVAL: "9" }), [], "it is off by default");
  assert.deepEqual(ignored({ SRS_HEARTBEAT_ENABLED: "on", SRS_HEARTBEAT_INTERVAL: "9" }), [
    "heartbeat.enabled",
    "heartbeat.interval",
  ]);
  assert.deepEqual(ignored({ SRS_CIRCUIT_BREAKER_HIGH_PULSE: "9" }), [
    "circuit_breaker.high_pulse",
  ]);
  assert.deepEqual(
    ignored({ SRS_CIRCUIT_BREAKER_HIGH_PULSE: "9", SRS_CIRCUIT_BREAKER_ENABLED: "off" }),
    [],
  );
  assert.deepEqual(ignored({ SRS_ASPROCESS: "off" }), []);
  assert.deepEqual(ignored({ SRS_ASPROCESS: "on" }), ["asprocess"]);
  const files = "http_static { enabled off; }";
  assert.deepEqual(ignored({}, files), []);
  assert.deepEqual(ignored({ SRS_VHOST_HTTP_STATIC_ENABLED: "on" }, files), [
    "vhost.http_static",
    "vhost.http_static.enabled",
  ]);
  assert.deepEqual(
    ignored({ SRS_VHOST_HTTP_STATIC_ENABLED: "off" }, "http_static { enabled on; }"),
    [],
  );
  assert.deepEqual(ignored({ SRS_VHOST_HTTP_HOOKS_ON_DVR: "http://127.0.0.1/" }), [
    "vhost.http_hooks.on_dvr",
  ]);
});

Deno.test("config check: shapes and repetitions", () => {
  const text = `listen 1935;
listen 1936;
vhost a b { play; enabled on { x; } }

vhost c { play { gop_cache off; } play { gop_cache on; } publish x { } }`;
  assert.deepEqual(warningsOf(text), [
    "a.conf:2:1: listen is given again and ignored: the one at a.conf:1:1 counts, remove one",
    'a.conf:3:9: "b" is ignored',
    "a.conf:3:13: play is a block and has none: its defaults are used",
    "a.conf:3:19: enabled takes a value: its block { } is ignored",
    "a.conf:5:35: play is given again and ignored: the one at a.conf:5:11 counts, remove one",
    'a.conf:5:66: "x" is ignored',
  ]);
});

Deno.test("config check: a vhost without a name, and SRS's reference file, are refused", () => {
  assert.match(errorsOf("listen 1;\nvhost { }")[0], /^a\.conf:2:1: vhost needs a name/);
  assert.match(errorsOf("listen 1; vhost a { } is_full on;")[0], /never use full\.conf\(a\.conf\)/);
  assert.deepEqual(errorsOf("listen 1; vhost a { } is_full off;"), []);
});
