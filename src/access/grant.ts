/**
 * What a client has been granted, and what hook servers hear of it.
 * @module
 */

import type { HookAction } from "../config/types.ts";
import type { Log } from "../log/log.ts";
import type { ServerIdentity } from "../log/ids.ts";
import { runClock, within } from "../net/run_clock.ts";
import { ErrorCode, type Refusal } from "../rtmp/error.ts";
import type { Departures } from "./departures.ts";
import { connectBody, type StreamAction, streamBody } from "./hook_bodies.ts";
import type { HookCaller } from "./hook_caller.ts";
import { ASK_TIMEOUT_MS, DEPARTURE_WAIT_MS } from "./limits.ts";
import type { AccessRequest } from "./request.ts";

/** What a grant needs beside the request. */
export interface GrantParts {
  readonly log: Log;
  /** The stream's id in the API. Asked for when a hook wants to know. */
  readonly streamId: () => string;
}

/**
 * One client with one stream, from the question whether it may to its end. Whatever becomes of it, an
 * on_publish that was answered with yes is followed by one on_unpublish, an on_play by one on_stop: also
 * when the client has gone in the meantime, or another publisher was faster.
 */
export class Grant {
  readonly #server: ServerIdentity;
  readonly #caller: HookCaller;
  readonly #departures: Departures;
  readonly #request: AccessRequest;
  readonly #parts: GrantParts;
  #streamId: string | null = null;
  /** Hook servers have been asked. */
  #asking = false;
  /** They have said yes, and count it. */
  #counted = false;
  #begun = false;
  #over = false;

  /** For `Access`. */
  constructor(
    server: ServerIdentity,
    caller: HookCaller,
    departures: Departures,
    request: AccessRequest,
    parts: GrantParts,
  ) {
    this.#server = server;
    this.#caller = caller;
    this.#departures = departures;
    this.#request = request;
    this.#parts = parts;
  }

  /** Whether it publishes or plays, or has. */
  get begun(): boolean {
    return this.#begun;
  }

  /**
   * Asks the hook servers. Without any the answer is there at once. It is not given when the grant has
   * ended in the meantime.
   */
  askHooks(answer: (refusal: Refusal | null) => void): void {
    const { vhost: { hooks }, protocol, action } = this.#request;
    const connects = protocol === "rtmp" && hooks.on_connect.length > 0;
    const asks = hooks[`on_${action}`].length > 0;
    if (!connects && !asks) return answer(null);
    this.#asking = true;
    void this.#ask(connects, asks).then((refusal) => {
      if (!this.#over) answer(refusal);
    }).catch((error: unknown) => {
      this.#parts.log.error("internal fault while hooks were asked", undefined, error);
    });
  }

  /**
   * It publishes or plays now. `departed`: hooks were asked while another publisher had the stream, whose
   * on_unpublish comes after the on_publish of this one; settles when other threads have delivered it.
   */
  begin(departed: (() => Promise<void>) | null = null): void {
    if (this.#over) return;
    this.#begun = true;
    // Now the stream is there for sure.
    if (this.#told.length > 0) this.#id();
    if (departed) this.#announceAgain(departed);
  }

  /**
   * The last that an application hears of a stream is to be that it is live: what has been said of this
   * publisher is taken back and said again, behind the end of the other one. The answer does not count.
   */
  #announceAgain(departed: () => Promise<void>): void {
    const { vhost: { hooks: { on_publish, on_unpublish } }, key } = this.#request;
    if (!this.#counted || on_publish.length === 0 || on_unpublish.length === 0) return;
    const { log } = this.#parts;
    let due = false;
    const before = async () => {
      await within(
        DEPARTURE_WAIT_MS,
        Promise.all([this.#departures.delivered(key, DEPARTURE_WAIT_MS), departed()]),
      );
      return due = !this.#over;
    };
    const back = {
      action: "on_unpublish",
      urls: on_unpublish,
      body: this.#body("on_unpublish"),
      log,
    } as const;
    const again = {
      action: "on_publish",
      urls: on_publish,
      body: this.#body("on_publish"),
      log,
    } as const;
    void this.#caller.tell(back, before);
    void this.#caller.tell(again, () => due);
  }

  /** It does no more, or never has. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    const action = this.#end;
    const urls = this.#told;
    if (urls.length === 0 || !(this.#begun || this.#asking)) return;
    // While hooks are being asked the answer is not known: it is delivered first, then what ends the
    // connection.
    const due = () => this.#begun || this.#counted;
    const event = { action, urls, body: this.#body(action), log: this.#parts.log };
    const told = this.#caller.tell(event, due);
    // A client that was not accepted has put no stream online, so nothing waits for it.
    if (action !== "on_unpublish" || !due()) return;
    const hasten = () => this.#caller.hasten(this.#parts.log.id);
    this.#departures.add(this.#request.key, told, hasten);
  }

  async #ask(connects: boolean, asks: boolean): Promise<Refusal | null> {
    const deadline = runClock.now() + ASK_TIMEOUT_MS;
    if (connects && !await this.#asked("on_connect", deadline)) return refusedBy("on_connect");
    if (!asks) return null;
    const action = `on_${this.#request.action}` as const;
    if (action === "on_publish") {
      await this.#departures.delivered(this.#request.key, DEPARTURE_WAIT_MS);
    }
    if (!await this.#asked(action, deadline)) return refusedBy(action);
    this.#counted = true;
    return null;
  }

  #asked(action: "on_connect" | "on_publish" | "on_play", deadline: number): Promise<boolean> {
    const body = action === "on_connect"
      ? () => connectBody(this.#server, this.#request)
      : this.#body(action);
    const urls = this.#request.vhost.hooks[action];
    const event = { action, urls, body, log: this.#parts.log };
    return this.#caller.ask(event, deadline, () => !this.#over);
  }

  /** The event that is the end. */
  get #end(): "on_unpublish" | "on_stop" {
    return this.#request.action === "publish" ? "on_unpublish" : "on_stop";
  }

  /** Who is told of it. */
  get #told(): readonly string[] {
    return this.#request.vhost.hooks[this.#end];
  }

  #id(): string {
    return this.#streamId ??= this.#parts.streamId();
  }

  #body(action: StreamAction): () => string {
    const id = this.#id();
    return () => streamBody(this.#server, action, this.#request, id);
  }
}

function refusedBy(action: HookAction): Refusal {
  return { code: ErrorCode.HOOK, reason: `refused by the hook ${action}` };
}
