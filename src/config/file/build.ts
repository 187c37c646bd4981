/**
 * Builds the typed {@link Config} from a checked tree: which directive becomes which field, in which
 * unit.
 * @module
 */
import { HLS_SETTINGS } from "../directives/hls.ts";
import { buildHttp } from "./build_http.ts";
import { buildEdge, buildForward } from "./build_relay.ts";
import type { Place } from "../grammar/diagnostic.ts";
import { EVERY_ADDRESS } from "../directives/listen.ts";
import { type Reading, Section } from "../directives/section.ts";
import { CONFIG, ROOT } from "../directives/root.ts";
import type { Leaf } from "../directives/spec.ts";
import {
  HTTP_HOOKS,
  PLAY,
  PUBLISH,
  REFER,
  REMUX,
  SECURITY,
  VHOST,
  VHOST_ROOT,
} from "../directives/vhost.ts";
import type { Directive } from "../grammar/tree.ts";
import { DEFAULT_VHOST, isSameVhost } from "../vhost_name.ts";
import type {
  Config,
  GraceConfig,
  HlsConfig,
  HooksConfig,
  HttpRemuxConfig,
  ListenAddress,
  LogConfig,
  PlayConfig,
  PublishConfig,
  ReferConfig,
  SecurityConfig,
  VhostConfig,
} from "../types.ts";

/** The RTMP address without a file and without SRS_LISTEN. */
const STANDARD_LISTEN: ListenAddress = { host: EVERY_ADDRESS, port: 1935 };

/** Messages that are gathered with `min_latency` on: none. */
const REALTIME_MW_MSGS = 0;

/**
 * Builds the configuration. A bad value is reported and replaced by its default. `file` is the path of
 * the main file, null in environment-only mode; `top` is its beginning.
 */
export function buildConfig(
  file: string | null,
  tree: readonly Directive[],
  top: Place,
  reading: Reading,
): Config {
  const root = new Section(reading, CONFIG, tree);
  const listen = buildListen(root, file, top, reading);
  const workers = root.get(ROOT.workers);
  const maxConnections = root.get(ROOT.max_connections);
  const maxConnectionsPerIp = root.get(ROOT.max_connections_per_ip);
  const connectRatePerIp = root.get(ROOT.connect_rate_per_ip);
  const chunkSize = root.get(ROOT.chunk_size);
  const daemonRequested = root.get(ROOT.daemon);
  const pid = root.get(ROOT.pid) || null;
  const workDir = root.get(ROOT.work_dir) || null;
  const log = buildLog(root);
  const pithyPrintMs = root.get(ROOT.pithy_print_ms);
  const grace = buildGrace(root);
  const http = buildHttp(root, listen, top, reading);
  const privateHttp = !http.httpApi.asked && http.httpServer.listen === null;
  const vhosts = vhostBlocks(tree).map((vhost) =>
    buildVhost(vhost, { chunkSize, privateHttp, workers }, reading)
  );
  if (vhosts.length === 0) {
    reading.report.warn(
      top,
      "there is no vhost, so every client is refused: add vhost __defaultVhost__ { }",
    );
  }
  return {
    file,
    listen,
    workers,
    maxConnections,
    maxConnectionsPerIp,
    connectRatePerIp,
    daemonRequested,
    pid,
    workDir,
    log,
    grace,
    ...http,
    pithyPrintMs,
    vhosts,
  };
}

function buildListen(
  root: Section,
  file: string | null,
  top: Place,
  { report }: Reading,
): readonly ListenAddress[] {
  if (file !== null && !root.has(ROOT.listen)) {
    report.error(root.find(ROOT.listen) ?? top, "listen requires params: add listen 1935;");
  }
  return root.get(ROOT.listen, file === null ? [STANDARD_LISTEN] : []);
}

function buildLog(root: Section): LogConfig {
  const tank = root.get(ROOT.srs_log_tank, root.has(ROOT.srs_log_file) ? "file" : "console");
  const file = root.get(ROOT.srs_log_file);
  const level = root.get(ROOT.srs_log_level_v2, root.get(ROOT.srs_log_level));
  return { tank, level, file, utc: root.get(ROOT.utc_time) };
}

function buildGrace(root: Section): GraceConfig {
  return {
    startWaitMs: root.get(ROOT.grace_start_wait),
    maxWaitMs: root.get(ROOT.grace_max_wait),
    finalWaitMs: root.get(ROOT.grace_final_wait),
    onTerm: root.get(ROOT.force_grace_quit),
  };
}

/** The vhosts; that there is one block of each name has been checked. */
function vhostBlocks(tree: readonly Directive[]): { name: string; block: readonly Directive[] }[] {
  return tree.flatMap(({ name, args, block }) => {
    const text = args.at(0)?.text;
    if (name !== "vhost" || text === undefined) return [];
    return { name: isSameVhost(text, DEFAULT_VHOST) ? DEFAULT_VHOST : text, block: block ?? [] };
  });
}

/** What a vhost takes from the rest of the file. */
interface VhostDefaults {
  readonly chunkSize: number;
  /** The file says nothing about HTTP. */
  readonly privateHttp: boolean;
  readonly workers: Config["workers"];
}

function buildVhost(
  { name, block }: { name: string; block: readonly Directive[] },
  { chunkSize, privateHttp, workers }: VhostDefaults,
  reading: Reading,
): VhostConfig {
  const vhost = new Section(reading, VHOST, block, name);
  const enabled = vhost.get(VHOST_ROOT.enabled);
  const minLatency = vhost.get(VHOST_ROOT.min_latency);
  const publish = buildPublish(vhost.enter(VHOST_ROOT.publish));
  // At an edge the pull is the publisher, and the origin decides about other publishers.
  const edge = buildEdge(vhost, publish.takeover, reading);
  return {
    name,
    enabled,
    minLatency,
    tcpNodelay: vhost.get(VHOST_ROOT.tcp_nodelay),
    chunkSize: vhost.get(VHOST_ROOT.chunk_size, chunkSize),
    inAckSize: vhost.get(VHOST_ROOT.in_ack_size),
    outAckSize: vhost.get(VHOST_ROOT.out_ack_size),
    play: buildPlay(vhost.enter(VHOST_ROOT.play), minLatency),
    publish: edge ? { ...publish, takeover: "deny" } : publish,
    edge,
    forward: buildForward(vhost, reading),
    httpRemux: buildRemux(vhost, privateHttp, reading),
    hls: buildHls(vhost, workers, reading),
    security: buildSecurity(vhost.enter(VHOST_ROOT.security)),
    refer: buildRefer(vhost.enter(VHOST_ROOT.refer)),
    hooks: buildHooks(vhost.enter(VHOST_ROOT.http_hooks)),
  };
}

function buildPlay(play: Section, minLatency: boolean): PlayConfig {
  return {
    gopCache: play.get(PLAY.gop_cache),
    gopCacheMaxFrames: play.get(PLAY.gop_cache_max_frames),
    queueLengthMs: play.get(PLAY.queue_length) * 1000,
    timeJitter: play.get(PLAY.time_jitter),
    mixCorrect: play.get(PLAY.mix_correct),
    atc: play.get(PLAY.atc),
    atcAuto: play.get(PLAY.atc_auto),
    mwLatencyMs: play.get(PLAY.mw_latency),
    mwMsgs: play.get(PLAY.mw_msgs, minLatency ? REALTIME_MW_MSGS : PLAY.mw_msgs.default),
    sendMinIntervalMs: play.get(PLAY.send_min_interval),
    reduceSequenceHeader: play.get(PLAY.reduce_sequence_header),
    passData: play.get(PLAY.pass_data),
    secrets: play.get(PLAY.secret),
  };
}

function buildPublish(publish: Section): PublishConfig {
  return {
    mr: publish.get(PUBLISH.mr),
    mrLatencyMs: publish.get(PUBLISH.mr_latency),
    firstPacketTimeoutMs: publish.get(PUBLISH.firstpkt_timeout),
    normalTimeoutMs: publish.get(PUBLISH.normal_timeout),
    kickoffForIdleMs: publish.get(PUBLISH.kickoff_for_idle) * 1000,
    takeover: publish.get(PUBLISH.takeover),
    parseSps: publish.get(PUBLISH.parse_sps),
    secrets: publish.get(PUBLISH.secret),
  };
}

function buildSecurity(security: Section): SecurityConfig {
  return {
    enabled: security.get(SECURITY.enabled),
    allow: security.all(SECURITY.allow),
    deny: security.all(SECURITY.deny),
  };
}

function buildRefer(refer: Section): ReferConfig {
  return {
    enabled: refer.get(REFER.enabled),
    all: refer.get(REFER.all),
    publish: refer.get(REFER.publish),
    play: refer.get(REFER.play),
  };
}

function buildHooks(hooks: Section): HooksConfig {
  const enabled = hooks.get(HTTP_HOOKS.enabled);
  const urls = (leaf: Leaf<readonly string[]>) => {
    const given = hooks.get(leaf);
    return enabled ? given : [];
  };
  return {
    on_connect: urls(HTTP_HOOKS.on_connect),
    on_close: urls(HTTP_HOOKS.on_close),
    on_publish: urls(HTTP_HOOKS.on_publish),
    on_unpublish: urls(HTTP_HOOKS.on_unpublish),
    on_play: urls(HTTP_HOOKS.on_play),
    on_stop: urls(HTTP_HOOKS.on_stop),
  };
}

/** HLS is made in the thread that serves HTTP, and publishers are in others when there are several. */
function buildHls(vhost: Section, workers: Config["workers"], { report }: Reading): HlsConfig {
  const hls = vhost.enter(VHOST_ROOT.hls);
  const enabled = hls.get(HLS_SETTINGS.enabled);
  const place = vhost.find(VHOST_ROOT.hls);
  if (enabled && workers !== 1 && place) {
    report.warn(place, "hls is off: it needs `workers 1`, which is the default");
  }
  return {
    enabled: enabled && workers === 1,
    fragment: hls.get(HLS_SETTINGS.hls_fragment),
    part: hls.get(HLS_SETTINGS.hls_part),
    window: hls.get(HLS_SETTINGS.hls_window),
    sessions: hls.get(HLS_SETTINGS.hls_ctx),
  };
}

/**
 * Streams of a vhost by HTTP. When the file says nothing about HTTP, the API listens on the loopback address
 * only, and HTTP-FLV is on unless the vhost turns it off. Otherwise it is off unless the vhost turns it
 * on, as in SRS.
 */
function buildRemux(vhost: Section, privateHttp: boolean, { report }: Reading): HttpRemuxConfig {
  const place = vhost.find(VHOST_ROOT.http_remux);
  const remux = vhost.enter(VHOST_ROOT.http_remux);
  const mount = remux.get(REMUX.mount);
  const enabled = remux.get(REMUX.enabled, place === null && privateHttp);
  const usable = /\[app\].*\[stream\]\.(?:flv|ts|aac|mp3)$/.test(mount);
  const where = remux.find(REMUX.mount) ?? place;
  if (enabled && !usable && where) {
    report.warn(
      where,
      `mount ${mount} is not offered, so http_remux is off here: use one with [app] and then ` +
        "[stream] in it and .flv, .ts, .aac or .mp3 at the end, such as [vhost]/[app]/[stream].flv",
    );
  }
  return {
    enabled: enabled && usable,
    mount,
    guessHasAv: remux.get(REMUX.guess_has_av),
    hasAudio: remux.get(REMUX.has_audio),
    hasVideo: remux.get(REMUX.has_video),
    dropIfNotMatch: remux.get(REMUX.drop_if_not_match),
  };
}
