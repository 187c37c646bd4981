/**
 * Which stream a client means, and whether it may have it.
 * @module
 */

import { type Config, findVhost, type VhostConfig } from "../../config/types.ts";
import type { AmfObject } from "../../rtmp/amf_value.ts";
import { ErrorCode, RtmpError } from "../../rtmp/error.ts";
import { identityVhost, streamKey } from "../../rtmp/stream_name.ts";
import { parseStreamUrl, type StreamUrl } from "../../rtmp/stream_url.ts";

/** What a client said of itself with `connect`. */
export interface ConnectInfo {
  /** null when it sent none; the app stands in for it then (Q20). */
  readonly tcUrl: string | null;
  readonly app: string | null;
  readonly pageUrl: string;
  readonly swfUrl: string;
  readonly flashVer: string;
  /** It speaks Enhanced RTMP, and is to be told what we make of it. */
  readonly enhanced: boolean;
  /** It understands messages with several tracks (`capsEx`). */
  readonly multitrack: boolean;
  /** It can be asked to reconnect (`capsEx`). */
  readonly reconnect: boolean;
  /** Servers that the request has come through (H34). */
  readonly hops: readonly string[];
  /** The second object of `connect`; null: there was none. */
  readonly args: AmfObject | null;
}

/** A stream that a client may publish or play. */
export interface Target {
  readonly vhost: VhostConfig;
  readonly url: StreamUrl;
  /** Identity of the stream. */
  readonly key: string;
}

/** What a client's tcUrl leads to, before it has named a stream. The vhost is null if there is none. */
export function connectTarget(
  config: Config,
  info: ConnectInfo,
): { vhost: VhostConfig | null; app: string } {
  // Any stream name does.
  const { vhost, app } = parseStreamUrl(info.tcUrl, "any", info.app);
  return { vhost: findVhost(config, vhost), app };
}

/**
 * The stream `name` on the connection that `info` describes.
 * @throws {RtmpError} when the name is unusable, or the vhost is unknown or switched off.
 */
export function findTarget(
  config: Config,
  info: Pick<ConnectInfo, "tcUrl" | "app">,
  name: string,
): Target {
  const url = parseStreamUrl(info.tcUrl, name, info.app);
  const vhost = findVhost(config, url.vhost);
  if (!vhost) {
    throw new RtmpError(ErrorCode.NO_VHOST, `no vhost "${url.vhost}" in the configuration`);
  }
  if (!vhost.enabled) {
    throw new RtmpError(ErrorCode.NO_VHOST, `vhost "${vhost.name}" is not enabled`);
  }
  return { vhost, url, key: streamKey(identityVhost(vhost, url.param), url.app, url.name) };
}
