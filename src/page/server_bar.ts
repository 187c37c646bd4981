/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The server's own figures.
 * @module
 */

import type { Summary } from "./api.ts";
import { byId, setText } from "./dom.ts";
import { figures } from "./figures.ts";
import { bitrate, bytes, delay, duration, percent } from "./format.ts";
import { text } from "./texts.ts";

/** Bytes at a moment, ms. */
interface Reading {
  readonly ms: number;
  readonly recv: number;
  readonly sent: number;
}

/** The tiles at the top. */
export class ServerBar {
  readonly #set = figures(byId("server", HTMLElement), "tile", [
    "uptime",
    "cpu",
    "memory",
    "connections",
    "inbound",
    "outbound",
    "delayP50",
    "loopLag",
  ]);
  #before: Reading | null = null;

  /** Shows an answer of the API. */
  show({ now_ms, self, system, edge }: Summary): void {
    const now = { ms: now_ms, recv: system.srs_recv_bytes, sent: system.srs_send_bytes };
    const before = this.#before;
    this.#before = now;
    const kbps = (what: "recv" | "sent") => {
      const ms = before ? now.ms - before.ms : 0;
      return before && ms > 0 ? Math.max(0, (now[what] - before[what]) * 8 / ms) : null;
    };
    this.#set({
      uptime: [duration(self.srs_uptime * 1000), edge.runtime],
      cpu: [
        percent(self.cpu_percent),
        `${text("load")} ${system.load_1m.toFixed(1)} · ${system.cpus} CPU`,
      ],
      memory: [
        bytes(self.mem_kbyte * 1024),
        `${percent(system.mem_ram_percent)} · ${bytes(system.mem_ram_kbyte * 1024)}`,
      ],
      connections: [
        String(system.conn_srs),
        `${text("players")} ${edge.players}` +
        (edge.lagging_players > 0 ? `, ${edge.lagging_players} ${text("laggingPlayers")}` : ""),
      ],
      inbound: bitrate(kbps("recv")),
      outbound: bitrate(kbps("sent")),
      delayP50: [delay(edge.delay_p50_ms), `p99 ${delay(edge.delay_p99_ms)}`],
      loopLag: delay(edge.event_loop_lag_ms),
    });
    setText(byId("version", HTMLElement), self.version);
    const { rtmp, http, https } = edge.listen;
    const ports = [["RTMP", rtmp], ["HTTP", http], ["HTTPS", https]] as const;
    setText(
      byId("listening", HTMLElement),
      ports.filter(([, list]) => list.length > 0)
        .map(([name, list]) => `${name} ${list.join(" ")}`).join("  ·  "),
    );
  }
}
