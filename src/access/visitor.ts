/**
 * Somebody who wants to publish or play, and why he may not.
 * @module
 */

import type { Action, VhostConfig } from "../config/types.ts";

/** A client that has said what it wants. The texts are the client's own. */
export interface Visitor {
  /** Of the connection: `client_id` in hooks. */
  readonly id: string;
  /** The address that rules and hooks see, without a port. */
  readonly ip: string;
  readonly action: Action;
  /** RTMP clients have a page to come from, and connect before they play; HTTP players do neither. */
  readonly protocol: "rtmp" | "http";
  readonly vhost: VhostConfig;
  readonly app: string;
  /** As typed, for RTMP with its extension. */
  readonly stream: string;
  /** Empty, or the query with its `?`. */
  readonly param: string;
  readonly tcUrl: string;
  readonly pageUrl: string;
  /** The stream's identity, `[vhost]/app/stream`. */
  readonly key: string;
}

/** Why a visitor is refused. It is told to the client, and logged: no secrets, no addresses of servers. */
export interface Refusal {
  /** SRS's error number. */
  readonly code: number;
  readonly reason: string;
}

/** SRS's error numbers. */
export const RefusalCode = {
  SECURITY_NO_RULES: 1052,
  SECURITY_DENIED: 1053,
  SECURITY_NOT_ALLOWED: 1054,
  ACCESS_DENIED: 2015,
  HOOK: 3064,
} as const;
