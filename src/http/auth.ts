/**
 * HTTP Basic authentication (RFC 7617) for what SRS protects: every path below `/api`.
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import type { AuthConfig } from "../config/types.ts";

/**
 * Lets requests with the right name and password pass, and answers the others with an empty 401. The
 * time that takes tells nothing about how much of a guess was right.
 */
export function basicAuth({ username, password }: AuthConfig): MiddlewareHandler {
  const expected = digest(Buffer.from(`${username}:${password}`));
  return async (c, next) => {
    const given = /^Basic +([A-Za-z0-9+/=_-]+) *$/i.exec(c.req.header("Authorization") ?? "")?.[1];
    // Compared as a whole: the password may have colons.
    const right = timingSafeEqual(digest(Buffer.from(given ?? "", "base64")), expected);
    if (given !== undefined && right) return await next();
    return c.body(null, 401, { "WWW-Authenticate": 'Basic realm="srs-edge", charset="UTF-8"' });
  };
}

/** Equal lengths for equal times. */
function digest(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
