/**
 * Whose address a request has when it came through proxies.
 * @module
 */

import { contains, type Network, parseNetwork } from "../config/network.ts";

/** What proxies say of a request's way; null: nothing. */
export interface ProxyHeaders {
  readonly forwardedFor: string | null;
  readonly realIp: string | null;
}

/**
 * The client's address: the peer's, unless it is one of our own proxies; then what that one says, and so
 * on. SRS believes the first entry of `X-Forwarded-For` whoever sends it, so that anybody can choose the
 * address that rules and hooks see.
 */
export function clientAddress(
  peer: string,
  { forwardedFor, realIp }: ProxyHeaders,
  trusted: readonly Network[],
): string {
  const isProxy = (address: string) => trusted.some((network) => contains(network, address));
  let client = peer;
  const way = (forwardedFor ?? realIp ?? "").split(",").map((entry) => entry.trim());
  // Each proxy adds the address that it was called from at the end.
  while (isProxy(client)) {
    const before = way.pop();
    if (before === undefined || before.includes("/") || !parseNetwork(before)) break;
    client = before;
  }
  return client;
}
