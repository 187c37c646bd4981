/**
 * Ends connections whose descriptor the runtime does not tell, by their peer's address. Deno drives a TLS
 * handshake on after its connection has been closed, until the peer says more or goes: half a handshake
 * would hold a descriptor for ever (H65).
 * @module
 */

import { GATHER_MS } from "./limits.ts";
import type { ListenAddress } from "../config/types.ts";
import { parseNetwork } from "../config/network.ts";
import { type Libc, openLibc } from "../runtime/libc.ts";

/**
 * The search ends behind this many descriptors in a row that are no connections: they are given out
 * densely.
 */
const GAP = 4096;
/** Linux's numbers of address families. */
const AF_INET = 2;
const AF_INET6 = 10;
/** Bytes of a `struct sockaddr_in6`. */
const ADDRESS_BYTES = 28;
/** The upper 96 bits of an IPv6 address that stands for one of IPv4. */
const MAPPED = 0xffffn;

/** One way to write an address and a port. */
function keyOf(family: number, value: bigint, port: number): string {
  return family === 6 && value >> 32n === MAPPED
    ? `4 ${value & 0xffffffffn} ${port}`
    : `${family} ${value} ${port}`;
}

/** `keyOf` of a `struct sockaddr`; null: no address of IP. */
export function keyOfSockaddr(bytes: Uint8Array): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  // Linux's machines that Deno and Bun are built for are all little-endian.
  const family = view.getUint16(0, true);
  const port = view.getUint16(2);
  if (family === AF_INET) return keyOf(4, BigInt(view.getUint32(4)), port);
  if (family !== AF_INET6) return null;
  return keyOf(6, (view.getBigUint64(8) << 64n) | view.getBigUint64(16), port);
}

/** `keyOf` of an address as the runtime writes it; null: it is no address of IP. */
export function keyOfPeer({ host, port }: ListenAddress): string | null {
  const network = parseNetwork(host);
  return network && keyOf(network.family, network.value, port);
}

/** Ends connections by the C library; where that cannot be called, nothing happens. */
export class PeerCutter {
  readonly #libc: Pick<Libc, "peerOf" | "cutOff"> | null;
  readonly #peers = new Set<string>();

  constructor(libc: Pick<Libc, "peerOf" | "cutOff"> | null) {
    this.#libc = libc;
  }

  static async open(): Promise<PeerCutter> {
    return new PeerCutter(await openLibc());
  }

  /** Ends the connection from this address and port, within `GATHER_MS`. */
  cut(peer: ListenAddress): void {
    const key = keyOfPeer(peer);
    if (!this.#libc || key === null) return;
    if (this.#peers.size === 0) setTimeout(() => this.flush(), GATHER_MS);
    this.#peers.add(key);
  }

  /** Ends those that are gathered, now. */
  flush(): void {
    const libc = this.#libc;
    const address = new Uint8Array(ADDRESS_BYTES);
    for (let fd = 0, gap = 0; libc && gap < GAP && this.#peers.size > 0; fd++) {
      const key = libc.peerOf(fd, address) ? keyOfSockaddr(address) : null;
      gap = key === null ? gap + 1 : 0;
      if (key !== null && this.#peers.delete(key)) libc.cutOff(fd);
    }
    this.#peers.clear();
  }
}
