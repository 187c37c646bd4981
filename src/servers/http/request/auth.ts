/**
 * HTTP Basic authentication (RFC 7617) for what SRS protects: every path below `/api`.
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import type { AuthConfig } from "../../../config/types.ts";
import type { HttpEnv } from "./answer.ts";
import { callerAddress, NO_PROXIES, type ProxyRules } from "./caller.ts";
import { FORGIVE_MS } from "./limits.ts";
import { type WrongPasswords, wrongPasswords } from "./wrong_passwords.ts";

/**
 * Lets requests with the right name and password pass, and answers the others with an empty 401. The
 * time that takes tells nothing about how much of a guess was right. An address that was wrong too
 * often gets a 429, and its password is not looked at.
 */
export function basicAuth(
  { username, password }: AuthConfig,
  guesses: WrongPasswords = wrongPasswords,
  proxies: ProxyRules = NO_PROXIES,
): MiddlewareHandler<HttpEnv> {
  const expected = digest(Buffer.from(`${username}:${password}`));
  return async (c, next) => {
    const given = /^Basic +([A-Za-z0-9+/=_-]+) *$/i.exec(c.req.header("Authorization") ?? "")?.[1];
    const address = callerAddress(c, proxies) ?? c.env?.peer?.address ?? "";
    if (given !== undefined && !guesses.mayTry(address)) {
      return c.text("Too Many Requests: wrong passwords\n", 429, {
        "Retry-After": String(Math.ceil(FORGIVE_MS / 1000)),
      });
    }
    // Compared as a whole: the password may have colons.
    const right = timingSafeEqual(digest(Buffer.from(given ?? "", "base64")), expected);
    if (given !== undefined && right) return await next();
    // A browser asks without one first.
    if (given !== undefined) guesses.note(address);
    return c.body(null, 401, { "WWW-Authenticate": 'Basic realm="srs-edge", charset="UTF-8"' });
  };
}

/** Equal lengths for equal times. */
function digest(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
