/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The server's API, as far as the page uses it.
 * @module
 */

import { ANSWER_LIMIT_MS } from "./limits.ts";

/** Where the page lies, whether at `/`, at `/console/`, or below a proxy's path. */
export const BASE = new URL(
  location.pathname.replace(/console\/[^/]*$/, "").replace(/[^/]*$/, ""),
  location.href,
);

/** The full address of a path that begins with `/` on the server. */
export function pageUrl(path: string): string {
  return new URL(`.${path}`, BASE).href;
}

/** An entry of `/api/v1/streams/`. */
export interface Stream {
  readonly id: string;
  readonly name: string;
  readonly app: string;
  readonly url: string;
  readonly publish: { readonly active: boolean };
  readonly video: {
    readonly codec: string;
    readonly profile: string;
    readonly level: string;
    readonly width: number;
    readonly height: number;
  } | null;
  readonly audio: {
    readonly codec: string;
    readonly profile: string;
    readonly sample_rate: number;
    readonly channel: number;
  } | null;
  readonly edge: {
    readonly vhost: string;
    readonly uptime_ms: number | null;
    readonly players: number;
    readonly fps: number;
    readonly bit_depth: number | null;
    readonly video_tracks: number;
    readonly audio_tracks: number;
    readonly recv_kbps: number;
    readonly delay_p50_ms: number | null;
    readonly delay_p99_ms: number | null;
    readonly lag_ms: number;
    readonly dropped_gops: number;
    /** Path and query of HTTP-FLV; null: not served. */
    readonly flv: string | null;
  };
}

/** An entry of `/api/v1/clients/`. */
export interface Client {
  readonly id: string;
  readonly ip: string;
  readonly type: string;
  readonly publish: boolean;
  /** s */
  readonly alive: number;
  readonly send_bytes: number;
  readonly recv_bytes: number;
  readonly edge: {
    readonly port: number;
    readonly lag_ms: number | null;
    readonly dropped_gops: number;
  };
}

/** The data of `/api/v1/summaries`. */
export interface Summary {
  readonly now_ms: number;
  readonly self: {
    readonly version: string;
    readonly mem_kbyte: number;
    readonly cpu_percent: number;
    /** s */
    readonly srs_uptime: number;
  };
  readonly system: {
    readonly cpus: number;
    readonly load_1m: number;
    readonly mem_ram_kbyte: number;
    readonly mem_ram_percent: number;
    readonly srs_recv_bytes: number;
    readonly srs_send_bytes: number;
    readonly conn_srs: number;
  };
  readonly edge: {
    readonly runtime: string;
    readonly listen: {
      readonly rtmp: readonly string[];
      readonly http: readonly string[];
      readonly https: readonly string[];
    };
    readonly players: number;
    readonly lagging_players: number;
    readonly delay_p50_ms: number | null;
    readonly delay_p99_ms: number | null;
    readonly event_loop_lag_ms: number;
  };
}

/** A page of a list, and how many there are in all. */
export interface Page<T> {
  readonly list: readonly T[];
  readonly total: number;
}

/** The server wants a password, and the user gave none. */
export class LockedError extends Error {}

/** The server itself; `rttMs` is how long the answer took. */
export async function getSummary(): Promise<{ summary: Summary; rttMs: number }> {
  const started = performance.now();
  const answer = await request("summaries");
  const rttMs = performance.now() - started;
  const { data }: { data: Summary } = await answer.json();
  return { summary: data, rttMs };
}

/** Streams with `find` in their URL, live ones first. */
export async function getStreams(
  find: string,
  start: number,
  count: number,
): Promise<Page<Stream>> {
  const query = new URLSearchParams({ find, start: `${start}`, count: `${count}` });
  const answer = await request(`streams/?${query}`);
  const { streams, edge }: { streams: Stream[]; edge: { total: number } } = await answer.json();
  return { list: streams, total: edge.total };
}

/** The stream with exactly this URL; null: there is none at present. */
export async function getStream(url: string): Promise<Stream | null> {
  const { list } = await getStreams(url, 0, 100);
  return list.find((stream) => stream.url === url) ?? null;
}

/** Clients of a stream, the publisher first. */
export async function getClients(id: string, start: number, count: number): Promise<Page<Client>> {
  const query = new URLSearchParams({ stream: id, start: `${start}`, count: `${count}` });
  const answer = await request(`clients/?${query}`);
  const { clients, edge }: { clients: Client[]; edge: { total: number } } = await answer.json();
  return { list: clients, total: edge.total };
}

/** How an attempt to disconnect a client ended. */
export type KickResult = "done" | "gone" | "refused";

/** Disconnects a client. */
export async function kick(id: string): Promise<KickResult> {
  const answer = await fetch(new URL(`api/v1/clients/${encodeURIComponent(id)}`, BASE), {
    method: "DELETE",
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
  });
  if (!answer.ok) return "refused";
  const { code }: { code: number } = await answer.json();
  return code === 0 ? "done" : "gone";
}

async function request(path: string): Promise<Response> {
  const answer = await fetch(new URL(`api/v1/${path}`, BASE), {
    headers: { Accept: "application/json" },
    cache: "no-store",
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
  });
  // The browser has asked for the password by itself; this is what it answers when that was closed.
  if (answer.status === 401) throw new LockedError();
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}
