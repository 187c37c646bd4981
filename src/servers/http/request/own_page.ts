/**
 * Which web pages may have the server do something.
 * @module
 */

import type { Context } from "hono";
import type { Config } from "../../../config/types.ts";
import { isNamed } from "./local_request.ts";

/**
 * Whether a request with an effect is no foreign web page's. Browsers send `Origin` with every DELETE and
 * POST, programs do not. The page must be our own; and since a foreign page can have its name resolved to
 * our address (DNS rebinding), a name does not prove that, unless a password is asked for (`guarded`):
 * browsers keep those by name.
 */
export function fromOwnPage(c: Context, guarded: boolean): boolean {
  const site = c.req.header("Sec-Fetch-Site");
  if (site !== undefined && site !== "same-origin") return false;
  const origin = c.req.header("Origin");
  if (origin === undefined) return true;
  // HTTP/2 has no such header.
  const host = c.req.header("Host") ?? new URL(c.req.url).host;
  const sameOrigin = origin === `http://${host}` || origin === `https://${host}`;
  return sameOrigin && (guarded || !isNamed(host));
}

/**
 * The same for a GET with an effect, which SRS has. A foreign page's image or link comes without `Origin`;
 * what browsers do send tells it from a program all the same.
 */
export function getFromOwnPage(c: Context, guarded: boolean): boolean {
  const referer = c.req.header("Referer");
  const host = c.req.header("Host") ?? new URL(c.req.url).host;
  if (referer !== undefined && !(URL.canParse(referer) && new URL(referer).host === host)) {
    return false;
  }
  const site = c.req.header("Sec-Fetch-Site");
  // Over plain HTTP browsers do not say what a request is for, and a page can have them hide where it is.
  if (/^Mozilla\//.test(c.req.header("User-Agent") ?? "")) {
    if (site === undefined && referer === undefined) return false;
    if (!guarded && isNamed(host)) return false;
  }
  return fromOwnPage(c, guarded);
}

/** Which pages may read the API: ours, and those of sites that the configuration names (H63). */
export interface PageRules {
  readonly trustedOrigins: readonly string[];
  /** The ports that this server has for HTTP and HTTPS: pages on them are ours. */
  readonly ports: ReadonlySet<string>;
}

/** The ports that a configuration has for pages. */
export function webPorts({ httpApi, httpServer }: Config): ReadonlySet<string> {
  const open = [httpApi.listen, httpServer.listen, httpApi.https?.listen, httpServer.https?.listen];
  return new Set(open.flatMap((address) => address ? [String(address.port)] : []));
}

/** Whether pages of an origin are this server's, on whichever of its ports. */
export function isOwnOrigin(c: Context, origin: string, ports: ReadonlySet<string>): boolean {
  const asked = `http://${c.req.header("Host") ?? new URL(c.req.url).host}`;
  if (!URL.canParse(origin) || !URL.canParse(asked)) return false;
  const [page, here] = [new URL(origin), new URL(asked)];
  if (page.protocol !== "http:" && page.protocol !== "https:") return false;
  if (page.hostname !== here.hostname) return false;
  const port = page.port || (page.protocol === "https:" ? "443" : "80");
  return page.host === here.host || ports.has(port);
}

/** Whether pages of an origin may read the API. */
export function mayReadApi(c: Context, origin: string, rules: PageRules): boolean {
  return rules.trustedOrigins.includes(origin) || isOwnOrigin(c, origin, rules.ports);
}

/**
 * Whether a script on such a page may read it (JSONP). A script is asked for without `Origin`; what else
 * browsers say tells it from a program.
 */
export function scriptMayRead(c: Context, rules: PageRules): boolean {
  const site = c.req.header("Sec-Fetch-Site");
  const referer = c.req.header("Referer");
  if (referer !== undefined) {
    return URL.canParse(referer) && mayReadApi(c, new URL(referer).origin, rules);
  }
  if (site !== undefined) return site === "same-origin" || site === "none";
  const origin = c.req.header("Origin");
  if (origin !== undefined) return mayReadApi(c, origin, rules);
  return !/^Mozilla\//.test(c.req.header("User-Agent") ?? "");
}
