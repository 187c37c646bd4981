/**
 * The directive table, part 1: the root of the file.
 * @module
 */
import { EXPORTER, HEARTBEAT, HTTP_API, HTTP_SERVER, STATS } from "./http.ts";
import {
  BREAKER,
  RTC_SERVER,
  RTMPS,
  RTSP_SERVER,
  SRT_SERVER,
  STREAM_CASTER,
  TENCENT_APM,
  TENCENT_CLS,
  THREADS,
} from "./media.ts";
import { workersKind } from "./kinds.ts";
import { block, choice, decimal, flag, integer, leaf, listenList, text } from "./spec.ts";
import type { LogLevel } from "../types.ts";
import { CHUNK_SIZE, VHOST } from "./vhost.ts";

const notOffered = { status: "not offered" } as const;
const relic = { status: "relic", reload: "none" } as const;

const LOG_LEVELS_V1: Record<string, LogLevel> = {
  verbose: "trace",
  info: "debug",
  trace: "info",
  warn: "warn",
  error: "error",
  off: "off",
};

const LOG_LEVELS_V2: Record<string, LogLevel> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warn: "warn",
  error: "error",
  off: "off",
};

/** `rtmp { }`, since SRS 7.0.64. `rewrite.ts` copies its contents to the root, where they are read. */
const RTMP = block(
  {
    listen: listenList("The same as listen outside; it counts if both are given.", {
      reload: "applied",
    }),
    chunk_size: integer(60_000, "The same as chunk_size outside; it counts if both are given.", {
      ...CHUNK_SIZE,
    }),
  },
  "The RTMP port, as SRS writes it since 7.0.64.",
);

/** Directives outside of every block. */
export const ROOT = {
  listen: listenList("Addresses of the RTMP port; a bare port means all addresses.", {
    env: ["SRS_LISTEN", "SRS_RTMP_LISTEN"],
    reload: "applied",
  }),
  workers: leaf<number | "auto">(
    workersKind,
    1,
    "Threads that serve RTMP, each on a core of its own; auto: as many as cores. Not in SRS.",
    { reload: "restart" },
  ),
  max_connections: integer(1000, "Limit over the RTMP connections.", {
    env: true,
    reload: "applied",
    unit: "connections",
    min: 1,
    below: "refuse",
  }),
  max_connections_per_ip: integer(0, "Limit for one address, 0 = none. Not in SRS.", {
    reload: "applied",
    unit: "connections",
    min: 0,
  }),
  connect_rate_per_ip: integer(
    0,
    "New connections a second from one address, 0 = any. Not in SRS.",
    {
      reload: "applied",
      unit: "connections",
      min: 0,
    },
  ),
  chunk_size: integer(60_000, "Outgoing RTMP chunk size of vhosts that name none.", {
    ...CHUNK_SIZE,
    env: ["SRS_VHOST_CHUNK_SIZE", "SRS_RTMP_CHUNK_SIZE"],
  }),
  pithy_print_ms: integer(10_000, "Time between two summary lines of a connection.", {
    env: true,
    reload: "applied",
    unit: "ms",
    min: 100, // A shorter interval would fill the log with these lines.
  }),

  // SRS's default is on. Service managers, containers and terminals need the foreground.
  daemon: flag("on", "Nothing but a line in the log: this server stays in the foreground.", {
    env: true,
    default: false,
  }),
  // SRS's default is ./objs/srs.pid.
  pid: text(
    "",
    "File for the process id; none is written when not given, and nothing but a pid file is written over.",
    { env: true },
  ),
  work_dir: text("", "Directory to change to before files are opened.", { env: true }),
  asprocess: flag("off", "Exit when the parent process is gone.", { ...notOffered, env: true }),
  utc_time: flag("off", "Log times in UTC.", { env: true, reload: "applied" }),
  server_id: text("", "Identity of this server in the API and in callbacks.", {
    ...notOffered,
    env: true,
  }),

  // SRS's default is file.
  srs_log_tank: choice<"console" | "file">(
    { console: "console", file: "file" },
    { default: "console", otherwise: "console" },
    "Where log lines go.",
    { env: ["SRS_LOG_TANK", "SRS_SRS_LOG_TANK"], reload: "applied" },
  ),
  srs_log_level: choice<LogLevel>(
    LOG_LEVELS_V1,
    { default: "info", otherwise: "off" },
    "Least level that is logged, in SRS's old words.",
    { env: ["SRS_LOG_LEVEL", "SRS_SRS_LOG_LEVEL"], reload: "applied" },
  ),
  srs_log_level_v2: choice<LogLevel>(
    LOG_LEVELS_V2,
    { default: "info", otherwise: "off" },
    "The same in common words; wins over srs_log_level.",
    { env: ["SRS_LOG_LEVEL_V2", "SRS_SRS_LOG_LEVEL_V2"], reload: "applied" },
  ),
  srs_log_file: text("./objs/srs.log", "The log file.", {
    env: ["SRS_LOG_FILE", "SRS_SRS_LOG_FILE"],
    reload: "applied",
  }),
  ff_log_dir: text("./objs", "Where logs of spawned ffmpeg processes go.", {
    ...notOffered,
    env: true,
  }),
  ff_log_level: text("info", "Log level of spawned ffmpeg processes.", {
    ...notOffered,
    env: true,
  }),

  grace_start_wait: integer(2300, "On SIGQUIT: wait before the RTMP ports are closed.", {
    env: true,
    reload: "applied",
    unit: "ms",
  }),
  grace_max_wait: integer(
    300_000,
    "On SIGQUIT: clients may stay for so long, 0 = as long as they like. Not in SRS.",
    { reload: "applied", unit: "ms" },
  ),
  grace_final_wait: integer(3200, "On SIGQUIT: wait after the last client has gone.", {
    env: true,
    reload: "applied",
    unit: "ms",
  }),
  force_grace_quit: flag("off", "SIGTERM behaves as SIGQUIT.", { env: true, reload: "applied" }),

  rtmp: RTMP,
  http_api: HTTP_API,
  http_server: HTTP_SERVER,
  stats: STATS,
  exporter: EXPORTER,
  heartbeat: HEARTBEAT,
  vhost: VHOST,
  stream_caster: STREAM_CASTER,
  rtc_server: RTC_SERVER,
  rtmps: RTMPS,
  rtsp_server: RTSP_SERVER,
  srt_server: SRT_SERVER,
  tencentcloud_cls: TENCENT_CLS,
  tencentcloud_apm: TENCENT_APM,

  inotify_auto_reload: flag("off", "Reload when the file changes.", { ...notOffered, env: true }),
  auto_reload_for_docker: flag("on", "In a container: reload when the file changes.", {
    ...notOffered,
    env: true,
  }),
  in_docker: flag("off", "The server runs in a container.", { ...notOffered, env: true }),
  disable_daemon_for_docker: flag("on", "In a container: never daemonise.", {
    ...notOffered,
    env: true,
  }),
  empty_ip_ok: flag("on", "Serve clients whose address cannot be read.", {
    ...notOffered,
    env: true,
    reload: "live",
  }),

  tcmalloc_release_rate: decimal(0.8, "Tuning of SRS's memory allocator.", {
    ...relic,
    env: true,
    max: 10,
  }),
  query_latest_version: flag("off", "Ask SRS's makers for updates.", { ...relic, env: true }),
  first_wait_for_qlv: integer(300, "Wait before the first such question.", {
    ...relic,
    env: true,
    unit: "s",
  }),
  threads: THREADS,
  threads_interval: decimal(5, "Pulse of SRS's threads.", { ...relic, unit: "s" }),
  circuit_breaker: BREAKER,
  is_full: flag("off", "Marks SRS's reference file, which must not be run.", {
    status: "relic",
    reload: "none",
  }),
};

/** The root of the table. */
export const CONFIG = block(ROOT, "A configuration file.", { status: "honoured" });
