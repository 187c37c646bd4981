/**
 * `POST /api/v1/drain`: what SIGQUIT does. Who may is decided in front of it (effects.ts).
 * @module
 */

import { DRAIN_BODY_BYTES, MAX_TC_URL } from "../request/limits.ts";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { envelope, json } from "../request/answer.ts";
import type { ServerControl } from "./control.ts";
import type { ServerView } from "../../../stats/view.ts";

/** The route. The body may be `{"tcUrl": "rtmp://other.example.com/live"}`. */
export function drainRoute(view: ServerView, control: ServerControl): Hono {
  const route = new Hono();
  const limit = bodyLimit({ maxSize: DRAIN_BODY_BYTES, onError: (c) => c.text(BAD_BODY, 413) });
  route.post("/api/v1/drain", limit, async (c) => {
    const tcUrl = await readTcUrl(c);
    if (tcUrl === undefined) return c.text(BAD_BODY, 400);
    control.drain(tcUrl);
    const { connections } = view.totals;
    return json(c, envelope(view, { data: { draining: true, connections } }));
  });
  route.all("/api/v1/drain", (c) => c.text("Method Not Allowed", 405, { Allow: "POST" }));
  return route;
}

/** The address that the body names; null: none; undefined: the body is not understood. */
async function readTcUrl(c: Context): Promise<string | null | undefined> {
  const text = await c.req.text();
  if (text === "") return null;
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== "object" || body === null || Array.isArray(body)) return undefined;
    const tcUrl: unknown = "tcUrl" in body ? body.tcUrl : null;
    if (tcUrl === null) return null;
    return typeof tcUrl === "string" && isTcUrl(tcUrl) ? tcUrl : undefined;
  } catch {
    return undefined;
  }
}

/** Absolute, or relative to the one that the client has (`//host/app`, `/app`). */
function isTcUrl(text: string): boolean {
  return text.length <= MAX_TC_URL && /^(rtmps?:\/\/[^/\s]+|\/)[^\s\p{Cc}]*$/u.test(text);
}

const BAD_BODY = 'Bad Request: the body is empty, or {"tcUrl": "rtmp://host/app"}.\n';
