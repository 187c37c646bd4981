/**
 * The directive table, part 3: `vhost NAME { }`.
 * @module
 */
import { BANDCHECK, DASH, DVR, EXEC, HDS, INGEST, RTC, RTSP, SRT, TRANSCODE } from "./media.ts";
import { accessRuleKind, secretListKind, urlListKind } from "./access_kinds.ts";
import { block, choice, decimal, flag, integer, type Leaf, leaf, text, texts } from "./spec.ts";
import { LARGEST } from "./kinds.ts";
import type { AccessRule, EdgeProtocol, Takeover, TimeJitter } from "../types.ts";
import { destinationsKind, originsKind } from "./upstreams.ts";
import { HLS } from "./hls.ts";

const notOffered = { status: "not offered" } as const;
const live = { env: true, reload: "live" } as const;
const applied = { env: true, reload: "applied" } as const;
const liveNoEnv = { reload: "live" } as const;

/** Longest time that fits into a timer's delay, seconds. */
const LARGEST_SECONDS = Math.floor(LARGEST / 1000);

function secrets(about: string): Leaf<readonly string[]> {
  return leaf<readonly string[]>(secretListKind, [], about, {
    ...live,
    guards: true,
    secret: true,
  });
}

function rules(about: string): Leaf<AccessRule | null> {
  return leaf<AccessRule | null>(accessRuleKind, null, about, {
    ...liveNoEnv,
    guards: true,
    repeats: true,
  });
}

function urls(about: string): Leaf<readonly string[]> {
  return leaf<readonly string[]>(urlListKind, [], about, { ...live, guards: true });
}

/** Bounds of both `chunk_size` directives (SRS's). */
export const CHUNK_SIZE = { unit: "bytes", min: 128, max: 65_536, reload: "live" } as const;

/** `vhost { play { } }` */
export const PLAY = {
  gop_cache: flag("on", "Keep the last group of pictures for players that join.", applied),
  gop_cache_max_frames: integer(2500, "Largest group that is kept; 0 = no limit.", {
    ...applied,
    unit: "frames",
  }),
  queue_length: integer(30, "How much stream a player may lag before it is moved on.", {
    ...applied,
    unit: "s",
    min: 1,
    max: LARGEST_SECONDS,
  }),
  time_jitter: choice<TimeJitter>(
    { full: "full", zero: "zero", off: "off" },
    { default: "full", otherwise: "off" },
    "How timestamps are corrected.",
    live,
  ),
  mix_correct: flag("off", "Interleave audio and video by timestamp.", live),
  atc: flag("off", "Pass the publisher's timestamps on as they are.", live),
  atc_auto: flag("off", "Do so when the metadata has bravo_atc.", live),
  mw_latency: integer(350, "Ceiling on the delay that gathering messages may add.", {
    ...applied,
    unit: "ms",
  }),
  // 0 instead of 8 when min_latency is on.
  mw_msgs: integer(
    8,
    "Messages to gather before they are sent; 0 by default with min_latency on.",
    {
      ...applied,
      unit: "messages",
      max: 128,
    },
  ),
  send_min_interval: decimal(0, "Least time between two messages to one player.", {
    ...applied,
    unit: "ms",
  }),
  reduce_sequence_header: flag("off", "Do not repeat sequence headers that players have.", applied),
  pass_data: flag(
    "on",
    "Pass data messages on: texts, captions, cue points (ad marks), clock times. Not in SRS.",
    applied,
  ),
  secret: secrets("Play URLs must be signed with one of these. Not in SRS."),
};

/** `vhost { publish { } }` */
export const PUBLISH = {
  mr: flag("off", "Gather a publisher's bytes before they are read.", applied),
  mr_latency: integer(350, "How long they are gathered.", { ...applied, unit: "ms" }),
  firstpkt_timeout: integer(20_000, "How long the first message may take.", {
    ...applied,
    unit: "ms",
    min: 1,
    below: "refuse",
  }),
  normal_timeout: integer(5000, "Silence after which a publisher is closed.", {
    ...applied,
    unit: "ms",
    min: 1,
    below: "refuse",
  }),
  kickoff_for_idle: decimal(
    0,
    "Close a publisher that no client has watched for so long; 0 = never.",
    {
      ...applied,
      unit: "s",
      max: LARGEST_SECONDS,
    },
  ),
  takeover: choice<Takeover>(
    { deny: "deny", replace: "replace", if_stalled: "if_stalled" },
    { default: "if_stalled", otherwise: "if_stalled" },
    "What a second publisher of a stream gets: deny refuses it, replace closes the first one, if_stalled does so only if the first has sent nothing for 2 s. Not in SRS.",
    applied,
  ),
  parse_sps: flag("on", "Read picture sizes from the stream for the statistics.", applied),
  try_annexb_first: flag("on", "How units of video are told apart when the format is unknown.", {
    ...live,
    ...notOffered,
  }),
  secret: secrets("Publish URLs must be signed with one of these. Not in SRS."),
};

/** `vhost { cluster { } }` */
export const CLUSTER = {
  mode: text("local", "`remote` makes this server an edge.", liveNoEnv),
  origin: leaf(originsKind, [], "Servers that an edge takes streams from.", liveNoEnv),
  protocol: choice<EdgeProtocol>(
    { rtmp: "rtmp", flv: "flv", flvs: "flvs" },
    { default: "rtmp", otherwise: "rtmp" },
    "How an edge pulls.",
    liveNoEnv,
  ),
  follow_client: flag("off", "Pull by the protocol of the first viewer.", liveNoEnv),
  token_traverse: flag("off", "Ask the origin before a client is served.", liveNoEnv),
  vhost: text("[vhost]", "The vhost that the origin is asked for.", liveNoEnv),
  debug_srs_upnode: flag("on", "Tell the origin who asks.", liveNoEnv),
  origin_cluster: flag("off", "Redirect players to the server that has the stream.", {
    ...liveNoEnv,
    ...notOffered,
  }),
  coworkers: texts("APIs of the other servers.", { ...liveNoEnv, ...notOffered }),
};

/** The block around {@link CLUSTER}. */
export const CLUSTER_BLOCK = block(CLUSTER, "Origin and edge.");

/** `vhost { forward { } }` */
export const FORWARD = {
  enabled: flag("off", "Copy streams to other servers.", liveNoEnv),
  destination: leaf(destinationsKind, [], "Servers, or streams of servers, to copy to.", liveNoEnv),
  backend: text("", "URL that names the servers; wins over destination.", liveNoEnv),
};

/** The block around {@link FORWARD}. */
export const FORWARD_BLOCK = block(FORWARD, "Copies of streams to other servers.");

/** `vhost { refer { } }` */
export const REFER = {
  enabled: flag("off", "Check the page that a client comes from.", liveNoEnv),
  all: texts("Sites that may do both.", liveNoEnv),
  publish: texts("Sites that may publish.", liveNoEnv),
  play: texts("Sites that may play.", liveNoEnv),
};

/** `vhost { security { } }` */
export const SECURITY = {
  enabled: flag("off", "Check addresses of clients.", liveNoEnv),
  allow: rules("Who may: publish or play, and an address, network or `all`."),
  deny: rules("Who may not, whatever is allowed."),
};

/** `vhost { http_remux { } }` */
export const REMUX = {
  // It is on when the file says nothing about HTTP: only this machine can reach it then.
  enabled: flag("off", "Serve streams over HTTP and WebSocket.", live),
  mount: text(
    "[vhost]/[app]/[stream].flv",
    "Path template; it ends in the container: .flv, .ts, .aac or .mp3.",
    live,
  ),
  fast_cache: decimal(0, "Backlog of mp3 and aac streams; gop_cache does that here.", {
    env: true,
    unit: "s",
    ...notOffered,
    reload: "none",
  }),
  drop_if_not_match: flag("on", "Leave out what has_audio or has_video does not announce.", live),
  has_audio: flag("on", "Announce audio, with guess_has_av off.", live),
  has_video: flag("on", "Announce video, with guess_has_av off.", live),
  guess_has_av: flag("on", "Announce what the stream really has.", live),
};

const HTTP_REMUX = block(REMUX, "HTTP-FLV, WebSocket-FLV, HTTP-TS, and audio alone.");

const HTTP_STATIC = block(
  {
    enabled: flag("off", "Serve files.", { env: true }),
    mount: text("[vhost]/", "Path of the files.", { env: true }),
    dir: text("./objs/nginx/html", "Directory of the files.", { env: true }),
  },
  "Files of this vhost.",
  notOffered,
);

/** `vhost { http_hooks { } }` */
export const HTTP_HOOKS = {
  enabled: flag("off", "Call URLs on events.", live),
  on_connect: urls("URLs asked whether a client may connect, once it has said what it wants."),
  on_close: urls("URLs told when it has gone."),
  on_publish: urls("URLs asked whether a stream may start."),
  on_unpublish: urls("URLs told when it has ended."),
  on_play: urls("URLs asked whether a player may start."),
  on_stop: urls("URLs told when it has stopped."),
  on_dvr: texts("URLs called when a recording is complete.", { ...live, ...notOffered }),
  on_hls: texts("URLs called for every HLS segment.", { ...live, ...notOffered }),
  on_hls_notify: texts("URLs fetched for every HLS segment.", { ...live, ...notOffered }),
};

/** Directives of a vhost. */
export const VHOST_ROOT = {
  enabled: flag("on", "Serve this vhost.", liveNoEnv),
  min_latency: flag("off", "Realtime mode: messages are not gathered.", applied),
  tcp_nodelay: flag("off", "Send small packets at once.", applied),
  chunk_size: integer(60_000, "Outgoing RTMP chunk size; the root's when not given.", {
    ...CHUNK_SIZE,
    env: true,
  }),
  in_ack_size: integer(
    0,
    "Acknowledge after so much when the peer asked for nothing; 0 = do not.",
    {
      ...live,
      unit: "bytes",
    },
  ),
  out_ack_size: integer(2_500_000, "Window that is announced to clients; 0 = none.", {
    ...live,
    unit: "bytes",
  }),
  play: block(PLAY, "How players are served."),
  publish: block(PUBLISH, "How publishers are served."),
  cluster: CLUSTER_BLOCK,
  forward: FORWARD_BLOCK,
  refer: block(REFER, "Allowed pages."),
  security: block(SECURITY, "Allowed addresses."),
  http_remux: HTTP_REMUX,
  http_static: HTTP_STATIC,
  http_hooks: block(HTTP_HOOKS, "Callbacks."),
  bandcheck: BANDCHECK,
  hls: HLS,
  dash: DASH,
  hds: HDS,
  dvr: DVR,
  exec: EXEC,
  ingest: INGEST,
  transcode: TRANSCODE,
  rtc: RTC,
  rtsp: RTSP,
  srt: SRT,
};

/** The block around {@link VHOST_ROOT}. */
export const VHOST = block(VHOST_ROOT, "Settings for one virtual host.", {
  named: true,
  repeats: true,
});
