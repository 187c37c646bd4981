/**
 * A rendering: a format of players that do not take the log's own bytes. The caller that joins a player
 * names it, and nothing else knows of it.
 * @module
 */

import type { BroadcastLog } from "../log/broadcast_log.ts";
import type { MessageFormat } from "../log/message_format.ts";

/** A format of players; a stream has a renderer of it while such players are there. */
export interface Rendering {
  /** Begins for one stream. */
  begin(): Renderer;
}

/**
 * Makes one stream's bytes in a format. They are made once, and shared by all its players. As a format it
 * writes the headers that a player begins with; it is given those of the stream at the beginning, too.
 */
export interface Renderer extends MessageFormat {
  /**
   * Brings `target` up to the stream's log, whose chunks have `chunkSize` bytes. Both have the same
   * entries under the same numbers; `target` may begin later.
   */
  render(log: BroadcastLog, target: BroadcastLog, chunkSize: number): void;
}
