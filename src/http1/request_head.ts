/**
 * The head of an HTTP/1.1 request: its first line and its header fields (RFC 9112 §3, §5). Strict: where
 * two readers could read two things, the request is refused.
 * @module
 */

import { MAX_FIELDS } from "./limits.ts";

/** What is wrong with a request: the answer's status, and a sentence that says why. */
export class BadRequest extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What a request's head says. */
export interface RequestHead {
  /** As it was sent; the case counts. */
  readonly method: string;
  /**
   * What is asked for, from the first slash on, in ASCII: other bytes are percent-encoded. Of an absolute
   * form (`GET http://host/path`) the scheme and host are left out.
   */
  readonly target: string;
  /** Host name or address with an optional port; "localhost" for a client of HTTP/1.0 that names none. */
  readonly host: string;
  /** Whether the client speaks HTTP/1.1; false: 1.0. */
  readonly http11: boolean;
  /** Name and value of each field, in order; one character for each byte. */
  readonly fields: readonly (readonly [string, string])[];
  /** Bytes of the body; null: it comes in chunks. */
  readonly bodyBytes: number | null;
  /** Whether the connection may be used for another request. */
  readonly keepAlive: boolean;
  /** Whether the client waits for "100 Continue" before it sends the body. */
  readonly expectsContinue: boolean;
}

/** A token (RFC 9110 §5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;

/** A host name or address, and perhaps a port (RFC 9110 §7.2). */
const HOST = /^(\[[0-9a-f:.]+\]|[^\s/?#@\\:[\]]*)(:\d*)?$/i;

const BAD_HOST = "Host is not a host name or address with an optional port";

/** Names in small letters, and the values of the fields that bear them. */
type Values = ReadonlyMap<string, readonly string[]>;

/**
 * Reads a head, given without the empty line at its end; one character for each byte.
 * @throws BadRequest
 */
export function parseRequestHead(text: string): RequestHead {
  const [first, ...lines] = text.split("\r\n");
  const { method, target, authority, http11 } = parseRequestLine(first);
  if (lines.length > MAX_FIELDS) throw new BadRequest(431, `more than ${MAX_FIELDS} header fields`);
  const fields = lines.map(parseField);
  const values = byName(fields);
  const host = authority ?? hostOf(values, http11);
  const connection = listOf(values, "connection");
  return {
    method,
    target,
    host: checkedHost(host),
    http11,
    fields,
    bodyBytes: bodyBytesOf(values, http11),
    keepAlive: http11 && !connection.includes("close"),
    expectsContinue: http11 && listOf(values, "expect").includes("100-continue"),
  };
}

function parseRequestLine(line: string) {
  const parts = line.split(" ");
  const [method, asked, version] = parts;
  if (parts.length !== 3 || !TOKEN.test(method)) {
    throw new BadRequest(400, "the first line is no request");
  }
  if (!/^HTTP\/\d\.\d$/.test(version)) throw new BadRequest(400, "the first line is no request");
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") {
    throw new BadRequest(505, "this port speaks HTTP/1.1 and 1.0");
  }
  return { method, ...parseTarget(method, asked), http11: version === "HTTP/1.1" };
}

function parseTarget(method: string, asked: string): { target: string; authority: string | null } {
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  if (/[\x00-\x20\x7f]/.test(asked)) throw new BadRequest(400, "the target has control characters");
  // deno-lint-ignore no-control-regex -- all that is not ASCII
  const ascii = asked.replace(/[^\x00-\x7f]/g, (byte) => {
    return `%${byte.charCodeAt(0).toString(16).toUpperCase()}`;
  });
  if (ascii.startsWith("/")) return { target: ascii, authority: null };
  if (ascii === "*" && method === "OPTIONS") return { target: "/", authority: null };
  const absolute = /^https?:\/\/([^/?#]+)(.*)$/i.exec(ascii);
  if (!absolute) throw new BadRequest(400, "the target is no path");
  const [, authority, rest] = absolute;
  return { target: rest.startsWith("/") ? rest : `/${rest}`, authority };
}

function parseField(line: string): [string, string] {
  const colon = line.indexOf(":");
  const name = line.slice(0, colon);
  // A name with a space before the colon, and a line that goes on the one before, are no names either.
  if (colon < 0 || !TOKEN.test(name)) throw new BadRequest(400, "a header field has no name");
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) {
    throw new BadRequest(400, `header field ${name} has control characters`);
  }
  return [name, value];
}

function byName(fields: readonly (readonly [string, string])[]): Values {
  const values = new Map<string, string[]>();
  for (const [name, value] of fields) {
    const key = name.toLowerCase();
    const known = values.get(key);
    if (known) known.push(value);
    else values.set(key, [value]);
  }
  return values;
}

/** The members of a list, in small letters (RFC 9110 §5.6.1). */
function listOf(values: Values, name: string): string[] {
  return (values.get(name) ?? []).flatMap((value) => value.toLowerCase().split(","))
    .map((member) => member.trim());
}

function hostOf(values: Values, http11: boolean): string {
  const hosts = values.get("host") ?? [];
  if (hosts.length > 1) throw new BadRequest(400, "there is more than one Host");
  if (hosts.length === 0 && http11) throw new BadRequest(400, "there is no Host");
  return hosts[0] || "localhost";
}

function checkedHost(host: string): string {
  if (HOST.test(host) && URL.canParse(`http://${host}/`)) return host;
  throw new BadRequest(400, BAD_HOST);
}

/** RFC 9112 §6: lengths that differ, or a length beside chunks, are how requests are smuggled. */
function bodyBytesOf(values: Values, http11: boolean): number | null {
  const lengths = values.get("content-length") ?? [];
  const codings = values.get("transfer-encoding") ?? [];
  if (codings.length === 0) {
    if (lengths.length === 0) return 0;
    if (lengths.length === 1 && /^\d{1,15}$/.test(lengths[0])) return Number(lengths[0]);
    throw new BadRequest(400, "Content-Length is no number");
  }
  if (lengths.length > 0 || !http11) {
    throw new BadRequest(400, "Transfer-Encoding beside Content-Length, or in HTTP/1.0");
  }
  if (codings.length === 1 && codings[0].toLowerCase() === "chunked") return null;
  throw new BadRequest(501, "of the transfer codings, chunked alone is known");
}
