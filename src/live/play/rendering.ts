/**
 * A rendering: a format of players that do not take the log's own bytes. The caller that joins a player
 * names it, and nothing else knows of it.
 * @module
 */

import type { BroadcastLog } from "../log/broadcast_log.ts";
import type { MessageFormat } from "../log/message_format.ts";

/** What a format has to do. Its bytes are made once, and shared by all players that take it. */
export interface Rendering extends MessageFormat {
  /**
   * Brings `target` up to the stream's log, whose chunks have `chunkSize` bytes. Both have the same
   * entries under the same numbers; `target` may begin later.
   */
  render(log: BroadcastLog, target: BroadcastLog, chunkSize: number): void;
}
