/**
 * Which stream a peer means: vhost, app, stream and parameters out of the connect command's `tcUrl` and
 * the name in `play` or `publish` (spec: rtmp §10).
 *
 *     rtmp://host:port/app/sub?query  +  stream?query#fragment
 *
 * The text is cut by hand: `new URL` throws on input that works with every RTMP server, and it decodes
 * and re-encodes signatures (Q24). Nothing here is percent-decoded except to refuse traversal.
 * @module
 */

import { DEFAULT_VHOST } from "../config/types.ts";
import { ErrorCode, RtmpError } from "./error.ts";

/** App of a URL that names none (Q20). */
export const DEFAULT_APP = "__defaultApp__";

/** Longest app or stream name, bytes of UTF-8 (DESIGN §7, H12): file systems and logs stop near there. */
export const NAME_MAX_BYTES = 512;

/** Longest tcUrl, and longest name with its query, UTF-16 units (H11); signed URLs stay below 4 K. */
export const URL_MAX_LENGTH = 8192;

/** Ports of the schemas that have one of their own; SRS takes 80 for every other. */
const DEFAULT_PORTS = new Map([["rtmp", 1935], ["rtmps", 443], ["https", 443]]);
const OTHER_DEFAULT_PORT = 80;
const PORT_MAX = 65535;

const ENCODER = new TextEncoder();

/** What a peer asked for. */
export interface StreamUrl {
  /** Lower case; `rtmp` when there was no tcUrl. */
  readonly schema: string;
  /** As typed, IPv6 without brackets; empty when there was no tcUrl. */
  readonly host: string;
  readonly port: number;
  /**
   * The vhost asked for: `?vhost=`, `?domain=`, or the host. It is the peer's text. Look it up with
   * `findVhost` and use the name of the block found, never this, in keys and paths.
   */
  readonly vhost: string;
  /** One or more parts joined by `/`, none of them empty, `.` or `..`. */
  readonly app: string;
  /** One part, extension as typed. */
  readonly stream: string;
  /** `?query` and `#fragment` of both, for hooks and upstreams; empty, or begins with `?` or `#`. */
  readonly param: string;
}

/** A text cut at its first `#` and before that at its first `?`. */
interface Cut {
  readonly path: string;
  readonly query: string;
  readonly fragment: string;
}

/**
 * Finds the stream that a peer means.
 * @param tcUrl From the connect command; null or empty if it had none (Q20).
 * @param name From `play` or `publish`, with its query; may be empty or only a query (Q22, Q23).
 * @param connectApp The connect command's `app`, used only when there is no tcUrl.
 * @throws RtmpError TCURL: no schema, too long, a control character, no stream name, a name that
 * `checkName` refuses.
 */
export function parseStreamUrl(
  tcUrl: string | null,
  name: string,
  connectApp: string | null = null,
): StreamUrl {
  checkText("tcUrl", tcUrl ?? "");
  checkText("app", connectApp ?? "");
  checkText("stream name", name);

  const url = trimAll((tcUrl ?? "").trim(), "'"); // Neko wraps it in quotes (Q19)
  const base = url === ""
    ? { schema: "rtmp", authority: "", rest: connectApp ?? "" }
    : cutBase(url);
  const { host, port } = cutAuthority(base.authority, base.schema);

  const fromUrl = cut(vhostSuffixToQuery(base.rest));
  const fromName = cut(name);
  let urlQuery = fromUrl.query;
  const appParts = parts(fromUrl.path);
  let nameParts = parts(fromName.path);
  const slash = urlQuery.lastIndexOf("/");
  if (nameParts.length === 0 && appParts.length < 2 && slash >= 0) {
    // FMLE puts the stream behind the query: rtmp://host/app?key=value/stream (Q22).
    nameParts = parts(urlQuery.slice(slash));
    urlQuery = urlQuery.slice(0, slash);
  }

  const all = [...appParts, ...nameParts];
  const stream = nameParts.length > 0 || all.length > 1 ? all.pop() ?? "" : "";
  if (stream === "") {
    throw refuse("no stream name: give it as the last part of the URL, rtmp://host/app/stream");
  }
  const app = all.length > 0 ? all.join("/") : DEFAULT_APP;
  checkName("app", app);
  checkName("stream name", stream);

  // The query once (SRS repeats the tcUrl's): the stream's, then the tcUrl's unless it is the same.
  const queries = fromName.query === urlQuery ? [urlQuery] : [fromName.query, urlQuery];
  const query = queries.filter((text) => text !== "").join("&");
  const fragment = fromName.fragment !== "" ? fromName.fragment : fromUrl.fragment;
  const asked = queryValue(query, "vhost") || queryValue(query, "domain");
  const onlyDefault = query === `vhost=${DEFAULT_VHOST}` || query === `domain=${DEFAULT_VHOST}`;
  const vhost = asked !== "" && asked !== DEFAULT_VHOST ? asked : host;
  return {
    schema: base.schema,
    host,
    port,
    vhost: trimAll(vhost.replaceAll(" ", ""), "/") || DEFAULT_VHOST,
    app,
    stream,
    param: (query !== "" && !onlyDefault ? `?${query}` : "") +
      (fragment !== "" ? `#${fragment}` : ""),
  };
}

/**
 * The identity of a stream: `[vhost unless default]/app/stream` without the stream's extension, so that
 * `s`, `s.flv` and `s.abc` are one. `vhost` is the name of a configured block. The name is kept whole
 * where cutting would leave nothing, or only dots that a file path would take for a directory (H12).
 */
export function streamKey(vhost: string, app: string, stream: string): string {
  const dot = stream.lastIndexOf(".");
  const stem = dot < 0 ? stream : stream.slice(0, dot);
  const identity = /[^.]/.test(stem) ? stem : stream;
  return `${vhost === DEFAULT_VHOST ? "" : vhost}/${app}/${identity}`;
}

/**
 * Refuses names that could leave a directory or upset a log or a file system (H12): a `.` or `..` part,
 * a backslash, control characters, the same percent-encoded at any depth, an encoded slash, more than
 * `NAME_MAX_BYTES`. Letters of all scripts and emoji are fine.
 * @param what How the error calls it: "app", "stream name".
 * @throws RtmpError TCURL.
 */
export function checkName(what: string, name: string): void {
  const bytes = name.length > NAME_MAX_BYTES ? name.length : ENCODER.encode(name).length;
  if (bytes > NAME_MAX_BYTES) {
    throw refuse(`the ${what} is longer than ${NAME_MAX_BYTES} bytes: use a shorter one`);
  }
  const slashes = name.split("/").length;
  // Each round shortens the text, and the text is short.
  for (let text = name;;) {
    if (/[\\\p{Cc}]/u.test(text)) {
      throw refuse(`the ${what} has a backslash or a control character: remove it`);
    }
    const pieces = text.split("/");
    if (pieces.includes(".") || pieces.includes("..") || pieces.length !== slashes) {
      throw refuse(`the ${what} has a "." or ".." part or an encoded slash: use plain names`);
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

function checkText(what: string, text: string): void {
  if (text.length > URL_MAX_LENGTH) {
    throw refuse(`the ${what} has ${text.length} characters, ${URL_MAX_LENGTH} are allowed`);
  }
  if (/\p{Cc}/u.test(text)) throw refuse(`the ${what} has a control character: remove it`);
}

function cutBase(url: string): { schema: string; authority: string; rest: string } {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/isu.exec(url);
  if (match === null) throw refuse("the tcUrl has no schema: it must begin with rtmp://");
  return { schema: match[1].toLowerCase(), authority: match[2], rest: match[3] };
}

/** `user@host:port`, `[v6]:port`, bare v6. A port that is no number is left to the default. */
function cutAuthority(authority: string, schema: string): { host: string; port: number } {
  const address = authority.slice(authority.lastIndexOf("@") + 1);
  const match = /^\[([^\]]*)\](?::(\d*))?/.exec(address) ?? /^([^:]*)(?::(\d*))?$/.exec(address);
  const port = Number(match?.[2] ?? 0);
  return {
    host: match?.[1] ?? address,
    port: port > 0 && port <= PORT_MAX ? port : DEFAULT_PORTS.get(schema) ?? OTHER_DEFAULT_PORT,
  };
}

/** `app...vhost...name` is the form of players that cannot send a query (Q25). */
function vhostSuffixToQuery(rest: string): string {
  const at = rest.indexOf("...vhost...");
  if (at < 0) return rest;
  const before = rest.slice(0, at);
  return `${before}${before.includes("?") ? "&" : "?"}vhost=${rest.slice(at + 11)}`;
}

function cut(text: string): Cut {
  const hash = text.indexOf("#");
  const whole = hash < 0 ? text : text.slice(0, hash);
  const mark = whole.indexOf("?");
  return {
    path: mark < 0 ? whole : whole.slice(0, mark),
    query: mark < 0 ? "" : whole.slice(mark + 1),
    fragment: hash < 0 ? "" : text.slice(hash + 1),
  };
}

/** `text` without `char` at both ends. By hand: a regular expression would be quadratic here. */
function trimAll(text: string, char: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text[start] === char) start++;
  while (end > start && text[end - 1] === char) end--;
  return text.slice(start, end);
}

/** The parts of a path without spaces, empty parts, and FMLE's `_definst_` (Q21). */
function parts(path: string): string[] {
  return path.replaceAll(" ", "").split("/").filter((part) => part !== "" && part !== "_definst_");
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
