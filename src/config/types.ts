/**
 * The typed configuration, which the rest of the server reads. Durations are in milliseconds, sizes in
 * bytes. `load.ts` builds it from the tree that `parser.ts` makes from an SRS file.
 * @module
 */

import type { Network } from "./network.ts";
import { DEFAULT_VHOST, vhostKey } from "./vhost_name.ts";

export { DEFAULT_VHOST, isSameVhost, vhostKey } from "./vhost_name.ts";

/** One address to listen on. `host` is a numeric IPv4 or IPv6 address without brackets. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Log levels in SRS's v2 words. SRS reads an unknown word as "off". */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "off";

/** The target and level of the log. */
export interface LogConfig {
  /**
   * `console`, unless the file has `srs_log_tank file`, or has `srs_log_file` without `srs_log_tank`.
   */
  readonly tank: "console" | "file";
  readonly level: LogLevel;
  /** Path of the log file. It is used when `tank` is `file`. */
  readonly file: string;
  /** Whether times are in UTC instead of local time. */
  readonly utc: boolean;
}

/** HTTPS beside an HTTP endpoint. */
export interface HttpsConfig {
  readonly listen: ListenAddress;
  /** Path of the private key, PEM. */
  readonly key: string;
  /** Path of the certificate and its chain, PEM. */
  readonly cert: string;
}

/** Name and password of the API. */
export interface AuthConfig {
  readonly username: string;
  readonly password: string;
}

/** The HTTP endpoint for statistics. */
export interface HttpApiConfig {
  /** Address of the API; 127.0.0.1:1985 when the file has no `http_api` block. Null: switched off. */
  readonly listen: ListenAddress | null;
  /**
   * Whether the file configures the API. If not, the server runs without it when the port is in use.
   */
  readonly asked: boolean;
  /** Null: no HTTPS. */
  readonly https: HttpsConfig | null;
  /** Null: the API is open to every client that can reach it. */
  readonly auth: AuthConfig | null;
  /** Whether GET answers accept `callback=`. Not in SRS. Never with a password. */
  readonly jsonp: boolean;
  /** Whether other machines may command without a password. Not in SRS, which always lets them. */
  readonly remoteCommands: boolean;
  readonly rawApi: RawApiConfig;
}

/** `http_api { raw_api { } }`: SRS's old form of commands. */
export interface RawApiConfig {
  readonly enabled: boolean;
  readonly allowReload: boolean;
}

/** Settings of a drain (SIGQUIT, `POST /api/v1/drain`). */
export interface GraceConfig {
  /** ms before the RTMP ports are closed, so that load balancers notice first. */
  readonly startWaitMs: number;
  /** ms after which remaining clients are closed; 0 = never. */
  readonly maxWaitMs: number;
  /** ms from the end of the last client to the end of the server. */
  readonly finalWaitMs: number;
  /** Whether SIGTERM drains too. */
  readonly onTerm: boolean;
}

/** The header about a client's address that is believed; null: all of them, if they agree. */
export type AddressHeader = "x-forwarded-for" | "x-real-ip" | "forwarded" | null;

/** The HTTP endpoint for files and streams. */
export interface HttpServerConfig {
  /** Null: switched off. It may be the address of the API; one port then serves both. */
  readonly listen: ListenAddress | null;
  /** Null: no HTTPS. */
  readonly https: HttpsConfig | null;
  /** Directory of the files. */
  readonly dir: string;
  /** Whether pages of every site may read what is for players (SRS). */
  readonly crossdomain: boolean;
  /** Origins whose pages may read answers with credentials. Not in SRS. */
  readonly trustedOrigins: readonly string[];
  /** Proxies whose headers about a client's address are used. Not in SRS. */
  readonly trustedProxies: readonly Network[];
  /** The header that they set. Not in SRS. */
  readonly clientAddressHeader: AddressHeader;
}

/** Metrics for Prometheus. */
export interface ExporterConfig {
  /** Address of the metrics, which may be that of another endpoint. Null: no metrics at any address. */
  readonly listen: ListenAddress | null;
  /** Labels of `srs_build_info`. An empty one is left out. */
  readonly label: string;
  readonly tag: string;
}

/** What a client does with a stream. */
export type Action = "publish" | "play";

/** One `allow` or `deny` of `vhost { security { } }`. */
export interface AccessRule {
  readonly action: Action;
  /** Null: every address. */
  readonly network: Network | null;
  /** As in the file. */
  readonly text: string;
}

/** `vhost { security { } }`: which addresses may publish and play. */
export interface SecurityConfig {
  readonly enabled: boolean;
  readonly allow: readonly AccessRule[];
  readonly deny: readonly AccessRule[];
}

/** `vhost { refer { } }`: sites whose pages players and publishers may come from. */
export interface ReferConfig {
  readonly enabled: boolean;
  /** Empty: all sites. The same for the two lists below. */
  readonly all: readonly string[];
  readonly publish: readonly string[];
  readonly play: readonly string[];
}

/** The events that a hook server is asked about or notified of. */
export const HOOK_ACTIONS = [
  "on_connect",
  "on_close",
  "on_publish",
  "on_unpublish",
  "on_play",
  "on_stop",
] as const;
/** One hook event. */
export type HookAction = typeof HOOK_ACTIONS[number];

/** `vhost { http_hooks { } }`: the URLs of each event. All lists are empty when hooks are off. */
export type HooksConfig = Readonly<Record<HookAction, readonly string[]>>;

/** How timestamps of a stream are corrected (`time_jitter`). */
export type TimeJitter = "full" | "zero" | "off";

/** `vhost { play { } }`. */
export interface PlayConfig {
  readonly gopCache: boolean;
  /** Frames; 0 = no limit. */
  readonly gopCacheMaxFrames: number;
  /** ms of media that a player may lag before the server skips it forward. */
  readonly queueLengthMs: number;
  readonly timeJitter: TimeJitter;
  readonly mixCorrect: boolean;
  readonly atc: boolean;
  readonly atcAuto: boolean;
  /** Longest delay that gathering messages may add, ms. */
  readonly mwLatencyMs: number;
  /** Messages to gather before a flush; 0 = none. */
  readonly mwMsgs: number;
  /** ms between two messages to one player, may be fractional; 0 = no pacing. */
  readonly sendMinIntervalMs: number;
  readonly reduceSequenceHeader: boolean;
  /** Whether data messages besides `onMetaData` go to players, forwards and edges. Not in SRS. */
  readonly passData: boolean;
  /** With one of these a player's URL must be signed; none: it need not (ours, not SRS's). */
  readonly secrets: readonly string[];
}

/** What happens when a second publisher of a stream comes. Not in SRS. */
export type Takeover = "deny" | "replace" | "if_stalled";

/** `vhost { publish { } }`. */
export interface PublishConfig {
  readonly mr: boolean;
  /** ms that a publisher's bytes are gathered for when `mr` is on. */
  readonly mrLatencyMs: number;
  /** ms within which the first message must arrive. */
  readonly firstPacketTimeoutMs: number;
  /** ms of silence after which a publisher is closed. */
  readonly normalTimeoutMs: number;
  /** ms without a player after which a publisher is closed; 0 = never. */
  readonly kickoffForIdleMs: number;
  readonly takeover: Takeover;
  /** Whether picture sizes are read from the SPS for the statistics. */
  readonly parseSps: boolean;
  /** With one of these a publisher's URL must be signed; none: it need not (ours, not SRS's). */
  readonly secrets: readonly string[];
}

/** `vhost { http_remux { } }`: streams over HTTP and WebSocket. */
export interface HttpRemuxConfig {
  readonly enabled: boolean;
  /**
   * Path template such as `[vhost]/[app]/[stream].flv`. It contains `[app]` and `[stream]`, and its ending
   * is that of a container: .flv, .ts, .aac or .mp3.
   */
  readonly mount: string;
  /** Whether the FLV header announces the real contents. Otherwise `hasAudio` and `hasVideo` decide. */
  readonly guessHasAv: boolean;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  /** Whether tracks that the two flags deny are left out. */
  readonly dropIfNotMatch: boolean;
}

/** `vhost { hls { } }`: times in seconds. */
export interface HlsConfig {
  readonly enabled: boolean;
  /** Shortest segment. */
  readonly fragment: number;
  /** Shortest part. */
  readonly part: number;
  /** Segments that the playlist has, all in all. */
  readonly window: number;
  /** Each viewer is a client. */
  readonly sessions: boolean;
}

/** How an edge pulls: `flv` and `flvs` are HTTP-FLV, without and with TLS. */
export type EdgeProtocol = "rtmp" | "flv" | "flvs";

/** Another server. `port` null: the default port of the protocol. */
export interface OriginAddress {
  readonly host: string;
  readonly port: number | null;
}

/** `vhost { cluster { mode remote; } }`. */
export interface EdgeConfig {
  /** At least one. */
  readonly origins: readonly OriginAddress[];
  readonly protocol: EdgeProtocol;
  /** Whether the first player decides: an HTTP player pulls by HTTP-FLV, any other by `protocol`. */
  readonly followClient: boolean;
  /** Whether the origin is asked with the client's own `connect` before the client is served. */
  readonly tokenTraverse: boolean;
  /**
   * What happens when a second client publishes the same stream through this edge; see `PublishConfig`.
   */
  readonly takeover: Takeover;
  /** The vhost to ask the origin for. Each `[vhost]` in it stands for the client's vhost. */
  readonly vhost: string;
  /** Whether `connect` to the origin identifies this server (SRS's `srs_*` fields). */
  readonly debugUpnode: boolean;
}

/** `vhost { forward { enabled on; } }`. */
export interface ForwardConfig {
  /** Each `host[:port]`, or `rtmp://host[:port]/app/key` with a secret in it. */
  readonly destinations: readonly string[];
  /** URL that is asked for destinations, which replace those above. Null: none. */
  readonly backend: string | null;
}

/** One vhost with every default filled in. */
export interface VhostConfig {
  /** Name as in the file. `__defaultVhost__` serves every unknown name. */
  readonly name: string;
  readonly enabled: boolean;
  readonly tcpNodelay: boolean;
  readonly minLatency: boolean;
  /** Outgoing chunk size, 128..65536 bytes. */
  readonly chunkSize: number;
  /** Bytes after which a peer without a window is acknowledged; 0 = never. */
  readonly inAckSize: number;
  /** Window announced to a peer; 0 = not announced. */
  readonly outAckSize: number;
  readonly play: PlayConfig;
  readonly publish: PublishConfig;
  /** Null: the vhost is an origin. */
  readonly edge: EdgeConfig | null;
  /** Null: streams are not forwarded. */
  readonly forward: ForwardConfig | null;
  readonly httpRemux: HttpRemuxConfig;
  readonly hls: HlsConfig;
  readonly security: SecurityConfig;
  readonly refer: ReferConfig;
  readonly hooks: HooksConfig;
}

/** The whole configuration. */
export interface Config {
  /** Path of the main file as given, or null in environment-only mode. */
  readonly file: string | null;
  readonly listen: readonly ListenAddress[];
  /** Threads that serve RTMP. `auto`: one for each core. */
  readonly workers: number | "auto";
  /** Limit of RTMP connections and HTTP players together. */
  readonly maxConnections: number;
  /** The same limit for one address; 0 = none. */
  readonly maxConnectionsPerIp: number;
  /** Limit of new connections per second from one address; 0 = none. */
  readonly connectRatePerIp: number;
  /** Whether the file has `daemon on`. The server stays in the foreground and logs that. */
  readonly daemonRequested: boolean;
  /** Path of the pid file. Null when the file names none. */
  readonly pid: string | null;
  /** Directory to change to before files are opened. Null: none. */
  readonly workDir: string | null;
  readonly log: LogConfig;
  readonly grace: GraceConfig;
  readonly httpApi: HttpApiConfig;
  readonly httpServer: HttpServerConfig;
  readonly exporter: ExporterConfig;
  /** ms between two summary lines of one connection. */
  readonly pithyPrintMs: number;
  /** In the order of the file; the first of a name wins. */
  readonly vhosts: readonly VhostConfig[];
}

/**
 * The vhost block for a name, whatever its case and with or without a final dot; else `__defaultVhost__`,
 * else null. SRS then refuses the connection.
 */
export function findVhost(config: Config, name: string): VhostConfig | null {
  const key = vhostKey(name);
  return config.vhosts.find((v) => vhostKey(v.name) === key) ??
    config.vhosts.find((v) => v.name === DEFAULT_VHOST) ?? null;
}
