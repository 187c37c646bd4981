/**
 * The client's address of a request that came through proxies.
 * @module
 */

import { contains, formatNetwork, type Network, parseNetwork } from "../../../config/network.ts";
import type { AddressHeader } from "../../../config/types.ts";

/** What proxies say of the client. Null: the request has no such header. */
export interface ProxyHeaders {
  /** `X-Forwarded-For`: each proxy appends the address that it was called from. */
  readonly forwardedFor: string | null;
  /** `X-Real-IP`: one address. */
  readonly realIp: string | null;
  /** `Forwarded` (RFC 7239): each proxy appends an element with `for=`. */
  readonly forwarded: string | null;
}

/** The headers of a request, as {@link clientAddress} needs them. */
export function proxyHeaders(header: (name: string) => string | undefined): ProxyHeaders {
  return {
    forwardedFor: header("X-Forwarded-For") ?? null,
    realIp: header("X-Real-IP") ?? null,
    forwarded: header("Forwarded") ?? null,
  };
}

/**
 * The client's address: the peer's, unless the peer is a trusted proxy; then the address which that proxy
 * names, and so on. SRS believes the first entry of `X-Forwarded-For` of any sender, so that a client can
 * choose the address that rules and hooks see.
 *
 * A proxy passes on the headers that it does not know, so that one of two that contradict each other
 * may be the client's own word. Null: they do, or a header does not say who the client is; no client is
 * to be let in by such a request (H41). A header that `named` says is believed alone.
 */
export function clientAddress(
  peer: string,
  { forwardedFor, realIp, forwarded }: ProxyHeaders,
  trusted: readonly Network[],
  named: AddressHeader = null,
): string | null {
  const isProxy = (address: string) => trusted.some((network) => contains(network, address));
  if (!isProxy(peer)) return peer;
  const believes = (header: AddressHeader, text: string | null): text is string => {
    return (named === null || named === header) && text !== null && text.trim() !== "";
  };
  const ways: (string | null)[][] = [];
  if (believes("x-forwarded-for", forwardedFor)) ways.push(listOf(forwardedFor));
  if (believes("x-real-ip", realIp)) ways.push([nodeAddress(realIp)]);
  if (believes("forwarded", forwarded)) ways.push(forwardedNodes(forwarded));
  let longest: readonly string[] = [peer];
  const walks: (readonly string[])[] = [];
  for (const way of ways) {
    const walked = walk(peer, way, isProxy);
    if (!walked) return null;
    walks.push(walked);
    if (walked.length > longest.length) longest = walked;
  }
  const client = longest[longest.length - 1];
  // X-Real-IP of the last proxy in a chain is the proxy before it, which is no contradiction.
  const agree = walks.every((walked) => {
    const last = walked[walked.length - 1];
    return isProxy(last) ? has(longest, last) : canonical(last) === canonical(client);
  });
  return agree ? client : null;
}

/**
 * The way back from the peer, as long as the address is a proxy's; null where an entry on it cannot be
 * read.
 */
function walk(
  peer: string,
  way: readonly (string | null)[],
  isProxy: (address: string) => boolean,
): string[] | null {
  const walked = [peer];
  if (way.length === 0) return null;
  for (let at = way.length - 1; at >= 0 && isProxy(walked[walked.length - 1]); at--) {
    const before = way[at];
    if (before === null) return null;
    walked.push(before);
  }
  return walked;
}

function has(walked: readonly string[], address: string): boolean {
  return walked.some((other) => canonical(other) === canonical(address));
}

/** The entries of `X-Forwarded-For`. No address has a comma in it. */
function listOf(text: string): (string | null)[] {
  return text.split(",").map(nodeAddress);
}

/** An optional port behind an address: a number, or an obfuscated one (RFC 7239 §6). */
const PORT = String.raw`(?::(?:\d{1,5}|_[\w.-]+))?`;
const QUOTED = /^"([^"\\]*)"$/;
const BRACKETED = new RegExp(String.raw`^\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]${PORT}$`);
const IPV4 = new RegExp(String.raw`^(\d+\.\d+\.\d+\.\d+)${PORT}$`);
const IPV6 = /^[0-9a-fA-F:.]+(?:%[\w.-]+)?$/;

/**
 * The address of a node: `192.0.2.1`, `192.0.2.1:51008`, `2001:db8::1`, `[2001:db8::1]:443`, each
 * possibly in quotes. Null: none of these, such as `unknown` and `_hidden`.
 */
function nodeAddress(text: string): string | null {
  const trimmed = text.trim();
  const node = QUOTED.exec(trimmed)?.[1] ?? trimmed;
  const [, bracketed] = BRACKETED.exec(node) ?? [];
  const [, ipv4] = IPV4.exec(node) ?? [];
  const address = bracketed ?? ipv4 ?? (IPV6.test(node) ? node : null);
  if (address === null || !parseNetwork(address)) return null;
  return bracketed !== undefined && !bracketed.includes(":") ? null : address;
}

/** One `name=value` of `Forwarded`, and what separates it from the next. */
const PAIR =
  /[ \t]*(?:([!#$%&'*+.^_`|~\w-]+)=("(?:[^"\\]|\\.)*"|[!#$%&'*+.^_`|~\w-]+))?[ \t]*([;,]|$)/y;

/**
 * The nodes of `Forwarded`, in its order; null where an element does not name one, or names two. A
 * header that breaks the grammar anywhere says nothing at all: a client could open a quote that
 * swallows what a proxy appends.
 */
function forwardedNodes(text: string): (string | null)[] {
  const nodes: (string | null)[] = [];
  let names: string[] = [];
  PAIR.lastIndex = 0;
  for (;;) {
    const pair = PAIR.exec(text);
    if (!pair) return [];
    const [, name, value, separator] = pair;
    if (name?.toLowerCase() === "for") names.push(value);
    if (separator === ";") continue;
    nodes.push(names.length === 1 ? forwardedNode(names[0]) : null);
    names = [];
    if (separator === "") return nodes;
  }
}

/**
 * RFC 7239 wants quotes around what has a colon, and brackets around IPv6; both are left out often
 * enough.
 */
function forwardedNode(value: string): string | null {
  return nodeAddress(value.replaceAll(/\\(.)/g, "$1"));
}

function canonical(address: string): string {
  const network = parseNetwork(address);
  return network ? formatNetwork(network) : address;
}
