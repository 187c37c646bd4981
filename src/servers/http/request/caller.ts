/**
 * Who sends a request, as rules and limits are to see it.
 * @module
 */

import { AMBIGUOUS_EVERY_MS } from "./limits.ts";
import type { Context } from "hono";
import type { HttpServerConfig } from "../../../config/types.ts";
import { serverLog } from "../../../log/log.ts";
import type { HttpEnv } from "./answer.ts";
import { clientAddress, proxyHeaders } from "./client_address.ts";

/** What the configuration says of proxies. */
export type ProxyRules = Pick<HttpServerConfig, "trustedProxies" | "clientAddressHeader">;

/** No proxy is believed. */
export const NO_PROXIES: ProxyRules = { trustedProxies: [], clientAddressHeader: null };

/** The answer to a request whose {@link callerAddress} is null. */
export const WHO_ASKS = "Forbidden: the proxy's headers do not say clearly who asks\n";

/** The address of the client behind trusted proxies; null: their headers leave that open. */
export function callerAddress(c: Context<HttpEnv>, rules: ProxyRules): string | null {
  const peer = c.env?.peer?.address ?? "";
  if (rules.trustedProxies.length === 0) return peer;
  const said = proxyHeaders((name) => c.req.header(name));
  return clientAddress(peer, said, rules.trustedProxies, rules.clientAddressHeader);
}

/** Says once a minute that requests are refused for their proxy's headers. */
export class AmbiguousLine {
  readonly #now: () => number;
  #saidAt = -Infinity;
  #unsaid = 0;

  /** `now`: ms, steady. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** A request was refused. */
  say(c: Context<HttpEnv>, { clientAddressHeader: named }: ProxyRules): void {
    const now = this.#now();
    if (now - this.#saidAt < AMBIGUOUS_EVERY_MS) return void this.#unsaid++;
    const more = this.#unsaid === 0 ? "" : ` (${this.#unsaid} more since the last line)`;
    this.#saidAt = now;
    this.#unsaid = 0;
    const cure = named === null
      ? "name the one that the proxy sets: http_server { client_address_header x-forwarded-for; } " +
        "(or x-real-ip, or forwarded)"
      : `have the proxy set ${named} to an address`;
    serverLog.warn(
      `HTTP request through the trusted proxy ${c.env?.peer?.address} refused: its headers about the ` +
        `client's address contradict each other or cannot be read; ${cure}${more}`,
    );
  }
}

/** For all ports of this process. */
export const ambiguousLine: AmbiguousLine = new AmbiguousLine();
