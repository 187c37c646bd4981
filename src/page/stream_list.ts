/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The list of streams.
 * @module
 */

import { vhostOf } from "./addresses.ts";
import type { Page, Stream } from "./api.ts";
import { byId, el, keyed, nameBy, setText } from "./dom.ts";
import { bitrate, duration } from "./format.ts";
import { Pager } from "./pager.ts";
import { text, translate } from "./texts.ts";

/** Streams on one page of the list. */
const PAGE_SIZE = 10;
/** From so many streams on there is something to search in. */
const SEARCH_FROM = 6;

/** What the list wants of the page. */
export interface ListActions {
  select(stream: Stream): void;
  play(stream: Stream): void;
  /** Other streams are to be shown. */
  changed(): void;
}

/** The table with its search field. */
export class StreamList {
  readonly #actions: ListActions;
  readonly #rows = byId("stream-rows", HTMLElement);
  readonly #search = byId("search", HTMLInputElement);
  readonly #pager: Pager;
  readonly #shown = new Map<string, Stream>();

  constructor(actions: ListActions) {
    this.#actions = actions;
    this.#pager = new Pager(byId("stream-pager", HTMLElement), PAGE_SIZE, () => actions.changed());
    this.#search.addEventListener("input", () => {
      this.#pager.start = 0;
      actions.changed();
    });
  }

  /** What is to be asked for. */
  get query(): { readonly find: string; readonly start: number; readonly count: number } {
    return { find: this.#search.value.trim(), start: this.#pager.start, count: PAGE_SIZE };
  }

  /** Shows an answer of the API; `selected` is the URL of the stream that is open. */
  show({ list, total }: Page<Stream>, selected: string | null): void {
    this.#pager.total = total;
    setText(byId("stream-count", HTMLElement), total > 0 ? String(total) : "");
    this.#search.hidden = total < SEARCH_FROM && this.#search.value === "";
    byId("none-found", HTMLElement).hidden = list.length > 0;
    this.#shown.clear();
    for (const stream of list) this.#shown.set(stream.url, stream);
    keyed(
      this.#rows,
      list,
      (stream) => stream.url,
      (stream) => this.#create(stream.url),
      (row, stream) => update(row, stream, stream.url === selected),
    );
  }

  #create(url: string): HTMLElement {
    const cells = ["name", "video", "audio", "number kbps-cell", "number players", "number uptime"];
    const play = el("button", "", [], { type: "button", "data-text": "play" });
    const row = el("tr", "", [...cells.map((name) => el("td", name)), el("td", "", [play])]);
    const open = el("button", "", [], { type: "button" });
    row.cells[0].append(el("i", "dot"), open, el("span", "vhost"));
    nameBy(play, play, open);
    const act = (action: "select" | "play") => (event: Event) => {
      event.stopPropagation();
      const stream = this.#shown.get(url);
      if (stream) this.#actions[action](stream);
    };
    row.addEventListener("click", act("select"));
    open.addEventListener("click", act("select"));
    play.addEventListener("click", act("play"));
    translate(row);
    return row;
  }
}

function update(row: HTMLElement, stream: Stream, selected: boolean): void {
  if (!(row instanceof HTMLTableRowElement)) return;
  const { publish, edge } = stream;
  const [name, video, audio, kbps, players, uptime, play] = row.cells;
  row.classList.toggle("selected", selected);
  const [dot, open, vhost] = name.children;
  dot.classList.toggle("live", publish.active);
  open.setAttribute("aria-current", String(selected));
  setText(open, `${stream.app}/${stream.name}`);
  setText(vhost, vhostOf(stream.url));
  setText(video, publish.active ? videoText(stream) : "–");
  setText(audio, publish.active ? audioText(stream) : "–");
  setText(kbps, publish.active ? bitrate(edge.recv_kbps) : "–");
  setText(players, String(edge.players));
  setText(uptime, publish.active ? duration(edge.uptime_ms) : text("offline"));
  const button = play.firstElementChild;
  if (button instanceof HTMLButtonElement) button.disabled = !publish.active;
}

/** `H264 High 3.1 · 1280×720 · 25 fps`, of the main track, and how many there are. */
export function videoText({ video, edge }: Stream): string {
  if (!video) return "–";
  const known = (word: string) => word !== "" && word !== "Other" ? ` ${word}` : "";
  const size = video.width > 0 ? ` · ${video.width}×${video.height}` : "";
  const depth = edge.bit_depth !== null && edge.bit_depth > 8 ? ` · ${edge.bit_depth} bit` : "";
  const fps = edge.fps > 0 ? ` · ${edge.fps.toFixed(edge.fps < 10 ? 1 : 0)} fps` : "";
  const others = moreTracks(edge.video_tracks);
  return `${video.codec}${known(video.profile)}${known(video.level)}${size}${depth}${fps}${others}`;
}

/** `AAC LC · 44.1 kHz · stereo`, as `2 ch`. */
export function audioText({ audio, edge }: Stream): string {
  if (!audio) return "–";
  const rate = audio.sample_rate > 0 ? ` · ${audio.sample_rate / 1000} kHz` : "";
  const channels = audio.channel > 0 ? ` · ${audio.channel} ch` : "";
  return `${audio.codec}${rate}${channels}${moreTracks(edge.audio_tracks)}`;
}

function moreTracks(count: number): string {
  return count > 1 ? ` · ${count} ${text("tracks")}` : "";
}
