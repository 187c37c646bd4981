/**
 * One HTTP POST by the runtime's `fetch`, with limits: for hooks, whose servers may be slow, dead or
 * hostile (H28).
 * @module
 */

import process from "node:process";
import type { ListenAddress } from "../config/types.ts";
import { runClock } from "./run_clock.ts";
import { connectError } from "./connect.ts";

/** What to send, and what it may cost. */
export interface HttpPostOptions {
  readonly body: string;
  readonly contentType: string;
  readonly userAgent: string;
  /** ms until the whole answer must be there. */
  readonly timeoutMs: number;
  /** Bytes of the answer's body that are read; a longer one is an error. */
  readonly maxBytes: number;
}

/** An answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** Deno's way; made when it is needed. */
let denoClient: Deno.HttpClient | undefined;

/**
 * Posts to `url`, on a connection of its own: a server that closes an idle one while it is about to be
 * used again would fail the call. User and password in the URL are sent as Basic authentication.
 * Follows no redirect.
 * @throws Error with the reason and the server's address; nothing else of the URL is in it.
 */
export async function httpPost(url: string, options: HttpPostOptions): Promise<HttpAnswer> {
  const { body, contentType, userAgent, timeoutMs, maxBytes } = options;
  const target = new URL(url);
  const headers: Record<string, string> = {
    "Content-Type": contentType,
    "User-Agent": userAgent,
    "Accept-Encoding": "identity",
  };
  if (target.username || target.password) {
    headers["Authorization"] = basic(target);
    target.username = target.password = "";
  }
  const abort = new AbortController();
  let late = false;
  const cancel = runClock.after(timeoutMs, () => {
    late = true;
    abort.abort();
  });
  try {
    const response = await fetch(target, {
      method: "POST",
      body,
      headers,
      redirect: "manual",
      signal: abort.signal,
      ...freshConnection(),
    });
    return { status: response.status, body: await readUpTo(maxBytes, response.body) };
  } catch (error) {
    if (late) throw new Error(`no answer within ${timeoutMs} ms`);
    if (error instanceof TooLong || !(error instanceof Error)) throw error;
    throw connectError(placeOf(target), error);
  } finally {
    cancel();
    // Whatever is left of the answer is not wanted.
    abort.abort();
  }
}

/** The options of `fetch` that keep a connection from being used again. */
function freshConnection(): RequestInit & { client?: Deno.HttpClient } {
  if (process.versions.bun !== undefined) return { keepalive: false };
  denoClient ??= Deno.createHttpClient({ poolMaxIdlePerHost: 0, http2: false });
  return { client: denoClient };
}

function basic(url: URL): string {
  const bytes = new TextEncoder().encode(`${decoded(url.username)}:${decoded(url.password)}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function placeOf({ hostname, port, protocol }: URL): ListenAddress {
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || (protocol === "https:" ? 443 : 80)),
  };
}

/** More has come than is read. */
class TooLong extends Error {}

async function readUpTo(limit: number, body: ReadableStream<Uint8Array> | null): Promise<string> {
  const reader = body?.getReader();
  if (!reader) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  while (true) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > limit) throw new TooLong(`the answer is longer than ${limit} bytes`);
    text += decoder.decode(value, { stream: true });
  }
}
