/**
 * Whether a request is this machine's own, and which names a browser may have asked us by.
 * @module
 */

import type { Context } from "hono";
import type { HttpEnv } from "./answer.ts";

/** Header fields by which proxies, load balancers and CDNs show. */
const FORWARDING =
  /^(forwarded|via|x-forwarded(-.*)?|x-real-.*|(x-|true-|fastly-)?(cluster-)?client-ip|x-original-.*|x-envoy-.*|x-proxy.*|cf-.*|cdn-loop)$/i;

const LOCAL_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d*)?$/i;

const BY_ADDRESS = /^(localhost|\d+(\.\d+){3}|\[[0-9a-f:.]+\])(:\d*)?$/i;

/** Whether an address is this machine's own. */
export function isLoopbackAddress(address: string): boolean {
  return /^(::ffff:)?127(\.\d{1,3}){3}$/i.test(address) || address === "::1";
}

/** Whether a server is asked for by a name, which may be a stranger's; browsers always say one. */
export function isNamed(host: string): boolean {
  return host !== "" && !BY_ADDRESS.test(host);
}

/**
 * The hosts that a request asks for: its Host header, and the one of an absolute target, which should
 * be the same.
 */
export function askedHosts(c: Context): string[] {
  const { host } = new URL(c.req.url);
  return [c.req.header("Host") ?? host, host];
}

/**
 * Whether a program or browser on this machine has sent the request, and no proxy here for another client
 * (H43). A proxy that hides itself cannot be told from a program: it takes a password then.
 */
export function isFromThisMachine(c: Context<HttpEnv>): boolean {
  return isLoopbackAddress(c.env?.peer?.address ?? "") &&
    !Object.keys(c.req.header()).some((name) => FORWARDING.test(name)) &&
    askedHosts(c).every((host) => LOCAL_HOST.test(host));
}

/** How an API is protected against being read by way of a browser. */
export interface ReadRules {
  /** By name and password. */
  readonly guarded: boolean;
  /** It listens for this machine alone. */
  readonly loopback: boolean;
  /** Origins that the configuration names. */
  readonly trustedOrigins: readonly string[];
}

/** The answer to a request that {@link isRebound}. */
export const REBOUND =
  "Forbidden: without a password this machine's API is read as localhost or by " +
  "IP address: give http_api an auth { } block, or name the site in http_server { trusted_origins }.\n";

/**
 * Whether this machine's API is asked under a name that may be a stranger's: a foreign page can have
 * its own name resolved to 127.0.0.1 and be of the same origin then (DNS rebinding, H63).
 */
export function isRebound(c: Context<HttpEnv>, rules: ReadRules): boolean {
  const { guarded, loopback, trustedOrigins } = rules;
  if (guarded) return false;
  if (!loopback && !isLoopbackAddress(c.env?.peer?.address ?? "")) return false;
  const named = trustedOrigins.map((origin) => new URL(origin).hostname);
  return askedHosts(c).some((host) => isNamed(host) && !named.includes(nameOf(host)));
}

function nameOf(host: string): string {
  return host.replace(/:\d*$/, "").toLowerCase();
}
