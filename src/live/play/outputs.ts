/**
 * The outputs of one stream: the log's own bytes, and each rendering of them while it has players.
 * @module
 */

import type { VhostConfig } from "../../config/types.ts";
import { BroadcastLog, Entry } from "../log/broadcast_log.ts";
import type { ReadStream } from "./cursor_source.ts";
import type { MessageFormat } from "../log/message_format.ts";
import type { Renderer, Rendering } from "./rendering.ts";
import { Output } from "./output.ts";
import { type FlushBudget, Pacer, type PacerSettings } from "./pacer.ts";
import type { Player, PlayerOptions, PlayerSink } from "./player.ts";
import { COLLECTED_MEMORY } from "../log/segment_pool.ts";

function pacerSettings({ minLatency, play }: VhostConfig): PacerSettings {
  return { minLatency, ...play };
}

/** How far players are behind. */
export interface Lag {
  /** ms by which the slowest player is behind. */
  readonly mostMs: number;
  /** How many of them are behind by more than a threshold. */
  readonly players: number;
}

/** A rendering that has players. */
interface Rendered {
  readonly renderer: Renderer;
  readonly output: Output;
}

/** All players of one stream, by the format that they take. */
export class Outputs {
  /** The log's own bytes. */
  readonly #own: Output;
  readonly #stream: ReadStream;
  readonly #budget: FlushBudget;
  #vhost: VhostConfig;
  /** `#own` and the renderings. */
  #all: readonly Output[];
  readonly #rendered = new Map<Rendering, Rendered>();

  /** `format`: of the bytes in `log`. */
  constructor(
    stream: ReadStream,
    vhost: VhostConfig,
    log: BroadcastLog,
    format: MessageFormat,
    budget: FlushBudget,
  ) {
    this.#stream = stream;
    this.#vhost = vhost;
    this.#budget = budget;
    this.#own = new Output(stream, log, format, new Pacer(pacerSettings(vhost), budget));
    this.#all = [this.#own];
  }

  /** Other settings; the chunk size stays. */
  configure(vhost: VhostConfig): void {
    this.#vhost = vhost;
    for (const output of this.#all) output.configure(pacerSettings(vhost));
  }

  /** Players of all outputs. */
  get players(): number {
    let sum = 0;
    for (const { players } of this.#all) sum += players.length;
    return sum;
  }

  /** Memory of all logs, bytes. */
  get bytes(): number {
    let sum = 0;
    for (const { log } of this.#all) sum += log.bytes;
    return sum;
  }

  /** ms between flushes of the log's own bytes at present; 0 = each message by itself. */
  get intervalMs(): number {
    return this.#own.intervalMs;
  }

  /** How far the players are behind; `players`: those that are by more than `thresholdMs`. */
  lag(thresholdMs: number): Lag {
    let mostMs = 0;
    let players = 0;
    for (const output of this.#all) {
      for (const { lagMs } of output.players) {
        if (lagMs > mostMs) mostMs = lagMs;
        if (lagMs > thresholdMs) players++;
      }
    }
    return { mostMs, players };
  }

  /** A new player, which gets nothing before its `begin`; null: it takes the log's own bytes. */
  add(sink: PlayerSink, options: PlayerOptions, rendering: Rendering | null): Player {
    return (rendering ? this.#rendering(rendering) : this.#own).add(sink, options);
  }

  /** A player leaves; false when it is none of these. The last one of a rendering takes that along. */
  remove(player: Player): boolean {
    const output = this.#all.find((each) => each.remove(player));
    if (!output) return false;
    for (const [rendering, rendered] of this.#rendered) {
      if (rendered.output !== output || output.players.length > 0) continue;
      this.#rendered.delete(rendering);
      this.#listAll();
      output.stop();
    }
    return true;
  }

  /** The log has entries more: the renderings get them too. */
  render(): void {
    if (this.#rendered.size === 0) return;
    for (const { renderer, output } of this.#rendered.values()) {
      renderer.render(this.#own.log, output.log, this.#vhost.chunkSize);
    }
  }

  /** The log has an entry without bytes, and no player. */
  passed(): void {
    this.#own.flusher.flushed = this.#own.log.head;
  }

  /** A publisher begins. */
  begin(): void {
    for (const { flusher } of this.#all) flusher.stopped = false;
  }

  /** The publisher is gone: what is left goes out. */
  stop(): void {
    for (const output of this.#all) output.stop();
  }

  /** Flushes what is new, now or when the pacer says. `newestVideo`: entry of the newest video message. */
  flushDue(newestVideo: number): void {
    for (const output of this.#all) output.flushDue(newestVideo);
  }

  /** Players that wait for a keyframe resume at entry `entry`. */
  resumeAt(entry: number): void {
    for (const output of this.#all) output.resumeAt(entry);
  }

  /** Moves players on that do not keep up. */
  checkLag(): void {
    for (const output of this.#all) output.checkLag();
  }

  /** Whether any log holds more than `bytes`. */
  exceed(bytes: number): boolean {
    return this.#all.some(({ log }) => log.bytes > bytes);
  }

  /** Where a log holds more than `bytes`, players lose what they have not been sent. */
  dropBacklog(bytes: number): void {
    for (const output of this.#all) if (output.log.bytes > bytes) output.dropBacklog();
  }

  /** Frees what no reader needs; see `Output.free`. */
  free(most: number, trimming: (min: number) => void): void {
    for (const output of this.#all) {
      if (output === this.#own) output.free(most, trimming);
      else output.free();
    }
  }

  /** An output from the beginning of the GOP on, or from now on. */
  #rendering(rendering: Rendering): Output {
    const known = this.#rendered.get(rendering);
    if (known) return known.output;
    const renderer = rendering.begin();
    const { gop, active, time } = this.#stream;
    // What it has missed.
    this.#stream.headerBytes(renderer, time, Entry.MULTITRACK);
    // Web streams take bytes without ever saying that they are through with them.
    const first = gop.start >= 0 ? gop.start : this.#own.log.head;
    const log = new BroadcastLog(COLLECTED_MEMORY, first);
    renderer.render(this.#own.log, log, this.#vhost.chunkSize);
    const pacer = new Pacer(pacerSettings(this.#vhost), this.#budget);
    const output = new Output(this.#stream, log, renderer, pacer);
    output.flusher.flushed = log.head;
    output.flusher.stopped = !active;
    this.#rendered.set(rendering, { renderer, output });
    this.#listAll();
    return output;
  }

  #listAll(): void {
    const rendered = Array.from(this.#rendered.values(), ({ output }) => output);
    this.#all = [this.#own, ...rendered];
  }
}
