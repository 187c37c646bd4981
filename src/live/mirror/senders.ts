/**
 * The other threads that play a stream which is published in this one.
 * @module
 */

import type { MirrorMessage } from "./message.ts";
import { MirrorSender } from "./sender.ts";
import type { LiveStream } from "../stream/live_stream.ts";

/** Sends a message to a thread. */
export type MirrorPost = (thread: number, message: MirrorMessage) => void;

/** The senders of one stream, by the number of the thread behind each. */
export class MirrorSenders {
  /** Number of the claim by which this thread publishes; grows from claim to claim. */
  epoch = 0;

  readonly #stream: LiveStream;
  readonly #senders = new Map<number, MirrorSender>();

  constructor(stream: LiveStream) {
    this.#stream = stream;
  }

  /** Whether any thread plays the stream. */
  get any(): boolean {
    return this.#senders.size > 0;
  }

  /** The oldest entry that one of them has still to get; Infinity: none. */
  get cursor(): number {
    let min = Infinity;
    for (const { cursor } of this.#senders.values()) if (cursor < min) min = cursor;
    return min;
  }

  /** The stream goes to these threads, by `post`, and to no others. */
  set(threads: readonly number[], post: MirrorPost): void {
    for (const thread of [...this.#senders.keys()]) this.close(thread);
    for (const thread of threads) this.open(thread, post);
  }

  /** It goes to one more thread. */
  open(thread: number, post: MirrorPost): void {
    this.close(thread);
    const sender = new MirrorSender(
      this.#stream,
      () => this.epoch,
      (message) => post(thread, message),
    );
    this.#senders.set(thread, sender);
    this.#stream.follow(sender);
  }

  /** A thread does not play it any more, or has ended. */
  close(thread: number): void {
    const sender = this.#senders.get(thread);
    if (!sender) return;
    sender.close();
    this.#senders.delete(thread);
    this.#stream.unfollow(sender);
  }

  /** A thread tells how many players it has. */
  audience(thread: number, players: number): void {
    const sender = this.#senders.get(thread);
    if (!sender) return;
    sender.audience = players;
    this.#stream.noteAudience();
  }

  /** A thread does not need a segment any more. */
  returned(thread: number, sender: number, segment: number, held: boolean): void {
    const present = this.#senders.get(thread);
    if (present?.number === sender) present.returned(segment, held);
  }
}
