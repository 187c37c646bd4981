/**
 * FFmpeg 8.1 as publisher and player: the first of its kind that sends HEVC, AV1, VP9, Opus and several
 * tracks by Enhanced RTMP. No distribution has it yet; the package `node-av` brings it as an add-on, which
 * Deno loads and keeps in its own cache. Nothing of the server depends on it.
 * @module
 */
import assert from "node:assert/strict";
import type { PacketLine, StreamLine } from "./ffmpeg8_program.ts";
import type { Packet } from "./packets.ts";
import { Child, run, until } from "./process.ts";
import type { Scenario } from "./scenario.ts";

/** The package with FFmpeg's libraries; 175 MB, for Linux, macOS and Windows on x64 and arm64. */
const PACKAGE = "node-av@6.1.1";

/** What it must say it is. */
const VERSION = /^8\.1\b/m;

/** ms that it may take to be fetched. */
const FETCH_LIMIT_MS = 300_000;

/** ms for a file of some seconds. */
const FILE_LIMIT_MS = 30_000;

/** ms until the last packets of a stream must have come. */
const TAIL_LIMIT_MS = 15_000;

const PROGRAM = new URL("ffmpeg8_program.ts", import.meta.url).pathname;

function command(name: string, ...args: string[]): string[] {
  // The server's own settings and lock file have nothing to do with it.
  const deno = [Deno.execPath(), "run", "--allow-all", "--quiet", "--no-config", "--no-lock"];
  return [...deno, PROGRAM, name, PACKAGE, ...args];
}

/**
 * Fetches it, unless it is there.
 * @throws Error when this machine cannot have it.
 */
export async function ensureFfmpeg8(): Promise<void> {
  let said: string;
  try {
    said = (await run(command("version"), FETCH_LIMIT_MS)).stdout;
  } catch (error) {
    throw new Error(`no FFmpeg 8.1: Deno cannot fetch or load npm's ${PACKAGE}`, { cause: error });
  }
  assert.match(said, VERSION, `${PACKAGE} brings another FFmpeg`);
}

/** A track as it is demuxed. */
export interface Track {
  readonly kind: StreamLine["kind"];
  readonly codec: string;
  /** Its number in its container. */
  readonly stream: number;
  /** 0 where the container does not tell, as FLV. */
  readonly width: number;
  readonly height: number;
  /** Hz. */
  readonly sampleRate: number;
  readonly channels: number;
  /** MD5s of its decoder configurations, one after the other; "" for none. */
  readonly configs: string[];
  readonly packets: (Packet & { readonly size: number })[];
}

/** The tracks in what `play` has printed so far, in the order in which they have begun. */
export function readTracks(text: string): Track[] {
  const tracks = new Map<number, Track>();
  for (const row of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
    if (row === "") continue;
    const line: StreamLine | PacketLine = JSON.parse(row);
    const track = tracks.get(line.stream);
    if (line.line === "packet") {
      assert.ok(track, `a packet of an unknown stream: ${row}`);
      track.packets.push(line);
    } else if (track) {
      assert.equal(line.codec, track.codec, `another codec within a stream: ${row}`);
      track.configs.push(line.config);
    } else {
      const { line: _, config, ...track } = line;
      tracks.set(line.stream, { ...track, configs: [config], packets: [] });
    }
  }
  return [...tracks.values()];
}

/** The tracks of a file. */
export async function probeTracks(file: string): Promise<Track[]> {
  return readTracks((await run(command("play", file), FILE_LIMIT_MS)).stdout);
}

/** Writes a file's tracks into an FLV file, as they would be published. */
export async function muxFlv(file: string, flv: string): Promise<void> {
  await run(command("publish", file, flv, "copy"), FILE_LIMIT_MS);
}

/** Publishes a file in real time. */
export function publishFile(s: Scenario, file: string, url: string): Child {
  return s.spawn(`FFmpeg 8.1, publisher of ${file}`, command("publish", file, url));
}

/** An FFmpeg 8.1 that plays an address. */
export class TrackPlayer {
  readonly process: Child;

  constructor(s: Scenario, readonly url: string) {
    this.process = s.spawn(`FFmpeg 8.1, player of ${url}`, command("play", url));
  }

  /** What has come so far. */
  tracks(): Track[] {
    return readTracks(this.process.stdout);
  }

  /** Waits until `enough` likes what has come, ends it, and tells what has. Never fails: look at it. */
  async finish(enough: (tracks: readonly Track[]) => boolean): Promise<Track[]> {
    await until("", TAIL_LIMIT_MS, () => {
      return enough(this.tracks()) || this.process.exit !== null;
    }).catch(() => {});
    await this.process.kill();
    return this.tracks();
  }
}
