/**
 * The way that a stream has come from server to server (H34). Each server has an id of its own for as
 * long as it runs; a server that asks another one for a stream, or brings it one, says with `connect`
 * (or in an HTTP header) through which servers the request has gone. A server that finds itself there
 * refuses: nothing would ever come out of that ring. Other makes of server ignore the field, and end
 * the list.
 * @module
 */

import { ID_MAX_LENGTH, MAX_HOPS } from "./limits.ts";

/** The field of `connect`'s object: ids, oldest first, separated by spaces. */
export const HOPS_FIELD = "srsEdgeHops";
/** The same with HTTP. */
export const HOPS_HEADER = "X-Srs-Edge-Hops";

/** Reads the field; what is no list of ids counts as none. */
export function parseHops(text: string | null | undefined): readonly string[] {
  if (!text || text.length > (MAX_HOPS + 1) * (ID_MAX_LENGTH + 1)) return [];
  return text.split(" ").filter((id) => /^[\w-]+$/.test(id) && id.length <= ID_MAX_LENGTH);
}

/** Writes the field: these servers, each once, and then this one. */
export function formatHops(hops: Iterable<string>, self: string): string {
  return [...new Set([...hops, self])].join(" ");
}

/** Why a request that has come this way is refused by server `self`; null: it is not. */
export function refuseHops(hops: readonly string[], self: string): string | null {
  if (hops.includes(self)) {
    return "loop: the request has come from this very server, by way of its own origin or forward; " +
      "correct `origin` or `destination`";
  }
  if (hops.length > MAX_HOPS) {
    return `loop: the request has come through more than ${MAX_HOPS} servers`;
  }
  return null;
}
