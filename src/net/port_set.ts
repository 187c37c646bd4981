/**
 * The open ports of a server, and how they are exchanged for others while it runs: all or nothing, and
 * without a gap for those that stay.
 * @module
 */

import { FREE_LIMIT_MS, FREE_POLL_MS } from "./limits.ts";
import type { ListenAddress } from "../config/types.ts";
import { serverLog } from "../log/log.ts";

/** An open port. */
export interface OpenPort {
  /** Where it really listens. */
  readonly address: ListenAddress;
  /** Takes no new connections; the present ones go on. */
  release(): void;
}

/** A port that is wanted. */
export interface WantedPort {
  /** Tells it from all others: what it speaks, where, and with which certificate. */
  readonly key: string;
  readonly address: ListenAddress;
  /** Null: it is done without. @throws Error with address and cure when it cannot be had. */
  open(): Promise<OpenPort | null>;
}

interface Held {
  readonly wanted: WantedPort;
  port: OpenPort;
}

/** Ports by their keys. */
export class PortSet {
  readonly #held = new Map<string, Held>();

  /** The open port with that key. */
  get(key: string): OpenPort | undefined {
    return this.#held.get(key)?.port;
  }

  /**
   * Opens what is wanted and not open, and releases what is open and not wanted.
   * @throws Error when a port cannot be had; those that were open are so again then, and no others.
   */
  async change(wanted: readonly WantedPort[]): Promise<void> {
    const keys = new Set(wanted.map(({ key }) => key));
    const leaving = [...this.#held.values()].filter((held) => !keys.has(held.wanted.key));
    const released: Held[] = [];
    const opened: Held[] = [];
    try {
      for (const port of wanted) {
        if (this.#held.has(port.key)) continue;
        // 127.0.0.1:1935 cannot become 0.0.0.0:1935 while it is there.
        const inTheWay = leaving.filter((held) => {
          return held.wanted.address.port === port.address.port && !released.includes(held);
        });
        for (const held of inTheWay) held.port.release();
        released.push(...inTheWay);
        const after = released.some((held) => held.wanted.address.port === port.address.port);
        const open = await (after ? openOnceFree(port) : port.open());
        if (open) opened.push({ wanted: port, port: open });
      }
    } catch (error) {
      for (const { port } of opened) port.release();
      for (const held of released) await this.#restore(held);
      throw error;
    }
    for (const held of leaving) {
      if (!released.includes(held)) held.port.release();
      this.#held.delete(held.wanted.key);
    }
    for (const held of opened) this.#held.set(held.wanted.key, held);
  }

  async #restore(held: Held): Promise<void> {
    try {
      held.port = await openOnceFree(held.wanted) ?? held.port;
    } catch (error) {
      this.#held.delete(held.wanted.key);
      serverLog.error("a port that was released cannot be had again", undefined, error);
    }
  }

  /** Releases the ports that are chosen by their keys. */
  release(chosen: (key: string) => boolean = () => true): void {
    for (const [key, { port }] of this.#held) {
      if (!chosen(key)) continue;
      port.release();
      this.#held.delete(key);
    }
  }
}

async function openOnceFree(wanted: WantedPort): Promise<OpenPort | null> {
  const deadline = performance.now() + FREE_LIMIT_MS;
  while (true) {
    try {
      return await wanted.open();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, FREE_POLL_MS));
    }
  }
}
