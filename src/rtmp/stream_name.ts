/**
 * The one reading of names: what RTMP, HTTP-FLV, hooks, signed URLs, forwards and edges take an app or a
 * stream name for.
 *
 * A name is read as typed, then percent-decoded once: `%E5%8C%97` over RTMP and `北` in a browser are one
 * name. An escape that cannot be decoded stays as typed: bytes that are no UTF-8, and the characters that
 * would mean something else in a URL (`%2F`, `%3F`, `%23`); its digits become upper case. `%25` stays
 * where decoding would make another escape of what follows it. So the result is itself a name that can
 * be typed and is read as itself, and names that differ stay different.
 * @module
 */

import { NAME_MAX_BYTES } from "./limits.ts";
import { DEFAULT_VHOST, isSameVhost, type VhostConfig, vhostKey } from "../config/types.ts";
import { ErrorCode, RtmpError } from "./error.ts";

/** The media ending that SRS's users write behind a name: `s.flv` is the stream `s`. */
const MEDIA_ENDING = ".flv";

/** FMLE's name for "no instance", a part of paths that means nothing (Q21). */
const NO_INSTANCE = "_definst_";

/** Cuts an app from the vhost in URLs of players that cannot send a query (Q25). */
export const VHOST_SUFFIX = "...vhost...";

/** Stands for a `%` that was decoded, until it is known what follows it. */
const PERCENT = "\0";

const ENCODER = new TextEncoder();

/** One part of a path in the form in which it is compared; see above. */
export function readPart(typed: string): string {
  const text = decodeOnce(typed.toWellFormed());
  return text.includes(VHOST_SUFFIX) ? text.replace(/\.(?=\.\.vhost\.\.\.)/g, "%2E") : text;
}

function decodeOnce(text: string): string {
  if (!text.includes("%")) return text;
  const decoded = text
    .replace(/(?:%[0-9a-f]{2})+|%/gi, (run) => run === "%" ? PERCENT : decodeRun(run));
  return decoded.replace(/\0(?=([0-9a-f]{2})?)/gi, (_, hex) => hex === undefined ? "%" : "%25");
}

/** Decodes escapes; what is no UTF-8 or has a meaning in a URL stays an escape. */
function decodeRun(run: string): string {
  let text = "";
  for (let at = 0; at < run.length;) {
    const [char, length] = charAt(run, at);
    if (char === null || "/?#\\".includes(char) || /\p{Cc}/u.test(char)) {
      text += run.slice(at, at + length).toUpperCase();
    } else {
      text += char === "%" ? PERCENT : char;
    }
    at += length;
  }
  return text;
}

/** The character whose escapes begin at `at`, and their length; null: no UTF-8. */
function charAt(run: string, at: number): [string | null, number] {
  const first = parseInt(run.slice(at + 1, at + 3), 16);
  const bytes = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  try {
    return [decodeURIComponent(run.slice(at, at + bytes * 3)), bytes * 3];
  } catch {
    return [null, 3];
  }
}

/** The parts of a path, as typed. Empty parts (`//`, a final `/`) and `_definst_` are none. */
export function pathParts(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== NO_INSTANCE);
}

/**
 * The last part of a path, a stream's name with the media ending that was typed behind it. A dot that
 * was typed as `%2E` before `flv` stays so: that is how a name is written that ends like this itself.
 */
export function readStream(typed: string): string {
  const text = readPart(typed);
  return typed.endsWith(MEDIA_ENDING) ? text : asName(text);
}

/**
 * The name in what `readStream` gives: without the media ending. It is kept whole where cutting would
 * leave nothing, or only dots that a file path would take for a directory (H12).
 */
export function withoutEnding(stream: string): string {
  const stem = stemOf(stream);
  return stem === null ? stream : asName(readPart(stem));
}

/** A text that is a name as a whole: an ending that would be cut off is protected. */
export function asName(text: string): string {
  const stem = stemOf(text);
  return stem === null ? text : `${stem}%2E${MEDIA_ENDING.slice(1)}`;
}

function stemOf(text: string): string | null {
  const stem = text.endsWith(MEDIA_ENDING) ? text.slice(0, -MEDIA_ENDING.length) : "";
  return /[^.]/.test(stem) ? stem : null;
}

/**
 * The identity of a stream: `[vhost unless default]/app/stream`. `vhost` is as `identityVhost` gives
 * it; `app` is of parts as `readPart` gives them, `name` as `withoutEnding` does.
 */
export function streamKey(vhost: string, app: string, name: string): string {
  return `${vhost === DEFAULT_VHOST ? "" : vhost}/${app}/${name}`;
}

/** The stream's name in its key. */
export function nameInKey(key: string): string {
  return key.slice(key.lastIndexOf("/") + 1);
}

/** Writes an app or a name for the path of a URL, where it is read as itself again. */
export function urlPath(name: string): string {
  return name.split(/(%[0-9a-f]{2}|\/)/i)
    .map((text, at) => at % 2 === 1 ? text : encodeURIComponent(text)).join("");
}

/**
 * The last value of a key, or "". SRS also cuts at `,` and `;`; `?` is cut at too, because an SRS peer
 * sends `?vhost=a?vhost=a`. A value keeps its `=` (Q24), and a flag without value shifts nothing.
 */
export function queryValue(query: string, key: string): string {
  let value = "";
  for (const pair of query.split(/[&,;?]/)) {
    if (pair.startsWith(`${key}=`)) value = pair.slice(key.length + 1);
  }
  return value;
}

/** A name that a vhost of another server may have. */
const HOST_NAME = /^(?:[\p{L}\p{N}_-]+\.)*[\p{L}\p{N}_-]+$/u;
/** Longest host name, characters (RFC 1035). */
const HOST_NAME_MAX = 255;

/**
 * The vhost that other servers are asked for: the block's, or the one that a client names by `?vhost=`
 * or `?domain=` and the default block serves. "": none. The name of the host that a client has connected
 * to is none (srs#2130).
 * @param vhost The name of the configured block.
 * @param param `?query#fragment`, or empty.
 */
export function upstreamVhost(vhost: string, param: string): string {
  if (vhost !== DEFAULT_VHOST) return vhost;
  const asked = vhostInQuery(param.split("#", 1)[0]);
  return asked.length <= HOST_NAME_MAX && HOST_NAME.test(asked) ? asked : "";
}

/**
 * The vhost in a stream's identity. The default block of an edge serves what the origin has in the vhost
 * that was asked for: that is another stream (H38).
 */
export function identityVhost(
  { name, edge }: Pick<VhostConfig, "name" | "edge">,
  param: string,
): string {
  return edge ? upstreamVhost(name, param) || name : name;
}

/** The vhost that a stream's key names; "": the default one. */
export function vhostInKey(key: string): string {
  return key.slice(0, key.indexOf("/"));
}

/**
 * The vhost that a query names, `vhost=` before `domain=`, in the spelling in which it is compared:
 * what is one vhost here is one at an origin (H47). "": none, or the default one.
 */
export function vhostInQuery(query: string): string {
  const asked = vhostKey(readPart(queryValue(query, "vhost") || queryValue(query, "domain")));
  return isSameVhost(asked, DEFAULT_VHOST) ? "" : asked;
}

/**
 * Refuses names that could leave a directory or upset a log (H12): a `.` or `..` part, a backslash,
 * control characters, the same percent-encoded at any depth, more than `NAME_MAX_BYTES`. Letters of all
 * scripts, emoji, spaces and `%2F` are fine.
 * @param what How the error calls it: "app", "stream name".
 * @throws RtmpError TCURL.
 */
export function checkName(what: string, name: string): void {
  const bytes = name.length > NAME_MAX_BYTES ? name.length : ENCODER.encode(name).length;
  if (bytes > NAME_MAX_BYTES) {
    throw refuse(
      `the ${what} has ${bytes} bytes, ${NAME_MAX_BYTES} are allowed: use a shorter one`,
    );
  }
  // Each round shortens the text, and the text is short.
  for (let text = name;;) {
    if (/[\\\p{Cc}]/u.test(text)) {
      throw refuse(`the ${what} has a backslash or a control character: remove it`);
    }
    const pieces = text.split("/");
    if (pieces.includes(".") || pieces.includes("..")) {
      throw refuse(`the ${what} has a "." or ".." part: use plain names`);
    }
    const decoded = text.replace(
      /%([0-7][0-9a-f])/gi,
      (_, hex: string) => String.fromCharCode(parseInt(hex, 16)),
    );
    if (decoded === text) return;
    text = decoded;
  }
}

function refuse(reason: string): RtmpError {
  return new RtmpError(ErrorCode.TCURL, reason);
}
