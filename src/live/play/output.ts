/**
 * An output: a stream in one format, as a log of bytes that its players share, and these players. An entry
 * has the same number in all outputs of a stream.
 * @module
 */

import type { BroadcastLog } from "../log/broadcast_log.ts";
import { CursorSource, type ReadStream } from "./cursor_source.ts";
import { Flusher } from "./flusher.ts";
import type { MessageFormat } from "../log/message_format.ts";
import type { Pacer, PacerSettings } from "./pacer.ts";
import { Player, type PlayerOptions, type PlayerSink } from "./player.ts";

/** One format of a stream, and its players. */
export class Output extends CursorSource {
  readonly players: Player[] = [];
  readonly flusher: Flusher;
  readonly #pacer: Pacer;

  constructor(stream: ReadStream, log: BroadcastLog, format: MessageFormat, pacer: Pacer) {
    super(stream, log, format);
    this.#pacer = pacer;
    const { clock, play, stats } = stream;
    this.flusher = new Flusher(
      log,
      this.players,
      clock,
      pacer,
      play.sendMinIntervalMs,
      stats.delays,
    );
  }

  /**
   * Other settings. What they would have sent already goes out: a timer may be running that is too
   * slow.
   */
  configure(settings: PacerSettings): void {
    this.#pacer.settings = settings;
    this.flusher.oneEachMs = settings.sendMinIntervalMs;
    this.flusher.flush();
  }

  /** A new player, from the last keyframe (`gop_cache`) or from the next message on. */
  add(sink: PlayerSink, options: PlayerOptions): Player {
    const player = new Player(this, sink, options, this.joinPoint);
    this.players.push(player);
    return player;
  }

  /** A player leaves; false when it is none of these. */
  remove(player: Player): boolean {
    const at = this.players.indexOf(player);
    if (at < 0) return false;
    // Its socket may still be sending: that memory is not to be used again.
    if (player.inFlight >= 0) this.log.hold(player.inFlight);
    const last = this.players.pop();
    if (last && last !== player) this.players[at] = last;
    return true;
  }

  /** Flushes what is new, now or when the pacer says. `newestVideo`: entry of the newest picture. */
  flushDue(newestVideo: number): void {
    this.flusher.flushDue(this.stream.gop.hasVideo && newestVideo < this.flusher.flushed);
  }

  /** The publisher has gone: what is left goes out. */
  stop(): void {
    this.flusher.stopped = true;
    this.flusher.flush();
  }

  /** Moves players on that do not keep up. */
  checkLag(): void {
    const { offered } = this.flusher;
    this.#each((player) => player.cursor < offered && player.checkLag());
  }

  /** Moves all players on that have not had everything. */
  dropBacklog(): void {
    const { offered } = this.flusher;
    this.#each((player) => player.cursor < offered && player.drop());
  }

  /** Players that wait for it go on from entry `entry`. */
  resumeAt(entry: number): void {
    this.#each((player) => player.resumeAt(entry));
  }

  /** Backwards: a player whose socket fails leaves in the middle of this. */
  #each(task: (player: Player) => void): void {
    for (let i = this.players.length - 1; i >= 0; i--) task(this.players[i]);
  }

  /**
   * Frees what no reader needs. `most`: the first entry that another reader needs; `trimming` is told of
   * the first entry that is kept.
   */
  free(most = Infinity, trimming: (min: number) => void = () => {}): void {
    const { log } = this;
    const { start } = this.stream.gop;
    let min = Math.min(start >= 0 ? start : log.head, this.flusher.flushed, most);
    for (const player of this.players) if (player.cursor < min) min = player.cursor;
    if (!log.canTrim(min)) return;
    for (const player of this.players) {
      if (player.inFlight >= 0 && player.inFlight < min) log.hold(player.inFlight);
    }
    trimming(min);
    log.trim(min);
  }

  /** ms between flushes at present; 0 = each message by itself. */
  get intervalMs(): number {
    return this.#pacer.intervalMs;
  }

  override flushPlayer(player: Player): void {
    this.flusher.serve(player);
  }
}
