/**
 * Publication: who publishes a stream, who may take it over, and when it has ended.
 * @module
 */

import type { VhostConfig } from "../../config/types.ts";
import { STALLED_MS } from "../limits.ts";
import { CLEAR, type Clearance, type Evicted, givesUp, TakeoverRule } from "./takeover.ts";

/** Who publishes a stream. */
export interface Publisher {
  /** The peer's address. */
  readonly address: string;
  /** Clock ms at which it last sent anything. */
  readonly lastBytesAt: number;
  /** It is an origin, which has corrected the timestamps already. */
  readonly timeCorrected?: boolean;
  /** The stream has got its first player. */
  hasAudience(): void;
  /** Reads at once what its peer has sent: that may be the end of the publish. */
  catchUp(): void;
  /** Another publisher takes the stream over: ends this one, with `unpublish`, before it returns. */
  replaced(): void;
}

/** A publisher, as far as it can be ended for another one. */
export type Replaceable = Pick<Publisher, "lastBytesAt" | "replaced">;

/** The publishers of one stream. Times are ms of the clock. */
export class Publication {
  /** When an origin has said that the stream has ended; null: it has not, or it is live again. */
  endedAt: number | null = null;
  /** Its entries come ready-made from a publisher elsewhere. */
  copied = false;

  readonly #takeover: TakeoverRule;
  /** Clients that publish the stream to the origin of an edge: their media do not come through the log. */
  readonly #uplinks = new Set<Replaceable>();
  #edge: VhostConfig["edge"];
  #publisher: Publisher | null = null;
  #held = false;
  #reserved = 0;

  constructor({ publish, edge }: VhostConfig) {
    this.#takeover = new TakeoverRule(publish.takeover);
    this.#edge = edge;
  }

  /** Other settings, for the next newcomer. */
  configure({ publish, edge }: VhostConfig): void {
    this.#takeover.policy = publish.takeover;
    this.#edge = edge;
  }

  /** The publisher that is here; null: none is. */
  get publisher(): Publisher | null {
    return this.#publisher;
  }

  /** Whether the stream has a publisher, here or elsewhere. */
  get active(): boolean {
    return this.#publisher !== null || this.copied;
  }

  /** Whether a publisher is here, or may be about to come. */
  get expected(): boolean {
    return this.#publisher !== null || this.#reserved > 0;
  }

  /** Whether the right to publish is kept here even while there is no publisher: an edge's pull. */
  get held(): boolean {
    return this.#held;
  }

  /** A publisher takes the stream, from another one if `takeover` allows it; false when it is taken. */
  take(publisher: Publisher, nowMs: number): boolean {
    if (this.copied || !this.yield(publisher.address, nowMs)) return false;
    this.#publisher = publisher;
    this.endedAt = null;
    return true;
  }

  /** An origin says that the stream has ended; its publisher stays, and may go on. */
  noteEnd(nowMs: number): void {
    this.endedAt ??= nowMs;
  }

  /** The publisher is gone. `ended`: players are to be told, unless another one comes soon. */
  leave(ended: boolean, nowMs: number): void {
    this.#publisher = null;
    this.endedAt = ended ? nowMs : null;
  }

  /** Entries begin to come from a publisher elsewhere. */
  beginCopy(): void {
    this.copied = true;
    this.endedAt = null;
  }

  /** The publisher elsewhere is gone. */
  endCopy(ended: boolean, nowMs: number): void {
    this.copied = false;
    this.endedAt = ended ? nowMs : null;
  }

  /** Whether `newcomer` gets the stream; the present publisher is ended then. */
  yield(newcomer: string, nowMs: number): boolean {
    const present = this.#publisher;
    if (!present) return true;
    if (!this.#takeover.allows(newcomer, present.lastBytesAt, nowMs)) return false;
    if (nowMs - present.lastBytesAt < STALLED_MS) this.#takeover.evict(present.address, nowMs);
    present.replaced();
    return true;
  }

  /**
   * Makes way for a newcomer before hooks are asked about it: ends a publisher that has stalled, if
   * `takeover` allows that. One that sends is left alone: the newcomer may be a stranger.
   */
  clear(newcomer: string, nowMs: number): Clearance {
    if (this.#edge) {
      const { takeover } = this.#edge;
      for (const uplink of [...this.#uplinks]) {
        if (givesUp(takeover, uplink.lastBytesAt, nowMs)) uplink.replaced();
      }
      // The stream's publisher is the pull, which no client can end. Of the others the origin decides.
      return { kept: false, present: this.#uplinks.size > 0 };
    }
    const publisher = this.#publisher;
    if (!publisher) return CLEAR;
    if (this.#takeover.givesUp(publisher.lastBytesAt, nowMs)) {
      publisher.replaced();
      return CLEAR;
    }
    const kept = !this.#takeover.allows(newcomer, publisher.lastBytesAt, nowMs);
    return { kept, present: true };
  }

  /** A client publishes the stream to the origin through this edge; at its end `removeUplink`. */
  addUplink(uplink: Replaceable): void {
    this.#uplinks.add(uplink);
  }

  removeUplink(uplink: Replaceable): void {
    this.#uplinks.delete(uplink);
  }

  /**
   * The origin has accepted another publisher, `except`: with `takeover replace` the others end here,
   * without waiting until the origin ends them.
   */
  replaceUplinks(except: Replaceable | null): void {
    if (this.#edge?.takeover !== "replace") return;
    for (const uplink of [...this.#uplinks]) if (uplink !== except) uplink.replaced();
  }

  /** Keeps the right to publish, from the grant on. */
  hold(): void {
    this.#held = true;
  }

  /** Gives that right back; false: it was not kept. */
  release(): boolean {
    const was = this.#held;
    this.#held = false;
    return was;
  }

  /** A client may be about to publish. Once for each `unreserve`. */
  reserve(): void {
    this.#reserved++;
  }

  unreserve(): void {
    this.#reserved--;
  }

  /** Who has been evicted here, for the thread that decides about the stream next. */
  evicted(nowMs: number): readonly Evicted[] {
    return this.#takeover.remembered(nowMs);
  }

  /** Goes on from what was remembered elsewhere. */
  remember(evicted: readonly Evicted[], nowMs: number): void {
    this.#takeover.remember(evicted, nowMs);
  }
}
