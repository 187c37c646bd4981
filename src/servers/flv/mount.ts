/**
 * Which stream a path means, and which path a stream has: `http_remux { mount }`.
 * @module
 */

import { type Container, containerOf } from "./containers.ts";
import type { HttpRemuxConfig } from "../../config/types.ts";
import { type Config, findVhost, type VhostConfig, vhostKey } from "../../config/types.ts";
import {
  asName,
  checkName,
  identityVhost,
  nameInKey,
  pathParts,
  readPart,
  readStream,
  streamKey,
  urlPath,
  vhostInKey,
  vhostInQuery,
} from "../../rtmp/stream_name.ts";

/** A stream that a request asks for. */
export interface FlvTarget {
  readonly vhost: VhostConfig;
  readonly app: string;
  /** Without the container's ending. */
  readonly stream: string;
  readonly container: Container;
  /** Identity of the stream. */
  readonly key: string;
}

/** The vhost that a URL asks for: its query's `vhost` or `domain`, else its host. */
export function askedVhost(url: URL): string {
  return vhostInQuery(url.search) || vhostKey(url.hostname);
}

/**
 * What a URL asks for; null when it is no stream's: another path, a vhost that is off or has no
 * `http_remux`.
 * @throws {RtmpError} for a name that no stream may have (H12).
 */
export function findFlvTarget(config: Config, url: URL): FlvTarget | null {
  const asked = askedVhost(url);
  const vhost = findVhost(config, asked);
  if (!vhost?.enabled || !vhost.httpRemux.enabled) return null;
  const parts = pathParts(url.pathname);
  const last = readStream(parts.pop() ?? "");
  const path = [...parts.map(readPart), last].join("/");
  const names = mountPattern(vhost.httpRemux).exec(`${asked}/${path}`);
  const { app, stream } = names?.groups ?? {};
  const container = containerOf(vhost.httpRemux.mount);
  if (app === undefined || stream === undefined || !container) return null;
  checkName("app", app);
  checkName("stream name", stream);
  // Without the ending an escape may not be needed any more.
  const name = asName(readPart(stream));
  const key = streamKey(identityVhost(vhost, url.search), app, name);
  return { vhost, app, stream: name, key, container };
}

/** The path and query by which a stream is to be had on the host of `url`. */
export function flvPath(url: URL, vhost: VhostConfig, app: string, stream: string): string {
  const template = vhost.httpRemux.mount;
  const path = template.slice(template.indexOf("/")).replaceAll("[vhost]", askedVhost(url))
    .replace("[app]", () => urlPath(app))
    .replace("[stream]", () => urlPath(stream));
  const asked = vhostInQuery(url.search);
  return asked === "" ? path : `${path}?vhost=${encodeURIComponent(asked)}`;
}

/**
 * The path and query by which a stream is to be had as FLV, whatever name the host has; null: its vhost
 * does not serve it so. `key` is the stream's.
 */
export function flvPathOf(vhost: VhostConfig, app: string, key: string): string | null {
  if (!vhost.httpRemux.enabled || !vhost.httpRemux.mount.endsWith(".flv")) return null;
  const asked = vhostInKey(key);
  const query = asked === "" ? "" : `?vhost=${encodeURIComponent(asked)}`;
  return flvPath(new URL(`http://localhost/${query}`), vhost, app, nameInKey(key));
}

const patterns = new Map<string, RegExp>();

/** Matches host and path. An app may have several parts, the others have one. */
function mountPattern({ mount }: HttpRemuxConfig): RegExp {
  const known = patterns.get(mount);
  if (known) return known;
  // A host that is written out is compared as a vhost's name is.
  const slash = mount.indexOf("/");
  const written = mount.slice(0, slash);
  const host = written.includes("[") ? written : vhostKey(written);
  const source = `${host}${mount.slice(slash)}`.split(/(\[vhost\]|\[app\]|\[stream\])/).map(
    (part) => {
      if (part === "[vhost]") return "[^/]+";
      if (part === "[app]") return "(?<app>.+)";
      if (part === "[stream]") return "(?<stream>[^/]+)";
      return part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
    },
  ).join("");
  const pattern = new RegExp(`^${source}$`);
  patterns.set(mount, pattern);
  return pattern;
}
