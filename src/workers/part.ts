/**
 * What one thread's part of the server gets from the threads around it, and what the coordinator needs
 * of its own part.
 * @module
 */

import type { ConnectionLimits } from "../access/connection_limits.ts";
import type { Config, ListenAddress, VhostConfig } from "../config/types.ts";
import type { ServerIdentity } from "../log/ids.ts";
import type { ServerView } from "../stats/view.ts";
import type { StreamLink } from "./stream_link.ts";

/** What a server gets from outside when it is one of several threads. */
export interface WorkerParts {
  readonly link: StreamLink;
  readonly admission: ConnectionLimits;
  readonly identity: ServerIdentity;
  /** Whether it has the RTMP ports: the coordinator has not. */
  readonly listens: boolean;
  /** Where the server as a whole listens, so that an edge knows itself. */
  readonly listen: readonly ListenAddress[];
}

/** The coordinator's own part of the server: HTTP and its players; see `Server`. */
export interface ServerPart {
  /** The figures of this thread. */
  readonly view: ServerView;
  /** Where the HTTP API is served; null if nowhere. */
  readonly httpAddress: ListenAddress | null;
  /** @throws Error with the cure; nothing has changed then. */
  reload(config: Config): Promise<void>;
  /** No new clients; see `Server.drain`. */
  drain(reconnectTo: string | null): void;
  stop(): Promise<void>;
  /** Has a stream here although no client asks for it, until the result is called. */
  keep(key: string, vhost: VhostConfig, app: string, name: string): () => void;
}

/** Starts that part; `view` is what its API shows: the figures of all threads. */
export type StartPart = (
  config: Config,
  parts: WorkerParts,
  view: ServerView,
) => Promise<ServerPart>;
