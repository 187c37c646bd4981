/**
 * `refer { }`: from which sites' pages clients may come, by RTMP (`pageUrl`) and HTTP (`Referer`)
 * alike; SRS looks at RTMP alone.
 * @module
 */

import type { Action, ReferConfig } from "../config/types.ts";
import { ErrorCode, type Refusal } from "../rtmp/error.ts";

/** Why a client that comes from `pageUrl` may not; null: it may. */
export function checkRefer(refer: ReferConfig, action: Action, pageUrl: string): Refusal | null {
  if (!refer.enabled) return null;
  const host = hostOf(pageUrl);
  for (const [name, sites] of [["all", refer.all], [action, refer[action]]] as const) {
    if (sites.length === 0 || sites.some((site) => belongsTo(host, site))) continue;
    const from = host === "" ? "a client without a page" : `a page of ${host}`;
    const reason = `refer: ${from} may not ${action}: it is not in "refer ${name}"`;
    return { code: ErrorCode.ACCESS_DENIED, reason };
  }
  return null;
}

/**
 * Whether a host is a site or below it. SRS takes any host that ends with the word, so that its `a.com`
 * admits `xa.com` too.
 */
function belongsTo(host: string, site: string): boolean {
  const name = site.toLowerCase().replace(/^\./, "");
  return host !== "" && (host === name || host.endsWith(`.${name}`));
}

/** The host of a page's URL in lower case, without port, user and the dot of a full name; or "". */
function hostOf(url: string): string {
  const [, authority] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#\\]*)/i.exec(url) ?? [];
  if (authority === undefined) return "";
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  return host.replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase();
}
