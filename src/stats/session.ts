/**
 * A connection as the registry sees it, whatever its protocol, and what it does.
 * @module
 */

import type { Player } from "../live/play/player.ts";
import type { LiveStream } from "../live/stream/live_stream.ts";
import type { Log } from "../log/log.ts";

/** A connection, of whatever protocol. Bytes and ms of the clock. */
export interface Session {
  /** Connection id, as in the log. */
  readonly id: string;
  readonly log: Log;
  /** The peer: `address:port`, and the address alone. */
  readonly socket: {
    readonly remote: string;
    readonly remoteAddress: string;
    setNoDelay?(on: boolean): void;
  };
  readonly acceptedAt: number;
  readonly recvBytes: number;
  readonly sentBytes: number;
  readonly summarisedAt: number;
  /** It ended for any reason but that it was through. */
  readonly failed: boolean;
  readonly info: {
    readonly tcUrl: string | null;
    readonly pageUrl: string;
    readonly swfUrl: string;
  };
  /** Once a second. */
  tick(nowMs: number): void;
  /** The line of figures; empty: none. */
  summary(nowMs: number): string;
  /** The server stops, or has another reason to end it in an orderly way. */
  shutdown(reason?: string): void;
  /** Asks it to reconnect; FLV has no words for that. */
  requestReconnect?(description: string, tcUrl: string | null): boolean;
  /** Drops the connection at once. */
  kick(): void;
  /** The server cannot wait any longer for the end of a connection that it has shut down. */
  abort(): void;
}

/** What a connection does once it has said so, for the API and the summary line. */
export interface ClientRole {
  /** `rtmp-play`, `fmle-publish`, `flash-publish` or `haivision-publish` (SRS's words). */
  readonly type: string;
  readonly publish: boolean;
  readonly stream: LiveStream;
  /** The stream's name as the client gave it. */
  readonly name: string;
  /** The player, if it is one. */
  readonly player?: PlayerFigures;
}

/** What the API shows of a player. */
export type PlayerFigures = Pick<Player, "lagMs" | "droppedGops" | "droppedMessages">;
