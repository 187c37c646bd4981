/**
 * Where a stream is upstream: `rtmp://host[:port]/app/stream?query`. The last part is the stream, all
 * before it the app, both as typed, since `_definst_` and the like mean something to other servers.
 * @module
 */

import { formatAddress } from "../net/tcp.ts";
import { ErrorCode, RtmpError } from "../rtmp/error.ts";
import { parseStreamUrl } from "../rtmp/stream_url.ts";

/** A stream of an RTMP server. */
export interface RtmpTarget {
  /** `rtmps`: over TLS. */
  readonly schema: "rtmp" | "rtmps";
  readonly host: string;
  readonly port: number;
  readonly app: string;
  /** With its query (S9). */
  readonly stream: string;
  /** What stands in the tcUrl in place of the host; null: the host. */
  readonly vhost: string | null;
  /** What stands in messages in place of the stream's name, where that is a secret. */
  readonly label?: string;
}

const DEFAULT_PORT = { rtmp: 1935, rtmps: 443 } as const;

/**
 * Reads an RTMP URL.
 * @param stream The stream's name if the URL ends with the app; null: it is the URL's last part.
 * @throws {RtmpError} that says what is wrong with the URL.
 */
export function parseTarget(url: string, stream: string | null = null): RtmpTarget {
  // Checks length, characters and names, and knows the forms of an address.
  const { schema, host, port } = parseStreamUrl(url, stream ?? "");
  if (schema !== "rtmp" && schema !== "rtmps") {
    throw refuse(`"${schema}://" is no RTMP address: it must begin with rtmp:// or rtmps://`);
  }
  if (host === "") throw refuse("the URL has no host: rtmp://host/app/stream");
  const [, path, query] = /^[^:]+:\/\/[^/?#]*\/?([^?#]*)(.*)$/su.exec(url.trim()) ?? ["", "", ""];
  const trimmed = path.replace(/\/$/, "");
  const slash = trimmed.lastIndexOf("/");
  const app = stream === null ? trimmed.slice(0, Math.max(slash, 0)) : trimmed;
  const name = stream ?? trimmed.slice(slash + 1);
  if (app === "" || name === "") {
    throw refuse("the URL must name an app and a stream: rtmp://host/app/stream");
  }
  return { schema, host, port, app, stream: name + query, vhost: null };
}

/** The tcUrl of `connect`: `rtmp://host[:port]/app`, with the vhost if there is one (cluster §1.3). */
export function tcUrlOf({ schema, host, port, app, vhost }: RtmpTarget): string {
  const name = vhost ?? host;
  const bracketed = name.includes(":") ? `[${name}]` : name;
  const authority = port === DEFAULT_PORT[schema] ? bracketed : `${bracketed}:${port}`;
  return `${schema}://${authority}/${app}`;
}

/** The stream's name without its query, which may hold a secret. */
export function streamName({ stream }: RtmpTarget): string {
  return stream.replace(/[?#].*$/s, "");
}

/** `host:port/app/stream` for messages. */
export function describeTarget(target: RtmpTarget): string {
  return `${formatAddress(target)}/${target.app}/${target.label ?? streamName(target)}`;
}

/**
 * Where a redirect leads (S8): to the host that it names, and to the stream if it names one, else to the
 * one asked for. The vhost stays.
 * @throws {RtmpError} when the URL is of no use.
 */
export function redirectedTarget(target: RtmpTarget, url: string): RtmpTarget {
  const withStream = /^[^:]+:\/\/[^/?#]*\/[^/?#]+\/[^/?#]/.test(url);
  const to = parseTarget(url, withStream ? null : target.stream);
  // With `redirect` alone the last part is the app, and its query would stand behind the stream's.
  const { vhost, label } = target;
  const hidden = label === undefined ? {} : { label };
  return { ...to, stream: withStream ? to.stream : target.stream, vhost, ...hidden };
}

function refuse(reason: string): RtmpError {
  return new RtmpError(ErrorCode.TCURL, reason);
}
