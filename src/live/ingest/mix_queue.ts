/**
 * `mix_correct`: audio and video put into the order of their timestamps.
 * @module
 */

import { MessageType } from "../../rtmp/message.ts";
import { PURE_MESSAGES } from "../limits.ts";

interface Queued {
  readonly type: number;
  readonly timestamp: number;
  readonly payload: Uint8Array;
}

/** Holds messages back until the other kind has come too. */
export class MixQueue {
  readonly #queue: Queued[] = [];
  #audio = 0;
  #video = 0;

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
    else if (type === MessageType.VIDEO) this.#video++;
    while (this.#due()) this.#shift(emit);
  }

  /** Passes on all that is left. */
  drain(emit: (type: number, timestamp: number, payload: Uint8Array) => void): void {
    while (this.#queue.length > 0) this.#shift(emit);
  }

  #due(): boolean {
    if (this.#audio > 0 && this.#video > 0) return true;
    const data = this.#queue.length - this.#audio - this.#video;
    if (data > 0 && (this.#isData(this.#queue[0]) || data >= PURE_MESSAGES)) return true;
    return Math.max(this.#audio, this.#video) >= PURE_MESSAGES;
  }

  #isData({ type }: Queued): boolean {
    return type !== MessageType.AUDIO && type !== MessageType.VIDEO;
  }

  #shift(emit: (type: number, timestamp: number, payload: Uint8Array) => void): void {
    const message = this.#queue.shift();
    if (!message) return;
    if (message.type === MessageType.AUDIO) this.#audio--;
    else if (message.type === MessageType.VIDEO) this.#video--;
    emit(message.type, message.timestamp, message.payload);
  }
}
