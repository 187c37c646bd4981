/**
 * Which stream a peer means: vhost, app, stream and parameters out of the connect command's `tcUrl` and
 * the name in `play` or `publish`.
 *
 *     rtmp://host:port/app/sub?query  +  stream?query#fragment
 *
 * The text is cut by hand: `new URL` throws on input that works with every RTMP server, and it decodes
 * and re-encodes signatures (Q24). Names are read by stream_name.ts; parameters are never decoded.
 * @module
 */

import { URL_MAX_LENGTH } from "./limits.ts";
import { DEFAULT_VHOST } from "../config/types.ts";
import { ErrorCode, RtmpError } from "./error.ts";
import {
  checkName,
  pathParts,
  readPart,
  readStream,
  VHOST_SUFFIX,
  vhostInQuery,
  withoutEnding,
} from "./stream_name.ts";

/** App of a URL that names none (Q20). */
export const DEFAULT_APP = "__defaultApp__";

/** Ports of the schemas that have one of their own; SRS takes 80 for every other. */
const DEFAULT_PORTS = new Map([["rtmp", 1935], ["rtmps", 443], ["https", 443]]);
const OTHER_DEFAULT_PORT = 80;
const PORT_MAX = 65535;

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
  /** One part, with its media ending if one was typed. */
  readonly stream: string;
  /** The stream's name: without a media ending. */
  readonly name: string;
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

  const typed = (tcUrl ?? "").trimStart();
  const url = typed.startsWith("'") ? trimAll(typed.trimEnd(), "'") : typed; // Neko's quotes (Q19)
  const base = url === ""
    ? { schema: "rtmp", authority: "", rest: connectApp ?? "" }
    : cutBase(url);
  const { host, port } = cutAuthority(base.authority, base.schema);

  const fromUrl = cut(vhostSuffixToQuery(base.rest));
  const fromName = cut(name);
  let urlQuery = fromUrl.query;
  const appParts = pathParts(fromUrl.path);
  let nameParts = pathParts(fromName.path);
  const slash = urlQuery.lastIndexOf("/");
  if (nameParts.length === 0 && appParts.length < 2 && slash >= 0) {
    // FMLE puts the stream behind the query: rtmp://host/app?key=value/stream (Q22).
    nameParts = pathParts(urlQuery.slice(slash));
    urlQuery = urlQuery.slice(0, slash);
  }

  const all = [...appParts, ...nameParts];
  const stream = nameParts.length > 0 || all.length > 1 ? readStream(all.pop() ?? "") : "";
  if (stream === "") {
    throw refuse("no stream name: give it as the last part of the URL, rtmp://host/app/stream");
  }
  const app = all.length > 0 ? all.map(readPart).join("/") : DEFAULT_APP;
  checkName("app", app);
  checkName("stream name", stream);
  const streamName = withoutEnding(stream);
  checkName("stream name", streamName);

  // The query once (SRS repeats the tcUrl's): the stream's, then the tcUrl's unless it is the same.
  const queries = fromName.query === urlQuery ? [urlQuery] : [fromName.query, urlQuery];
  const query = queries.filter((text) => text !== "").join("&");
  const fragment = fromName.fragment !== "" ? fromName.fragment : fromUrl.fragment;
  const asked = vhostInQuery(query);
  const onlyDefault = query === `vhost=${DEFAULT_VHOST}` || query === `domain=${DEFAULT_VHOST}`;
  const vhost = asked || host;
  return {
    schema: base.schema,
    host,
    port,
    vhost: trimAll(vhost.replaceAll(" ", ""), "/") || DEFAULT_VHOST,
    app,
    stream,
    name: streamName,
    param: (query !== "" && !onlyDefault ? `?${query}` : "") +
      (fragment !== "" ? `#${fragment}` : ""),
  };
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
  const at = rest.indexOf(VHOST_SUFFIX);
  if (at < 0) return rest;
  const before = rest.slice(0, at);
  return `${before}${before.includes("?") ? "&" : "?"}vhost=${
    rest.slice(at + VHOST_SUFFIX.length)
  }`;
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
