/**
 * The command line of `srs-edge probe`.
 * @module
 */

import { parseArgs } from "node:util";
import { optionHint } from "../config/directives/suggest.ts";
import { parseTarget, type RtmpTarget } from "../clients/target.ts";
import { RtmpError } from "../rtmp/error.ts";
import type { SyntheticOptions } from "./synthetic_stream.ts";

/** What to probe. */
export interface ProbeOptions {
  /** The URL as given. */
  readonly url: string;
  /** One JSON object at the end, and nothing else. */
  readonly json: boolean;
  /** Seconds of media to measure; null: until Ctrl-C. */
  readonly seconds: number | null;
  /** The stream to publish; null: one is played. */
  readonly publish: SyntheticOptions | null;
}

const OPTIONS = {
  publish: { type: "boolean" },
  json: { type: "boolean" },
  seconds: { type: "string" },
  fps: { type: "string" },
  gop: { type: "string" },
  bitrate: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** The command line makes no sense; the message says what to do. */
export class ProbeUsageError extends Error {}

/** Seconds that are measured unless said otherwise, where there is no terminal. */
const DEFAULT_SECONDS = 10;
const DEFAULT_FPS = 25;
const MAX_FPS = 240;
/** Seconds from one keyframe to the next. */
const DEFAULT_GOP_SECONDS = 1;
const MAX_GOP = 10_000;
/** Highest bitrate of the synthetic stream, kbit/s. */
const MAX_KBPS = 100_000;
const MAX_SECONDS = 86_400;

/** The text of `probe -h`. */
export function probeHelp(program: string): string {
  return `Measures a stream as a player gets it, or the delay that a server adds.

Usage: ${program} probe [--seconds N] [--json] rtmp://host/app/stream
       ${program} probe [--seconds N] [--json] http://host/app/stream.flv
       ${program} probe --publish [--fps N] [--gop N] [--bitrate KBPS] rtmp://host/app[/stream]

  --seconds N     measure N seconds of media (until Ctrl-C; ${DEFAULT_SECONDS} with --json or --publish)
  --json          print one JSON object at the end, nothing else
  --publish       publish a stamped stream, play it back, and print the delay in between
  --fps N         its pictures a second (${DEFAULT_FPS})
  --gop N         its pictures from keyframe to keyframe (one second)
  --bitrate KBPS  fill its video up to that many kbit/s

Exit status: 0 fine; 1 no such stream, no media, or it ended early; 2 usage; 3 no connection or no
answer; 4 the server refused, or broke the protocol.
`;
}

/** Reads what stands after `probe`; null: help is wanted. @throws {ProbeUsageError} */
export function parseProbe(args: readonly string[]): ProbeOptions | null {
  const { values, positionals } = parse(args);
  if (values.help) return null;
  const [url, ...more] = positionals;
  if (url === undefined) {
    throw new ProbeUsageError("probe needs a URL: probe rtmp://host/app/stream");
  }
  if (more.length > 0) {
    throw new ProbeUsageError(`unexpected argument "${more[0]}": one URL is probed`);
  }
  const publish = values.publish ? syntheticOptions(values) : null;
  for (const name of ["fps", "gop", "bitrate"] as const) {
    if (!publish && values[name] !== undefined) {
      throw new ProbeUsageError(
        `--${name} is about the stream of --publish: add that, or leave it out`,
      );
    }
  }
  const json = values.json ?? false;
  const seconds = number("seconds", values.seconds, 0.1, MAX_SECONDS) ??
    (json || publish ? DEFAULT_SECONDS : null);
  checkUrl(url, publish !== null);
  return { url, json, seconds, publish };
}

/**
 * Where `--publish` goes: the URL's stream, or one of this name if it ends with the app.
 * @throws {RtmpError} when the URL is of no use.
 */
export function publishTarget(url: string, name: string): RtmpTarget {
  const parts = /^[^:]+:\/\/[^/?#]*\/?([^?#]*)/.exec(url)?.[1].split("/").filter((part) => part) ??
    [];
  return parseTarget(url, parts.length > 1 ? null : name);
}

function checkUrl(url: string, publish: boolean): void {
  const http = /^https?:\/\//i.test(url);
  if (http && publish) throw new ProbeUsageError("--publish needs an rtmp:// address");
  if (http && !URL.canParse(url)) throw new ProbeUsageError(`"${url}" is no address`);
  if (http) return;
  try {
    if (publish) publishTarget(url, "probe");
    else parseTarget(url);
  } catch (error) {
    if (error instanceof RtmpError) throw new ProbeUsageError(error.message);
    throw error;
  }
}

function syntheticOptions(
  values: { fps?: string; gop?: string; bitrate?: string },
): SyntheticOptions {
  const fps = number("fps", values.fps, 1, MAX_FPS) ?? DEFAULT_FPS;
  const gop = number("gop", values.gop, 1, MAX_GOP) ?? fps * DEFAULT_GOP_SECONDS;
  const kbps = number("bitrate", values.bitrate, 0, MAX_KBPS) ?? 0;
  return { fps, gop: Math.round(gop), kbps };
}

function number(
  name: string,
  text: string | undefined,
  least: number,
  most: number,
): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (text.trim() === "" || !(value >= least && value <= most)) {
    throw new ProbeUsageError(`--${name} "${text}": give a number from ${least} to ${most}`);
  }
  return value;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: true,
      options: OPTIONS,
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const [problem] = message.split(/\. |\n/);
    const hint = optionHint(args, Object.keys(OPTIONS));
    throw new ProbeUsageError(`${problem}${hint}; probe -h lists the options`);
  }
}
