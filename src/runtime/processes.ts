/**
 * What the kernel tells of other processes, for the pid file.
 * @module
 */

import { readFileSync, readlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { COMMIT } from "./commit.ts";
import { type Libc, openLibc } from "./libc.ts";

/** Linux counts a process's start in these, whatever its clock: `USER_HZ`. */
const TICKS_PER_SECOND = 100;

/** The state of a process that has ended, of which its parent has not been told. */
const ZOMBIE = "Z";

/** A process that runs. */
export interface OtherProcess {
  /** Unix time at which it began, ms; null: unknown. */
  readonly begunMs: number | null;
  /** Whether it runs the program that this one does. */
  readonly isSameProgram: boolean;
}

/** All processes that can be seen from here. */
export interface Processes {
  /** Null: there is none with this number. */
  look(pid: number): OtherProcess | null;
}

/** Where nothing can be found out, every number may be another process's. */
const UNKNOWN: OtherProcess = { begunMs: null, isSameProgram: false };

/**
 * Those of this system, by `/proc`. Where that hides other users' processes (`ProtectProc=invisible`)
 * these seem to be gone, but so do their pid files, which this user may not write.
 */
export async function runningProcesses(): Promise<Processes> {
  const libc = await openLibc();
  const proc = new Proc(libc);
  const known = proc.text("/proc/self/stat") !== null;
  return { look: (pid) => known ? lookAt(proc, pid) : UNKNOWN };
}

/** Reads below `/proc`: Deno allows that only with all permissions, the C library always. */
class Proc {
  readonly #libc: Libc | null;

  constructor(libc: Libc | null) {
    this.#libc = libc;
  }

  /** Null: it is not there. */
  text(path: string): string | null {
    if (this.#libc) return this.#libc.readText(path);
    return orNull(() => readFileSync(path, "utf8"));
  }

  /** Null: it is not there, or not for this user. */
  link(path: string): string | null {
    if (this.#libc) return this.#libc.readLink(path);
    return orNull(() => readlinkSync(path));
  }
}

function orNull(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}

function lookAt(proc: Proc, pid: number): OtherProcess | null {
  const stat = proc.text(`/proc/${pid}/stat`);
  if (stat === null || fieldsOf(stat)[0] === ZOMBIE) return null;
  const booted = /^btime (\d+)$/m.exec(proc.text("/proc/stat") ?? "")?.[1];
  return {
    begunMs: booted === undefined ? null : (Number(booted) + startOf(stat)) * 1000,
    isSameProgram: isSameProgram(proc, pid),
  };
}

/**
 * The fields of a `/proc/PID/stat` from the third on: the name before it, in parentheses, may hold
 * anything.
 */
function fieldsOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Seconds from the boot to a process's start, the 22nd field of its `/proc/PID/stat`. */
export function startOf(stat: string): number {
  return Number(fieldsOf(stat)[19]) / TICKS_PER_SECOND;
}

/** The same executable, and from source the same script. */
function isSameProgram(proc: Proc, pid: number): boolean {
  const [mine, other] = [executableOf(proc, "self"), executableOf(proc, `${pid}`)];
  if (mine === null || mine !== other) return false;
  if (COMMIT !== "") return true;
  const script = resolve(process.argv[1]);
  const words = (proc.text(`/proc/${pid}/cmdline`) ?? "").split("\0");
  return words.some((word) => /\.[jt]s$/.test(word) && script.endsWith(join("/", word)));
}

/** The path of what a process runs. An update may have replaced the file. */
function executableOf(proc: Proc, pid: string): string | null {
  return proc.link(`/proc/${pid}/exe`)?.replace(/ \(deleted\)$/, "") ?? null;
}
