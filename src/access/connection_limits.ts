/**
 * Who may connect: limits on connections in all and from one address (H17).
 * @module
 */

import { addressGroup } from "../log/address_group.ts";

/** Length of the window in which new connections from one address are counted, ms. */
const RATE_WINDOW_MS = 1000;
/** Addresses remembered; beyond, those without a connection are forgotten. */
const MAX_ADDRESSES = 10_000;

/** Limits; 0 = none. */
export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  /** New connections per second. */
  readonly connectRatePerIp: number;
}

interface Visitor {
  open: number;
  windowStart: number;
  inWindow: number;
}

/** Counts connections. Time is an argument, ms of any monotonic clock. */
export class Admission {
  #limits: AdmissionLimits;
  readonly #visitors = new Map<string, Visitor>();
  #open = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Addresses remembered now. */
  get rememberedAddresses(): number {
    return this.#visitors.size;
  }

  /** Other limits, for those who come from now on. */
  configure(limits: AdmissionLimits): void {
    this.#limits = limits;
  }

  /** Lets a connection in, returning null, or says which limit is in the way. */
  admit(peer: string, nowMs: number): string | null {
    const address = addressGroup(peer);
    const { maxConnections, maxConnectionsPerIp, connectRatePerIp } = this.#limits;
    if (maxConnections > 0 && this.#open >= maxConnections) {
      return `max_connections=${maxConnections}`;
    }
    const visitor = this.#visitor(address, nowMs);
    if (maxConnectionsPerIp > 0 && visitor.open >= maxConnectionsPerIp) {
      return `max_connections_per_ip=${maxConnectionsPerIp}`;
    }
    if (nowMs - visitor.windowStart >= RATE_WINDOW_MS) {
      visitor.windowStart = nowMs;
      visitor.inWindow = 0;
    }
    if (connectRatePerIp > 0 && visitor.inWindow >= connectRatePerIp) {
      return `connect_rate_per_ip=${connectRatePerIp}`;
    }
    visitor.inWindow++;
    visitor.open++;
    this.#open++;
    return null;
  }

  /** A connection that was let in is over. */
  leave(peer: string): void {
    this.#open--;
    const visitor = this.#visitors.get(addressGroup(peer));
    if (visitor) visitor.open--;
  }

  #visitor(address: string, nowMs: number): Visitor {
    const known = this.#visitors.get(address);
    if (known) return known;
    if (this.#visitors.size >= MAX_ADDRESSES) this.#forgetGone(nowMs);
    const visitor = { open: 0, windowStart: nowMs, inWindow: 0 };
    this.#visitors.set(address, visitor);
    return visitor;
  }

  #forgetGone(nowMs: number): void {
    for (const [address, visitor] of this.#visitors) {
      if (visitor.open === 0 && nowMs - visitor.windowStart >= RATE_WINDOW_MS) {
        this.#visitors.delete(address);
      }
    }
  }
}

/** Who may connect: `Admission`, or the one of several threads. */
export interface ConnectionLimits {
  admit(address: string, nowMs: number): string | null;
  leave(address: string): void;
  /** Other limits, for those who come from now on. */
  configure(limits: AdmissionLimits): void;
}
