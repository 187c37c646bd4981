/**
 * The typed configuration: what the rest of the server reads. Durations are milliseconds, sizes are
 * bytes. Built by `load.ts` from the tree that `parser.ts` makes of an SRS file.
 * @module
 */

import type { Network } from "./network.ts";

/** One address to listen on. `host` is a numeric IPv4 or IPv6 address without brackets. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Log levels in SRS's v2 words; "off" is what SRS makes of a word that it does not know. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "off";

/** Where log lines go, and which. */
export interface LogConfig {
  /** `console` unless the file says `srs_log_tank file`, or names a `srs_log_file` without a tank. */
  readonly tank: "console" | "file";
  readonly level: LogLevel;
  /** Path of the log file; used when `tank` is `file`. */
  readonly file: string;
  /** Times in UTC instead of local time. */
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

/** Name and password that the API asks for. */
export interface AuthConfig {
  readonly username: string;
  readonly password: string;
}

/** The HTTP endpoint for statistics. */
export interface HttpApiConfig {
  /** Where the API listens; 127.0.0.1:1985 when the file has no `http_api` block. Null: switched off. */
  readonly listen: ListenAddress | null;
  /** Whether the user has said anything about it. If not, the server does without when it must. */
  readonly asked: boolean;
  /** Null: no HTTPS. */
  readonly https: HttpsConfig | null;
  /** Null: the API is open to all who can reach it. */
  readonly auth: AuthConfig | null;
  /** Whether GET answers take `callback=` (ours, not SRS's). Never with a password. */
  readonly jsonp: boolean;
  readonly rawApi: RawApiConfig;
}

/** `http_api { raw_api { } }`: commands in SRS's old form. */
export interface RawApiConfig {
  readonly enabled: boolean;
  readonly allowReload: boolean;
}

/** How a drain goes on (SIGQUIT, `POST /api/v1/drain`). */
export interface GraceConfig {
  /** ms before the RTMP ports are closed: load balancers hear of it first. */
  readonly startWaitMs: number;
  /** ms after which those who are still there are closed; 0 = never. */
  readonly maxWaitMs: number;
  /** ms from the last client's end to the server's. */
  readonly finalWaitMs: number;
  /** SIGTERM drains too. */
  readonly onTerm: boolean;
}

/** The HTTP endpoint for files and streams. */
export interface HttpServerConfig {
  /** Null: switched off. It may be the API's address: one port serves both then. */
  readonly listen: ListenAddress | null;
  /** Null: no HTTPS. */
  readonly https: HttpsConfig | null;
  /** Directory of the files. */
  readonly dir: string;
  /** Whether pages of other sites may read answers, those of the API included (SRS). */
  readonly crossdomain: boolean;
  /** Origins whose pages may read answers with credentials (ours, not SRS's). */
  readonly trustedOrigins: readonly string[];
  /** Whose word about a client's address is believed (ours, not SRS's). */
  readonly trustedProxies: readonly Network[];
}

/** Metrics for Prometheus. */
export interface ExporterConfig {
  /** Their own endpoint, which may be one of the others. Null: no metrics, on the API's neither. */
  readonly listen: ListenAddress | null;
  /** Labels of `srs_build_info`; empty: left out. */
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

/** `vhost { refer { } }`: from which sites' pages players and publishers may come. */
export interface ReferConfig {
  readonly enabled: boolean;
  /** Empty: all sites, here and in what follows. */
  readonly all: readonly string[];
  readonly publish: readonly string[];
  readonly play: readonly string[];
}

/** The events that a hook server is told of, or asked about. */
export const HOOK_ACTIONS = [
  "on_connect",
  "on_close",
  "on_publish",
  "on_unpublish",
  "on_play",
  "on_stop",
] as const;
/** One of them. */
export type HookAction = typeof HOOK_ACTIONS[number];

/** `vhost { http_hooks { } }`: the URLs of each event; all empty when it is not enabled. */
export type HooksConfig = Readonly<Record<HookAction, readonly string[]>>;

/** How timestamps of a stream are corrected (`time_jitter`). */
export type TimeJitter = "full" | "zero" | "off";

/** `vhost { play { } }`. */
export interface PlayConfig {
  readonly gopCache: boolean;
  /** Frames; 0 = no limit. */
  readonly gopCacheMaxFrames: number;
  /** ms of stream that a player may lag before it is moved on. */
  readonly queueLengthMs: number;
  readonly timeJitter: TimeJitter;
  readonly mixCorrect: boolean;
  readonly atc: boolean;
  readonly atcAuto: boolean;
  /** ms; a ceiling on what gathering messages may add to the delay. */
  readonly mwLatencyMs: number;
  /** Messages to gather before a flush; 0 = none. */
  readonly mwMsgs: number;
  /** ms between two messages to one player; 0 = no pacing. May be fractional. */
  readonly sendMinIntervalMs: number;
  readonly reduceSequenceHeader: boolean;
  /** Data messages other than `onMetaData` go to players, forwards and edges (ours, not SRS's). */
  readonly passData: boolean;
  /** With one of these a player's URL must be signed; none: it need not (ours, not SRS's). */
  readonly secrets: readonly string[];
}

/** What a second publisher of a stream gets (ours, not SRS's). */
export type Takeover = "deny" | "replace" | "if_stalled";

/** `vhost { publish { } }`. */
export interface PublishConfig {
  readonly mr: boolean;
  /** ms that a publisher's bytes are gathered for when `mr` is on. */
  readonly mrLatencyMs: number;
  /** ms until the first message must have come. */
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

/** `vhost { http_remux { } }`: FLV over HTTP and WebSocket. */
export interface HttpRemuxConfig {
  readonly enabled: boolean;
  /** Path template, `[vhost]/[app]/[stream].flv` or the like; has an `[app]` and a `[stream]`. */
  readonly mount: string;
  /** The FLV header tells what is in the stream; otherwise `hasAudio` and `hasVideo`. */
  readonly guessHasAv: boolean;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  /** What those two deny is left out. */
  readonly dropIfNotMatch: boolean;
}

/** How an edge pulls: `flv` and `flvs` are HTTP-FLV, without and with TLS. */
export type EdgeProtocol = "rtmp" | "flv" | "flvs";

/** Another server. `port` null: the usual one of the protocol. */
export interface OriginAddress {
  readonly host: string;
  readonly port: number | null;
}

/** `vhost { cluster { mode remote; } }`. */
export interface EdgeConfig {
  /** At least one. */
  readonly origins: readonly OriginAddress[];
  readonly protocol: EdgeProtocol;
  /** The viewer who starts a pull decides: HTTP-FLV for one by HTTP, else `protocol`. */
  readonly followClient: boolean;
  /** Asks the origin with the client's own `connect` before it is served. */
  readonly tokenTraverse: boolean;
  /** What becomes of a client that publishes through this edge when another one does: see `PublishConfig`. */
  readonly takeover: Takeover;
  /** The vhost to ask for; each `[vhost]` in it stands for the client's. */
  readonly vhost: string;
  /** Whether the origin is told who asks (SRS's `srs_*` fields). */
  readonly debugUpnode: boolean;
}

/** `vhost { forward { enabled on; } }`. */
export interface ForwardConfig {
  /** Each `host[:port]`, or `rtmp://host[:port]/app/key` with a secret in it. */
  readonly destinations: readonly string[];
  /** Asked for destinations, which then take the place of those; null: is not. */
  readonly backend: string | null;
}

/** One vhost with every default filled in. */
export interface VhostConfig {
  /** Name as in the file; `__defaultVhost__` for the one that serves every unknown name. */
  readonly name: string;
  readonly enabled: boolean;
  readonly tcpNodelay: boolean;
  readonly minLatency: boolean;
  /** Outgoing chunk size, 128..65536 bytes. */
  readonly chunkSize: number;
  /** Bytes after which we acknowledge a peer that announced no window; 0 = only if it asks. */
  readonly inAckSize: number;
  /** Window announced to a peer; 0 = not announced. */
  readonly outAckSize: number;
  readonly play: PlayConfig;
  readonly publish: PublishConfig;
  /** Null: streams are published here. */
  readonly edge: EdgeConfig | null;
  /** Null: streams are not copied to other servers. */
  readonly forward: ForwardConfig | null;
  readonly httpRemux: HttpRemuxConfig;
  readonly security: SecurityConfig;
  readonly refer: ReferConfig;
  readonly hooks: HooksConfig;
}

/** The whole configuration. */
export interface Config {
  /** Path of the main file as given, or null in environment-only mode. */
  readonly file: string | null;
  readonly listen: readonly ListenAddress[];
  /** Threads that serve RTMP; `auto`: one for each core. */
  readonly workers: number | "auto";
  /** Limit over RTMP connections and HTTP players. */
  readonly maxConnections: number;
  /** The same for one address; 0 = none. */
  readonly maxConnectionsPerIp: number;
  /** New ones a second from one address; 0 = any number. */
  readonly connectRatePerIp: number;
  /** Whether the file asks for a daemon (explicitly); this server stays in the foreground and says so. */
  readonly daemonRequested: boolean;
  /** Path of the pid file, or null when the file names none. */
  readonly pid: string | null;
  /** Directory to change to before files are opened, or null. */
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

/** Name of the vhost that serves every name that has no block of its own. */
export const DEFAULT_VHOST = "__defaultVhost__";

/**
 * The vhost block for a name: the first whose name equals it, else `__defaultVhost__`, else null (SRS
 * refuses the connection then).
 */
export function findVhost(config: Config, name: string): VhostConfig | null {
  return config.vhosts.find((v) => v.name === name) ??
    config.vhosts.find((v) => v.name === DEFAULT_VHOST) ?? null;
}
