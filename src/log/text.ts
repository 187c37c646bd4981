/**
 * Makes a peer's text safe for a log line: it cannot break the line or control a terminal (H31), and
 * the secrets of URLs in it are not readable (H30).
 * @module
 */

import { PEER_TEXT_MAX } from "./limits.ts";

/** C0 and C1 controls, DEL, line and paragraph separators, and every bidi control. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** Words that mark a key as secret, anywhere in its name. */
const SECRET_KEY = /token|sign|key|secret|pass|auth|pwd|credential/i;

/** `=` of a query, also escaped as in a URL that is itself a query value. */
const EQUALS = /=|%3d/gi;

/** Separators before a key. `%26`, `%3B`, `%2C` and `%3F` occur in a nested URL. */
const KEY_START = /[?&;,]|%(?:26|3b|2c|3f)/gi;

/**
 * A value, up to the next separator. Text after `;` or `,` without an `=` of its own is part of the
 * value, because a secret may contain both unescaped.
 */
const VALUE = /[^&;,]*(?:[;,][^&;,=]*(?=[&;,]|$))*/y;

/** The replacement of a secret. */
const MASK = "***";

/**
 * Most characters of a peer text that are examined. The limit bounds the work: a message may have 16
 * MiB.
 */
const PEER_TEXT_SCAN = 8192;

/**
 * Replaces every control, line separator and bidi control by an escape, `\x1b` or `\u202e`. A second
 * call changes nothing. A plain backslash stays.
 */
export function sanitize(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/**
 * Replaces secrets by `***`: in `key=value` pairs separated by `?`, `&`, `;` or `,` the value of a key
 * whose name has one of the words token, sign, key, secret, pass, auth, password, pwd, credential
 * in it, and the password of `user:password@host`. The text is one URL or query; in a longer text the
 * function may hide more than the secret, never less. It takes linear time.
 */
export function redactQuery(text: string): string {
  const ranges = [...passwordRanges(text), ...secretValueRanges(text)].sort(([a], [b]) => a - b);
  let out = "";
  let done = 0;
  for (const [start, end] of ranges) {
    if (start >= done) out += text.slice(done, start) + MASK;
    done = Math.max(done, end);
  }
  return out + text.slice(done);
}

/**
 * Applies `redactQuery`, the limit of `PEER_TEXT_MAX` characters, and `sanitize`: for all text of a
 * peer.
 */
export function peerText(text: string): string {
  const safe = sanitize(redactQuery(text.slice(0, PEER_TEXT_SCAN)));
  const whole = safe.length <= PEER_TEXT_MAX && text.length <= PEER_TEXT_SCAN;
  return whole ? safe : `${safe.slice(0, PEER_TEXT_MAX - 3)}...`;
}

/** Start and end of a part of the text. */
type Range = readonly [number, number];

function passwordRanges(text: string): Range[] {
  const ranges: Range[] = [];
  if (!text.includes("@")) return ranges;
  for (const { 0: authority, index } of text.matchAll(/[^\s/?#]+/g)) {
    const colon = authority.indexOf(":");
    const at = authority.lastIndexOf("@");
    if (colon >= 0 && at > colon) ranges.push([index + colon + 1, index + at]);
  }
  return ranges;
}

function secretValueRanges(text: string): Range[] {
  const ranges: Range[] = [];
  let done = 0;
  EQUALS.lastIndex = 0;
  for (let equals = EQUALS.exec(text); equals !== null; equals = EQUALS.exec(text)) {
    const key = lastKey(text.slice(done, equals.index));
    done = EQUALS.lastIndex;
    if (!SECRET_KEY.test(percentDecode(key))) continue;
    VALUE.lastIndex = done;
    VALUE.test(text);
    ranges.push([done, VALUE.lastIndex]);
    done = VALUE.lastIndex;
    EQUALS.lastIndex = done;
  }
  return ranges;
}

function lastKey(text: string): string {
  let start = 0;
  for (const separator of text.matchAll(KEY_START)) start = separator.index + separator[0].length;
  return text.slice(start);
}

/**
 * Decodes a key, because a server reads `%74oken` as `token`. Never throws, unlike decodeURIComponent.
 */
function percentDecode(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}
