/**
 * The states of an RTMP connection after its handshake. Each is an object that says what the peer's
 * commands and media mean in it; the session does the rest.
 *
 *     connect -> identify -> publish -> identify -> ...
 *                         -> play    -> identify -> ...
 *
 * @module
 */

import type { ClientRole } from "../../stats/session.ts";
import type { Claims } from "../../live/stream/claims.ts";
import type { Answer, Refusal } from "../../rtmp/error.ts";
import type { Config, VhostConfig } from "../../config/types.ts";
import type { Clock } from "../../live/clock.ts";
import type { Hub } from "../../live/stream/hub.ts";
import type { Access } from "../../access/access.ts";
import type { LiveStream } from "../../live/stream/live_stream.ts";
import type { Log } from "../../log/log.ts";
import type { TcpSocket } from "../../net/tcp.ts";
import type { RelayService } from "../../relay/relays.ts";
import type { Command } from "../../rtmp/command.ts";
import type { Message } from "../../rtmp/message.ts";
import type { IdleReaders } from "./idle_readers.ts";
import type { ConnectInfo } from "./target.ts";

/** What a session needs of the server around it. */
export interface SessionHost {
  readonly config: Config;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly idleReaders: IdleReaders;
  readonly claims: Claims;
  readonly access: Access;
  readonly relay: RelayService;
  /** Name and version, as peers see it. */
  readonly serverName: string;
  readonly pid: number;
  /** The stream's id in the API. `tcUrl`: of the client that has made it, if it is new there. */
  streamId(stream: LiveStream, tcUrl: string): string;
}

/** Where a connection belongs, as far as it has said. */
export interface Whereabouts {
  readonly vhost: VhostConfig;
  readonly app: string;
}

/** What a phase may do with its connection. */
export interface SessionContext {
  readonly id: string;
  readonly host: SessionHost;
  readonly log: Log;
  readonly socket: TcpSocket;
  /** Largest message accepted from the peer, bytes. */
  maxMessageSize: number;
  /** What was said with `connect`. */
  info: ConnectInfo;
  /** By the last stream that it named, else by `connect`; null before that. */
  whereabouts: Whereabouts | null;

  /** Queues a message; it goes out, with all others, at the end of the turn or with `flush`. */
  reply(chunkStream: number, type: number, payload: Uint8Array, streamId?: number): void;
  /** Announces the size of our chunks, and uses it from here on. */
  setChunkSize(size: number): void;
  /** Our chunk size, bytes. */
  readonly chunkSize: number;
  /** Sends what is queued. */
  flush(): void;
  /** Sends bytes that are chunks already; see `TcpSocket.send`. */
  send(bytes: Uint8Array): boolean;
  /** Bytes after which we acknowledge although the peer has not asked; 0 = never. */
  setDefaultAckWindow(bytes: number): void;
  /**
   * Asks something whose answer may take time; `then` gets it. An answer that is there at once is used
   * at once. Until a later one nothing more that the peer sends is handled: it waits in the kernel. After
   * `limitMs` without an answer the connection ends.
   */
  consult(
    ask: (answer: Answer) => void,
    then: (refusal: Refusal | null) => void,
    limitMs?: number,
  ): void;
  /** Leaves the present phase for another. */
  enter(phase: Phase): void;
  /** Publishing or playing is over, the connection is not: the client may say what it wants next. */
  identifyAgain(hasStream: boolean): void;
  /** Hands a command to the phase that is the present one now. */
  redispatch(command: Command): void;
  /** Ends the connection: what is queued still goes out. `code` and `reason` go to the log. */
  close(code: number, reason: string): void;
  /** An exception that is no fault of the peer: ends this connection alone. */
  fault(error: unknown): void;
}

/** One state of a connection. */
export interface Phase {
  /** Null while the connection neither publishes nor plays. */
  readonly role: ClientRole | null;
  /** A command from the peer. */
  command(command: Command): void;
  /** An audio, video or data message. */
  media(message: Message): void;
  /** The messages that came in one piece have been handed over; `bytes` were read. */
  readDone(bytes: number): void;
  /** Everything that was sent is through. */
  writable(): void;
  /** Once a second; clock ms. */
  tick(nowMs: number): void;
  /** The server stops: the last words to the peer. */
  farewell(): void;
  /** The phase is over, or the connection is. */
  leave(): void;
  /** The part of the summary line that is the phase's own. */
  summary(): string;
}

/** What most phases need not care about. */
export abstract class BasePhase implements Phase {
  readonly role: ClientRole | null = null;
  constructor(protected readonly session: SessionContext) {}

  abstract command(command: Command): void;
  abstract tick(nowMs: number): void;
  media(_message: Message): void {}
  readDone(_bytes: number): void {}
  writable(): void {}
  farewell(): void {}
  leave(): void {}
  summary(): string {
    return "";
  }
}

/** Settings of a vhost that concern the connection itself. */
export function applyVhost(session: SessionContext, vhost: VhostConfig): void {
  if (session.chunkSize !== vhost.chunkSize) session.setChunkSize(vhost.chunkSize);
  session.setDefaultAckWindow(vhost.inAckSize);
  session.socket.setNoDelay(vhost.tcpNodelay);
}
