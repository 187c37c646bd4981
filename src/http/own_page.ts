/**
 * Which web pages may have the server do something.
 * @module
 */

import type { Context } from "hono";

/**
 * Whether a request with an effect is no foreign web page's. Browsers send `Origin` with every DELETE and
 * POST, programs do not. The page must be our own; and since a foreign page can have its name resolved to
 * our address (DNS rebinding), a name does not prove that, unless a password is asked for (`guarded`):
 * browsers keep those by name.
 */
export function fromOwnPage(c: Context, guarded: boolean): boolean {
  const origin = c.req.header("Origin");
  if (origin === undefined) return true;
  // HTTP/2 has no such header.
  const host = c.req.header("Host") ?? new URL(c.req.url).host;
  const sameOrigin = origin === `http://${host}` || origin === `https://${host}`;
  return sameOrigin && (guarded || !isNamed(host));
}

/** Whether a server is asked for by a name, which may be anybody's. */
function isNamed(host: string): boolean {
  return !/^(localhost|\d+(\.\d+){3}|\[[0-9a-f:.]+\])(:\d+)?$/i.test(host);
}

/**
 * The same for a GET with an effect, which SRS has. A foreign page's image or link comes without `Origin`;
 * what browsers do send tells it from a program all the same.
 */
export function getFromOwnPage(c: Context, guarded: boolean): boolean {
  const site = c.req.header("Sec-Fetch-Site");
  if (site !== undefined && site !== "same-origin") return false;
  const referer = c.req.header("Referer");
  const host = c.req.header("Host") ?? new URL(c.req.url).host;
  if (referer !== undefined && !(URL.canParse(referer) && new URL(referer).host === host)) {
    return false;
  }
  // Over plain HTTP browsers do not say what a request is for, and a page can have them hide where it is.
  if (/^Mozilla\//.test(c.req.header("User-Agent") ?? "")) {
    if (site === undefined && referer === undefined) return false;
    if (!guarded && isNamed(host)) return false;
  }
  return fromOwnPage(c, guarded);
}
