/**
 * What a client wants to publish or play, before it may.
 * @module
 */

import type { LiveStream } from "../../live/stream/live_stream.ts";
import { peerText } from "../../log/text.ts";
import type { Uplink } from "../../relay/edge/publish.ts";
import type { SessionContext } from "./phase.ts";
import { findTarget, type Target } from "./target.ts";

/** How a client goes about publishing: which commands it sends, and which answers it waits for. */
export type PublishStyle = "fmle" | "flash" | "haivision";

/** A stream that a client has named. */
export class StreamRequest {
  readonly target: Target;
  readonly #session: SessionContext;
  #stream: LiveStream | null = null;
  #reserved = false;

  /**
   * Finds the stream, and logs what the client wants. `type`: SRS's word for such a client.
   * @throws {RtmpError} when the name is unusable, or the vhost is unknown or switched off.
   */
  constructor(session: SessionContext, name: string, type: string, more = "") {
    this.#session = session;
    const target = this.target = findTarget(session.host.config, session.info, name);
    const { vhost, url } = target;
    session.whereabouts = { vhost, app: url.app };
    session.log.info(
      `client identified, type=${type}, vhost=${vhost.name}, app=${peerText(url.app)}, ` +
        `stream=${peerText(url.stream)}, param=${peerText(url.param)}${more}`,
    );
  }

  /** The stream; it is made when it is first asked for, which a client that is refused never does. */
  get stream(): LiveStream {
    const { vhost, url, key } = this.target;
    return this.#stream ??= this.#session.host.hub.obtain(key, vhost, url.app, url.stream);
  }

  /** Has the stream stay until the client has it, or does not want it any more. */
  reserve(): void {
    if (this.#reserved) return;
    this.#reserved = true;
    this.stream.reserve();
  }

  /** Undoes `reserve`. */
  unreserve(): void {
    if (!this.#reserved) return;
    this.#reserved = false;
    this.stream.unreserve();
  }
}

/** A stream that a client wants to publish. */
export class PublishRequest extends StreamRequest {
  readonly style: PublishStyle;
  /** At an edge: the way to the origin. */
  uplink: Uplink | null = null;
  /** Where it is to be forwarded. */
  destinations: readonly string[] = [];
  /** Another publisher had the stream while hooks were asked about this one. */
  replaces = false;

  constructor(session: SessionContext, name: string, style: PublishStyle) {
    super(session, name, `${style}-publish`);
    this.style = style;
  }
}

/** A stream that a client wants to play. */
export class PlayRequest extends StreamRequest {
  /** How much the client wants, ms (SRS takes it so); not positive: no end. */
  readonly durationMs: number;

  constructor(session: SessionContext, name: string, durationMs: number) {
    super(session, name, "rtmp-play", `, duration=${durationMs}ms`);
    this.durationMs = durationMs;
  }
}
