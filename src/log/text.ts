/**
 * Makes text from outside fit for a log line: nothing in it can break the line or steer a terminal
 * (H31), and no secret of a URL stays readable in it (H30).
 * @module
 */

/** C0 and C1 controls, DEL, line and paragraph separators, and every bidi control. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** Key names whose value is a secret, wherever in the name the word stands. */
const SECRET_KEY = /token|sign|key|secret|pass|auth|pwd|credential/i;

/** `=` of a query, also in the form it has in a URL that is itself a query value. */
const EQUALS = /=|%3d/gi;

/** What ends the text before a key. `%26`, `%3B`, `%2C` and `%3F` belong to a nested URL. */
const KEY_START = /[?&;,]|%(?:26|3b|2c|3f)/gi;

/**
 * A value: up to the next separator. Whatever follows `;` or `,` without an `=` of its own is taken to
 * be a part of the value, since both may stand unescaped in a secret.
 */
const VALUE = /[^&;,]*(?:[;,][^&;,=]*(?=[&;,]|$))*/y;

/** What stands for a secret. */
const MASK = "***";

/** Characters of one peer text that reach the log: enough for a long URL, and a line holds several. */
export const PEER_TEXT_MAX = 512;

/** Characters of a peer text that are looked at: bounds the work, since a message may have 16 MiB. */
const PEER_TEXT_SCAN = 8192;

/**
 * Replaces every control, line separator and bidi control by an escape, `\x1b` or `\u202e`. Calling it
 * twice changes nothing more. An ordinary backslash stays as it is.
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
 * in it, and the password of `user:password@host`. Meant for one URL or query; in a longer text it may
 * hide more than the secret, never less. Linear in the length of the text.
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

/** `redactQuery`, at most `PEER_TEXT_MAX` characters, `sanitize`: for everything that a peer sent. */
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

/** A server that decodes `%74oken` sees `token`; so must we. Never throws, unlike decodeURIComponent. */
function percentDecode(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}
