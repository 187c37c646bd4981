/**
 * A client of ours on whose behalf we turn to another server.
 * @module
 */

import { DEFAULT_VHOST, type EdgeConfig, type OriginAddress } from "../config/types.ts";
import type { VhostConfig } from "../config/types.ts";
import { AmfObject } from "../rtmp/amf_value.ts";
import { SERVER_NAME, VERSION } from "../runtime/version.ts";
import {
  readPart,
  upstreamVhost,
  urlPath,
  vhostInQuery,
  withoutEnding,
} from "../rtmp/stream_name.ts";
import type { RtmpTarget } from "./target.ts";

/** What it has said, and which stream it means. */
export interface RelayClient {
  /** Its connection, as in the log. */
  readonly id: string;
  /** Its address. */
  readonly ip: string;
  readonly tcUrl: string;
  readonly pageUrl: string;
  readonly swfUrl: string;
  /** Second object of its `connect`; null: none. */
  readonly args: AmfObject | null;
  /** Servers that its request has come through (H34). */
  readonly hops: readonly string[];
  readonly vhost: VhostConfig;
  readonly app: string;
  /** Without query; of an HTTP-FLV viewer without extension too. */
  readonly stream: string;
  /** `?query#fragment`, or empty. */
  readonly param: string;
  readonly transport: "rtmp" | "flv";
}

/** The stream at an origin. */
export function originTarget(
  client: RelayClient,
  { vhost }: EdgeConfig,
  { host, port }: OriginAddress,
): RtmpTarget {
  const asked = vhostAtOrigin(client, vhost);
  return {
    schema: "rtmp",
    host,
    port: port ?? 1935,
    app: client.app,
    stream: upstreamName(client) + upstreamParam(client, asked),
    vhost: asked || null,
  };
}

function vhostAtOrigin(client: RelayClient, template: string): string {
  const own = upstreamVhost(client.vhost.name, client.param) || DEFAULT_VHOST;
  const name = template.replaceAll("[vhost]", own);
  return name === DEFAULT_VHOST ? "" : name;
}

/** The same by HTTP-FLV. */
export function originUrl(
  client: RelayClient,
  protocol: "flv" | "flvs",
  { vhost }: EdgeConfig,
  { host, port }: OriginAddress,
): URL {
  const schema = protocol === "flvs" ? "https" : "http";
  const name = host.includes(":") ? `[${host}]` : host;
  const path = urlPath(`${client.app}/${upstreamName(client)}`);
  const url = new URL(`${schema}://${name}${port === null ? "" : `:${port}`}/${path}.flv`);
  // The host is the origin's own, so that the vhost can only be told here.
  const asked = vhostAtOrigin(client, vhost);
  url.search = withVhost(asked, paramWithoutVhost(client.param)).replace(/#.*$/s, "");
  return url;
}

/**
 * A client's parameters at another RTMP server, which the tcUrl tells the vhost. If the client has named
 * one explicitly, so do we: a server on the way that is an edge itself passes on nothing else.
 */
export function upstreamParam({ param }: RelayClient, vhost: string): string {
  const explicit = vhostInQuery(param.split("#", 1)[0]) !== "";
  return withVhost(explicit ? vhost : "", paramWithoutVhost(param));
}

/**
 * The client's own tcUrl, by which an origin is asked about it (`token_traverse`). A vhost that the client
 * names, there or behind the stream's name, is named once: the one that it is served (H38).
 */
export function askedTcUrl(client: RelayClient, { vhost }: EdgeConfig): string {
  const [, path = "", query = ""] = /^([^?#]*)(.*)$/s.exec(client.tcUrl) ?? [];
  const explicit = vhostInQuery(client.param.split("#", 1)[0]) !== "";
  return path + withVhost(explicit ? vhostAtOrigin(client, vhost) : "", paramWithoutVhost(query));
}

function withVhost(vhost: string, param: string): string {
  if (vhost === "") return param;
  const rest = param.startsWith("?") ? `&${param.slice(1)}` : param;
  return `?vhost=${encodeURIComponent(vhost)}${rest}`;
}

/** The stream's name at another server: without the media ending that may stand behind it. */
export function upstreamName({ stream }: RelayClient): string {
  return withoutEnding(stream);
}

/**
 * A client's parameters without what another server could take for a vhost's name: a client that one
 * vhost serves does not get another one's streams (H38). SRS separates pairs by `&`, `;` and `,`, its
 * edges by `?`, and HTTP servers decode names.
 */
export function paramWithoutVhost(param: string): string {
  const [, query = "", fragment = ""] = /^\??([^#]*)(.*)$/s.exec(param) ?? [];
  const kept = query.replace(/(^|[&,;?])([^&,;?=]*)(?:=[^&,;?]*)?/g, (pair, _, key: string) => {
    const name = readPart(key);
    return pair === "&" || name === "vhost" || name === "domain" ? "" : pair;
  }).replace(/^[&,;?]+/, "");
  return (kept === "" ? "" : `?${kept}`) + fragment;
}

/** What SRS's edges tell their origin of themselves (`debug_srs_upnode`). */
export function upnodeArgs(localName: string, pid: number, id: string): AmfObject {
  return new AmfObject([
    ["srs_sig", SERVER_NAME],
    ["srs_server", `${SERVER_NAME}/${VERSION}`],
    ["srs_version", VERSION],
    ["srs_server_ip", localName],
    ["srs_pid", pid],
    ["srs_id", id],
  ]);
}
