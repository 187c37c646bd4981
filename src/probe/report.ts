/**
 * What a probe has found, as a JSON object and as text.
 *
 * The JSON's fields (numbers; `_ms` are milliseconds with fractions; null: not known):
 *
 *     mode               "play" or "publish"
 *     url                as given, secrets replaced by ***
 *     ok, exit_status    as the process ends
 *     end                {reason, text}: why it ended; reason "closed" when we ended it
 *     seconds            from the first to the last frame, by our clock
 *     connect_ms         from the begin to the TCP connection (HTTP: to the answer's head)
 *     accepted_ms        ... to the server's consent to play
 *     metadata_ms, first_audio_ms, first_frame_ms, first_keyframe_ms
 *                        ... to the first of each
 *     video              {codec, profile, level, width, height, fps, kbps, frames, keyframes, gop_frames,
 *                        gop_ms, gop_max_frames, gop_max_ms}; fps and kbps by the timestamps
 *     audio              {codec, profile, sample_rate, channels, fps, kbps, frames}
 *     lag_ms             {start, now, min, p50, p99, max}: how much later than the quickest message the
 *                        others came; start: how old the first one was (the server's GOP cache)
 *                        (p50 and so on here and below: of the last 16384 measurements)
 *     jitter_ms          of the pictures, as RFC 3550 defines it
 *     gaps               {count, longest_ms, timestamp_jumps}: pauses of more than 250 ms; the longest
 *                        pause of all; jumps and backward steps of timestamps
 *     delay_ms           {source, samples, min, p50, p99, max}: from the publisher's clock to ours;
 *                        source "stamp" (SEI) or "data" (onFI and the like); null: it tells no clock
 *     redirects          addresses that were followed
 *     publish            with mode "publish": {stream, accepted_ms, frames_sent, frames_played,
 *                        frames_lost}
 *
 * @module
 */

import { peerText } from "../log/text.ts";
import type { EndReason } from "../clients/upstream_handler.ts";
import type { PlayProbe } from "./play_probe.ts";
import type { Spread } from "./sample_window.ts";
import type { StreamMeter } from "./stream_meter.ts";

/** Exit status of the process. */
export const ProbeExit = { OK: 0, NO_MEDIA: 1, USAGE: 2, UNREACHABLE: 3, REFUSED: 4 } as const;

/** Why it ended; `text` is fit for a terminal. */
export interface ProbeEnd {
  readonly reason: EndReason;
  readonly text: string;
}

/** What the publishing side did. */
export interface PublishFigures {
  readonly stream: string;
  readonly accepted_ms: number | null;
  readonly frames_sent: number;
  readonly frames_played: number;
  readonly frames_lost: number;
}

/** The exit status of a probe that ended so. */
export function exitStatus(reason: EndReason, hasMedia: boolean): number {
  switch (reason) {
    case "closed":
      return hasMedia ? ProbeExit.OK : ProbeExit.NO_MEDIA;
    case "not-found":
    case "silent":
    case "unpublished":
      return ProbeExit.NO_MEDIA;
    case "unreachable":
    case "timeout":
      return ProbeExit.UNREACHABLE;
    case "lost":
    case "stalled":
      return hasMedia ? ProbeExit.NO_MEDIA : ProbeExit.REFUSED;
    default:
      return ProbeExit.REFUSED;
  }
}

function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

function roundOrNull(value: number | null, digits = 2): number | null {
  return value === null ? null : round(value, digits);
}

function spreadJson(spread: Spread) {
  const { min, p50, p99, max } = spread;
  return { min: round(min), p50: round(p50), p99: round(p99), max: round(max) };
}

/** The JSON object; see the top of this file. */
export function report(
  url: string,
  probe: PlayProbe,
  end: ProbeEnd,
  publish: PublishFigures | null,
) {
  const { meter } = probe;
  const since = (at: number | null) => at === null ? null : round(at - probe.startedAt);
  const status = exitStatus(end.reason, meter.hasMedia);
  const { lag, delay } = meter;
  return {
    mode: publish ? "publish" : "play",
    url: peerText(url),
    ok: status === ProbeExit.OK,
    exit_status: status,
    end,
    seconds: round(measuredMs(meter) / 1000),
    connect_ms: since(probe.openedAt),
    accepted_ms: since(probe.acceptedAt),
    metadata_ms: since(meter.metadataAt),
    first_audio_ms: since(meter.firstAudioAt),
    first_frame_ms: since(meter.firstFrameAt),
    first_keyframe_ms: since(meter.firstKeyframeAt),
    video: videoJson(meter),
    audio: audioJson(meter),
    lag_ms: lag === null ? null : {
      start: roundOrNull(meter.startLag),
      now: roundOrNull(meter.lagNow),
      ...spreadJson(lag),
    },
    jitter_ms: round(meter.jitterMs),
    gaps: {
      count: meter.gaps,
      longest_ms: round(meter.longestPauseMs),
      timestamp_jumps: meter.video.jumps + meter.audio.jumps,
    },
    delay_ms: delay === null
      ? null
      : { source: meter.delaySource, samples: meter.delaySamples, ...spreadJson(delay) },
    redirects: probe.redirects.map(peerText),
    ...(publish ? { publish } : {}),
  };
}

/** What `--json` prints. */
export type ProbeReport = ReturnType<typeof report>;

function measuredMs(meter: StreamMeter): number {
  return meter.firstMediaAt === null ? 0 : meter.lastMediaAt - meter.firstMediaAt;
}

function videoJson(meter: StreamMeter) {
  if (meter.video.frames === 0 && meter.videoInfo === null) return null;
  const { codec = null, profile = null, level = null, width = null, height = null } =
    meter.videoInfo ?? {};
  return {
    ...{ codec, profile, level, width, height },
    fps: roundOrNull(meter.video.rate),
    kbps: roundOrNull(meter.video.kbps, 0),
    frames: meter.video.frames,
    keyframes: meter.keyframes,
    gop_frames: meter.gopFrames,
    gop_ms: meter.gopMs,
    gop_max_frames: meter.gopFrames === null ? null : meter.gopMaxFrames,
    gop_max_ms: meter.gopMs === null ? null : meter.gopMaxMs,
  };
}

function audioJson(meter: StreamMeter) {
  if (meter.audio.frames === 0 && meter.audioInfo === null) return null;
  const { codec = null, profile = null, sample_rate = null, channel = null } = meter.audioInfo ??
    {};
  return {
    ...{ codec, profile, sample_rate, channels: channel },
    fps: roundOrNull(meter.audio.rate),
    kbps: roundOrNull(meter.audio.kbps, 0),
    frames: meter.audio.frames,
  };
}

// ---- text

function ms(value: number | null): string {
  if (value === null) return "-";
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
}

function words(...parts: (string | null | false)[]): string {
  return parts.filter((part) => part !== null && part !== false && part !== "").join(", ");
}

/** The block of lines that is shown live, and once more at the end. */
export function blockText(found: ProbeReport): string[] {
  const { video, audio, lag_ms: lag, delay_ms: delay, gaps, publish } = found;
  const lines: [string, string][] = [];
  const first = words(
    `metadata ${ms(found.metadata_ms)}`,
    video !== null && `picture ${ms(found.first_frame_ms)}`,
    video !== null && `keyframe ${ms(found.first_keyframe_ms)}`,
    audio !== null && `sound ${ms(found.first_audio_ms)}`,
  );
  lines.push(["connected", `${ms(found.connect_ms)}, accepted ${ms(found.accepted_ms)}`]);
  lines.push(["first", first]);
  if (video) {
    const { codec, profile, level, width, height, fps, kbps, gop_frames, gop_ms } = video;
    const gop = gop_frames === null || gop_ms === null
      ? "GOP -"
      : `GOP ${gop_frames} pictures (${(gop_ms / 1000).toFixed(2)} s)`;
    lines.push([
      "video",
      words(
        [codec, profile, level].filter(Boolean).join(" "),
        width !== null && `${width}x${height}`,
        fps !== null && `${fps} fps`,
        kbps !== null && `${kbps} kbit/s`,
        gop,
      ),
    ]);
  }
  if (audio) {
    const { codec, profile, sample_rate, channels, kbps } = audio;
    lines.push([
      "audio",
      words(
        [codec, profile].filter(Boolean).join(" "),
        sample_rate !== null && `${sample_rate} Hz`,
        channels !== null && (channels === 1 ? "mono" : `${channels} channels`),
        kbps !== null && `${kbps} kbit/s`,
      ),
    ]);
  }
  if (lag) {
    lines.push([
      "lag",
      `${ms(lag.now)} now, p50 ${ms(lag.p50)}, p99 ${ms(lag.p99)}, max ${ms(lag.max)}; ` +
      `${ms(lag.start)} at the start`,
    ]);
    lines.push([
      "steadiness",
      `jitter ${ms(found.jitter_ms)}, ${gaps.count} gaps, longest pause ${ms(gaps.longest_ms)}, ` +
      `${gaps.timestamp_jumps} timestamp jumps`,
    ]);
  }
  if (publish) {
    const { frames_sent, frames_played, frames_lost } = publish;
    lines.push(["pictures", `${frames_sent} sent, ${frames_played} played, ${frames_lost} lost`]);
  }
  if (delay) {
    const whose = publish ? "added by the server" : "by the publisher's clock";
    lines.push([
      "delay",
      `p50 ${ms(delay.p50)}, p99 ${ms(delay.p99)}, max ${ms(delay.max)}  (${whose})`,
    ]);
  }
  return lines.map(([name, text]) => `  ${name.padEnd(11)} ${text}`);
}

/** One line of it, for output that is no terminal. */
export function lineText(found: ProbeReport): string {
  const { video, audio, lag_ms: lag, delay_ms: delay } = found;
  return words(
    `${found.seconds.toFixed(0).padStart(4)} s`,
    video !== null && `${video.codec} ${video.fps ?? "-"} fps ${video.kbps ?? "-"} kbit/s`,
    audio !== null && `${audio.codec} ${audio.kbps ?? "-"} kbit/s`,
    lag !== null && `lag ${ms(lag.now)}, jitter ${ms(found.jitter_ms)}`,
    `${found.gaps.count} gaps`,
    delay !== null && `delay p50 ${ms(delay.p50)}, p99 ${ms(delay.p99)}`,
  );
}
