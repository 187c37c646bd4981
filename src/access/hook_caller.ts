/**
 * Calls hook URLs: asking ones, whose answer a client waits for, and telling ones, whose answer no
 * client needs.
 * @module
 */

import { shownUrl } from "../config/directives/access_kinds.ts";
import type { HookAction } from "../config/types.ts";
import type { Log } from "../log/log.ts";
import { peerText } from "../log/text.ts";
import { runClock, within } from "../net/run_clock.ts";
import { httpPost } from "../net/http_post.ts";
import { CallQueue } from "./hook_queue.ts";
import {
  HOOK_TIMEOUT_MS,
  MAX_ANSWER_BYTES,
  MAX_ASKING_CALLS,
  MAX_TELLING_CALLS,
  MAX_WAITING_CALLS,
} from "./limits.ts";
import { verdictOf } from "./verdict.ts";

/** One event of one client. */
export interface HookEvent {
  readonly action: HookAction;
  readonly urls: readonly string[];
  /** JSON; made when it is sent. */
  readonly body: () => string;
  /** The client's. */
  readonly log: Log;
}

/** Limits that tests shorten. */
export interface CallerLimits {
  readonly timeoutMs: number;
  readonly maxAsking: number;
  readonly maxTelling: number;
  readonly maxWaiting: number;
}

const LIMITS: CallerLimits = {
  timeoutMs: HOOK_TIMEOUT_MS,
  maxAsking: MAX_ASKING_CALLS,
  maxTelling: MAX_TELLING_CALLS,
  maxWaiting: MAX_WAITING_CALLS,
};

/** Why a telling call was not made. It has no line of its own. */
const LOST = "lost";

/** A hook server. */
interface HookServer {
  readonly queue: CallQueue;
  /** Telling calls that are lost since its queue was full; 0: it is not. */
  lost: number;
}

/** Calls hooks. The events of one client go out in their order, those of others do not wait for them. */
export class HookCaller {
  readonly #userAgent: string;
  readonly #limits: CallerLimits;
  readonly #servers = new Map<string, HookServer>();
  /** The last event of each client that has one under way. */
  readonly #last = new Map<string, Promise<unknown>>();
  /** Clients whose events a newcomer waits for: they take the turns of asking calls. */
  readonly #hastened = new Set<string>();

  constructor(userAgent: string, limits: Partial<CallerLimits> = {}) {
    this.#userAgent = userAgent;
    this.#limits = { ...LIMITS, ...limits };
  }

  /** Clients with an event under way. */
  get pending(): number {
    return this.#last.size;
  }

  /**
   * Asks one URL after the other; the first that does not say yes ends it. It fails closed: whatever goes
   * wrong is a no.
   * @param deadline `runClock` ms by which all must have answered.
   * @param wanted Whether the client still waits for the answer.
   * @returns Whether all have said yes.
   */
  ask(event: HookEvent, deadline: number, wanted: () => boolean): Promise<boolean> {
    // Its own earlier events come first, but not behind those of all the others.
    this.hasten(event.log.id);
    return this.#inTurn(event, async () => {
      for (const url of event.urls) {
        if (!wanted()) return false;
        const left = Math.min(this.#limits.timeoutMs, deadline - runClock.now());
        if (await this.#call(event, url, true, left) !== null) return false;
      }
      return true;
    });
  }

  /**
   * Tells every URL; what fails is logged and dropped.
   * @param due Asked when its turn has come: whether there is anything to tell at all.
   * @returns Settles when all URLs have been told, or cannot be.
   */
  tell(event: HookEvent, due: () => boolean | Promise<boolean> = () => true): Promise<void> {
    return this.#inTurn(event, async () => {
      // No turn is lost where the answer is there at once: calls are taken in the order of their coming.
      const wanted = due();
      if (wanted !== true && !await wanted) return;
      for (const url of event.urls) await this.#call(event, url, false, this.#limits.timeoutMs);
    });
  }

  /** A newcomer waits until the hook servers know the end of this client. */
  hasten(client: string): void {
    if (!this.#last.has(client)) return;
    this.#hastened.add(client);
    for (const { queue } of this.#servers.values()) queue.hasten(client);
  }

  /** Waits until all that is under way is over, but no longer than `ms`. */
  async waitDelivered(ms: number): Promise<void> {
    const deadline = runClock.now() + ms;
    while (this.#last.size > 0) {
      const left = deadline - runClock.now();
      if (left <= 0) return;
      await within(left, Promise.all(this.#last.values()));
    }
  }

  #inTurn<T>({ log }: HookEvent, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(log.id);
    const mine = before ? before.then(work) : work();
    this.#last.set(log.id, mine);
    const over = () => {
      if (this.#last.get(log.id) !== mine) return;
      this.#last.delete(log.id);
      this.#hastened.delete(log.id);
    };
    void mine.then(over, over);
    return mine;
  }

  /** Why a URL has not said yes; null: it has. Logs it. */
  async #call(
    event: HookEvent,
    url: string,
    asks: boolean,
    timeoutMs: number,
  ): Promise<string | null> {
    const { action, log } = event;
    const refusal = await this.#post(event, url, asks, timeoutMs);
    if (refusal === LOST) return refusal;
    const what = `client_id=${log.id}, url=${peerText(shownUrl(url))}`;
    if (refusal === null) log.info(`http: ${action} ok, ${what}`);
    else log.warn(`http: ${action} failed, ${what}: ${peerText(refusal)}`);
    return refusal;
  }

  async #post(
    { log, body }: HookEvent,
    url: string,
    asks: boolean,
    timeoutMs: number,
  ): Promise<string | null> {
    const { host } = new URL(url);
    if (timeoutMs <= 0) return "no time is left to ask";
    const server = this.#server(host);
    const began = runClock.now();
    const endTurn = await server.queue.turn(
      log.id,
      asks || this.#hastened.has(log.id),
      asks ? timeoutMs : Infinity,
    );
    if (!endTurn) {
      if (asks) return `${this.#limits.maxAsking} calls to ${host} have not been answered yet`;
      this.#lose(server, host, log);
      return LOST;
    }
    this.#caughtUp(server, host, log);
    const left = asks ? timeoutMs - (runClock.now() - began) : timeoutMs;
    try {
      const answer = await httpPost(url, {
        body: body(),
        contentType: "application/json",
        userAgent: this.#userAgent,
        timeoutMs: Math.max(1, Math.round(left)),
        maxBytes: MAX_ANSWER_BYTES,
      });
      return verdictOf(answer.status, answer.body);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      endTurn();
    }
  }

  /** The first loss has a line, and the end of them, with their number. */
  #lose(server: HookServer, host: string, log: Log): void {
    if (server.lost++ > 0) return;
    log.warn(
      `http: ${this.#limits.maxWaiting} calls wait for the hook server ${
        peerText(host)
      }, which does ` +
        "not answer fast enough: on_close, on_stop and on_unpublish are lost until half of them are told",
    );
  }

  #caughtUp(server: HookServer, host: string, log: Log): void {
    if (server.lost === 0 || server.queue.untold > this.#limits.maxWaiting / 2) return;
    log.warn(`http: ${server.lost} calls to the hook server ${peerText(host)} were lost`);
    server.lost = 0;
  }

  /** There are as many as the configuration names. */
  #server(host: string): HookServer {
    const known = this.#servers.get(host);
    if (known) return known;
    const { maxAsking, maxTelling, maxWaiting } = this.#limits;
    const queue = new CallQueue({
      asking: { maxRunning: maxAsking, maxWaiting },
      telling: { maxRunning: maxTelling, maxWaiting },
    });
    const server = { queue, lost: 0 };
    this.#servers.set(host, server);
    return server;
  }
}
