/**
 * One HTTP POST by the runtime's `fetch`, with limits: for hooks, whose servers may be slow, dead or
 * hostile (H28).
 * @module
 */

import process from "node:process";

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
 * @throws Error with the reason; nothing of the URL is in it.
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
  const timer = setTimeout(() => {
    late = true;
    abort.abort();
  }, timeoutMs);
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
    throw new Error(reasonOf(error));
  } finally {
    clearTimeout(timer);
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
    if (bytes > limit) throw new Error(`the answer is longer than ${limit} bytes`);
    text += decoder.decode(value, { stream: true });
  }
}

/** Reasons by the code of the fault, which the runtimes word differently. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/longer than/, ""],
  [/refused|ConnectionRefused/i, "connection refused"],
  [/dns error|ENOTFOUND|lookup|FailedToOpenSocket|Unable to connect/i, "cannot connect"],
  [/certificate|UnknownIssuer|CERT|SELF_SIGNED/i, "the server's certificate is not trusted"],
  [/reset|closed|ECONNRESET|broken pipe|incomplete/i, "the connection broke"],
];

function reasonOf(error: unknown): string {
  const text = textOf(error);
  const known = REASONS.find(([pattern]) => pattern.test(text));
  if (!known) return "the request failed";
  return known[1] || text;
}

/** The message of an error and of its causes: `fetch` hides the reason in one of them. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? ` ${error.code}` : "";
  return `${error.message}${code}${error.cause === undefined ? "" : ` ${textOf(error.cause)}`}`;
}
