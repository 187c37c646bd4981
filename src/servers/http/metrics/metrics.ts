/**
 * `/metrics`: SRS's names where SRS has them, and `srs_edge_` for what is ours, in base units.
 * @module
 */

import { MAX_STREAM_SERIES } from "../request/limits.ts";
import { hostname, machine, release, type as systemName, version } from "node:os";
import process from "node:process";
import { DELAY_BOUNDS_MS } from "../../../live/delay_histogram.ts";
import { redactQuery } from "../../../log/text.ts";
import type { RelayFigures } from "../../../relay/relays.ts";
import { vhostInKey } from "../../../rtmp/stream_name.ts";
import { SERVER_NAME, VERSION } from "../../../runtime/version.ts";
import { Exposition, type Sample } from "./exposition.ts";
import { wrongPasswords } from "../request/wrong_passwords.ts";
import { attempt, type SelfFigures, type SystemStats } from "../../../stats/system_stats.ts";
import type { DelayFigures, ServerFigures, ServerView, StreamView } from "../../../stats/view.ts";

const BOUNDS_S = DELAY_BOUNDS_MS.map((ms) => ms / 1000);

/** The labels of `srs_build_info` that the configuration gives. */
export interface MetricsOptions {
  readonly label: string;
  readonly tag: string;
}

/** The whole text. `nowMs`: Unix ms. */
export function metricsText(
  view: ServerView,
  stats: SystemStats,
  nowMs: number,
  options: MetricsOptions,
): string {
  const out = new Exposition();
  // Each is made when it is asked for.
  const { figures, totals, vhosts, streams } = view;
  const clients = [...vhosts.values()].reduce((sum, vhost) => sum + vhost.clients, 0);
  writeInfo(out, view, options);
  writeSrs(out, stats.read(nowMs).self, totals, figures, { streams: streams.size, clients });
  writeServer(out, figures, totals.connections, nowMs - view.startedMs);
  writeStreams(out, streams, vhosts);
  return out.toString();
}

/** Who this is. */
function writeInfo(out: Exposition, view: ServerView, { label, tag }: MetricsOptions): void {
  out.gauge("srs_node_uname_info", "Labeled system information as provided by uname.", [{
    labels: {
      sysname: attempt(systemName, ""),
      nodename: attempt(hostname, ""),
      release: attempt(release, ""),
      version: attempt(version, ""),
      machine: attempt(machine, ""),
    },
    value: 1,
  }]);
  out.gauge("srs_build_info", "A metric with a constant '1' value labeled by version.", [{
    labels: {
      server: view.serverId,
      service: view.serviceId,
      pid: String(view.pid),
      major: VERSION.split(".")[0],
      version: VERSION,
      code: SERVER_NAME,
      label,
      tag,
    },
    value: 1,
  }]);
}

/** The other metrics that SRS has, in its order. */
function writeSrs(
  out: Exposition,
  self: SelfFigures,
  totals: ServerView["totals"],
  figures: ServerFigures,
  { streams, clients }: { readonly streams: number; readonly clients: number },
): void {
  out.gauge("srs_cpu_percent", "SRS cpu used percent, of one core.", self.cpuPercent * 100);
  out.gauge("srs_memory", "SRS resident memory in kilobytes.", Math.round(self.memKbyte));
  out.counter("srs_send_bytes_total", "SRS total sent bytes.", totals.sendBytes);
  out.counter("srs_receive_bytes_total", "SRS total received bytes.", totals.recvBytes);
  out.gauge("srs_streams", "The number of SRS concurrent streams.", streams);
  out.gauge("srs_clients", "The number of SRS concurrent clients.", clients);
  out.counter("srs_clients_total", "The total number of SRS clients.", figures.clientsTotal);
  out.counter(
    "srs_clients_errs_total",
    "The total number of SRS clients that ended with an error, a close of theirs included.",
    figures.clientErrors,
  );
}

/** Ours of the whole server. */
function writeServer(
  out: Exposition,
  figures: ServerFigures,
  connections: number,
  uptimeMs: number,
): void {
  const memory = attempt(() => process.memoryUsage(), null);
  const { delays, loopLags } = figures;
  const seconds = (ms: number) => ms / 1000;
  out.gauge("srs_edge_uptime_seconds", "Time since the start.", seconds(uptimeMs));
  out.gauge("srs_edge_connections", "Open connections of clients.", connections);
  out.gauge("srs_edge_players", "Players at present.", figures.players);
  writeDelays(
    out,
    "srs_edge_added_delay_seconds",
    "From the arrival of a message to its hand-over to a player's socket.",
    delays,
  );
  out.counter(
    "srs_edge_faults_total",
    "Faults of the server's own that ended no more than a connection; each kind is in the log.",
    figures.faults,
  );
  out.counter(
    "srs_edge_wrong_passwords_total",
    "Requests to the API with a wrong password.",
    wrongPasswords.wrong,
  );
  out.counter(
    "srs_edge_refused_logins_total",
    "Requests whose password was not looked at, after too many wrong ones from their address.",
    wrongPasswords.refused,
  );
  out.gauge(
    "srs_edge_player_lag_seconds",
    "How far the slowest player is behind its stream.",
    seconds(figures.lagMs),
  );
  out.gauge(
    "srs_edge_lagging_players",
    "Players more than a second behind their stream.",
    figures.laggingPlayers,
  );
  out.counter(
    "srs_edge_dropped_gops_total",
    "GOPs that players too slow for them have not had, in whole or in part.",
    figures.droppedGops,
  );
  out.counter(
    "srs_edge_dropped_messages_total",
    "Messages that players too slow for them have not had.",
    figures.droppedMessages,
  );
  out.gauge(
    "srs_edge_flush_interval_seconds",
    "The longest present interval between flushes of a stream; 0: each message by itself.",
    seconds(figures.flushIntervalMs),
  );
  writeDelays(
    out,
    "srs_edge_event_loop_lag_seconds",
    "By how much timers are late.",
    loopLags,
  );
  if (memory) {
    out.gauge("srs_edge_memory_bytes", "Memory of the process, by kind.", [
      { labels: { kind: "resident" }, value: memory.rss },
      { labels: { kind: "heap_total" }, value: memory.heapTotal },
      { labels: { kind: "heap_used" }, value: memory.heapUsed },
      { labels: { kind: "external" }, value: memory.external },
    ]);
  }
  out.gauge("srs_edge_log_bytes", "Memory of the streams' messages.", figures.logBytes);
  writeRelays(out, figures.relays);
}

/** What the server does as another one's client; absent states count 0. */
function writeRelays(out: Exposition, relays: RelayFigures): void {
  const byState = (states: readonly string[], counts: Readonly<Record<string, number>>): Sample[] =>
    states.map((state) => ({ labels: { state }, value: counts[state] ?? 0 }));
  out.gauge(
    "srs_edge_upstreams",
    "Streams that are pulled from an origin, by state.",
    byState(["connecting", "waiting", "live", "pausing"], relays.pulls),
  );
  out.counter(
    "srs_edge_upstream_reconnects_total",
    "Attempts at origins after the first one of each stream.",
    relays.pullRetries,
  );
  out.gauge("srs_edge_uplinks", "Publishers whose streams go up to an origin.", relays.uplinks);
  out.gauge(
    "srs_edge_forwards",
    "Copies of streams to other servers, by state.",
    byState(["connecting", "sending", "pausing"], relays.forwards),
  );
  out.counter(
    "srs_edge_forward_reconnects_total",
    "Attempts at destinations after the first one of each copy.",
    relays.forwardRetries,
  );
}

function writeDelays(out: Exposition, name: string, help: string, delays: DelayFigures): void {
  out.histogram(name, help, BOUNDS_S, delays.counts, delays.sumMs / 1000);
}

/** Ours of single streams. */
function writeStreams(
  out: Exposition,
  streams: ServerView["streams"],
  vhosts: ServerView["vhosts"],
): void {
  const live = [...streams.values()].filter(({ publish }) => publish.active).sort(byImportance);
  const shown = live.slice(0, MAX_STREAM_SERIES);
  const samples = (
    value: (stream: StreamView) => number,
    more: Sample["labels"] = {},
  ): Sample[] => {
    return shown.map((stream) => ({
      labels: {
        vhost: redactQuery(vhostInKey(stream.url)) || vhosts.get(stream.vhostId)?.name,
        app: redactQuery(stream.app),
        stream: redactQuery(stream.name),
        ...more,
      },
      value: value(stream),
    }));
  };
  const most = `of the ${MAX_STREAM_SERIES} most played live streams`;
  out.gauge("srs_edge_stream_players", `Players ${most}.`, samples(({ edge }) => edge.players));
  out.gauge(
    "srs_edge_stream_fps",
    `Pictures a second ${most}, in the main track.`,
    samples(({ edge }) => edge.fps),
  );
  out.gauge("srs_edge_stream_tracks", `Tracks of each kind ${most}.`, [
    ...samples(({ edge }) => edge.videoTracks, { kind: "video" }),
    ...samples(({ edge }) => edge.audioTracks, { kind: "audio" }),
  ]);
  out.gauge(
    "srs_edge_stream_receive_bytes_per_second",
    `Bytes a second ${most}, from the publisher.`,
    samples(({ edge }) => edge.recvKbps * 125),
  );
  out.gauge(
    "srs_edge_stream_flush_interval_seconds",
    `Interval between flushes ${most}.`,
    samples(({ edge }) => edge.flushIntervalMs / 1000),
  );
}

function byImportance({ edge: a }: StreamView, { edge: b }: StreamView): number {
  return b.players - a.players || (b.uptimeMs ?? 0) - (a.uptimeMs ?? 0);
}
