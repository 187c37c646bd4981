/**
 * Puts the HTTP side together: the Hono app of one listener. What comes first wins:
 *
 *     /healthz  /api/  /metrics  mounts (streams, pages)  files  the server's own page  /
 *
 * @module
 */

import { type Context, Hono } from "hono";
import { getPath } from "hono/utils/url";
import type { AuthConfig, RawApiConfig } from "../../config/types.ts";
import { serverLog } from "../../log/log.ts";
import { SERVER_NAME, VERSION } from "../../runtime/version.ts";
import { type HttpEnv, json, redirect } from "./request/answer.ts";
import { drainRoute } from "./api/drain.ts";
import { apiRoot, apiV1, apiVersions } from "./api/v1.ts";
import { basicAuth } from "./request/auth.ts";
import {
  ambiguousLine,
  callerAddress,
  NO_PROXIES,
  type ProxyRules,
  WHO_ASKS,
} from "./request/caller.ts";
import type { ServerControl } from "./api/control.ts";
import { cors, mayRead } from "./request/cors.ts";
import { commandGuard } from "./request/effects.ts";
import { EXPOSITION_TYPE } from "./metrics/exposition.ts";
import { jsonp } from "./api/jsonp.ts";
import { isRebound, REBOUND } from "./request/local_request.ts";
import { type MetricsOptions, metricsText } from "./metrics/metrics.ts";
import { pageRoutes } from "./page/page.ts";
import { staticFiles } from "./page/static_files.ts";
import { SystemStats } from "../../stats/system_stats.ts";
import { wrongPasswords } from "./request/wrong_passwords.ts";
import type { Listening, ServerView } from "../../stats/view.ts";

/** What a listener is for; one may be for several things. */
export type Role = "api" | "server" | "exporter";

/** Routes of other parts: streams, pages. They come before the files, and after the API. */
export interface Mount {
  /** The listeners that have them: those of the API, of the HTTP server, or both. */
  readonly on: "api" | "server" | "both";
  /** Paths are from the root. Handlers find the peer in `c.env.peer`. */
  readonly routes: Hono<HttpEnv>;
}

/** How an app behaves; what is left out has the value of SRS. */
export interface AppOptions {
  /** Default: the API alone. */
  readonly roles?: ReadonlySet<Role>;
  /** Where it listens, as in a configuration file. */
  readonly listen?: string;
  /** Where the whole server listens. */
  readonly listening?: Listening;
  /** Whether every web page may read what is for players (SRS: `http_server.crossdomain`). Default on. */
  readonly crossdomain?: boolean;
  /** Origins whose pages may read with credentials; none by default. */
  readonly trustedOrigins?: readonly string[];
  /** Whether the API answers by scripts too (JSONP), unless there is a password. Default off. */
  readonly jsonp?: boolean;
  /** Name and password for the API; default: it is open. */
  readonly auth?: AuthConfig | null;
  /** Null, the default: metrics are off. */
  readonly metrics?: MetricsOptions | null;
  /** Directory of the files; none by default. */
  readonly dir?: string | null;
  readonly mounts?: readonly Mount[];
  /** Default: no commands. */
  readonly rawApi?: RawApiConfig;
  /** Reload and drain; null, the default: neither. */
  readonly control?: ServerControl | null;
  /** Whether it listens for this machine alone. Default: no. */
  readonly loopback?: boolean;
  /** Whether other machines may command without a password. Default: no. */
  readonly remoteCommands?: boolean;
  /** The server's ports for pages, whose origins are ours. Default: the one that is asked alone. */
  readonly ports?: ReadonlySet<string>;
  /** Proxies that are believed; none by default. */
  readonly proxies?: ProxyRules;
  /** Clock in Unix ms. Default: the system's. */
  readonly now?: () => number;
}

/** A host name or address, and perhaps a port (RFC 9110 §7.2). */
const HOST = /^(\[[0-9a-f:.]+\]|[^\s/?#@\\:[\]]*)(:\d*)?$/i;

const BAD_HOST = "Bad Request: Host is not a host name or address with an optional port\n";

/** SRS's number for metrics that are off. */
const EXPORTER_OFF = 1090;

/** What /healthz says, with 503, while the server drains. */
export const DRAINING = "draining";

const NO_COMMANDS: RawApiConfig = { enabled: false, allowReload: false };

const NO_PORTS: ReadonlySet<string> = new Set();

const API_ALONE: ReadonlySet<Role> = new Set(["api"]);

/** The path that routes are looked for by. As in names of streams, `//` is `/`. */
function routedPath(request: Request): string {
  return getPath(request).replace(/\/{2,}/g, "/");
}

/** The app of a listener. A path without a handler gets a plain 404. */
export function createApp(view: ServerView, options: AppOptions = {}): Hono<HttpEnv> {
  const { roles = API_ALONE, crossdomain = true, auth = null, metrics = null } = options;
  const { listen = "", dir = null, mounts = [], now = Date.now } = options;
  const { listening = { rtmp: [], http: [], https: [] } } = options;
  const { rawApi = NO_COMMANDS, control = null, loopback = false } = options;
  const { remoteCommands = false, proxies = NO_PROXIES, trustedOrigins = [] } = options;
  const { ports = NO_PORTS } = options;
  const stats = new SystemStats(now());
  const app = new Hono<HttpEnv>({ getPath: routedPath });

  // Deno and Bun take any Host header, and make a URL of it that may be none, or one with another path.
  app.use(async (c, next) => {
    const host = c.req.header("Host") ?? "";
    if (HOST.test(host) && URL.canParse(c.req.url)) return await next();
    return c.text(BAD_HOST, 400);
  });
  app.use(async (c, next) => {
    c.header("Server", `${SERVER_NAME}/${VERSION}`);
    // A browser must not take a stream's name in an answer for HTML.
    c.header("X-Content-Type-Options", "nosniff");
    await next();
  });
  const reading = { crossdomain, trustedOrigins, ports };
  app.use(cors(reading));
  app.options("*", (c) => {
    return mayRead(c, reading) ? c.body(null) : c.text("Method Not Allowed", 405);
  });

  app.all("/healthz", (c) => control?.draining ? c.text(DRAINING, 503) : c.text("ok", 200));

  app.use(async (c, next) => {
    if (callerAddress(c, proxies) !== null) return await next();
    ambiguousLine.say(c, proxies);
    return c.text(WHO_ASKS, 403);
  });

  if (auth) {
    const guard = basicAuth(auth, wrongPasswords, proxies);
    app.use("/api/*", guard);
    // The exporter's own port is for those who may read the metrics, and for nothing else.
    const isExportersOwn = roles.has("exporter") && roles.size === 1;
    if (!isExportersOwn) app.use("/metrics", guard);
  }
  const guarded = auth !== null;
  const known = async (c: Context<HttpEnv>, next: () => Promise<void>) => {
    if (isRebound(c, { guarded, loopback, trustedOrigins })) return c.text(REBOUND, 403);
    return await next();
  };
  app.use("/api/*", known);
  app.use("/metrics", known);
  const protection = { guarded, remoteCommands };
  app.use("/api/*", commandGuard(protection));
  // With several threads it asks all of them: not for those who may not ask.
  const refresh = async (_c: unknown, next: () => Promise<void>) => {
    await view.refresh();
    await next();
  };
  app.use("/api/*", refresh);
  app.use("/metrics", refresh);
  if (roles.has("api") && options.jsonp && auth === null) app.use(jsonp(reading));
  if (roles.has("api")) {
    if (control) app.route("/", drainRoute(view, control));
    const api = { now, stats, protection, listening, listen, crossdomain, rawApi, control };
    app.route("/", apiV1(view, api));
  } else if (roles.has("server")) {
    app.route("/", apiVersions(view));
  }
  if (roles.has("api") || roles.has("exporter")) {
    app.all("/metrics", (c) => {
      if (!metrics) return json(c, { code: EXPORTER_OFF });
      const text = metricsText(view, stats, now(), metrics);
      return c.body(text, 200, { "Content-Type": EXPOSITION_TYPE });
    });
  }
  for (const { on, routes } of mounts) {
    if (on === "both" ? roles.has("api") || roles.has("server") : roles.has(on)) {
      app.route("/", routes);
    }
  }
  if (dir !== null && roles.has("api")) {
    app.get("/console", (c) => redirect(c, "/console/"));
    app.get("/console/*", staticFiles(dir));
  }
  if (dir !== null && roles.has("server")) app.get("*", staticFiles(dir));
  if (roles.has("api")) {
    app.route("/", pageRoutes());
    app.route("/", apiRoot(view));
  }

  app.notFound((c) => c.text("Not Found", 404));
  app.onError((error, c) => {
    serverLog.error(`HTTP ${c.req.method} failed`, undefined, error);
    return c.text("Internal Server Error", 500);
  });
  return app;
}
