/**
 * Faults of ours in what the runtime calls: an exception that gets back into it is lost on Deno (accept,
 * connect, close), or ends what it was about (the messages of a thread).
 * @module
 */

/** Takes a fault; `what`: where it happened. */
export type FaultReport = (what: string, error: unknown) => void;

let report: FaultReport = (_what, error) => {
  throw error;
};

/** From now on faults go to `next` and end nothing; until then they are thrown on. */
export function reportFaults(next: FaultReport): void {
  report = next;
}

/** Runs `work` for the runtime; undefined when it had a fault, which is reported. */
export function guarded<T>(what: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    report(what, error);
    return undefined;
  }
}
