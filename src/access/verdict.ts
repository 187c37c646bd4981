/**
 * What an answer of a hook server means.
 * @module
 */

import { QUOTED_MAX } from "./limits.ts";

/**
 * Why an answer is no yes; null: it is. A yes has status 200 or 201, and for a body `0`, or a JSON object
 * whose `code` is 0. Space around either is let pass, which SRS does not.
 */
export function verdictOf(status: number, body: string): string | null {
  if (status !== 200 && status !== 201) return `HTTP status ${status}`;
  const text = body.trim();
  if (text === "0" || hasCodeZero(text)) return null;
  const shown = text.length > QUOTED_MAX ? `${text.slice(0, QUOTED_MAX)}...` : text;
  return `answer ${JSON.stringify(shown)}`;
}

/** Whether it is a JSON object whose `code` is written `0`: 0.0 and -0 are no integers for SRS. */
function hasCodeZero(text: string): boolean {
  const written = new WeakMap<object, string | undefined>();
  function note(this: object, key: string, value: unknown, context?: { source?: string }): unknown {
    if (key === "code") written.set(this, context?.source);
    return value;
  }
  try {
    const value: unknown = JSON.parse(text, note);
    return typeof value === "object" && value !== null && !Array.isArray(value) &&
      written.get(value) === "0";
  } catch {
    return false;
  }
}
