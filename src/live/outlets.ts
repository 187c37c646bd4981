/**
 * The other threads that play a stream which is published in this one.
 * @module
 */

import { type FeedMessage, type FeedSource, Outlet } from "./feed.ts";

/** Sends a message to a thread. */
export type FeedPost = (thread: number, message: FeedMessage) => void;

/** The outlets of one stream, by the number of the thread behind each. */
export class Outlets {
  /** Number of the claim by which this thread publishes; grows from claim to claim. */
  epoch = 0;
  /** Players of all other threads. */
  players = 0;

  readonly #source: FeedSource;
  readonly #audienceChanged: () => void;
  readonly #outlets = new Map<number, Outlet>();
  #active = false;

  /** `audienceChanged` is told when `players` may have changed. */
  constructor(source: FeedSource, audienceChanged: () => void) {
    this.#source = source;
    this.#audienceChanged = audienceChanged;
  }

  /** Whether any thread plays the stream. */
  get any(): boolean {
    return this.#outlets.size > 0;
  }

  /** The oldest entry that one of them has still to get; Infinity: none. */
  get cursor(): number {
    let min = Infinity;
    for (const { cursor } of this.#outlets.values()) if (cursor < min) min = cursor;
    return min;
  }

  /** The stream goes to these threads, by `post`, and to no others. */
  set(threads: readonly number[], post: FeedPost): void {
    for (const thread of [...this.#outlets.keys()]) this.close(thread);
    for (const thread of threads) this.open(thread, post);
  }

  /** It goes to one more thread. */
  open(thread: number, post: FeedPost): void {
    this.close(thread);
    const outlet = new Outlet(this.#source, (message) => post(thread, message));
    this.#outlets.set(thread, outlet);
    if (this.#active) outlet.begin(this.epoch);
  }

  /** A thread does not play it any more, or has ended. */
  close(thread: number): void {
    this.#outlets.get(thread)?.close();
    if (this.#outlets.delete(thread)) this.#count();
  }

  /** A thread tells how many players it has. */
  audience(thread: number, players: number): void {
    const outlet = this.#outlets.get(thread);
    if (!outlet) return;
    outlet.players = players;
    this.#count();
  }

  /** A thread does not need a segment any more. */
  returned(thread: number, outlet: number, segment: number, held: boolean): void {
    const present = this.#outlets.get(thread);
    if (present?.number === outlet) present.returned(segment, held);
  }

  /** A publisher begins. */
  begin(): void {
    this.#active = true;
    for (const outlet of this.#outlets.values()) outlet.begin(this.epoch);
  }

  /** The publisher is gone. `ended`: players are to be told. */
  end(ended = false): void {
    this.#active = false;
    for (const outlet of this.#outlets.values()) outlet.end(ended);
  }

  /** Something new may be in the log. */
  settle(): void {
    for (const outlet of this.#outlets.values()) outlet.settle();
  }

  /** Players that wait for it may go on from entry `entry`. */
  goOn(entry: number): void {
    for (const outlet of this.#outlets.values()) outlet.goOn(entry);
  }

  #count(): void {
    this.players = 0;
    for (const outlet of this.#outlets.values()) this.players += outlet.players;
    this.#audienceChanged();
  }
}
