/**
 * `srs-edge probe`: plays a stream and measures it, or publishes one of its own and plays that back.
 * @module
 */

import { CHECK_MS } from "./limits.ts";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { peerText } from "../log/text.ts";
import { streamName } from "../clients/target.ts";
import { openRtmp, openUpstream, type Upstream } from "../clients/upstream.ts";
import { runClock } from "../net/run_clock.ts";
import { SERVER_NAME } from "../runtime/version.ts";
import { makeDisplay } from "./display.ts";
import { type ProbeOptions, publishTarget } from "./options.ts";
import { PlayProbe } from "./play_probe.ts";
import { PublishProbe } from "./publish_probe.ts";
import { type ProbeEnd, type ProbeReport, type PublishFigures, report } from "./report.ts";
import { SyntheticStream } from "./synthetic_stream.ts";

/** ms since 1970 UTC, with fractions, and without the steps of a clock that is being set. */
const wallClock = () => performance.timeOrigin + performance.now();

/** Number of this run, in its stamps. */
const RUN = randomBytes(4).readUInt32BE(0);

/** What a run has under way. */
interface Running {
  readonly player: PlayProbe;
  /** Why it ended by itself; null: it runs. */
  readonly end: ProbeEnd | null;
  readonly publishing: PublishFigures | null;
  close(): void;
}

/** Runs a probe to its end, prints what it finds, and returns the exit status. */
export async function runProbe(options: ProbeOptions): Promise<number> {
  const display = makeDisplay(options.json);
  const title = peerText(options.url);
  if (!options.json) console.log(title);
  const done = Promise.withResolvers<ProbeEnd>();
  const running = options.publish
    ? new RoundTrip(options.url, new SyntheticStream(options.publish, RUN, wallClock), done.resolve)
    : new Playing(options.url, done.resolve);
  const found = (end: ProbeEnd): ProbeReport =>
    report(options.url, running.player, end, running.publishing);

  const byUs: ProbeEnd = { reason: "closed", text: "" };
  const stop = () => done.resolve(byUs);
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  const { seconds } = options;
  const check = setInterval(() => {
    const since = running.player.meter.firstMediaAt;
    if (seconds !== null && since !== null && runClock.now() - since >= seconds * 1000) stop();
  }, CHECK_MS);
  const show = setInterval(() => {
    if (running.player.meter.hasMedia) display.show(found(byUs));
  }, display.intervalMs);

  const end = await done.promise;
  clearInterval(check);
  clearInterval(show);
  process.removeListener("SIGINT", stop);
  process.removeListener("SIGTERM", stop);
  const result = found(end);
  running.close();
  display.finish(result);
  if (end.text !== "" && !options.json) console.error(`${SERVER_NAME} probe: ${end.text}`);
  return result.exit_status;
}

/** A player alone. */
class Playing implements Running {
  readonly player: PlayProbe;
  readonly publishing = null;
  readonly #upstream: Upstream;

  constructor(url: string, onEnd: (end: ProbeEnd) => void) {
    this.player = new PlayProbe(runClock, wallClock, () => {
      if (this.end) onEnd(this.end);
    });
    this.#upstream = openUpstream(url, { role: "play" }, this.player, runClock);
  }

  get end(): ProbeEnd | null {
    const { end } = this.player;
    return end && { reason: end.reason, text: end.text };
  }

  close(): void {
    this.#upstream.close();
  }
}

/** A publisher, and a player of what it publishes. */
class RoundTrip implements Running {
  readonly player: PlayProbe;
  readonly #publisher: PublishProbe;
  readonly #stream: string;
  #playback: Upstream | null = null;
  /** Numbers of our pictures that came back: the first, the last, and how many. */
  #first = -1;
  #last = -1;
  #played = 0;

  constructor(url: string, stream: SyntheticStream, onEnd: (end: ProbeEnd) => void) {
    const target = publishTarget(url, `probe-${RUN.toString(16)}`);
    this.#stream = streamName(target);
    const ended = () => {
      if (this.end) onEnd(this.end);
    };
    this.player = new PlayProbe(runClock, wallClock, ended, (stamp) => {
      if (stamp.run !== RUN) return;
      if (this.#first < 0) this.#first = stamp.number;
      this.#last = Math.max(this.#last, stamp.number);
      this.#played++;
    });
    this.#publisher = new PublishProbe(target, stream, runClock, () => {
      this.#playback = openRtmp(target, { role: "play" }, this.player, runClock);
    }, ended);
  }

  get end(): ProbeEnd | null {
    const end = this.#publisher.end ?? this.player.end;
    return end && { reason: end.reason, text: end.text };
  }

  get publishing(): PublishFigures {
    const { acceptedAt, startedAt, frames } = this.#publisher;
    const between = this.#first < 0 ? 0 : this.#last - this.#first + 1;
    return {
      stream: this.#stream,
      accepted_ms: acceptedAt === null ? null : Number((acceptedAt - startedAt).toFixed(2)),
      frames_sent: frames,
      frames_played: this.#played,
      frames_lost: between - this.#played,
    };
  }

  close(): void {
    this.#playback?.close();
    this.#publisher.close();
  }
}
