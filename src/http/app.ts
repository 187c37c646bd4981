/**
 * Puts the HTTP side together: one Hono app for everything that is served by HTTP.
 * @module
 */

import { Hono } from "hono";
import { serverLog } from "../log/log.ts";
import { SERVER_NAME, VERSION } from "../version.ts";
import { apiV1 } from "./api_v1.ts";
import { SystemStats } from "./system_stats.ts";
import type { ServerView } from "./view.ts";

/** How the app behaves; what is left out has the value of SRS. */
export interface AppOptions {
  /** Whether web pages of other origins may read (SRS: `http_server.crossdomain`). Default on. */
  readonly crossdomain?: boolean;
  /** Clock in Unix ms. Default: the system's. */
  readonly now?: () => number;
}

/** SRS's CORS headers, but for reading only: a foreign page must not be able to kick a client. */
const CORS_HEADERS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "*",
  "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
  "Access-Control-Expose-Headers": "*",
  "Access-Control-Allow-Credentials": "false",
  "Access-Control-Request-Private-Network": "true",
};

/** The app: `/healthz` and the API. A path that nobody serves gets a plain 404. */
export function createApp(view: ServerView, options: AppOptions = {}): Hono {
  const { crossdomain = true, now = Date.now } = options;
  const app = new Hono();

  // Set before the answer is made, by c.text() or c.body(): a header added to a finished answer makes
  // Deno 2.4 forget the body's length.
  app.use(async (c, next) => {
    c.header("Server", `${SERVER_NAME}/${VERSION}`);
    // A browser must not take a stream's name in an answer for HTML.
    c.header("X-Content-Type-Options", "nosniff");
    if (crossdomain && c.req.header("Origin") !== undefined) {
      for (const [name, value] of Object.entries(CORS_HEADERS)) c.header(name, value);
    }
    await next();
  });
  app.options("*", (c) => crossdomain ? c.body(null) : c.text("Method Not Allowed", 405));

  app.all("/healthz", (c) => c.text("ok", 200));
  app.route("/", apiV1(view, { now, stats: new SystemStats(now()) }));

  app.notFound((c) => c.text("Not Found", 404));
  app.onError((error, c) => {
    serverLog.error(`HTTP ${c.req.method} failed`, undefined, error);
    return c.text("Internal Server Error", 500);
  });
  return app;
}
