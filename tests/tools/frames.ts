/**
 * What a player has decoded, frame by frame: the checksums that ffmpeg's filters `showinfo` and
 * `ashowinfo` print, in any player that takes these filters.
 * @module
 */
import assert from "node:assert/strict";
import { type Kind, type Packet, runsOf } from "./packets.ts";
import { run } from "./process.ts";

/** ms that ffmpeg may take to decode some seconds. */
const DECODE_LIMIT_MS = 30_000;

/** Frames that a decoder which starts in the middle needs until nothing from before is missing. */
const WARM_UP: Readonly<Record<Kind, number>> = { video: 0, audio: 2 };

/** The filters by the kind of frame that they print. */
export const PRINT: Readonly<Record<Kind, string>> = { video: "showinfo", audio: "ashowinfo" };

/** Adler-32 of each frame, by kind. */
export type Frames = Readonly<Record<Kind, readonly string[]>>;

/**
 * The checksum in what each filter prints, as far as that is printed at once: the filters work in threads
 * of their own, and one line may be in the middle of another.
 */
const PRINTED: Readonly<Record<Kind, RegExp>> = {
  video: /\bchecksum:([0-9A-F]{8}) plane_checksum:\[/g,
  audio: /\bnb_samples:\d+ checksum:([0-9A-F]{8})/g,
};

/** The frames that the filters have printed into `output`. */
export function printedFrames(output: string): Frames {
  const printed = (kind: Kind) => Array.from(output.matchAll(PRINTED[kind]), (found) => found[1]);
  return { video: printed("video"), audio: printed("audio") };
}

/** Decodes a file with ffmpeg. */
export async function decode(file: string, kinds: readonly Kind[]): Promise<Frames> {
  const outputs = kinds.flatMap((kind) =>
    ["-map", `0:${kind[0]}`, kind === "video" ? "-vf" : "-af", PRINT[kind]]
      .concat("-fps_mode", "passthrough", "-f", "null", "-")
  );
  const ffmpeg = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-i", file, ...outputs];
  return printedFrames((await run(ffmpeg, DECODE_LIMIT_MS)).stderr);
}

/** Asserts one unbroken stretch of `source`, of at least `fewest` frames. */
export function assertFrames(
  label: string,
  kind: Kind,
  shown: readonly string[],
  source: readonly string[],
  fewest: number,
): void {
  assert.equal(new Set(source).size, source.length, `${label}: the source's frames all differ`);
  const steady = shown.slice(WARM_UP[kind]);
  const packets = (hashes: readonly string[]) =>
    hashes.map((hash): Packet => ({ hash, dts: 0, pts: 0, key: false }));
  const name = `${label}, decoded ${kind}`;
  assert.ok(steady.length >= fewest, `${name}: ${steady.length} frames, ${fewest} were due`);
  const runs = runsOf(name, packets(steady), packets(source), false);
  const stretches = runs.map(({ from, length }) => `${length} from ${from}`).join(", ");
  assert.equal(runs.length, 1, `${name}: frames are missing or repeated: ${stretches}`);
}
