/**
 * A program around FFmpeg's libraries, as the package `node-av` brings them: publishes a file in real
 * time, or plays a file or an address into a line of JSON for each packet. Started by `ffmpeg8.ts`;
 * a process of its own, because FFmpeg's calls wait.
 *
 *     deno run --allow-all --no-config --no-lock tests/tools/ffmpeg8_program.ts COMMAND
 *         version PACKAGE
 *         publish PACKAGE FILE URL [copy]    copy: as fast as it goes
 *         play PACKAGE URL-OR-FILE
 * @module
 */
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import type { Buffer } from "node:buffer";
import process from "node:process";

/** A line about a stream, printed when its first packet has come, or when its configuration changes. */
export interface StreamLine {
  readonly line: "stream";
  readonly stream: number;
  readonly kind: "video" | "audio" | "other";
  readonly codec: string;
  /** MD5 of the decoder configuration ("extradata"), "" if there is none. */
  readonly config: string;
  readonly width: number;
  readonly height: number;
  readonly sampleRate: number;
  readonly channels: number;
}

/** A line about a packet. Times are ms. */
export interface PacketLine {
  readonly line: "packet";
  readonly stream: number;
  readonly dts: number;
  readonly pts: number;
  readonly key: boolean;
  readonly size: number;
  /** MD5 of the payload. */
  readonly hash: string;
}

/** What is used of `node-av/lib`. Numbers below 0 are FFmpeg's errors. */
interface Library {
  readonly FormatContext: new () => FormatContext;
  readonly Packet: new () => Packet;
  readonly FFmpegError: { throwIfError(code: number, operation: string): void };
  readonly Log: { setLevel(level: number): void };
  readonly Dictionary: { fromObject(fields: Record<string, string>): unknown };
  getFFmpegInfo(): { readonly version: string };
  avGetCodecName(id: number): string | null;
}

interface Rational {
  readonly num: number;
  readonly den: number;
}

interface CodecParameters {
  readonly codecType: number;
  readonly codecId: number;
  codecTag: number;
  readonly extradata: Buffer | null;
  readonly width: number;
  readonly height: number;
  readonly sampleRate: number;
  readonly channels: number;
  copy(to: CodecParameters): number;
}

interface Stream {
  readonly codecpar: CodecParameters;
  timeBase: Rational;
}

interface Packet {
  streamIndex: number;
  readonly pts: bigint;
  readonly dts: bigint;
  readonly isKeyframe: boolean;
  readonly data: Buffer | null;
  alloc(): void;
  unref(): void;
  getSideData(type: number): Buffer | null;
  rescaleTs(from: Rational, to: Rational): void;
}

interface FormatContext {
  readonly streams: readonly Stream[];
  openInputSync(url: string, format?: unknown, options?: unknown): number;
  findStreamInfoSync(): number;
  readFrameSync(packet: Packet): number;
  allocOutputContext2(format: null, name: string, url: string): number;
  newStream(): Stream;
  openOutputSync(): number;
  writeHeaderSync(): number;
  interleavedWriteFrameSync(packet: Packet): number;
  writeTrailerSync(): number;
  closeOutputSync(): void;
}

// FFmpeg's numbers.
const AV_LOG_DEBUG = 48;
const AVERROR_EOF = -541478725;
const AV_PKT_DATA_NEW_EXTRADATA = 1;
const KINDS = ["video", "audio"] as const;

/** Codecs that a player says it knows; FFmpeg itself says none unless it is told. */
const ENHANCED_CODECS = "hvc1,av01,vp09,Opus,.mp3,mp4a,fLaC,ac-3,ec-3";

const STDOUT = 1;

function print(line: StreamLine | PacketLine): void {
  writeSync(STDOUT, `${JSON.stringify(line)}\n`);
}

function md5(bytes: Uint8Array | null): string {
  return bytes === null || bytes.length === 0 ? "" : createHash("md5").update(bytes).digest("hex");
}

/** Stops this thread, as everything here does. */
function wait(ms: number): void {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function milliseconds(time: bigint, { num, den }: Rational): number {
  return Number(time) * 1000 * num / den;
}

/** Sends a file, each packet when it is due unless `atOnce`. */
function publish(av: Library, file: string, url: string, atOnce: boolean): void {
  const check = (code: number, what: string) => av.FFmpegError.throwIfError(code, what);
  const input = new av.FormatContext();
  check(input.openInputSync(file), `open ${file}`);
  check(input.findStreamInfoSync(), `read ${file}`);
  const output = new av.FormatContext();
  check(output.allocOutputContext2(null, "flv", url), "flv");
  for (const { codecpar, timeBase } of input.streams) {
    const stream = output.newStream();
    check(codecpar.copy(stream.codecpar), "copy the parameters");
    stream.codecpar.codecTag = 0;
    stream.timeBase = timeBase;
  }
  check(output.openOutputSync(), `open ${url}`);
  check(output.writeHeaderSync(), "write the header");
  const packet = new av.Packet();
  packet.alloc();
  const begin = performance.now();
  for (;;) {
    const code = input.readFrameSync(packet);
    if (code === AVERROR_EOF) break;
    check(code, "read a packet");
    const from = input.streams[packet.streamIndex].timeBase;
    if (!atOnce) wait(milliseconds(packet.dts, from) - (performance.now() - begin));
    packet.rescaleTs(from, output.streams[packet.streamIndex].timeBase);
    check(output.interleavedWriteFrameSync(packet), "write a packet");
  }
  check(output.writeTrailerSync(), "write the trailer");
  output.closeOutputSync();
}

/** Prints what comes, until there is no more. */
function play(av: Library, url: string): void {
  const check = (code: number, what: string) => av.FFmpegError.throwIfError(code, what);
  const input = new av.FormatContext();
  const options = url.startsWith("rtmp:")
    ? av.Dictionary.fromObject({ rtmp_enhanced_codecs: ENHANCED_CODECS })
    : null;
  check(input.openInputSync(url, null, options), `open ${url}`);
  const packet = new av.Packet();
  packet.alloc();
  const known = new Set<number>();
  for (;;) {
    const code = input.readFrameSync(packet);
    if (code === AVERROR_EOF) return;
    check(code, "read a packet");
    const { data, isKeyframe, streamIndex: index } = packet;
    // FFmpeg 8.1 makes an empty packet of the first stream of what tells it the layout of channels.
    if (data === null || data.length === 0) {
      packet.unref();
      continue;
    }
    const { codecpar, timeBase } = input.streams[index];
    const changed = packet.getSideData(AV_PKT_DATA_NEW_EXTRADATA);
    if (!known.has(index) || changed !== null) {
      known.add(index);
      print({
        line: "stream",
        stream: index,
        kind: KINDS[codecpar.codecType] ?? "other",
        codec: av.avGetCodecName(codecpar.codecId) ?? "",
        config: md5(changed ?? codecpar.extradata),
        width: codecpar.width,
        height: codecpar.height,
        sampleRate: codecpar.sampleRate,
        channels: codecpar.channels,
      });
    }
    print({
      line: "packet",
      stream: index,
      dts: milliseconds(packet.dts, timeBase),
      pts: milliseconds(packet.pts, timeBase),
      key: isKeyframe,
      size: data.length,
      hash: md5(data),
    });
    packet.unref();
  }
}

if (import.meta.main) {
  const [command, name, first = "", second = "", option] = process.argv.slice(2);
  const av: Library = await import(`npm:${name}/lib`);
  if (command === "publish") {
    publish(av, first, second, option === "copy");
  } else if (command === "play") {
    // At this level it says when it asks to play.
    av.Log.setLevel(AV_LOG_DEBUG);
    play(av, first);
  } else {
    console.log(av.getFFmpegInfo().version);
  }
}
