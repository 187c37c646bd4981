/**
 * `mix_correct`: audio and video put into the order of their timestamps (spec: streaming §5).
 * @module
 */

import { MessageType } from "../rtmp/message.ts";

/** With only one kind queued, this many messages are let go all the same (SRS). */
const PURE_MESSAGES = 10;

interface Queued {
  readonly type: number;
  readonly timestamp: number;
  readonly payload: Uint8Array;
}

/** Holds messages back until the other kind has come too. */
export class MixQueue {
  readonly #queue: Queued[] = [];
  #audio = 0;

  /** Takes a message, whose payload is copied, and passes on whatever is due. */
  push(
    type: number,
    timestamp: number,
    payload: Uint8Array,
    emit: (type: number, timestamp: number, payload: Uint8Array) => void,
  ): void {
    let at = this.#queue.length;
    while (at > 0 && this.#queue[at - 1].timestamp > timestamp) at--;
    this.#queue.splice(at, 0, { type, timestamp, payload: payload.slice() });
    if (type === MessageType.AUDIO) this.#audio++;
    while (this.#due()) this.#shift(emit);
  }

  /** Passes on all that is left. */
  drain(emit: (type: number, timestamp: number, payload: Uint8Array) => void): void {
    while (this.#queue.length > 0) this.#shift(emit);
  }

  #due(): boolean {
    const video = this.#queue.length - this.#audio;
    if (this.#audio > 0 && video > 0) return true;
    return Math.max(this.#audio, video) >= PURE_MESSAGES;
  }

  #shift(emit: (type: number, timestamp: number, payload: Uint8Array) => void): void {
    const message = this.#queue.shift();
    if (!message) return;
    if (message.type === MessageType.AUDIO) this.#audio--;
    emit(message.type, message.timestamp, message.payload);
  }
}
