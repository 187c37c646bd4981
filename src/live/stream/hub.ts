/**
 * The hub: every live stream of the process by its key, made by the first publisher or player and
 * forgotten when both are gone.
 * @module
 */

import type { VhostConfig } from "../../config/types.ts";
import type { Clock } from "../clock.ts";
import { IDLE_STREAM_MS } from "../limits.ts";
import { type HubListener, type LiveShared, LiveStream } from "./live_stream.ts";
import { FlushBudget } from "../play/pacer.ts";
import { SegmentPool } from "../log/segment_pool.ts";
import { StreamStats } from "../stream_stats.ts";

/** All streams. */
export class Hub {
  readonly #shared: LiveShared;
  readonly #streams = new Map<string, LiveStream>();
  readonly #gone = new StreamStats();

  /** `sharedMemory`: other threads read what the streams' logs are in. */
  constructor(
    clock: Clock,
    version: string,
    listeners: readonly HubListener[] = [],
    sharedMemory = false,
  ) {
    const pool = new SegmentPool(sharedMemory);
    this.#shared = { clock, version, pool, budget: new FlushBudget(), listeners };
  }

  /** Every stream known now. */
  get streams(): IterableIterator<LiveStream> {
    return this.#streams.values();
  }

  /** What all streams have counted, the forgotten ones included. */
  stats(): StreamStats {
    const sum = new StreamStats();
    sum.addAll(this.#gone);
    for (const stream of this.#streams.values()) sum.addAll(stream.stats);
    return sum;
  }

  /** The stream of that key, if it is known. */
  find(key: string): LiveStream | null {
    return this.#streams.get(key) ?? null;
  }

  /** The stream of that key, made if need be with the settings of its vhost. */
  obtain(key: string, vhost: VhostConfig, app: string, name: string): LiveStream {
    const known = this.#streams.get(key);
    if (known) return known;
    const stream = new LiveStream(this.#shared, vhost, app, name, key);
    this.#streams.set(key, stream);
    for (const listener of this.#shared.listeners) listener.obtained(stream);
    return stream;
  }

  /** Other settings for the streams of these vhosts; those of other vhosts go on as they are. */
  configure(vhosts: readonly VhostConfig[]): void {
    for (const stream of this.#streams.values()) {
      const vhost = vhosts.find(({ name }) => name === stream.vhost.name);
      if (vhost) stream.configure(vhost);
    }
  }

  /** Once a second: housekeeping. Returns the streams that it has forgotten. */
  tick(): LiveStream[] {
    const gone: LiveStream[] = [];
    const now = this.#shared.clock.now();
    for (const stream of this.#streams.values()) {
      stream.tick();
      if (stream.idleSince === null || now - stream.idleSince < IDLE_STREAM_MS) continue;
      this.#streams.delete(stream.key);
      this.#gone.addAll(stream.stats);
      gone.push(stream);
      for (const listener of this.#shared.listeners) listener.forgotten(stream);
    }
    return gone;
  }
}
