/**
 * The kernel's own figures of this process and of the machine, by the names that SRS gives them: from
 * /proc where that can be read, else what the runtime knows, else 0.
 * @module
 */

import { cpus, freemem, totalmem } from "node:os";
import { basename } from "node:path";
import process from "node:process";
import { attempt, procTable, readText } from "./system_stats.ts";

/** Named figures in SRS's order. */
export type Figures = Readonly<Record<string, number>>;

/** ms in one tick of the kernel's clock, and bytes in a page. */
const TICK_MS = 10;
const PAGE_BYTES = 4096;

/** `/api/v1/rusages`: getrusage(2). Times in s, memory in KB. */
export function resourceUsage(): Figures {
  const usage = attempt(() => process.resourceUsage(), null);
  const cpu = attempt(() => process.cpuUsage(), { user: 0, system: 0 });
  return {
    ru_utime: (usage?.userCPUTime ?? cpu.user) / 1e6,
    ru_stime: (usage?.systemCPUTime ?? cpu.system) / 1e6,
    ru_maxrss: usage?.maxRSS ?? attempt(() => process.memoryUsage().rss, 0) / 1024,
    ru_ixrss: usage?.sharedMemorySize ?? 0,
    ru_idrss: usage?.unsharedDataSize ?? 0,
    ru_isrss: usage?.unsharedStackSize ?? 0,
    ru_minflt: usage?.minorPageFault ?? 0,
    ru_majflt: usage?.majorPageFault ?? 0,
    ru_nswap: usage?.swappedOut ?? 0,
    ru_inblock: usage?.fsRead ?? 0,
    ru_oublock: usage?.fsWrite ?? 0,
    ru_msgsnd: usage?.ipcSent ?? 0,
    ru_msgrcv: usage?.ipcReceived ?? 0,
    ru_nsignals: usage?.signalsCount ?? 0,
    ru_nvcsw: usage?.voluntaryContextSwitches ?? 0,
    ru_nivcsw: usage?.involuntaryContextSwitches ?? 0,
  };
}

/** What stands in /proc/PID/stat after the state (proc(5)). */
const STAT_FIELDS =
  ("ppid pgrp session tty_nr tpgid flags minflt cminflt majflt cmajflt utime stime " +
    "cutime cstime priority nice num_threads itrealvalue starttime vsize rss rsslim startcode endcode " +
    "startstack kstkesp kstkeip signal blocked sigignore sigcatch wchan nswap cnswap exit_signal " +
    "processor rt_priority policy delayacct_blkio_ticks guest_time cguest_time").split(" ");

/** `/proc/PID/stat` of this process. */
export interface ProcessStat {
  /** With its parentheses. */
  readonly comm: string;
  /** One character. */
  readonly state: string;
  /** The rest, in the kernel's units. */
  readonly figures: Figures;
}

/** `/api/v1/self_proc_stats`. */
export function processStat(): ProcessStat {
  const stat = readText("/proc/self/stat");
  // The name is in parentheses, and may have some itself.
  const end = stat.lastIndexOf(")");
  const [state, ...values] = end < 0 ? ["R"] : stat.slice(end + 2).trim().split(" ");
  const known = end < 0 ? knownStat() : new Map(STAT_FIELDS.map((name, i) => [name, values[i]]));
  return {
    comm: end < 0 ? `(${basename(process.execPath)})` : stat.slice(stat.indexOf("("), end + 1),
    state,
    figures: Object.fromEntries(STAT_FIELDS.map((name) => [name, signed(known.get(name))])),
  };
}

/** The fields that can be had without /proc. */
function knownStat(): Map<string, number> {
  const cpu = attempt(() => process.cpuUsage(), { user: 0, system: 0 });
  return new Map([
    ["ppid", attempt(() => process.ppid, 0)],
    ["utime", cpu.user / 1000 / TICK_MS],
    ["stime", cpu.system / 1000 / TICK_MS],
    ["rss", attempt(() => process.memoryUsage().rss, 0) / PAGE_BYTES],
  ]);
}

/** The kernel prints "no limit" as the largest number there is, SRS as -1. */
function signed(value: string | number | undefined): number {
  const number = Number(value ?? 0);
  return number >= 2 ** 63 ? -1 : number;
}

/** `/api/v1/system_proc_stats`: the machine's processor time in ticks. */
export function processorTimes(): Figures {
  const names = ["user", "nice", "sys", "idle", "iowait", "irq", "softirq", "steal", "guest"];
  const line = /^cpu +(.*)$/m.exec(readText("/proc/stat"))?.[1];
  if (line !== undefined) {
    const values = line.split(" ");
    return Object.fromEntries(names.map((name, i) => [name, Number(values[i] ?? 0)]));
  }
  const sum = new Map(names.map((name) => [name, 0]));
  for (const { times } of attempt(cpus, [])) {
    for (const [name, ms] of Object.entries(times)) {
      sum.set(name, (sum.get(name) ?? 0) + ms / TICK_MS);
    }
  }
  return Object.fromEntries(names.map((name) => [name, sum.get(name) ?? 0]));
}

/** `/api/v1/meminfos` in KB; the percentages are made of these. */
export function memoryInfo(): Figures {
  const info = procTable("/proc/meminfo");
  const known = info.size > 0;
  const kbyte = (name: string) => info.get(name) ?? 0;
  const total = known ? kbyte("MemTotal") : attempt(totalmem, 0) / 1024;
  const free = known ? kbyte("MemFree") : attempt(freemem, 0) / 1024;
  const unused = free + kbyte("Buffers") + kbyte("Cached");
  return {
    MemActive: total - free,
    RealInUse: total - unused,
    NotInUse: unused,
    MemTotal: total,
    MemFree: free,
    Buffers: kbyte("Buffers"),
    Cached: kbyte("Cached"),
    SwapTotal: kbyte("SwapTotal"),
    SwapFree: kbyte("SwapFree"),
  };
}
