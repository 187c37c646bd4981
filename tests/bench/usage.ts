/**
 * CPU time and memory of a process and all its descendants, from /proc.
 * @module
 */

/** Parts of a second in which /proc/PID/stat counts: USER_HZ, the same on every Linux. */
const TICKS_PER_SECOND = 100;
/** Fields of /proc/PID/stat, counted from the one after the name (which may hold anything). */
const PARENT = 1;
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

/** What a process and its descendants have used so far. */
export interface Usage {
  /** µs of CPU, by the scheduler's own clock. */
  readonly cpuUs: number;
  /** µs of CPU in user mode and in the kernel, in steps of 10 ms. */
  readonly userUs: number;
  readonly systemUs: number;
  /** Resident bytes. */
  readonly memory: number;
}

/** Reads the usage of `pid` and its descendants, as it is now. */
export function usageOf(pid: number): Usage {
  const sum = { cpuUs: 0, userUs: 0, systemUs: 0, memory: 0 };
  for (const member of familyOf(pid)) {
    try {
      const stat = statOf(member);
      sum.userUs += Number(stat[USER_TICKS]) * 1e6 / TICKS_PER_SECOND;
      sum.systemUs += Number(stat[SYSTEM_TICKS]) * 1e6 / TICKS_PER_SECOND;
      sum.cpuUs += scheduledNs(member) / 1000;
      const status = Deno.readTextFileSync(`/proc/${member}/status`);
      sum.memory += Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    } catch (error) {
      // It has ended since it was listed.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return sum;
}

/** `pid` and its descendants. */
function familyOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = Number(statOf(Number(name))[PARENT]);
      children.set(parent, [...children.get(parent) ?? [], Number(name)]);
    } catch {
      // Gone, or somebody else's.
    }
  }
  const family = [pid];
  for (const member of family) family.push(...children.get(member) ?? []);
  return family;
}

function statOf(pid: number): string[] {
  const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** ns that the threads of a process have run. */
function scheduledNs(pid: number): number {
  let sum = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    sum += Number(Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`).split(" ")[0]);
  }
  return sum;
}
