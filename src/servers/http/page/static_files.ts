/**
 * Files of a directory, and of nothing else: no `..`, no hidden files, no links that lead out of it (H25).
 * @module
 */

import { CHUNK_BYTES } from "../request/limits.ts";
import { Buffer } from "node:buffer";
import type { Stats } from "node:fs";
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import type { Context, MiddlewareHandler } from "hono";
import { getMimeType } from "hono/utils/mime";
import { redirect } from "../request/answer.ts";

/** What stands for a directory. */
const INDEX = "index.html";

/** Types that Hono's table does not have. */
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  flv: "video/x-flv",
  m3u8: "application/vnd.apple.mpegurl",
  ts: "video/mp2t",
};

/** The one hidden directory that is for others (RFC 8615). */
const WELL_KNOWN = ".well-known";

/**
 * Serves GET and HEAD from a directory; whatever is not there is left to the handlers after it.
 * A directory that does not exist is an empty one.
 */
export function staticFiles(dir: string): MiddlewareHandler {
  return async (c, next) => {
    // One slash: a browser takes what stands after two for a host's name.
    const pathname = new URL(c.req.url).pathname.replace(/^\/+/, "/");
    const file = await find(dir, pathname);
    if (!file) return await next();
    if (file === "directory") return redirect(c, `${pathname}/`);
    return await answer(c, file);
  };
}

interface Found {
  readonly path: string;
  readonly stats: Stats;
}

/** The file for a URL's path; `directory` for one that was asked for without its slash. */
async function find(dir: string, pathname: string): Promise<Found | "directory" | null> {
  const names = namesIn(pathname);
  if (!names) return null;
  const asDirectory = pathname.endsWith("/");
  try {
    const root = await realpath(dir);
    const path = await realpath(join(root, ...names));
    if (path !== root && !path.startsWith(root.endsWith(sep) ? root : root + sep)) return null;
    const stats = await stat(path);
    if (stats.isFile()) return asDirectory ? null : { path, stats };
    if (!stats.isDirectory()) return null;
    const index = await find(dir, `${pathname}${asDirectory ? "" : "/"}${INDEX}`);
    return asDirectory || !index ? index : "directory";
  } catch {
    // Not there, or not for us.
    return null;
  }
}

/** The names that a path is made of; null when one of them is no file's name. */
function namesIn(pathname: string): string[] | null {
  const names: string[] = [];
  for (const part of pathname.split("/")) {
    if (part === "") continue;
    const name = decoded(part);
    // deno-lint-ignore no-control-regex -- no name of ours has a control character
    if (name === null || /[/\\\x00-\x1f]/.test(name)) return null;
    if (name.startsWith(".") && name !== WELL_KNOWN) return null;
    names.push(name);
  }
  return names;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

async function answer(c: Context, { path, stats }: Found): Promise<Response> {
  const etag = `W/"${stats.size.toString(16)}-${Math.trunc(stats.mtimeMs).toString(16)}"`;
  const modified = stats.mtime.toUTCString();
  const headers = { "ETag": etag, "Last-Modified": modified, "Cache-Control": "no-cache" };
  if (isFresh(c, etag, modified)) return c.body(null, 304, headers);
  const whole = {
    ...headers,
    "Content-Type": typeOf(path),
    "Content-Length": String(stats.size),
  };
  if (c.req.method === "HEAD" || stats.size === 0) return c.body(null, 200, whole);
  return c.body(contents(await open(path), stats.size), 200, whole);
}

/** What the browser has is what we have (RFC 9110, 13.2.2). */
function isFresh(c: Context, etag: string, modified: string): boolean {
  const tags = c.req.header("If-None-Match");
  if (tags !== undefined) return tags.split(",").some((tag) => tag.trim() === etag);
  const since = Date.parse(c.req.header("If-Modified-Since") ?? "");
  return Date.parse(modified) <= since;
}

function typeOf(path: string): string {
  const extension = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  if (Object.hasOwn(MEDIA_TYPES, extension)) return MEDIA_TYPES[extension];
  return getMimeType(path) ?? "application/octet-stream";
}

/** `size` bytes of a file, read as they are taken; the file is closed in any case. */
function contents(file: FileHandle, size: number): ReadableStream<Uint8Array> {
  let left = size;
  let closed: Promise<void> | null = null;
  const close = () => closed ??= file.close();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, left));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
        if (bytesRead === 0) throw new Error("the file has become shorter while it was sent");
        left -= bytesRead;
        if (left === 0) await close();
        controller.enqueue(buffer.subarray(0, bytesRead));
        if (left === 0) controller.close();
      } catch (error) {
        await close();
        controller.error(error);
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });
}
