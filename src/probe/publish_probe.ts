/**
 * Publishes the synthetic stream in real time.
 * @module
 */

import type { Clock } from "../live/clock.ts";
import { openRtmp, type Upstream } from "../clients/upstream.ts";
import { UpstreamListener } from "../clients/upstream_handler.ts";
import type { RtmpTarget } from "../clients/target.ts";
import type { UpstreamEnd } from "../clients/upstream_handler.ts";
import type { SyntheticStream } from "./synthetic_stream.ts";

/** The publisher of a probe. */
export class PublishProbe extends UpstreamListener {
  end: UpstreamEnd | null = null;
  /** Clock ms of the begin, and of the server's consent; null: not yet. */
  readonly startedAt: number;
  acceptedAt: number | null = null;
  readonly #upstream: Upstream;
  readonly #stream: SyntheticStream;
  readonly #clock: Clock;
  readonly #onAccepted: () => void;
  readonly #onEnd: () => void;
  #busy = false;
  #cancelNext: () => void = () => {};

  constructor(
    target: RtmpTarget,
    stream: SyntheticStream,
    clock: Clock,
    onAccepted: () => void,
    onEnd: () => void,
  ) {
    super();
    this.#stream = stream;
    this.#clock = clock;
    this.#onAccepted = onAccepted;
    this.#onEnd = onEnd;
    this.startedAt = clock.now();
    this.#upstream = openRtmp(target, { role: "publish" }, this, clock);
  }

  /** Pictures that were sent. */
  get frames(): number {
    return this.#stream.frames;
  }

  /** Ends it. */
  close(): void {
    this.#cancelNext();
    this.#upstream.close();
  }

  override accepted(): void {
    this.acceptedAt = this.#clock.now();
    this.#onAccepted();
    // The answer is being handled, and what we publish now leaves with it.
    this.#cancelNext = this.#clock.after(0, () => {
      for (const { type, timestamp, payload } of this.#stream.begin()) {
        this.#upstream.publish(type, timestamp, payload);
      }
      this.#send();
    });
  }

  override writable(): void {
    if (!this.#busy) return;
    this.#busy = false;
    this.#send();
  }

  override ended(end: UpstreamEnd): void {
    this.#cancelNext();
    this.end = end;
    this.#onEnd();
  }

  /** Sends what is due; stops while the server does not take it. */
  #send(): void {
    const elapsed = () => this.#clock.now() - (this.acceptedAt ?? 0);
    while (this.end === null && !this.#busy && this.#stream.nextAt <= elapsed()) {
      const { type, timestamp, payload } = this.#stream.next();
      this.#busy = !this.#upstream.publish(type, timestamp, payload);
    }
    if (this.end !== null || this.#busy) return;
    const wait = Math.max(0, this.#stream.nextAt - elapsed());
    this.#cancelNext = this.#clock.after(wait, () => this.#send());
  }
}
