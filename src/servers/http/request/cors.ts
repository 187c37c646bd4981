/**
 * Which web pages of other origins may read answers (CORS,
 * https://fetch.spec.whatwg.org/#http-cors-protocol).
 * @module
 */

import type { Context, MiddlewareHandler } from "hono";
import { isOwnOrigin } from "./own_page.ts";

/** What the configuration says of it. */
export interface CorsOptions {
  /**
   * Whether every page may read what is for players, without credentials (SRS: `http_server.crossdomain`).
   * Names of streams are their publishers' keys: the API is for pages of ours and `trustedOrigins` (H63).
   */
  readonly crossdomain: boolean;
  /** Origins whose pages may read with credentials: cookies, passwords, certificates. */
  readonly trustedOrigins: readonly string[];
  /** The server's ports for HTTP and HTTPS: pages on them are ours. */
  readonly ports: ReadonlySet<string>;
}

/** For reading only: a foreign page must not be able to kick a client. */
const READING = { "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS" };

/** SRS's headers, but for the methods. */
const EVERYBODY = {
  ...READING,
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "*",
  "Access-Control-Expose-Headers": "*",
  "Access-Control-Allow-Credentials": "false",
  "Access-Control-Request-Private-Network": "true",
};

/** `*` means nothing where credentials are sent. These are what players and the API's clients look at. */
const EXPOSED = "Content-Length, Content-Range, Date, ETag, Server";

/** Names of headers: 1 KB is more than any browser asks for. */
const HEADER_NAMES = /^[\w!#$%&'*+.^`|~, -]{1,1024}$/;

/** Adds the headers that a page's browser looks at. */
export function cors(options: CorsOptions): MiddlewareHandler {
  const { trustedOrigins } = options;
  return async (c, next) => {
    const origin = c.req.header("Origin");
    // A cache must not give one page the answer for another.
    if (trustedOrigins.length > 0) c.header("Vary", "Origin", { append: true });
    if (origin !== undefined && trustedOrigins.includes(origin)) {
      set(c, trusted(origin, c.req.header("Access-Control-Request-Headers") ?? ""));
    } else if (origin !== undefined && mayRead(c, options)) {
      set(c, isApi(c.req.path) ? ownPage(origin) : EVERYBODY);
    }
    await next();
  };
}

/** Whether the page that asks may read the answer. */
export function mayRead(c: Context, options: CorsOptions): boolean {
  const origin = c.req.header("Origin") ?? "";
  if (options.trustedOrigins.includes(origin)) return true;
  return isApi(c.req.path) ? isOwnOrigin(c, origin, options.ports) : options.crossdomain;
}

/** Whether a page may open a WebSocket: browsers leave it to the server to look at `Origin` (H44). */
export function mayConnect(c: Context, options: CorsOptions): boolean {
  const origin = c.req.header("Origin");
  if (origin === undefined || options.crossdomain) return true;
  return options.trustedOrigins.includes(origin) || isOwnOrigin(c, origin, options.ports);
}

/** What tells of streams and clients, as the router sees the path. */
function isApi(path: string): boolean {
  return /^\/(api|metrics)(\/|$)/.test(path);
}

function ownPage(origin: string): Readonly<Record<string, string>> {
  return {
    ...EVERYBODY,
    "Access-Control-Allow-Origin": origin,
    "Vary": "Origin",
  };
}

function trusted(origin: string, askedHeaders: string): Readonly<Record<string, string>> {
  return {
    ...READING,
    "Access-Control-Allow-Origin": origin,
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Expose-Headers": EXPOSED,
    ...(HEADER_NAMES.test(askedHeaders) && { "Access-Control-Allow-Headers": askedHeaders }),
    // A page of a public site may ask a server in a private network.
    "Access-Control-Allow-Private-Network": "true",
  };
}

function set(c: Context, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
}
