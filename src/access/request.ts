/**
 * What a client asks for.
 * @module
 */

import type { Action, VhostConfig } from "../config/types.ts";

/** A client that has said what it wants. The texts are the client's own. */
export interface AccessRequest {
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
