/**
 * Whether the other server is this one (H34).
 * @module
 */

import type { ListenAddress } from "../config/types.ts";
import { formatHops, refuseHops } from "../rtmp/hops.ts";
import type { UpstreamPeer } from "./upstream_handler.ts";

/** Hosts that stand for every address of the machine. */
const EVERYWHERE = new Set(["0.0.0.0", "::"]);

/** This server, as others see it. */
export class Self {
  /** New for every start, and the same in all threads. */
  readonly id: string;
  readonly #listen: readonly ListenAddress[];

  constructor(id: string, listen: readonly ListenAddress[]) {
    this.id = id;
    this.#listen = listen;
  }

  /**
   * Whether a connection of ours leads to a port of ours: one within this machine has the same address at
   * both ends. Through a proxy it cannot be seen; that is what the ids are for.
   */
  is({ localAddress, remoteAddress, remotePort }: UpstreamPeer): boolean {
    const here = localAddress === remoteAddress || isLoopback(remoteAddress);
    return here &&
      this.#listen.some(({ host, port }) =>
        port === remotePort && (EVERYWHERE.has(host) || host === remoteAddress)
      );
  }

  /** Why a request that has come through these servers is refused; null: it is not. */
  refuse(hops: readonly string[]): string | null {
    return refuseHops(hops, this.id);
  }

  /** What the next server is told. */
  onward(hops: Iterable<string>): string {
    return formatHops(hops, this.id);
  }
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
