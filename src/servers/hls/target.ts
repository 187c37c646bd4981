/**
 * Which stream, and what of it, a path means: `/app/stream.m3u8`, and the files that playlists name.
 * @module
 */

import { type Config, findVhost, type VhostConfig } from "../../config/types.ts";
import {
  asName,
  checkName,
  identityVhost,
  pathParts,
  readPart,
  streamKey,
} from "../../rtmp/stream_name.ts";
import { askedVhost } from "../flv/mount.ts";

/** What a request asks for. */
export type HlsFile =
  | { readonly kind: "playlist" }
  | { readonly kind: "init"; readonly run: string; readonly number: number }
  | { readonly kind: "segment"; readonly run: string; readonly number: number }
  | {
    readonly kind: "part";
    readonly run: string;
    readonly number: number;
    readonly index: number;
  };

/** A stream, and a file of it. */
export interface HlsTarget {
  readonly vhost: VhostConfig;
  readonly app: string;
  readonly stream: string;
  /** Identity of the stream. */
  readonly key: string;
  readonly file: HlsFile;
}

const PLAYLIST = /^(.+)\.m3u8$/;
const FILE = /^(.+)-([0-9a-z]{8})-(?:init(\d{1,9})\.mp4|(\d{1,15})(?:\.(\d{1,9}))?\.m4s)$/;

/**
 * What a URL asks for; null when it is no file of HLS, or its vhost has none.
 * @throws {RtmpError} for a name that no stream may have.
 */
export function findHlsTarget(config: Config, url: URL): HlsTarget | null {
  const vhost = findVhost(config, askedVhost(url));
  if (!vhost?.enabled || !vhost.hls.enabled) return null;
  const parts = pathParts(url.pathname).map(readPart);
  const last = parts.pop() ?? "";
  const named = readFile(last);
  const app = parts.join("/");
  if (!named || app === "") return null;
  checkName("app", app);
  checkName("stream name", named.stream);
  const stream = asName(named.stream);
  const key = streamKey(identityVhost(vhost, url.search), app, stream);
  return { vhost, app, stream, key, file: named.file };
}

function readFile(name: string): { stream: string; file: HlsFile } | null {
  const playlist = PLAYLIST.exec(name);
  if (playlist) return { stream: playlist[1], file: { kind: "playlist" } };
  const found = FILE.exec(name);
  if (!found) return null;
  const [, stream, run, init, number, index] = found;
  if (init !== undefined) return { stream, file: { kind: "init", run, number: Number(init) } };
  const segment = { run, number: Number(number) };
  return {
    stream,
    file: index === undefined
      ? { kind: "segment", ...segment }
      : { kind: "part", ...segment, index: Number(index) },
  };
}
