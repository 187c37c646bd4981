/**
 * How many connections this thread may have to other servers: a stream that has no place waits, and takes
 * none from the clients.
 * @module
 */

/** Until it is told: more than any edge has. */
const UNLIMITED = Infinity;

let most = UNLIMITED;
let open = 0;

/** So many connections to origins and destinations may be open. */
export function limitOutgoing(connections: number): void {
  most = connections;
}

/** How many this thread may have. */
export function outgoingRoom(): number {
  return most;
}

/** Connections to other servers that are open, or being opened. */
export function outgoingConnections(): number {
  return open;
}

/** A place for one more, which is given back by the call that is returned; null: there is none. */
export function takeOutgoing(): (() => void) | null {
  if (open >= most) return null;
  open++;
  let taken = true;
  return () => {
    if (!taken) return;
    taken = false;
    open--;
  };
}

/** What is said where there is none. */
export function noPlace(where: string): string {
  return `cannot connect to ${where}: ${open} connections to other servers are all that the process's open ` +
    "files allow. Raise the limit: ulimit -HSn 65536, or LimitNOFILE= of the service";
}
