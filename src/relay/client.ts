/**
 * A client of ours on whose behalf we turn to another server.
 * @module
 */

import { DEFAULT_VHOST, type EdgeConfig, type OriginAddress } from "../config/types.ts";
import type { VhostConfig } from "../config/types.ts";
import { AmfObject } from "../rtmp/amf_value.ts";
import { SERVER_NAME, VERSION } from "../version.ts";
import { urlPath, withoutEnding } from "../rtmp/stream_name.ts";
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

/** The stream at an origin (spec: cluster §1.3). */
export function originTarget(
  client: RelayClient,
  { vhost }: EdgeConfig,
  { host, port }: OriginAddress,
): RtmpTarget {
  const name = vhost.replaceAll("[vhost]", client.vhost.name);
  return {
    schema: "rtmp",
    host,
    port: port ?? 1935,
    app: client.app,
    stream: upstreamName(client) + paramWithoutVhost(client.param),
    vhost: name === DEFAULT_VHOST || name === "" ? null : name,
  };
}

/** The same by HTTP-FLV (spec: cluster §1.4). */
export function originUrl(
  client: RelayClient,
  protocol: "flv" | "flvs",
  { host, port }: OriginAddress,
): URL {
  const schema = protocol === "flvs" ? "https" : "http";
  const name = host.includes(":") ? `[${host}]` : host;
  const path = urlPath(`${client.app}/${upstreamName(client)}`);
  const url = new URL(`${schema}://${name}${port === null ? "" : `:${port}`}/${path}.flv`);
  url.search = paramWithoutVhost(client.param).replace(/#.*$/s, "");
  return url;
}

/** The stream's name at another server: without the media ending that may stand behind it. */
export function upstreamName({ stream }: RelayClient): string {
  return withoutEnding(stream);
}

/** A client's parameters for another server: whose vhosts are its own. */
export function paramWithoutVhost(param: string): string {
  const [, query = "", fragment = ""] = /^\??([^#]*)(.*)$/s.exec(param) ?? [];
  const pairs = query.split("&").filter((pair) => pair !== "" && !/^(vhost|domain)=/.test(pair));
  return (pairs.length > 0 ? `?${pairs.join("&")}` : "") + fragment;
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
