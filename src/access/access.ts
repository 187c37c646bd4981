/**
 * Access: may this client publish or play? One question for clients of every protocol, one list of
 * steps in one order, one answer: a grant, or a refusal.
 *
 *     refer -> security -> signature      the vhost's rules
 *     stream                              is it live, or free to be published?
 *     limits                              of HTTP players; an RTMP connection has passed them before
 *     hooks                               on_connect, then on_publish or on_play
 *     origin                              what an edge's origin says, where to forward, who may publish
 *
 * What costs nothing comes first, so that a crowd that may not come in anyway does not reach the hook
 * servers (SRS asks on_connect before `security`).
 * @module
 */

import type { VhostConfig } from "../config/types.ts";
import type { Log } from "../log/log.ts";
import type { ServerIdentity } from "../log/ids.ts";
import type { Answer, Refusal } from "../rtmp/error.ts";
import { Departures } from "./departures.ts";
import { Grant, type GrantParts } from "./grant.ts";
import { closeBody, type Departure } from "./hook_bodies.ts";
import type { HookCaller } from "./hook_caller.ts";
import { DEPARTURE_WAIT_MS } from "./limits.ts";
import { checkRefer } from "./refer.ts";
import type { AccessRequest } from "./request.ts";
import { checkSecurity } from "./security.ts";
import { checkSignature } from "./signed_url.ts";

/** The steps, in their order. */
export const STEPS = [
  "refer",
  "security",
  "signature",
  "stream",
  "limits",
  "hooks",
  "origin",
] as const;

/** A step. */
export type StepName = typeof STEPS[number];

/** Asks one step's question. */
export type Step = (answer: Answer) => void;

/** What the steps need beside the request. */
export interface AccessParts extends GrantParts {
  /** The steps that are the server's own; default: nothing is against it. */
  readonly steps: Readonly<Partial<Record<"stream" | "limits" | "origin", Step>>>;
  /** Asks a step, which may wait; default: by calling it. */
  readonly run?: (name: StepName, step: Step, answer: (refusal: Refusal | null) => void) => void;
  /** The last step that is asked; default: all of them. */
  readonly upTo?: StepName;
}

/** A question that is being answered. */
export interface Question {
  /** The client is gone: no answer is given any more. Nothing happens to a grant that has begun. */
  cancel(): void;
}

/** Lets clients in, or not, and tells hook servers of their end. */
export class Access {
  readonly #server: ServerIdentity;
  readonly #caller: HookCaller;
  readonly #departures = new Departures();

  constructor(server: ServerIdentity, caller: HookCaller) {
    this.#server = server;
    this.#caller = caller;
  }

  /** A grant that hook servers have not been asked about yet. */
  grant(request: AccessRequest, parts: GrantParts): Grant {
    return new Grant(this.#server, this.#caller, this.#departures, request, parts);
  }

  /** Whether the client may have what it asks for. The answer comes at once where no step waits. */
  ask(
    request: AccessRequest,
    parts: AccessParts,
    answer: (answer: Grant | Refusal) => void,
  ): Question {
    const grant = this.grant(request, parts);
    const run = parts.run ?? ((_name, step, then) => step(always(then)));
    let cancelled = false;
    const next = (index: number): void => {
      const name = STEPS[index];
      if (name === undefined || (index > 0 && STEPS[index - 1] === parts.upTo)) {
        return answer(grant);
      }
      const step = this.#step(name, request, parts, grant);
      if (!step) return next(index + 1);
      run(name, step, (refusal) => {
        if (cancelled) return;
        if (!refusal) return next(index + 1);
        grant.end();
        answer(refusal);
      });
    };
    const cancel = () => {
      cancelled = true;
      if (!grant.begun) grant.end();
    };
    try {
      next(0);
    } catch (error) {
      cancel();
      throw error;
    }
    return { cancel };
  }

  /** A connection that had got as far as `connect` is over. Comes after the end of its grants. */
  closed(gone: Departure, vhost: VhostConfig, log: Log): void {
    const urls = vhost.hooks.on_close;
    if (urls.length === 0) return;
    void this.#caller.tell({
      action: "on_close",
      urls,
      body: () => closeBody(this.#server, gone),
      log,
    });
  }

  /** Waits until the on_unpublish of publishers of a stream that have gone has been delivered, for 5 s. */
  departed(key: string): Promise<void> {
    return this.#departures.delivered(key, DEPARTURE_WAIT_MS);
  }

  /** Waits until hook servers know all there is to tell, but no longer than `ms`. */
  waitDelivered(ms: number): Promise<void> {
    return this.#caller.waitDelivered(ms);
  }

  #step(
    name: StepName,
    { vhost, action, ip, key, param, pageUrl }: AccessRequest,
    { steps }: AccessParts,
    grant: Grant,
  ): Step | undefined {
    switch (name) {
      case "refer":
        return (answer) => void answer(checkRefer(vhost.refer, action, pageUrl));
      case "security":
        return (answer) => void answer(checkSecurity(vhost.security, action, ip));
      case "signature":
        return (answer) => {
          answer(checkSignature(vhost[action].secrets, action, key, param, Date.now()));
        };
      case "hooks":
        return (answer) => grant.askHooks(answer);
      default:
        return steps[name];
    }
  }
}

/** For a step whose answer is never too late. */
function always(then: (refusal: Refusal | null) => void): Answer {
  return (refusal) => {
    then(refusal);
    return true;
  };
}
