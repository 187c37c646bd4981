/**
 * Where a server that we have turned to may send us on to (H60). It may be a stranger's, or taken over:
 * it must not have us ask for what only this machine or its network can reach.
 * @module
 */

/** Takes a host, without brackets; whether a redirect may lead there. */
export type RedirectRule = (host: string) => boolean;

/** The rule for servers that the configuration names: a redirect leads to one of them. */
export function toNamed(hosts: Iterable<string>): RedirectRule {
  const named = new Set(Array.from(hosts, (host) => host.toLowerCase()));
  return (host) => named.has(host.toLowerCase());
}

/** What is said of a redirect that is not followed. */
export const NOT_NAMED =
  "which the configuration does not name: add that server to the origins if it is one of yours";

/**
 * Whether a redirect of HTTP leads to a stream: the same scheme, and a path that ends as this one does.
 */
export function isStreamRedirect(from: URL, to: URL): boolean {
  return from.protocol === to.protocol && /[^/]\.flv$/i.test(to.pathname);
}
