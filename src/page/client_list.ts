/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The clients of a stream, with a button to disconnect each.
 * @module
 */

import { NOTE_MS, SURE_MS } from "./limits.ts";
import { type Client, kick, type Page } from "./api.ts";
import { byId, el, keyed, nameBy, setText } from "./dom.ts";
import { bitrate, delay, duration } from "./format.ts";
import { Pager } from "./pager.ts";
import { text, translate } from "./texts.ts";

/** Clients on one page of the list. */
const PAGE_SIZE = 10;

/** Bytes of a client at a moment of `performance.now()`. */
interface Reading {
  readonly at: number;
  readonly bytes: number;
}

/** The table below the player. */
export class ClientList {
  readonly #rows = byId("client-rows", HTMLElement);
  readonly #note = byId("kick-note", HTMLElement);
  readonly #pager: Pager;
  #readings = new Map<string, Reading>();
  #noteTimer: ReturnType<typeof setTimeout> | undefined;

  /** `changed`: other clients are to be shown. */
  constructor(private readonly changed: () => void) {
    this.#pager = new Pager(byId("client-pager", HTMLElement), PAGE_SIZE, changed);
  }

  /** What is to be asked for. */
  get query(): { readonly start: number; readonly count: number } {
    return { start: this.#pager.start, count: PAGE_SIZE };
  }

  /** Another stream's clients come next. */
  reset(): void {
    this.#pager.start = 0;
    this.#rows.replaceChildren();
  }

  /** Shows an answer of the API. */
  show({ list, total }: Page<Client>): void {
    this.#pager.total = total;
    setText(byId("client-count", HTMLElement), String(total));
    const readings = new Map<string, Reading>();
    const now = performance.now();
    keyed(this.#rows, list, ({ id }) => id, ({ id }) => this.#create(id), (row, client) => {
      const reading = { at: now, bytes: client.publish ? client.recv_bytes : client.send_bytes };
      const before = this.#readings.get(client.id);
      readings.set(client.id, reading);
      const kbps = before ? (reading.bytes - before.bytes) * 8 / (now - before.at) : null;
      update(row, client, kbps);
    });
    this.#readings = readings;
  }

  #create(id: string): HTMLElement {
    const button = el("button", "", [], { type: "button", "data-text": "kick" });
    const cells = ["role", "address", "number connected", "number lag", "number traffic"].map((
      name,
    ) => el("td", name));
    const row = el("tr", "", [...cells, el("td", "", [button])]);
    nameBy(button, button, row.cells[0], row.cells[1]);
    translate(row);
    let sure: ReturnType<typeof setTimeout> | undefined;
    const reset = () => {
      clearTimeout(sure);
      sure = undefined;
      button.classList.remove("sure");
      button.textContent = text("kick");
    };
    button.addEventListener("click", () => {
      if (sure === undefined) {
        button.classList.add("sure");
        button.textContent = text("kickSure");
        sure = setTimeout(reset, SURE_MS);
        return;
      }
      reset();
      void this.#kick(id);
    });
    return row;
  }

  async #kick(id: string): Promise<void> {
    const result = await kick(id).catch(() => "gone" as const);
    this.#note.hidden = result === "done";
    if (result !== "done") {
      setText(this.#note, text(result === "gone" ? "kickFailed" : "kickRefused"));
    }
    clearTimeout(this.#noteTimer);
    this.#noteTimer = setTimeout(() => this.#note.hidden = true, NOTE_MS);
    this.changed();
  }
}

function update(row: HTMLElement, client: Client, kbps: number | null): void {
  if (!(row instanceof HTMLTableRowElement)) return;
  const { ip, type, publish, alive, edge } = client;
  const [role, address, connected, lag, traffic] = row.cells;
  setText(role, `${text(publish ? "publisher" : "player")} · ${protocolOf(type)}`);
  setText(address, `${ip.includes(":") ? `[${ip}]` : ip}:${edge.port}`);
  setText(connected, duration(alive * 1000));
  const dropped = edge.dropped_gops > 0 ? ` (−${edge.dropped_gops} GOP)` : "";
  lag.dataset.label = text("lag");
  setText(lag, publish ? "–" : delay(edge.lag_ms) + dropped);
  setText(traffic, kbps === null ? "–" : `${publish ? "↑" : "↓"} ${bitrate(Math.max(0, kbps))}`);
}

/** `rtmp-play` and all publishers: RTMP. */
function protocolOf(type: string): string {
  return type === "flv-play" ? "HTTP-FLV" : "RTMP";
}
