/**
 * Who may have the server do something: disconnect a client, reload, drain (H43).
 * @module
 */

import type { Context, MiddlewareHandler } from "hono";
import type { HttpEnv } from "./answer.ts";
import { isFromThisMachine } from "./local_request.ts";
import { fromOwnPage, getFromOwnPage } from "./own_page.ts";

/** How commands are protected. */
export interface Protection {
  /** Name and password are asked for in front of it. */
  readonly guarded: boolean;
  /** Whether other machines may do so without a password (SRS). */
  readonly remoteCommands: boolean;
}

/** Why a command is refused, as a sentence for who sent it; null: it is not. */
export function commandRefusal(
  c: Context<HttpEnv>,
  { guarded, remoteCommands }: Protection,
): string | null {
  if (!guarded && !remoteCommands && !isFromThisMachine(c)) return NOT_FROM_HERE;
  const reads = c.req.method === "GET" || c.req.method === "HEAD";
  const own = reads ? getFromOwnPage(c, guarded) : fromOwnPage(c, guarded);
  return own ? null : FOREIGN_PAGE;
}

/** Refuses what is neither GET nor HEAD where {@link commandRefusal} says so. */
export function commandGuard(protection: Protection): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const reads = c.req.method === "GET" || c.req.method === "HEAD";
    const refusal = reads ? null : commandRefusal(c, protection);
    if (refusal !== null) return c.text(refusal, 403);
    return await next();
  };
}

const NOT_FROM_HERE =
  "Forbidden: without a password the API takes commands only from this machine itself, as localhost, " +
  "127.0.0.1 or [::1] and not through a proxy: give http_api an auth { } block, or call it there.\n";

const FOREIGN_PAGE =
  "Forbidden: a web page may do this only if it was loaded from this server by IP address or as " +
  "localhost, or by any name if the API has a password. Programs such as curl are not concerned.\n";
