/**
 * Serves the players of one log: who gets what is new, and when.
 * @module
 */

import { TIMER_SLACK_MS } from "../limits.ts";
import type { BroadcastLog } from "../log/broadcast_log.ts";
import type { Clock } from "../clock.ts";
import type { Pacer } from "./pacer.ts";
import type { Player } from "./player.ts";
import type { DelayHistogram } from "../delay_histogram.ts";

/** One write per player per flush, of all that the player has not had. */
export class Flusher {
  /** Everything before this entry has been offered to the players. */
  flushed = 0;
  /** The publisher has gone: after what is left, flushing costs nothing any more. */
  stopped = true;
  /** `send_min_interval`, ms; 0 = whole flushes. May be exchanged at any time. */
  oneEachMs: number;

  readonly #log: BroadcastLog;
  readonly #players: readonly Player[];
  readonly #clock: Clock;
  readonly #pacer: Pacer;
  readonly #delays: DelayHistogram;
  #cancelTimer: (() => void) | null = null;
  /** Clock ms at which the running timer flushes. */
  #timerDue = 0;

  /** `players`: the stream's own list, which changes as they come and go; `delays`: what is counted. */
  constructor(
    log: BroadcastLog,
    players: readonly Player[],
    clock: Clock,
    pacer: Pacer,
    sendMinIntervalMs: number,
    delays: DelayHistogram,
  ) {
    this.#log = log;
    this.#players = players;
    this.#clock = clock;
    this.#pacer = pacer;
    this.oneEachMs = sendMinIntervalMs;
    this.#delays = delays;
  }

  /** A player whose cursor is below this entry has not taken what it could have. */
  get offered(): number {
    return this.oneEachMs > 0 ? this.#log.head : this.flushed;
  }

  /**
   * Something new may be in the log: flushes it, now or when the pacer says.
   * @param audioOnly It is audio, and video is to be expected.
   */
  flushDue(audioOnly: boolean): void {
    const unsent = this.#log.head - this.flushed;
    if (unsent === 0) return;
    const now = this.#clock.now();
    const wait = this.#pacer.delay(now, unsent, this.#log.arrivalAt(this.flushed), audioOnly);
    if (wait === 0) return this.flush();
    // What has come now may have to go sooner than what the timer was set for.
    if (this.#cancelTimer && now + wait < this.#timerDue - TIMER_SLACK_MS) {
      this.#cancelTimer();
      this.#cancelTimer = null;
    }
    if (!this.#cancelTimer) this.#flushAfter(wait);
  }

  /** Flushes now. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const start = this.#clock.now();
    const from = this.flushed;
    const served = this.oneEachMs > 0 ? this.#flushOneEach(start) : this.#flushAll(start);
    const end = this.#clock.now();
    if (served > 0) this.#countTogether(from, this.flushed, start, end, served);
    this.#pacer.flushed(start, end);
    if (this.stopped) this.#pacer.stop();
  }

  /** Brings one player up to what the others have been sent. */
  serve(player: Player): void {
    const { cursor } = player;
    if (this.oneEachMs === 0) {
      player.flush(this.flushed);
      if (player.cursor > cursor) this.#countOne(player, cursor, this.#clock.now());
    } else if (player.cursor < this.#log.head && !this.#cancelTimer) {
      this.#flushAfter(this.oneEachMs);
    }
  }

  #flushAfter(ms: number): void {
    this.#timerDue = this.#clock.now() + ms;
    this.#cancelTimer = this.#clock.after(ms, () => {
      this.#cancelTimer = null;
      this.flush();
    });
  }

  /** Returns how many players have got all that is new, and nothing else. */
  #flushAll(nowMs: number): number {
    const { head } = this.#log;
    const from = this.flushed;
    let served = 0;
    this.flushed = head;
    const players = this.#players;
    // Backwards: a player whose socket fails leaves in the middle of this.
    for (let i = players.length - 1; i >= 0; i--) {
      const player = players[i];
      const { cursor } = player;
      if (cursor >= head || !player.ready) continue;
      player.flush(head);
      if (cursor === from && player.cursor === head) served++;
      else this.#countOne(player, cursor, nowMs);
    }
    return served;
  }

  /** `send_min_interval`: each player gets one message, and the next one an interval later. */
  #flushOneEach(nowMs: number): number {
    const { head } = this.#log;
    let oldest = head;
    for (let i = this.#players.length - 1; i >= 0; i--) {
      const player = this.#players[i];
      const { cursor } = player;
      if (cursor < head && player.ready) {
        player.flush(cursor + 1);
        this.#countOne(player, cursor, nowMs);
      }
      if (player.cursor < oldest && player.ready) oldest = player.cursor;
    }
    this.flushed = oldest;
    if (oldest < head) this.#flushAfter(this.oneEachMs);
    return 0;
  }

  /** The entries from `from` to `to` went to `players` one after the other, from `start` to `end`. */
  #countTogether(from: number, to: number, start: number, end: number, players: number): void {
    for (let entry = from; entry < to; entry++) {
      const arrival = this.#log.arrivalAt(entry);
      this.#delays.addEvenly(start - arrival, end - arrival, players);
    }
  }

  /** A player was sent the entries from `from` to its cursor; those from before its join do not count. */
  #countOne(player: Player, from: number, nowMs: number): void {
    const to = Math.min(player.cursor, this.#log.head);
    for (let entry = Math.max(from, player.firstLive); entry < to; entry++) {
      this.#delays.add(nowMs - this.#log.arrivalAt(entry));
    }
  }
}
