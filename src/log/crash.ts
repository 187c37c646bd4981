/**
 * Whether an uncaught fault ends the process: then the log's last lines are written at once, and
 * waited for. Where the process outlives it, that would stop the log and every client.
 * @module
 */

let deadly = true;

/** From now on a fault does not end this thread. */
export function outliveFaults(): void {
  deadly = false;
}

/** Whether a fault ends this thread. */
export function faultsAreDeadly(): boolean {
  return deadly;
}
