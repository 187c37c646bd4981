/**
 * What the server prints once it runs: where it listens, and lines to try it with that work as they
 * stand, on this machine.
 * @module
 */

import { networkInterfaces } from "node:os";
import type { Action, Config, ListenAddress, VhostConfig } from "../config/types.ts";
import { DEFAULT_VHOST } from "../config/types.ts";
import { formatAddress } from "../net/tcp.ts";

/** The port that RTMP URLs need not name. */
const RTMP_PORT = 1935;
/** Left out of URLs. */
const HTTP_PORT = 80;

/** Pictures with a clock, and a tone: every ffmpeg has them. The page's line has the same. */
const SOURCE = "-re -f lavfi -i testsrc=size=640x360:rate=25 -re -f lavfi -i sine";
/** What every player and browser plays; a keyframe each second, and no frame is held back. */
const ENCODED = "-c:v libx264 -preset veryfast -tune zerolatency -g 25 -pix_fmt yuv420p -c:a aac";

/** What the text is made of. */
export interface Running {
  readonly config: Config;
  readonly rtmpAddresses: readonly ListenAddress[];
  /** Of the page; null: it is off. */
  readonly httpAddress: ListenAddress | null;
  /** The words that start `sign` of this program with this configuration, without its arguments. */
  readonly signCommand: readonly string[];
  /** An address of this machine that others reach; null: it has none. */
  readonly publicHost: string | null;
}

/** The text, several lines. */
export function welcome(running: Running): string {
  const { config, rtmpAddresses, httpAddress, publicHost } = running;
  const [first] = rtmpAddresses;
  const vhost = vhostToTry(config);
  return [
    "",
    `  RTMP   ${rtmpAddresses.map(formatAddress).join("  ")}`,
    `  page   ${httpAddress ? pageUrl(httpAddress, publicHost) : "off"}`,
    "",
    ...vhost ? linesToTry(running, first, vhost) : ["  no vhost is enabled: nothing can be pushed"],
    ...vhost && isEverywhere(first) && publicHost
      ? [`  from another machine: ${publicHost} in place of ${localHost(first)}`]
      : [],
    "",
  ].join("\n");
}

function linesToTry(
  { signCommand }: Running,
  address: ListenAddress,
  vhost: VhostConfig,
): string[] {
  const query = vhost.name === DEFAULT_VHOST ? "" : `?vhost=${vhost.name}`;
  const url = `rtmp://${
    authority(localHost(address), address.port, RTMP_PORT)
  }/live/livestream${query}`;
  // Not the signed URL itself: stdout is a log, and who reads that may not be who may publish.
  const shown = (action: Action) =>
    vhost[action].secrets.length === 0
      ? quote(url)
      : `"$(${[...signCommand, action, url].map(quote).join(" ")})"`;
  return [
    `  push   ffmpeg ${SOURCE} ${ENCODED} -f flv ${shown("publish")}`,
    `  watch  ffplay -fflags nobuffer -flags low_delay ${shown("play")}`,
  ];
}

/** The vhost that takes any host name, else the first that is on; null: there is none. */
function vhostToTry({ vhosts }: Config): VhostConfig | null {
  const enabled = vhosts.filter((vhost) => vhost.enabled);
  return enabled.find(({ name }) => name === DEFAULT_VHOST) ?? enabled.at(0) ?? null;
}

function pageUrl(address: ListenAddress, publicHost: string | null): string {
  const host = isEverywhere(address) ? publicHost ?? localHost(address) : address.host;
  return `http://${authority(host, address.port, HTTP_PORT)}/`;
}

function isEverywhere({ host }: ListenAddress): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** The host by which this machine reaches its own port. */
function localHost({ host }: ListenAddress): string {
  return host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
}

/** Host and port of a URL whose scheme has the port `usual`. */
function authority(host: string, port: number, usual: number): string {
  const bracketed = host.includes(":") ? `[${host}]` : host;
  return port === usual ? bracketed : `${bracketed}:${port}`;
}

/** A word for a shell. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The first address of this machine that is not its own alone; null: there is none, or it is not told. */
export function publicAddress(): string | null {
  try {
    const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    return all.find((each) => !each.internal && each.family === "IPv4")?.address ?? null;
  } catch {
    return null;
  }
}
