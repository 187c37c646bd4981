/**
 * Signed URLs: `stream?expires=UNIX&sign=HEX` shows that the maker of the URL knows the secret. Ours, not
 * SRS's; it needs no hook server.
 *
 *     sign = HMAC-SHA256(secret, "ACTION KEY EXPIRES") in hex
 *
 * ACTION is `publish` or `play`, so that a URL for one does not do for the other; KEY is the stream's
 * identity `[vhost]/app/stream`, as the API's `url` shows it, so that it does not do for another vhost
 * with the same secret; EXPIRES is the Unix time, seconds, until which publishing or playing may begin.
 * @module
 */

import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Action } from "../config/types.ts";
import { queryValue } from "../rtmp/stream_name.ts";
import { ErrorCode, type Refusal } from "../rtmp/error.ts";

/** The signature, hex. `expires`: Unix time, seconds, in decimal digits. */
export function signature(secret: string, action: Action, key: string, expires: string): string {
  return hmac(secret, action, key, expires).toString("hex");
}

function hmac(secret: string, action: Action, key: string, expires: string) {
  return createHmac("sha256", secret).update(`${action} ${key} ${expires}`).digest();
}

/**
 * Why a URL does not do; null: it does, or there is no secret.
 * @param param The URL's query with its `?`, as it came: nothing is decoded.
 * @param nowMs Unix time, ms.
 */
export function checkSignature(
  secrets: readonly string[],
  action: Action,
  key: string,
  param: string,
  nowMs: number,
): Refusal | null {
  if (secrets.length === 0) return null;
  const refused = (why: string): Refusal => {
    return { code: ErrorCode.ACCESS_DENIED, reason: `signed URL: ${why}` };
  };
  const [query] = param.replace(/^\?/, "").split("#");
  const expires = queryValue(query, "expires");
  const sign = queryValue(query, "sign");
  if (expires === "" || sign === "") {
    const missing = [["expires", expires], ["sign", sign]].filter(([, value]) => value === "");
    return refused(`${missing.map(([name]) => name).join(" and ")} missing`);
  }
  if (!/^\d{1,12}$/.test(expires)) return refused("expires is no Unix time in seconds");
  if (!/^[0-9a-f]{64}$/i.test(sign)) return refused("sign is not 64 hex digits");
  const given = Buffer.from(sign, "hex");
  const valid = secrets.filter((secret) =>
    timingSafeEqual(hmac(secret, action, key, expires), given)
  );
  // Before the time: a client without a valid signature learns nothing else.
  if (valid.length === 0) return refused(`wrong signature to ${action} ${key}`);
  const late = Math.floor(nowMs / 1000) - Number(expires);
  return late > 0 ? refused(`expired ${late} s ago`) : null;
}
