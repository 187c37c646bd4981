/**
 * What access is asked for a player that comes by HTTP, and what it waits for at an edge.
 * @module
 */

import { ORIGIN_POLL_MS, ORIGIN_WAIT_MS } from "./limits.ts";
import type { Access } from "../../access/access.ts";
import type { Grant } from "../../access/grant.ts";
import type { AccessRequest } from "../../access/request.ts";
import type { RelayClient } from "../../clients/on_behalf.ts";
import type { Clock } from "../../live/clock.ts";
import type { Hub } from "../../live/stream/hub.ts";
import type { LiveStream } from "../../live/stream/live_stream.ts";
import type { Log } from "../../log/log.ts";
import type { RelayService } from "../../relay/relays.ts";
import { type Answer, ErrorCode, type Refusal } from "../../rtmp/error.ts";
import type { FlvTarget } from "./mount.ts";

/** The stream that is asked for. */
export type AskedStream = Pick<FlvTarget, "vhost" | "app" | "stream" | "key">;

/** What the question needs of the server around it. */
export interface FlvAccessHost {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly relay: RelayService;
  readonly access: Access;
  /** Lets a connection in, returning null, or says which limit is in the way. */
  admit(address: string): Refusal | null;
  /** A connection that was let in has not become a session. */
  dismiss(address: string): void;
  /** The stream's id in the API. */
  streamId(stream: LiveStream, tcUrl: string): string;
}

/** Where a request comes from. */
export interface Caller {
  /** The peer's address, which the limits count. */
  readonly address: string;
  /** Servers that the request has come through (H34). */
  readonly hops: readonly string[];
  /** The client is gone. */
  readonly signal: AbortSignal;
}

/** One player's question. */
export class FlvQuestion {
  readonly #host: FlvAccessHost;
  readonly #target: AskedStream;
  readonly #request: AccessRequest;
  readonly #caller: Caller;
  #admitted = false;
  /** The stream that the player waits for. */
  #stream: LiveStream | null = null;

  constructor(
    host: FlvAccessHost,
    target: AskedStream,
    request: AccessRequest,
    caller: Caller,
  ) {
    this.#host = host;
    this.#target = target;
    this.#request = request;
    this.#caller = caller;
  }

  /** Asks. `head`: only whether the stream is there, and no rule is against it. */
  async answer(log: Log, head: boolean): Promise<Grant | Refusal> {
    const { hub, access } = this.#host;
    const { vhost, app, stream, key } = this.#target;
    const obtain = () => hub.find(key) ?? this.#stream ?? hub.obtain(key, vhost, app, stream);
    try {
      return await new Promise((resolve) => {
        access.ask(this.#request, {
          log,
          streamId: () => this.#host.streamId(obtain(), this.#request.tcUrl),
          ...head ? { upTo: "stream" } as const : {},
          steps: {
            stream: (answer) => void answer(this.#checkStream()),
            limits: (answer) => {
              const limit = this.#host.admit(this.#caller.address);
              if (limit) return void answer(limit);
              this.#admitted = true;
              this.#stream = obtain();
              this.#stream.reserve();
              answer(null);
            },
            origin: (answer) => this.#askOrigin(answer),
          },
        }, resolve);
      });
    } finally {
      this.#stream?.unreserve();
    }
  }

  /** The player does not become a session: gives back what the limits have counted. */
  dismiss(): void {
    if (!this.#admitted) return;
    this.#admitted = false;
    this.#host.dismiss(this.#caller.address);
  }

  #checkStream(): Refusal | null {
    const { vhost, key } = this.#target;
    const loop = this.#host.relay.refuse(this.#caller.hops);
    if (loop) return loop;
    // At an edge it is live when the origin has it, which is asked last.
    if (vhost.edge || this.#host.hub.find(key)?.active) return null;
    return { code: ErrorCode.NOT_LIVE, reason: `nobody publishes ${key}` };
  }

  /**
   * Has an edge pull the stream, and waits until it is live; not for ever, and not for a client that is
   * gone (H39).
   */
  #askOrigin(answer: Answer): void {
    const stream = this.#stream;
    if (!stream || !this.#target.vhost.edge) return void answer(null);
    const { relay, clock } = this.#host;
    const client = this.#relayClient();
    relay.admit(client, (refused) => {
      const refusal = refused ?? relay.mayPull(stream, client);
      if (refusal) return answer(refusal);
      const limit = clock.now() + ORIGIN_WAIT_MS;
      const look = (): void => {
        // Again and again: the pull ends when no client wants it.
        relay.play(stream, client);
        if (stream.active) return void answer(null);
        clock.after(ORIGIN_POLL_MS, () => {
          if (clock.now() >= limit || this.#caller.signal.aborted) answer(null);
          else look();
        });
      };
      look();
      return true;
    });
  }

  /** The player, as an origin is told of it. */
  #relayClient(): RelayClient {
    const { id, ip, vhost, app, stream, param, tcUrl, pageUrl } = this.#request;
    return {
      id,
      ip,
      vhost,
      app,
      stream,
      param,
      tcUrl: tcUrl + param,
      pageUrl,
      swfUrl: "",
      args: null,
      hops: this.#caller.hops,
      transport: "flv",
    };
  }
}
