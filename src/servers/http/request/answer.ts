/**
 * Answers in the forms that all parts of the HTTP side share.
 * @module
 */

import type { Context } from "hono";
import type { HttpPeer } from "../../../net/http_listener.ts";
import { type Json, stringify } from "./json.ts";
import type { ServerView } from "../../../stats/view.ts";

/** What a handler finds in its Hono context: `c.env.peer` is the other end of the connection. */
export interface HttpEnv {
  readonly Bindings: { readonly peer: HttpPeer };
}

/** Name under which a Hono context has the function that is to get the JSON (JSONP). */
export const CALLBACK = "callback";

/** A JSON answer. `<` is escaped: no text of a peer's can pass for a tag, whatever reads it (H26). */
export function json(c: Context, value: Json): Response {
  const text = stringify(value).replaceAll("<", "\\u003c");
  const callback: unknown = c.get(CALLBACK);
  if (typeof callback !== "string") {
    return c.body(text, 200, { "Content-Type": "application/json" });
  }
  // Two characters that end a line in a script before ES2019.
  const script = text.replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
  // A page of another encoding would read names in its own.
  const type = "application/javascript; charset=utf-8";
  return c.body(`${callback}(${script})`, 200, { "Content-Type": type });
}

/** SRS's frame around every full answer. */
export function envelope(
  view: ServerView,
  members: { readonly [key: string]: Json | undefined },
): Json {
  return {
    code: 0,
    server: view.serverId,
    service: view.serviceId,
    pid: String(view.pid),
    ...members,
  };
}

/** SRS's redirect to a path of ours, with the query that was asked with. */
export function redirect(c: Context, path: string, status: 301 | 302 = 302): Response {
  const query = c.req.url.indexOf("?");
  const location = query < 0 ? path : path + c.req.url.slice(query);
  return c.text(`Redirect to ${location}`, status, { Location: location });
}
