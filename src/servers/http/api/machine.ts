/**
 * The endpoints of the API about the program, its process and the machine.
 * @module
 */

import process from "node:process";
import { quantileMs } from "../../../live/delay_histogram.ts";
import { redactQuery } from "../../../log/text.ts";
import { VERSION } from "../../../runtime/version.ts";
import { fixed2, type Json } from "../request/json.ts";
import {
  memoryInfo,
  processorTimes,
  processStat,
  resourceUsage,
} from "../../../stats/proc_stats.ts";
import type { SystemStats } from "../../../stats/system_stats.ts";
import type { Listening, ServerView } from "../../../stats/view.ts";

/** What is behind a name in `/api/v1/`: the `data` of the answer. */
export type DataEndpoint = (
  view: ServerView,
  stats: SystemStats,
  nowMs: number,
  listening: Listening,
) => Json;

/** By name. */
export const DATA_ENDPOINTS: Readonly<Record<string, DataEndpoint>> = {
  versions: () => versions(),
  summaries,
  rusages: (_view, _stats, nowMs) => ({ ok: true, sample_time: nowMs, ...resourceUsage() }),
  self_proc_stats: selfProcStats,
  system_proc_stats: (_view, stats, nowMs) => ({
    ok: true,
    sample_time: nowMs,
    percent: fixed2(stats.read(nowMs).system.cpuPercent),
    ...processorTimes(),
  }),
  meminfos: (_view, stats, nowMs) => {
    const { memRamPercent, memSwapPercent } = stats.read(nowMs).system;
    return {
      ok: true,
      sample_time: nowMs,
      percent_ram: fixed2(memRamPercent),
      percent_swap: fixed2(memSwapPercent),
      ...memoryInfo(),
    };
  },
  authors: () => ({ license: "MIT", contributors: "the authors of srs-edge" }),
  features: () => features(),
};

/** Name and version of the runtime. */
export function runtimeName(): string {
  const { deno, bun, node } = process.versions;
  return deno ? `deno ${deno}` : bun ? `bun ${bun}` : `node ${node}`;
}

/** The data of `/api/v1/versions`. */
export function versions(): Json {
  const [major, minor, revision] = VERSION.split(".").map(Number);
  return { major, minor, revision, version: VERSION };
}

/** SRS's field names, the misspelt `ilde_time` included. */
function summaries(
  view: ServerView,
  stats: SystemStats,
  nowMs: number,
  listening: Listening,
): Json {
  const { self, system, timeMs } = stats.read(nowMs);
  return {
    ok: true,
    now_ms: nowMs,
    self: {
      version: VERSION,
      pid: self.pid,
      ppid: self.ppid,
      argv: redactQuery(self.argv),
      cwd: self.cwd,
      mem_kbyte: self.memKbyte,
      mem_percent: fixed2(self.memPercent),
      cpu_percent: fixed2(self.cpuPercent),
      srs_uptime: (nowMs - view.startedMs) / 1000,
    },
    system: {
      cpu_percent: fixed2(system.cpuPercent),
      disk_read_KBps: system.diskReadKBps,
      disk_write_KBps: system.diskWriteKBps,
      // As SRS without a list of disks in its configuration.
      disk_busy_percent: fixed2(0),
      mem_ram_kbyte: system.memRamKbyte,
      mem_ram_percent: fixed2(system.memRamPercent),
      mem_swap_kbyte: system.memSwapKbyte,
      mem_swap_percent: fixed2(system.memSwapPercent),
      cpus: system.cpus,
      cpus_online: system.cpus,
      uptime: fixed2(system.uptime),
      ilde_time: fixed2(system.idleTime),
      load_1m: fixed2(system.load[0]),
      load_5m: fixed2(system.load[1]),
      load_15m: fixed2(system.load[2]),
      net_sample_time: timeMs,
      net_recv_bytes: system.netRecvBytes,
      net_send_bytes: system.netSendBytes,
      net_recvi_bytes: system.netInnerRecvBytes,
      net_sendi_bytes: system.netInnerSendBytes,
      srs_sample_time: nowMs,
      srs_recv_bytes: view.totals.recvBytes,
      srs_send_bytes: view.totals.sendBytes,
      conn_sys: system.connSys,
      conn_sys_et: system.connSysEt,
      conn_sys_tw: system.connSysTw,
      conn_sys_udp: system.connSysUdp,
      conn_srs: view.totals.connections,
    },
    edge: edgeJson(view, listening),
  };
}

/** Ours beside SRS's: what a page shows of the server. */
function edgeJson({ figures }: ServerView, listening: Listening): Json {
  return {
    runtime: runtimeName(),
    listen: { rtmp: listening.rtmp, http: listening.http, https: listening.https },
    players: figures.players,
    lagging_players: figures.laggingPlayers,
    lag_ms: fixed2(figures.lagMs),
    dropped_gops: figures.droppedGops,
    flush_interval_ms: fixed2(figures.flushIntervalMs),
    delay_p50_ms: msJson(quantileMs(figures.delays.counts, 0.5)),
    delay_p99_ms: msJson(quantileMs(figures.delays.counts, 0.99)),
    event_loop_lag_ms: fixed2(figures.loopLagMs),
    faults: figures.faults,
  };
}

/** A time in ms that may be unknown. */
export function msJson(ms: number | null): Json {
  return ms === null ? null : fixed2(ms);
}

function selfProcStats(_view: ServerView, stats: SystemStats, nowMs: number): Json {
  const { comm, state, figures } = processStat();
  return {
    ok: true,
    sample_time: nowMs,
    percent: fixed2(stats.read(nowMs).self.cpuPercent),
    pid: process.pid,
    comm,
    state,
    ...figures,
  };
}

/** SRS's switches, with what they stand for here. */
function features(): Json {
  return {
    options: runtimeName(),
    options2: runtimeName(),
    build: "",
    build2: "0",
    features: {
      ssl: true,
      hls: true,
      hds: false,
      callback: true,
      api: true,
      httpd: true,
      dvr: false,
      transcode: false,
      ingest: false,
      stat: true,
      caster: false,
      complex_send: true,
      tcp_nodelay: true,
      so_sendbuf: false,
      mr: true,
    },
  };
}
