/**
 * What clients say of themselves, as far as it is kept: the API shows it and hook servers are told it for
 * as long as the client stays, so that it is bounded where it comes in (H45).
 * @module
 */

import { KEPT_CHARACTERS } from "./limits.ts";

/** The beginning of a text. A part of a long one would keep the whole in memory, so it is copied. */
export function keptText(text: string): string {
  if (text.length <= KEPT_CHARACTERS) return text;
  return new TextDecoder().decode(new TextEncoder().encode(text.slice(0, KEPT_CHARACTERS)));
}
