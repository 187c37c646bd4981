/**
 * `srs-edge sign`: makes the URL of a stream whose vhost has a `secret` one that is let in.
 * @module
 */

import type { Action, Config } from "../config/types.ts";
import { signature } from "../access/signed_url.ts";
import { findFlvTarget } from "../servers/flv/mount.ts";
import { RtmpError } from "../rtmp/error.ts";
import { findTarget } from "../servers/rtmp/target.ts";

/** The URL cannot be signed; the message says why, and what to do. */
export class SignError extends Error {}

/** What to sign. */
export interface SignOptions {
  readonly action: Action;
  /** `rtmp://`, or `http://` of a stream as FLV. */
  readonly url: string;
  /** s from now on in which it may begin. */
  readonly seconds: number;
}

/**
 * The URL with `expires` and `sign` in its query; without them when its vhost has no secret for the
 * action.
 * @param nowMs Unix time, ms.
 * @throws {SignError}
 */
export function signUrl(
  config: Config,
  { action, url, seconds }: SignOptions,
  nowMs: number,
): string {
  const { key, secrets } = streamOf(config, action, url);
  const [secret] = secrets;
  // ffmpeg and others end a URL at a space; the escape is the same name.
  const written = url.replaceAll(" ", "%20");
  if (secret === undefined) return written;
  const expires = String(Math.floor(nowMs / 1000) + seconds);
  const [address, ...fragment] = written.split("#");
  const joint = address.includes("?") ? "&" : "?";
  const signed = `${address}${joint}expires=${expires}&sign=${
    signature(secret, action, key, expires)
  }`;
  return [signed, ...fragment].join("#");
}

/** The identity of the stream that a URL means, and its secrets, the present one first. */
function streamOf(
  config: Config,
  action: Action,
  url: string,
): { key: string; secrets: readonly string[] } {
  try {
    if (/^https?:\/\//i.test(url)) return flvStreamOf(config, action, url);
    if (!/^rtmps?:\/\//i.test(url)) {
      throw new SignError(`"${url}" is no rtmp:// or http:// address`);
    }
    const { key, vhost } = findTarget(config, { tcUrl: url, app: null }, "");
    return { key, secrets: vhost[action].secrets };
  } catch (error) {
    if (error instanceof RtmpError) throw new SignError(error.message);
    throw error;
  }
}

function flvStreamOf(config: Config, action: Action, url: string) {
  if (action === "publish") throw new SignError("what is published goes to an rtmp:// address");
  const target = URL.canParse(url) ? findFlvTarget(config, new URL(url)) : null;
  if (!target) {
    throw new SignError(`"${url}" is no stream's: see http_remux { mount } of the configuration`);
  }
  return { key: target.key, secrets: target.vhost.play.secrets };
}
