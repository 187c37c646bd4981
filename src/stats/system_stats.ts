/**
 * The figures of the machine and of this process for `/api/v1/summaries`: from /proc where that can be
 * read, else from node:os, else 0. Deno lets a program read /proc with `--allow-all` only.
 * @module
 */

import { SAMPLE_MAX_AGE_MS } from "./limits.ts";
import { readFileSync } from "node:fs";
import { cpus, freemem, loadavg, networkInterfaces, totalmem, uptime } from "node:os";
import process from "node:process";

/** This process. */
export interface SelfFigures {
  readonly pid: number;
  readonly ppid: number;
  /** The command line, words joined by spaces. */
  readonly argv: string;
  readonly cwd: string;
  /** Resident memory, KB. */
  readonly memKbyte: number;
  /** Fraction of the machine's memory. */
  readonly memPercent: number;
  /** Fraction of one core, since the sample before. */
  readonly cpuPercent: number;
}

/** The machine. Rates and CPU are averages since the sample before. */
export interface SystemFigures {
  /** Fraction of all cores. */
  readonly cpuPercent: number;
  readonly diskReadKBps: number;
  readonly diskWriteKBps: number;
  /** KB. */
  readonly memRamKbyte: number;
  /** Fraction in use, buffers and cache not counted. */
  readonly memRamPercent: number;
  /** KB. */
  readonly memSwapKbyte: number;
  readonly memSwapPercent: number;
  readonly cpus: number;
  /** s. */
  readonly uptime: number;
  /** s, summed over the cores. */
  readonly idleTime: number;
  /** Runnable processes, averages over 1, 5 and 15 minutes. */
  readonly load: readonly number[];
  /** Bytes through interfaces with a public address. */
  readonly netRecvBytes: number;
  readonly netSendBytes: number;
  /** Bytes through the others: loopback and private networks. */
  readonly netInnerRecvBytes: number;
  readonly netInnerSendBytes: number;
  /** TCP sockets; established; in time-wait; and UDP sockets. */
  readonly connSys: number;
  readonly connSysEt: number;
  readonly connSysTw: number;
  readonly connSysUdp: number;
}

/** One sample. */
export interface SystemSample {
  /** Unix ms. */
  readonly timeMs: number;
  readonly self: SelfFigures;
  readonly system: SystemFigures;
}

/** Counters that only their growth is of interest of. */
interface Counters {
  readonly timeMs: number;
  /** Microseconds of CPU that this process has used. */
  readonly selfUs: number;
  /** ms of all cores: in use, and together. */
  readonly busyMs: number;
  readonly totalMs: number;
  /** KB from and to disks. */
  readonly pagedIn: number;
  readonly pagedOut: number;
}

/** Samples when asked, at most once a second. Never throws. */
export class SystemStats {
  #counters: Counters;
  #sample: SystemSample | null = null;

  /** @param nowMs Unix ms; the first sample's averages start here */
  constructor(nowMs: number) {
    this.#counters = readCounters(nowMs);
  }

  /** The current figures, at most `SAMPLE_MAX_AGE_MS` old. */
  read(nowMs: number): SystemSample {
    const age = this.#sample === null ? Infinity : nowMs - this.#sample.timeMs;
    // A negative age: the clock was set back.
    if (this.#sample !== null && age >= 0 && age < SAMPLE_MAX_AGE_MS) return this.#sample;
    const before = this.#counters;
    const now = readCounters(nowMs);
    this.#counters = now;
    this.#sample = { timeMs: nowMs, self: readSelf(before, now), system: readSystem(before, now) };
    return this.#sample;
  }
}

function readCounters(timeMs: number): Counters {
  const used = attempt(() => process.cpuUsage(), { user: 0, system: 0 });
  let busyMs = 0;
  let totalMs = 0;
  for (const { times } of attempt(cpus, [])) {
    const busy = times.user + times.nice + times.sys + times.irq;
    busyMs += busy;
    totalMs += busy + times.idle;
  }
  const paged = procTable("/proc/vmstat");
  return {
    timeMs,
    selfUs: used.user + used.system,
    busyMs,
    totalMs,
    pagedIn: paged.get("pgpgin") ?? 0,
    pagedOut: paged.get("pgpgout") ?? 0,
  };
}

function readSelf(before: Counters, now: Counters): SelfFigures {
  const rss = attempt(() => process.memoryUsage().rss, 0);
  return {
    pid: process.pid,
    ppid: attempt(() => process.ppid, 0),
    argv: process.argv.join(" "),
    cwd: attempt(() => process.cwd(), ""),
    memKbyte: rss / 1024,
    memPercent: ratio(rss, attempt(totalmem, 0)),
    cpuPercent: ratio(now.selfUs - before.selfUs, (now.timeMs - before.timeMs) * 1000),
  };
}

function readSystem(before: Counters, now: Counters): SystemFigures {
  const seconds = (now.timeMs - before.timeMs) / 1000;
  const [up = 0, idleTime = 0] = readText("/proc/uptime").split(" ").map(Number);
  return {
    cpuPercent: ratio(now.busyMs - before.busyMs, now.totalMs - before.totalMs),
    diskReadKBps: ratio(now.pagedIn - before.pagedIn, seconds),
    diskWriteKBps: ratio(now.pagedOut - before.pagedOut, seconds),
    ...readMemory(),
    cpus: attempt(cpus, []).length,
    uptime: up > 0 ? up : attempt(uptime, 0),
    idleTime,
    load: attempt(loadavg, [0, 0, 0]),
    ...readNetwork(),
    ...readSockets(),
  };
}

function readMemory() {
  const info = procTable("/proc/meminfo");
  const kbyte = (name: string) => info.get(name) ?? 0;
  const total = kbyte("MemTotal") || attempt(totalmem, 0) / 1024;
  const unused = info.size > 0
    ? kbyte("MemFree") + kbyte("Buffers") + kbyte("Cached")
    : attempt(freemem, 0) / 1024;
  const swap = kbyte("SwapTotal");
  return {
    memRamKbyte: total,
    memRamPercent: ratio(total - unused, total),
    memSwapKbyte: swap,
    memSwapPercent: ratio(swap - kbyte("SwapFree"), swap),
  };
}

function readNetwork() {
  const net = { netRecvBytes: 0, netSendBytes: 0, netInnerRecvBytes: 0, netInnerSendBytes: 0 };
  const text = readText("/proc/net/dev");
  if (text === "") return net;
  const interfaces = attempt(networkInterfaces, {});
  for (const [, name, counters] of text.matchAll(/^\s*([^\s:]+):(.*)$/gm)) {
    // Received bytes first, sent bytes ninth.
    const [recv = 0, , , , , , , , send = 0] = counters.trim().split(/\s+/).map(Number);
    if (interfaces[name]?.some(({ address }) => isPublicAddress(address))) {
      net.netRecvBytes += recv;
      net.netSendBytes += send;
    } else {
      net.netInnerRecvBytes += recv;
      net.netInnerSendBytes += send;
    }
  }
  return net;
}

/** The kernel's own counts: the table of sockets is long on the busy machines where it matters. */
function readSockets() {
  const v4 = readText("/proc/net/sockstat");
  const v6 = readText("/proc/net/sockstat6");
  const count = (text: string, pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0);
  const timeWait = count(v4, /^TCP:.* tw (\d+)/m);
  const inUse = count(v4, /^TCP: inuse (\d+)/m) + count(v6, /^TCP6: inuse (\d+)/m);
  return {
    connSys: inUse + timeWait,
    connSysEt: establishedCount(readText("/proc/net/snmp")),
    connSysTw: timeWait,
    connSysUdp: count(v4, /^UDP: inuse (\d+)/m) + count(v6, /^UDP6: inuse (\d+)/m),
  };
}

/** `CurrEstab` of /proc/net/snmp: a line of names and below it one of values, each after `Tcp:`. */
function establishedCount(snmp: string): number {
  const [names = [], values = []] = snmp.split("\n")
    .filter((line) => line.startsWith("Tcp:"))
    .map((line) => line.split(" "));
  return Number(values[names.indexOf("CurrEstab")] ?? 0);
}

/** Neither loopback nor private nor link-local: RFC 1918, 3927, 4193, 4291, and 6598's shared space. */
export function isPublicAddress(address: string): boolean {
  return !/^(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|::1$|f[cd]|fe[89ab])/i
    .test(address);
}

/** Files of lines `name value` or `name: value kB`. */
export function procTable(path: string): Map<string, number> {
  const table = new Map<string, number>();
  for (const [, name, value] of readText(path).matchAll(/^(\S+?):?\s+(\d+)/gm)) {
    table.set(name, Number(value));
  }
  return table;
}

/**
 * The file's text, or nothing where it does not exist or may not be read. At once: it is for files of
 * /proc, behind which is no disk that could hang.
 */
export function readText(path: string): string {
  return attempt(() => readFileSync(path, "utf8"), "");
}

/** What the system gives, or `otherwise` where it does not have it or the runtime forbids it. */
export function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

function ratio(part: number, whole: number): number {
  return whole > 0 ? Math.max(0, part / whole) : 0;
}
