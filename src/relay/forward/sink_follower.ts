/**
 * A follower with one sink for the log's own bytes, which may be slow, and may have to be opened first: a
 * forward.
 * @module
 */

import { CursorSource } from "../../live/play/cursor_source.ts";
import type { Follower } from "../../live/follow/follower.ts";
import type { LiveStream } from "../../live/stream/live_stream.ts";
import { Player, type PlayerSink } from "../../live/play/player.ts";

/** What its cursor asks; nothing paces it. */
class Source extends CursorSource {
  override flushPlayer(player: Player): void {
    player.flush(this.log.head);
  }
}

/**
 * Sends the stream to its sink from `startOver` on. It counts as no audience. When it is behind by more
 * than `queue_length` it resumes at a keyframe.
 */
export class SinkFollower implements Follower {
  readonly audience = 0;
  readonly reads = true;
  readonly needsStream = true;
  readonly #log: LiveStream["log"];
  readonly #player: Player;

  /** It is to be given to `LiveStream.follow`. */
  constructor(stream: LiveStream, sink: PlayerSink) {
    this.#log = stream.log;
    const source = new Source(stream, stream.log, stream.format);
    const options = { durationMs: 0, multitrack: true, paused: true, onEnd: () => {} };
    this.#player = new Player(source, sink, options, source.joinPoint);
  }

  get cursor(): number {
    return this.#player.cursor;
  }

  /** ms that it is behind the stream. */
  get lagMs(): number {
    return this.#player.lagMs;
  }

  /** Messages that its sink has not had. */
  get droppedMessages(): number {
    return this.#player.droppedMessages;
  }

  /** See `Player.startOver`. */
  startOver(newest: boolean): void {
    this.#player.startOver(newest);
  }

  /** The sink has got rid of everything. */
  writable(): void {
    this.#player.writable();
  }

  pull(): void {
    if (this.#player.ready) this.#player.flush(this.#log.head);
  }

  resumeAt(entry: number): void {
    this.#player.resumeAt(entry);
  }

  checkLag(): void {
    this.#player.checkLag();
  }

  dropBacklog(): void {
    if (this.#player.cursor < this.#log.head) this.#player.drop();
  }

  trimming(min: number): void {
    const { inFlight } = this.#player;
    if (inFlight >= 0 && inFlight < min) this.#log.hold(inFlight);
  }

  /** It follows no longer: the sink may still be sending, and that memory is not to be used again. */
  close(): void {
    if (this.#player.inFlight >= 0) this.#log.hold(this.#player.inFlight);
  }

  begin(): void {}

  end(): void {
    this.pull();
  }
}
