/**
 * What a stream consists of, packet by packet, and whether two streams are the same: "it plays" means
 * that every packet that came out is one that went in, byte for byte, none missing in between.
 * @module
 */
import assert from "node:assert/strict";
import { run } from "./process.ts";

/** The two kinds of packet that are compared. */
export type Kind = "video" | "audio";

/** One packet as a demuxer gives it. Times are ms. */
export interface Packet {
  /** MD5 of the payload, in hex. */
  readonly hash: string;
  readonly dts: number;
  readonly pts: number;
  /** Whether it is a keyframe; only known for files read by `probe`. */
  readonly key: boolean;
}

/** A file or a recording. Within a kind the packets are in their order. */
export interface Recording {
  readonly video: readonly Packet[];
  readonly audio: readonly Packet[];
  /** MD5 of the decoder configuration ("extradata": avcC, AudioSpecificConfig) by kind, if there is one. */
  readonly config: Partial<Record<Kind, string>>;
}

/** A stretch of a recording that equals a stretch of the source. */
export interface Run {
  /** Index of its first packet in the recording. */
  readonly at: number;
  /** Index of the same packet in the source. */
  readonly from: number;
  readonly length: number;
}

/** ms that a timestamp may differ by rounding, between what went in and what came out. */
const ROUNDING_MS = 1;

/** ms that ffprobe may take for a file of some seconds. */
const PROBE_LIMIT_MS = 30_000;

/** Reads a media file with ffprobe. */
export async function probe(file: string): Promise<Recording> {
  const entries = "stream=index,codec_type,extradata_hash:" +
    "packet=stream_index,codec_type,dts,pts,flags,data_hash";
  const { stdout } = await run(
    ["ffprobe", "-v", "error", "-show_packets", "-show_streams", "-show_data_hash", "md5"]
      .concat("-show_entries", entries, "-of", "compact", file),
    PROBE_LIMIT_MS,
  );
  const result = {
    video: [] as Packet[],
    audio: [] as Packet[],
    config: {} as Recording["config"],
  };
  for (const line of stdout.split("\n")) {
    const [section, ...pairs] = line.trim().split("|");
    const fields = new Map(pairs.map((pair) => {
      const equals = pair.indexOf("=");
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }));
    const kind = fields.get("codec_type");
    if (kind !== "video" && kind !== "audio") continue;
    if (section === "packet") {
      result[kind].push({
        hash: bareHash(fields.get("data_hash")),
        dts: Number(fields.get("dts")),
        pts: Number(fields.get("pts")),
        key: (fields.get("flags") ?? "").startsWith("K"),
      });
    } else if (section === "stream" && fields.has("extradata_hash")) {
      result.config[kind] = bareHash(fields.get("extradata_hash"));
    }
  }
  return result;
}

/** Reads what ffmpeg's `framemd5` muxer has written so far; an unfinished last line is left out. */
export function parseFrameHashes(text: string): Recording {
  const result = {
    video: [] as Packet[],
    audio: [] as Packet[],
    config: {} as Recording["config"],
  };
  const kinds = new Map<string, Kind>();
  const configs = new Map<string, string>();
  /** ms of a stream's ticks. */
  const ticks = new Map<string, number>();
  for (const line of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
    const base = /^#tb (\d+): (\d+)\/(\d+)$/.exec(line);
    if (base !== null) ticks.set(base[1], 1000 * Number(base[2]) / Number(base[3]));
    const header = /^#(media_type|extradata) (\d+)[:,]\s*(?:\d+,\s*)?(\S+)$/.exec(line);
    if (header !== null) {
      const [, what, index, value] = header;
      if (what === "extradata") configs.set(index, value);
      else if (value === "video" || value === "audio") kinds.set(index, value);
      continue;
    }
    if (line === "" || line.startsWith("#")) continue;
    const [index, dts, pts, _duration, _size, hash] = line.split(",").map((field) => field.trim());
    const kind = kinds.get(index);
    if (kind === undefined) throw new Error(`a packet of no known stream: ${line}`);
    const ms = (time: string) => Math.round(Number(time) * (ticks.get(index) ?? 1));
    result[kind].push({ hash, dts: ms(dts), pts: ms(pts), key: false });
  }
  for (const [index, kind] of kinds) {
    const config = configs.get(index);
    if (config !== undefined) result.config[kind] = config;
  }
  return result;
}

function bareHash(value: string | undefined): string {
  return (value ?? "").replace(/^MD5:/, "");
}

/**
 * Cuts a recording into the longest stretches that the source has too. `loop`: the source was
 * published over and over, so its first packet follows its last.
 * @throws AssertionError for a packet that is not in the source: it is damaged, or of another stream.
 */
export function runsOf(
  label: string,
  played: readonly Packet[],
  source: readonly Packet[],
  loop: boolean,
): Run[] {
  const places = new Map<string, number[]>();
  for (const [index, { hash }] of source.entries()) {
    const known = places.get(hash);
    if (known === undefined) places.set(hash, [index]);
    else known.push(index);
  }
  const runs: Run[] = [];
  for (let at = 0; at < played.length;) {
    let best: Run = { at, from: -1, length: 0 };
    for (const from of places.get(played[at].hash) ?? []) {
      const length = matchLength(played, at, source, from, loop);
      if (length > best.length) best = { at, from, length };
    }
    assert.notEqual(
      best.length,
      0,
      `${label}: packet ${at} of ${played.length} (dts ${played[at].dts} ms, ` +
        `md5 ${played[at].hash}) is not in the source (${source.length} packets): ` +
        "damaged, or of another stream",
    );
    runs.push(best);
    at += best.length;
  }
  return runs;
}

function matchLength(
  played: readonly Packet[],
  at: number,
  source: readonly Packet[],
  from: number,
  loop: boolean,
): number {
  let length = 0;
  while (at + length < played.length) {
    const index = from + length;
    if (index >= source.length && !loop) break;
    if (played[at + length].hash !== source[index % source.length].hash) break;
    length++;
  }
  return length;
}

/** What `assertContiguousRun` asks for beyond "nothing missing in between". */
export interface RunOptions {
  readonly minPackets: number;
  /** The source was published over and over. */
  readonly loop?: boolean;
  /** The first packet must be a keyframe of the source. */
  readonly startsWithKeyframe?: boolean;
  /** Every packet of the source must have come, from its first to its last. */
  readonly whole?: boolean;
}

/**
 * Asserts that `played` is one unbroken stretch of `source`, byte for byte, with the source's
 * composition times and the source's distances between timestamps.
 */
export function assertContiguousRun(
  label: string,
  played: readonly Packet[],
  source: readonly Packet[],
  options: RunOptions,
): Run {
  assert.ok(
    played.length >= options.minPackets,
    `${label}: only ${played.length} packets came, at least ${options.minPackets} were due`,
  );
  const [run, broken] = runsOf(label, played, source, options.loop ?? false);
  if (broken !== undefined) {
    const last = (run.from + run.length - 1) % source.length;
    const lost = (broken.from - last - 1 + source.length) % source.length;
    assert.fail(
      `${label}: after packet ${broken.at - 1} (source packet ${last}) came source packet ` +
        `${broken.from} as number ${broken.at} of ${played.length}: ${lost} lost, or repeated`,
    );
  }
  if (options.startsWithKeyframe) {
    assert.ok(
      source[run.from].key,
      `${label}: starts at source packet ${run.from}, which is no keyframe`,
    );
  }
  if (options.whole) {
    assert.equal(run.from, 0, `${label}: the first ${run.from} packets of the source are missing`);
    assert.equal(played.length, source.length, `${label}: the end of the source is missing`);
  }
  assertSameTiming(label, played, source, run);
  return run;
}

/** Asserts equal composition times, and one constant distance between the timestamps of a run. */
export function assertSameTiming(
  label: string,
  played: readonly Packet[],
  source: readonly Packet[],
  run: Run,
): void {
  let offset = 0;
  for (let i = 0; i < run.length; i++) {
    const out = played[run.at + i];
    const index = (run.from + i) % source.length;
    const original = source[index];
    const place = `${label}: packet ${run.at + i} (source packet ${index})`;
    assert.equal(out.pts - out.dts, original.pts - original.dts, `${place}: composition time`);
    // Where a looped source starts over its own timestamps start over, too.
    if (i === 0 || index === 0) offset = out.dts - original.dts;
    const drift = out.dts - original.dts - offset;
    assert.ok(
      Math.abs(drift) <= ROUNDING_MS,
      `${place}: timestamp ${out.dts} ms is ${drift} ms off the source's pace`,
    );
  }
}

/** Asserts that the decoder configurations came through unchanged. */
export function assertSameConfig(label: string, played: Recording, source: Recording): void {
  assert.deepEqual(played.config, source.config, `${label}: the decoder configuration differs`);
}
