/**
 * Publishers whose streams have no player. No client waits for what they send, so their sockets are read
 * together, a few times a second, and the kernel keeps the bytes in the meantime: a fraction of the
 * wake-ups, and one timer for all of them.
 * @module
 */

import { IDLE_GATHER_MS, IDLE_READ_MS } from "./limits.ts";
import type { Clock } from "../../live/clock.ts";
import type { TcpSocket } from "../../net/tcp.ts";

/** The sockets that are read now and then. */
export class IdleReaders {
  readonly #clock: Clock;
  readonly #sockets = new Set<TcpSocket>();
  #running = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From now on a socket is read now and then. */
  add(socket: TcpSocket): void {
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    if (this.#running) return;
    this.#running = true;
    this.#clock.after(IDLE_READ_MS, () => this.#pause());
  }

  /** From now on a socket is read at once again. */
  remove(socket: TcpSocket): void {
    if (this.#sockets.delete(socket)) socket.resumeReading();
  }

  #pause(): void {
    if (this.#sockets.size === 0) {
      this.#running = false;
      return;
    }
    for (const socket of this.#sockets) socket.pauseReading();
    this.#clock.after(IDLE_GATHER_MS - IDLE_READ_MS, () => this.#read());
  }

  #read(): void {
    for (const socket of this.#sockets) {
      if (!socket.readWaiting()) socket.resumeReading();
    }
    this.#clock.after(IDLE_READ_MS, () => this.#pause());
  }
}
