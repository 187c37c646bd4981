/**
 * How many streams an edge may ask its origins for that it has never had (H40): a stranger can invent
 * names, and each costs a connection to an origin. A pull that has been live counts no more: its stream
 * exists.
 * @module
 */

import { addressGroup } from "../../log/address_group.ts";
import { MAX_UNSEEN_PULLS_PER_ADDRESS, MAX_UNSEEN_PULLS_PER_VHOST } from "./limits.ts";

/** Counts the pulls that have never been live, of one thread. */
export class PullBudget {
  readonly #vhosts = new Map<string, number>();
  readonly #addresses = new Map<string, number>();

  /** Why a client from `address` may not have one more; null: it may. */
  refusal(vhost: string, address: string): string | null {
    const group = addressGroup(address);
    if ((this.#addresses.get(group) ?? 0) >= MAX_UNSEEN_PULLS_PER_ADDRESS) {
      return `its address waits for ${MAX_UNSEEN_PULLS_PER_ADDRESS} streams that are not live`;
    }
    if ((this.#vhosts.get(vhost) ?? 0) >= MAX_UNSEEN_PULLS_PER_VHOST) {
      return `clients wait for ${MAX_UNSEEN_PULLS_PER_VHOST} streams that are not live`;
    }
    return null;
  }

  /** One more; what is returned is to be called when it is live, or over, and may be called again. */
  take(vhost: string, address: string): () => void {
    const group = addressGroup(address);
    add(this.#vhosts, vhost, 1);
    add(this.#addresses, group, 1);
    let counts = true;
    return () => {
      if (!counts) return;
      counts = false;
      add(this.#vhosts, vhost, -1);
      add(this.#addresses, group, -1);
    };
  }
}

function add(counts: Map<string, number>, key: string, more: number): void {
  const count = (counts.get(key) ?? 0) + more;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
