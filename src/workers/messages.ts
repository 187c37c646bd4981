/**
 * What the coordinator and the workers say to one another. All of it can be posted to another thread.
 *
 *     coordinator <---> worker        who has which stream, figures, log lines, stop
 *     worker <-> worker               the streams themselves
 *
 * Workers are told apart by numbers that are never used again.
 * @module
 */

import type { Config, ListenAddress } from "../config/types.ts";
import type { Report } from "../stats/view.ts";
import type { MirrorMessage } from "../live/mirror/message.ts";
import type { Clearance, Evicted } from "../live/publication/takeover.ts";
import type { ServerIdentity } from "../log/ids.ts";
import type { LineLevel } from "../log/line.ts";

/** What a worker is started with. */
export interface WorkerStart {
  /** Its number. */
  readonly worker: number;
  readonly config: Config;
  /** That of the whole server. */
  readonly identity: ServerIdentity;
  /** Memory of `SharedAdmission`, for how many workers it is, and which of them this one is. */
  readonly admission: SharedArrayBuffer;
  readonly columns: number;
  readonly column: number;
  /** Connections to other servers that it may have. */
  readonly outgoing: number;
}

/** A finished line for the log. */
export interface LogLine {
  readonly level: LineLevel;
  readonly line: string;
}

/** From a worker to the coordinator. */
export type ToCoordinator =
  /** It listens there; until then nothing else comes, but for log lines. */
  | { readonly kind: "started"; readonly addresses: readonly ListenAddress[] }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "log"; readonly lines: readonly LogLine[] }
  /** It has the stream, and wants what is published of it. */
  | { readonly kind: "watch"; readonly key: string }
  | { readonly kind: "unwatch"; readonly key: string }
  /** A client wants to publish. */
  | {
    readonly kind: "claim";
    readonly id: number;
    readonly key: string;
    readonly address: string;
    /** What the key is made of. */
    readonly vhost: string;
    readonly app: string;
    readonly name: string;
  }
  /** A newcomer is about to be asked about, or has the stream (null); see `Claims.clear`. */
  | {
    readonly kind: "clear";
    readonly id: number;
    readonly key: string;
    readonly address: string | null;
  }
  /** The answer to `clear`, once the end of the publisher that has gone is delivered. */
  | { readonly kind: "cleared"; readonly id: number; readonly found: Clearance }
  /** The publisher there has gone. */
  | { readonly kind: "release"; readonly key: string; readonly epoch: number }
  /** The answer to `yield`. */
  | {
    readonly kind: "yielded";
    readonly key: string;
    readonly yes: boolean;
    readonly evicted: readonly Evicted[];
  }
  /** The answer to `report`. */
  | { readonly kind: "report"; readonly id: number; readonly report: Report }
  /** The answer to `kick`. */
  | { readonly kind: "kicked"; readonly id: number; readonly known: boolean }
  /** The answer to `ping`. */
  | { readonly kind: "pong" }
  /** The answer to `reload`; null: it has been done. */
  | { readonly kind: "reloaded"; readonly id: number; readonly reason: string | null }
  /** The answer to `stop`: all connections have ended. */
  | { readonly kind: "stopped" };

/** From the coordinator to a worker. */
export type ToWorker =
  /** A way to another worker; a `MessagePort` comes with it. */
  | { readonly kind: "peer"; readonly worker: number }
  /** Another worker has ended. */
  | { readonly kind: "gone"; readonly worker: number }
  /** It may publish, if its own rules allow it. */
  | {
    readonly kind: "grant";
    readonly id: number;
    readonly key: string;
    readonly epoch: number;
    /** Who wants the stream besides. */
    readonly watchers: readonly number[];
    /** One float64: the highest time that the stream has had, ms. */
    readonly time: SharedArrayBuffer;
    readonly evicted: readonly Evicted[];
  }
  | { readonly kind: "deny"; readonly id: number }
  /** A publisher elsewhere is about to be asked about, or has the stream (null). */
  | {
    readonly kind: "clear";
    readonly id: number;
    readonly key: string;
    readonly address: string | null;
  }
  /** The answers of all others together. */
  | { readonly kind: "cleared"; readonly id: number; readonly found: Clearance }
  /** A publisher elsewhere wants the stream. */
  | { readonly kind: "yield"; readonly key: string; readonly address: string }
  /** Another worker wants the stream, or does not any more. */
  | { readonly kind: "subscribe"; readonly key: string; readonly worker: number }
  | { readonly kind: "unsubscribe"; readonly key: string; readonly worker: number }
  | { readonly kind: "report"; readonly id: number }
  | { readonly kind: "kick"; readonly id: number; readonly client: string }
  | { readonly kind: "ping" }
  /** Another configuration is in effect. */
  | { readonly kind: "reload"; readonly id: number; readonly config: Config }
  /** No new clients; see `Server.drain`. */
  | { readonly kind: "drain"; readonly reconnectTo: string | null }
  | { readonly kind: "stop" };

/** Between two workers. */
export type ToPeer =
  | { readonly kind: "mirror"; readonly key: string; readonly message: MirrorMessage }
  /** A segment of a part is not needed any more. */
  | {
    readonly kind: "returned";
    readonly key: string;
    readonly sender: number;
    readonly segment: number;
    readonly held: boolean;
  }
  /** How many play the stream there. */
  | { readonly kind: "audience"; readonly key: string; readonly players: number };
