/**
 * Calls hook URLs: asking ones, whose answer somebody waits for, and telling ones, which nobody does.
 * @module
 */

import { shownUrl } from "../config/access_kinds.ts";
import type { HookAction } from "../config/types.ts";
import type { Log } from "../log/log.ts";
import { peerText } from "../log/text.ts";
import { runClock, within } from "../net/run_clock.ts";
import { httpPost } from "../net/http_post.ts";
import { CallQueue } from "./call_queue.ts";
import {
  HOOK_TIMEOUT_MS,
  MAX_ANSWER_BYTES,
  MAX_CALLS_PER_SERVER,
  MAX_WAITING_PER_SERVER,
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
  readonly maxCalls: number;
  readonly maxWaiting: number;
}

const LIMITS: CallerLimits = {
  timeoutMs: HOOK_TIMEOUT_MS,
  maxCalls: MAX_CALLS_PER_SERVER,
  maxWaiting: MAX_WAITING_PER_SERVER,
};

/** Calls hooks. The events of one client go out in their order, those of others do not wait for them. */
export class HookCaller {
  readonly #userAgent: string;
  readonly #limits: CallerLimits;
  readonly #servers = new Map<string, CallQueue>();
  /** The last event of each client that has one under way. */
  readonly #last = new Map<string, Promise<unknown>>();

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
   * @param wanted Whether anybody still waits for the answer.
   * @returns Whether all have said yes.
   */
  ask(event: HookEvent, deadline: number, wanted: () => boolean): Promise<boolean> {
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

  /** Waits until all that is under way is over, but no longer than `ms`. */
  async settle(ms: number): Promise<void> {
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
      if (this.#last.get(log.id) === mine) this.#last.delete(log.id);
    };
    void mine.then(over, over);
    return mine;
  }

  /** Why a URL has not said yes; null: it has. Logs it. */
  async #call(
    { action, body, log }: HookEvent,
    url: string,
    urgent: boolean,
    timeoutMs: number,
  ): Promise<string | null> {
    const text = body();
    const refusal = await this.#post(url, text, urgent, timeoutMs);
    const what = `client_id=${log.id}, url=${peerText(shownUrl(url))}`;
    if (refusal === null) log.info(`http: ${action} ok, ${what}`);
    else log.warn(`http: ${action} failed, ${what}: ${peerText(refusal)}`);
    return refusal;
  }

  async #post(
    url: string,
    body: string,
    urgent: boolean,
    timeoutMs: number,
  ): Promise<string | null> {
    const { host } = new URL(url);
    if (timeoutMs <= 0) return "no time is left to ask";
    const queue = this.#queue(host);
    const until = runClock.now() + timeoutMs;
    const mine = await queue.turn(urgent, timeoutMs);
    if (!mine) return `${this.#limits.maxCalls} calls to ${host} have not been answered yet`;
    try {
      const answer = await httpPost(url, {
        body,
        contentType: "application/json",
        userAgent: this.#userAgent,
        timeoutMs: Math.max(1, Math.round(until - runClock.now())),
        maxBytes: MAX_ANSWER_BYTES,
      });
      return verdictOf(answer.status, answer.body);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      queue.done();
    }
  }

  /** There are as many as the configuration names. */
  #queue(host: string): CallQueue {
    const known = this.#servers.get(host);
    if (known) return known;
    const { maxCalls, maxWaiting } = this.#limits;
    const queue = new CallQueue({ maxRunning: maxCalls, maxWaiting });
    this.#servers.set(host, queue);
    return queue;
  }
}
