/**
 * One connection of the load client, whatever it speaks: what its owner knows of it, and sending.
 * @module
 */
import { Epoll, type EpollSet } from "../../src/runtime/epoll.ts";
import { transmit } from "./libc.ts";

/** The application that streams are published to. */
export const APP = "live";

/** What a connection is for. */
export interface ConnectionGoal {
  readonly action: "play" | "publish";
  readonly port: number;
  readonly stream: string;
  /** Media from the first byte on: no handshake, no commands. */
  readonly raw: boolean;
  /** A player that reads less than it gets, and is not counted. */
  readonly isSlow: boolean;
  /** FLV in the frames of a WebSocket. */
  readonly ws: boolean;
}

/** What is looked at of a picture or an audio frame. */
export interface Media {
  /** `AUDIO` or `VIDEO`. */
  readonly type: number;
  /** The first `HEAD_BYTES` of the payload. */
  readonly head: Uint8Array;
}

/** What a connection tells its owner. */
export interface ConnectionOwner {
  /** The server has agreed. */
  onAccepted(connection: Connection): void;
  /** The server has refused, or talks nonsense: the connection is of no use. */
  onRefused(connection: Connection, reason: string): void;
  /** The first bytes of a media message's payload are there. */
  onMediaHead(connection: Connection, media: Media): void;
  /** A media message is complete. */
  onMedia(connection: Connection, media: Media): void;
}

/** A connection; its owner reads the socket. */
export abstract class Connection {
  /** The server has agreed to play or publish. */
  accepted = false;
  /** When the first byte of media that is no sequence header came, µs; 0: it has not. */
  firstMediaUs = 0;
  /** A picture has begun to come: nginx-rtmp sends none before the next keyframe. */
  hasVideo = false;
  /** Number of the newest message; negative before the first. */
  lastNumber = -1;
  /** Messages since counting began. */
  messages = 0;

  #isConnected = false;
  /** What the kernel has not taken yet. */
  #unsent: Uint8Array<ArrayBuffer>[] = [];

  constructor(
    readonly fd: number,
    readonly goal: ConnectionGoal,
    readonly startedUs: number,
    readonly owner: ConnectionOwner,
    readonly poller: EpollSet,
  ) {
    poller.add(fd, Epoll.IN | Epoll.OUT);
  }

  /**
   * The bytes of `buffer` from `start` to `end` have come. There are `MAX_HEADER_BYTES` of room before
   * `start`, which may be overwritten.
   */
  abstract onBytes(buffer: Uint8Array<ArrayBuffer>, start: number, end: number): void;

  /** The socket is connected: says the first words. */
  protected abstract open(): void;

  /** The socket can take bytes; the first time this means that it is connected. */
  onWritable(): void {
    if (!this.#isConnected) {
      this.#isConnected = true;
      this.open();
    }
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const bytes of unsent) this.send(bytes);
    if (this.#unsent.length === 0) this.poller.change(this.fd, Epoll.IN);
  }

  /** Sends bytes; what the kernel does not take now is copied and sent later. */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    const sent = this.#unsent.length > 0 ? 0 : Math.max(0, transmit(this.fd, bytes));
    if (sent === bytes.length) return;
    this.#unsent.push(bytes.slice(sent));
    this.poller.change(this.fd, Epoll.IN | Epoll.OUT);
  }

  /** The server has agreed. */
  protected accept(): void {
    this.accepted = true;
    this.owner.onAccepted(this);
  }
}
