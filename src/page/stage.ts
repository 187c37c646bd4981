/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The player of the stream that is open, with its figures.
 * @module
 */

import { LOST_TRACK_MS, STAGE_RETRY_MS } from "./limits.ts";
import { pageUrl, type Stream } from "./api.ts";
import { CopyBox } from "./copy_box.ts";
import { byId, el, setText } from "./dom.ts";
import { figures } from "./figures.ts";
import { bitrate, delay } from "./format.ts";
import { type PlayerFigures, StreamPlayer } from "./player.ts";
import { text, type TextKey } from "./texts.ts";

/** A delay below this, ms, is a clock that goes wrong. */
const IMPOSSIBLE_MS = -50;
/** Draws the time of day into the picture. */
const CLOCK_COMMAND =
  "ffmpeg … -vf \"drawtext=text='%{localtime\\:%T.%3N}':fontsize=64:box=1\" -c:v libx264 …";

const PARTS = ["partServer", "partNetwork", "partBuffer", "partRest"] as const;
type Parts = Readonly<Record<typeof PARTS[number], number>>;

/** The picture and all that stands around it. */
export class Stage {
  readonly #player: StreamPlayer;
  readonly #overlay = byId("overlay", HTMLElement);
  readonly #big = byId("overlay-play", HTMLElement);
  readonly #button = byId("play", HTMLButtonElement);
  readonly #bar = byId("delay-bar", HTMLElement);
  readonly #list = byId("delay-parts", HTMLElement);
  readonly #figures = figures(byId("player-figures", HTMLElement), "figure", [
    "firstFrame",
    "buffer",
    "dropped",
    "stalls",
    "received",
    "slowest",
  ]);
  #stream: Stream | null = null;
  /** The user wants it to play, whether or not there is something to play at present. */
  #wanted = false;
  #triedAt = 0;
  /** What the player was told to expect; it leaves everything else out. */
  #expected = { hasAudio: false, hasVideo: false };
  /** Since when (ms) the stream lacks a track that is expected; null: it has all. */
  #lackingSince: number | null = null;
  /** The sound is on because there is nothing else to play, not because the user wants it. */
  #soundIsOurs = false;
  /** What was clicked has not begun to play yet. Later starts leave the sound as the user has set it. */
  #clicked = false;

  /** `clockOffset`: ms to be added to this machine's clock to have the server's. */
  constructor(clockOffset: () => number) {
    this.#player = new StreamPlayer(
      byId("video", HTMLVideoElement),
      clockOffset,
      () => this.show(),
    );
    this.#button.addEventListener("click", () => this.#wanted ? this.stop() : this.play());
    this.#big.addEventListener("click", () => {
      this.play();
      // This one goes away, and who uses the keyboard would be back at the top.
      this.#button.focus({ preventScroll: true });
    });
    for (const name of PARTS) {
      const className = name.replace("part", "part-").toLowerCase();
      this.#bar.append(el("i", className));
      this.#list.append(el("li", className));
    }
    const box = new CopyBox();
    box.value = CLOCK_COMMAND;
    byId("how-clock", HTMLElement).append(box.element);
    const help = byId("how", HTMLDetailsElement);
    const tick = () => {
      if (!help.open) return;
      setText(byId("clock", HTMLElement), timeOfDay(Date.now() + clockOffset()));
      requestAnimationFrame(tick);
    };
    help.addEventListener("toggle", tick);
  }

  /** The delay of what is on the screen, ms; null: nothing is. */
  get delayMs(): number | null {
    const figures = this.#player.figures();
    if (!figures || figures.firstFrameMs === null) return null;
    return figures.endToEndMs ?? sum(this.#known(figures));
  }

  /** The newest of the stream that is open; another one than before ends the playing. */
  set stream(stream: Stream | null) {
    if (stream?.url !== this.#stream?.url) this.stop();
    else if (uptimeOf(stream) < uptimeOf(this.#stream)) this.#player.newPublisher();
    this.#stream = stream;
    const { hasAudio, hasVideo } = tracksOf(stream);
    const more = hasAudio && !this.#expected.hasAudio || hasVideo && !this.#expected.hasVideo;
    if (this.#player.active && (more || this.#hasLost(stream))) this.#start();
    const dry = !this.#player.active && performance.now() - this.#triedAt > STAGE_RETRY_MS;
    if (this.#wanted && dry && this.#player.state !== "failed" && stream?.publish.active) {
      this.#start();
    }
    this.show();
  }

  /** Whether a track that is expected has been missing for long enough, in a stream that is live. */
  #hasLost(stream: Stream | null): boolean {
    const { hasAudio, hasVideo } = tracksOf(stream);
    const known = stream?.publish.active === true && (hasAudio || hasVideo);
    const lost = this.#expected.hasAudio && !hasAudio || this.#expected.hasVideo && !hasVideo;
    if (!known || !lost) this.#lackingSince = null;
    else this.#lackingSince ??= performance.now();
    return this.#lackingSince !== null && performance.now() - this.#lackingSince > LOST_TRACK_MS;
  }

  /** Plays the open stream, now or when it is there again; called by a click. */
  play(): void {
    this.#wanted = this.#clicked = true;
    if (this.#stream?.publish.active) this.#start();
    this.show();
  }

  /** Ends the playing. */
  stop(): void {
    this.#wanted = false;
    this.#player.stop();
    this.show();
  }

  /** A stream of sound alone is to be heard; one with pictures begins without, as the page always does. */
  #setSound(alone: boolean): void {
    const video = byId("video", HTMLVideoElement);
    if (alone && video.muted) this.#soundIsOurs = true;
    else if (alone || !this.#soundIsOurs) return;
    else this.#soundIsOurs = false;
    video.muted = !alone;
  }

  #start(): void {
    const stream = this.#stream;
    if (!stream || stream.edge.flv === null) return;
    const tracks = tracksOf(stream);
    // It has just begun: what it consists of is known by the next answer, or the one after it.
    if (!tracks.hasAudio && !tracks.hasVideo) return;
    this.#expected = tracks;
    if (this.#clicked) this.#setSound(isAudioOnly(tracks));
    this.#clicked = false;
    this.#lackingSince = null;
    this.#triedAt = performance.now();
    this.#player.play({ url: pageUrl(stream.edge.flv), ...tracks });
  }

  /** Brings everything up to date. */
  show(): void {
    const stream = this.#stream;
    if (!stream) return;
    setText(byId("panel-name", HTMLElement), `${stream.app}/${stream.name}`);
    const badge = byId("panel-state", HTMLElement);
    badge.classList.toggle("live", stream.publish.active);
    setText(badge, text(stream.publish.active ? "live" : "offline"));
    setText(this.#button, text(this.#wanted ? "stop" : "play"));
    const served = stream.edge.flv !== null;
    this.#button.disabled = !this.#wanted && (!stream.publish.active || !served);
    this.#showOverlay(stream, served);
    const figures = this.#player.figures();
    this.#showDelay(figures);
    this.#figures({
      firstFrame: delay(figures?.firstFrameMs ?? null),
      buffer: delay(figures?.bufferMs ?? null),
      dropped: figures ? `${figures.dropped} / ${figures.decoded}` : "–",
      stalls: figures ? String(figures.stalls) : "–",
      received: bitrate(figures && figures.kbps > 0 ? figures.kbps : null),
      slowest: delay(stream.edge.players > 0 ? stream.edge.lag_ms : null),
    });
  }

  #showOverlay(stream: Stream, served: boolean): void {
    const { state, error } = this.#player;
    const alone = isAudioOnly(this.#player.active ? this.#expected : tracksOf(stream));
    const words = overlayText(state, this.#wanted, stream.publish.active, served, alone);
    this.#overlay.hidden = words === null;
    this.#overlay.classList.toggle("playing", words === "audioOnly");
    this.#big.hidden = this.#wanted || !stream.publish.active || !served;
    const reason = words === "playFailed" ? error : "";
    setText(byId("overlay-text", HTMLElement), words ? text(words) + reason : "");
  }

  #showDelay(figures: PlayerFigures | null): void {
    const playing = figures !== null && figures.firstFrameMs !== null;
    const known = playing ? this.#known(figures) : null;
    const endToEnd = playing ? figures.endToEndMs : null;
    const total = endToEnd ?? (known && sum(known));
    const wrong = endToEnd !== null && endToEnd < IMPOSSIBLE_MS;
    setText(byId("delay-value", HTMLElement), wrong ? "–" : delay(total));
    const label = wrong ? "clocksDiffer" : endToEnd === null && playing ? "knownDelay" : "endToEnd";
    setText(byId("delay-label", HTMLElement), text(label));
    const rest = endToEnd !== null && known ? Math.max(0, endToEnd - sum(known)) : 0;
    const parts: Parts | null = known && { ...known, partRest: rest };
    for (const [i, name] of PARTS.entries()) {
      const ms = parts?.[name] ?? 0;
      const segment = this.#bar.children[i];
      if (segment instanceof HTMLElement) segment.style.flexGrow = String(ms);
      const item = this.#list.children[i];
      if (!(item instanceof HTMLElement)) continue;
      item.hidden = parts === null || (name === "partRest" && endToEnd === null);
      setText(item, `${text(name)} ${delay(ms)}`);
    }
  }

  /** What lies between the server's door and the screen, as far as it can be known without stamps. */
  #known({ networkMs, bufferMs }: PlayerFigures): Parts {
    return {
      partServer: this.#stream?.edge.delay_p50_ms ?? 0,
      partNetwork: networkMs ?? 0,
      partBuffer: bufferMs ?? 0,
      partRest: 0,
    };
  }
}

function overlayText(
  state: StreamPlayer["state"],
  wanted: boolean,
  live: boolean,
  served: boolean,
  audioOnly: boolean,
): TextKey | null {
  const connecting = audioOnly ? "connectingAudio" : "connecting";
  if (!served) return "noFlv";
  if (state === "failed") return "playFailed";
  if (state === "connecting") return connecting;
  if (state === "stalled" && !live) return "waitsForPublisher";
  if (state === "playing" || state === "stalled") return audioOnly ? "audioOnly" : null;
  if (wanted) return live ? connecting : "waitsForPublisher";
  if (!live) return "offline";
  return audioOnly ? "nothingPlaysAudio" : "nothingPlays";
}

/** What the stream is known to have so far. */
function tracksOf(stream: Stream | null): { hasAudio: boolean; hasVideo: boolean } {
  return { hasAudio: Boolean(stream?.audio), hasVideo: Boolean(stream?.video) };
}

function isAudioOnly({ hasAudio, hasVideo }: ReturnType<typeof tracksOf>): boolean {
  return hasAudio && !hasVideo;
}

function uptimeOf(stream: Stream | null): number {
  return stream?.edge.uptime_ms ?? 0;
}

function sum(parts: Parts): number {
  return Object.values(parts).reduce((total, ms) => total + ms, 0);
}

/** `20:15:07.042`, in local time. */
function timeOfDay(ms: number): string {
  const date = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":") +
    `.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
