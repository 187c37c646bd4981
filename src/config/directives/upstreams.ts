/**
 * Addresses of other servers: the origins of an edge, the destinations of `forward`.
 * @module
 */
import { quote } from "../grammar/diagnostic.ts";
import type { Remarks } from "./remarks.ts";
import type { Kind } from "./kinds.ts";
import type { OriginAddress } from "../types.ts";

const LARGEST_PORT = 65_535;

/** `host`, `host:port`, `[ip6]`, `[ip6]:port`. */
const SERVER = /^(?:\[([0-9a-f:.]+)\]|([^:/?#@\s[\]]+))(?::(\d{1,5}))?$/i;

/** The URL of a stream, with its key. */
const STREAM_URL = /^(rtmps?:\/\/[^/?#\s]+\/(?:[^?#\s]*\/)?)([^/?#\s]+)([?#].*)?$/i;

/** Reads `host[:port]`. Null for any other text. */
export function parseServer(word: string): OriginAddress | null {
  const match = SERVER.exec(word);
  if (!match) return null;
  const port = match[3] === undefined ? null : Number(match[3]);
  if (port !== null && (port < 1 || port > LARGEST_PORT)) return null;
  const name = match[1] === undefined ? match[2] : `[${match[1]}]`;
  return URL.canParse(`http://${name}/`) ? { host: match[1] ?? match[2], port } : null;
}

/** Whether a destination names a stream, `rtmp://host/app/key`, instead of a server. */
export function isStreamUrl(word: string): boolean {
  const match = STREAM_URL.exec(word);
  // An app must stand before the key.
  return match !== null && /^rtmps?:\/\/[^/]+\/[^/]/i.test(match[1]);
}

/**
 * A destination for display, without the last part of its URL: a CDN's stream key, which lets anyone
 * publish.
 */
export function maskedDestination(word: string): string {
  const match = STREAM_URL.exec(word);
  if (!match) return word;
  return `${match[1].replace(/\/\/[^/]*@/, "//***@")}${maskedKey(match[2])}`;
}

/** The beginning of a long key, which distinguishes several keys. */
export function maskedKey(key: string): string {
  return key.length >= 12 ? `${key.slice(0, 3)}***` : "***";
}

/** Several servers. */
export const originsKind: Kind<readonly OriginAddress[]> = {
  label: "host[:port] …",
  list: true,
  parse: (words, remarks) => all(words, remarks, parseServer, "host:port"),
  format: (value) => value.length === 0 ? "(none)" : value.map(formatServer).join(" "),
};

/** Several destinations. */
export const destinationsKind: Kind<readonly string[]> = {
  label: "host[:port] | rtmp://host[:port]/app/key …",
  list: true,
  parse: (words, remarks) =>
    all(
      words,
      remarks,
      (word) => isStreamUrl(word) || parseServer(word) ? word : null,
      "host:port or rtmp://host/app/key",
      maskedDestination,
    ),
  format: (value) => value.length === 0 ? "(none)" : value.map(maskedDestination).join(" "),
};

function formatServer({ host, port }: OriginAddress): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return port === null ? name : `${name}:${port}`;
}

function all<T>(
  words: readonly string[],
  remarks: Remarks,
  read: (word: string) => T | null,
  expected: string,
  shown: (word: string) => string = (word) => word,
): readonly T[] | undefined {
  const found: T[] = [];
  let failed = false;
  words.forEach((word, at) => {
    const value = read(word);
    if (value !== null) return void found.push(value);
    failed = true;
    remarks.bad(`${quote(shown(word))} is no ${expected}`, at);
  });
  return failed ? undefined : found;
}
