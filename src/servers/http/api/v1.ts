/**
 * The statistics API under `/api/`: SRS's paths and JSON, field for field.
 *
 * Where SRS is followed on purpose: failures are HTTP 200 with `{"code":N}`, unknown paths get the
 * listing of the nearest parent. Where it is not: JSONP only if the configuration says so (H26, H63),
 * no `?method=` (a foreign page could kick with an image's URL) but for a script on a page of ours, no
 * kick from foreign web pages.
 * @module
 */

import { PAGE_MAX } from "../request/limits.ts";
import { type Context, Hono } from "hono";
import type { RawApiConfig } from "../../../config/types.ts";
import { redactQuery } from "../../../log/text.ts";
import { envelope, type HttpEnv, json, redirect } from "../request/answer.ts";
import { DATA_ENDPOINTS, msJson, versions } from "./machine.ts";
import { rawApi } from "./raw.ts";
import type { ServerControl } from "./control.ts";
import { fixed2, type Json } from "../request/json.ts";
import { NOT_ALLOWED, scriptFromOwnPage, wantsScriptedDelete } from "./jsonp.ts";
import { commandRefusal, type Protection } from "../request/effects.ts";
import type { SystemStats } from "../../../stats/system_stats.ts";
import type { PullView } from "../../../relay/edge/pull.ts";
import type { ForwardView } from "../../../relay/forward/forwarder.ts";
import type {
  ClientView,
  Kbps,
  Listening,
  ServerView,
  StreamEdge,
  StreamView,
  VhostView,
} from "../../../stats/view.ts";

/** SRS's numbers for an id that is not known. */
const NO_VHOST = 2014;
const NO_STREAM = 2048;
const NO_CLIENT = 2049;

/** Entries of a page, unless asked for another number (SRS). */
const PAGE_DEFAULT = 10;

/** What `/api/v1/tests/errors` answers. */
const TEST_ERROR = 100;

/** What the listing of `/api/v1/` says of its members. Only the keys matter to programs. */
const V1_URLS = {
  versions: "the version of the server",
  summaries: "the summary(pid, argv, pwd, cpu, mem) of the server",
  rusages: "the rusage of the server",
  self_proc_stats: "the process stats of the server",
  system_proc_stats: "the processor time of the machine",
  meminfos: "the memory of the machine",
  authors: "the license and the authors",
  features: "the features of the server",
  requests: "the request itself, for debugging",
  vhosts: "manage all vhosts or specified vhost",
  streams: "manage all streams or specified stream",
  clients: "manage all clients or specified client, default query top 10 clients",
  raw: "the settings of the API, reload",
  tests: {
    requests: "show the request",
    errors: "always an error",
    redirects: "always a redirect to tests/errors",
  },
};

/** What the API needs. */
export interface ApiOptions {
  /** Unix ms. */
  readonly now: () => number;
  readonly stats: SystemStats;
  /** Who may command; what is neither GET nor HEAD is refused in front of it. */
  readonly protection: Protection;
  readonly listening: Listening;
  /** Where it listens, as in a configuration file; for `/api/v1/raw`. */
  readonly listen: string;
  readonly crossdomain: boolean;
  readonly rawApi: RawApiConfig;
  /** Null: there is nothing to reload. */
  readonly control: ServerControl | null;
}

/** The route `/` where nothing else is served. */
export function apiRoot(view: ServerView): Hono {
  const root = new Hono();
  root.all("/", (c) => json(c, envelope(view, { urls: { api: "the api root" } })));
  return root;
}

/** All that a listener without the API answers of it (SRS). */
export function apiVersions(view: ServerView): Hono {
  const api = new Hono();
  api.all("/api/v1/versions", (c) => json(c, envelope(view, { data: versions() })));
  return api;
}

/** The routes below `/api`, to be mounted at `/`. */
export function apiV1(view: ServerView, options: ApiOptions): Hono<HttpEnv> {
  const { now, stats, listening } = options;
  const api = new Hono<HttpEnv>();

  for (const path of ["/api", "/api/v1", "/api/v1/vhosts", "/api/v1/streams", "/api/v1/clients"]) {
    api.all(path, (c) => redirect(c, `${path}/`));
  }

  for (const [name, data] of Object.entries(DATA_ENDPOINTS)) {
    api.all(
      `/api/v1/${name}`,
      (c) => json(c, envelope(view, { data: data(view, stats, now(), listening) })),
    );
  }
  for (const path of ["/api/v1/requests", "/api/v1/tests/requests"]) {
    api.all(path, (c) => json(c, envelope(view, { data: requestJson(c) })));
  }
  api.all("/api/v1/tests/errors", (c) => json(c, { code: TEST_ERROR }));
  api.all("/api/v1/tests/redirects", (c) => redirect(c, "/api/v1/tests/errors", 301));
  api.all("/api/v1/raw", (c) => rawApi(c, options));

  collection(view, api, "/api/v1/vhosts/", () => view.vhosts, {
    one: "vhost",
    many: "vhosts",
    missing: NO_VHOST,
    print: vhostJson,
  });
  collection(view, api, "/api/v1/streams/", () => view.streams, {
    one: "stream",
    many: "streams",
    missing: NO_STREAM,
    print: (stream: StreamView) => streamJson(stream, now()),
    select: streamsFound,
  });
  const kick = async (c: Context) => {
    const kicked = await view.kick(idOf(c, "/api/v1/clients/"));
    return json(c, kicked ? envelope(view, {}) : { code: NO_CLIENT });
  };
  api.delete("/api/v1/clients/*", kick);
  // SRS's console has no other way to kick.
  api.get("/api/v1/clients/*", (c, next) => {
    if (!wantsScriptedDelete(c)) return next();
    const mayKick = scriptFromOwnPage(c) && commandRefusal(c, options.protection) === null;
    return mayKick ? kick(c) : json(c, { code: NOT_ALLOWED });
  });
  collection(
    view,
    api,
    "/api/v1/clients/",
    () => view.clients,
    {
      one: "client",
      many: "clients",
      missing: NO_CLIENT,
      print: clientJson,
      select: clientsOfStream,
    },
    ["GET", "HEAD", "DELETE"],
  );

  api.all("/api/v1/*", (c) => json(c, envelope(view, { urls: V1_URLS })));
  api.all("/api/*", (c) => json(c, envelope(view, { urls: { v1: "the api version 1.0" } })));
  return api;
}

/** How the entries of a collection are named and printed. */
interface Naming<T> {
  /** Key of a single entry in the answer, and of the list of them. */
  readonly one: string;
  readonly many: string;
  /** Code of the answer for an unknown id. */
  readonly missing: number;
  readonly print: (entry: T) => Json;
  /** The entries that the query asks for, in its order; null: it does not ask for some only. */
  readonly select?: (
    entries: Iterable<T>,
    query: (name: string) => string | undefined,
  ) => T[] | null;
}

/** `?find=TEXT` (not SRS's): the streams with that in their URL, live ones first, then by URL. */
function streamsFound(
  streams: Iterable<StreamView>,
  query: (name: string) => string | undefined,
): StreamView[] | null {
  const text = query("find")?.toLowerCase();
  if (text === undefined) return null;
  const order = (a: StreamView, b: StreamView) =>
    Number(b.publish.active) - Number(a.publish.active) || (a.url < b.url ? -1 : 1);
  return [...streams].filter(({ url }) => url.toLowerCase().includes(text)).sort(order);
}

/** `?stream=ID` (not SRS's): the clients of that stream, publisher first, then by age. */
function clientsOfStream(
  clients: Iterable<ClientView>,
  query: (name: string) => string | undefined,
): ClientView[] | null {
  const id = query("stream");
  if (id === undefined) return null;
  const order = (a: ClientView, b: ClientView) =>
    Number(b.publish) - Number(a.publish) || b.aliveMs - a.aliveMs;
  return [...clients].filter(({ streamId }) => streamId === id).sort(order);
}

/** `GET PATH` lists a page of entries, `GET PATHid` shows one; other methods are refused. */
function collection<T>(
  view: ServerView,
  api: Hono<HttpEnv>,
  path: string,
  entries: () => ReadonlyMap<string, T>,
  naming: Naming<T>,
  methods: readonly string[] = ["GET", "HEAD"],
): void {
  api.get(`${path}*`, (c) => {
    const id = idOf(c, path);
    if (id === "") {
      const selected = naming.select?.(entries().values(), (name) => c.req.query(name)) ?? null;
      const list = page(selected ?? sortedById(entries()), c).map(naming.print);
      // How many there are: only for those who ask for what SRS does not have.
      const edge = selected ? { total: selected.length } : undefined;
      return json(c, envelope(view, { [naming.many]: list, edge }));
    }
    const entry = entries().get(id);
    if (entry === undefined) return json(c, { code: naming.missing });
    return json(c, envelope(view, { [naming.one]: naming.print(entry) }));
  });
  api.all(`${path}*`, (c) => c.text("Method Not Allowed", 405, { Allow: methods.join(", ") }));
}

/** What follows the collection's path; an id needs no decoding. */
function idOf(c: Context, path: string): string {
  return c.req.path.slice(path.length);
}

/**
 * `?start=S&count=C` of the entries: what is asked for, as SRS does from 7.0.128 on. Before that, SRS
 * gave 10 to those who asked for fewer. A number that makes no sense counts as not given.
 */
function page<T>(entries: readonly T[], c: Context): readonly T[] {
  const number = (name: string) => Number.parseInt(c.req.query(name) ?? "", 10);
  const start = Math.max(0, number("start") || 0);
  const count = number("count");
  return entries.slice(start, start + Math.min(count >= 1 ? count : PAGE_DEFAULT, PAGE_MAX));
}

/** SRS's order. */
function sortedById<T>(entries: ReadonlyMap<string, T>): T[] {
  return [...entries].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0).map(([, entry]) => entry);
}

/** Headers that hold secrets. */
const PRIVATE_HEADERS = new Set(["authorization", "cookie", "proxy-authorization"]);

/** `/api/v1/tests/requests`: what the server has understood of the request. */
function requestJson(c: Context): Json {
  const { pathname, host } = new URL(c.req.url);
  const headers = Object.entries(c.req.header()).map(([name, value]) => {
    return [name, PRIVATE_HEADERS.has(name.toLowerCase()) ? "***" : redactQuery(value)];
  });
  return {
    uri: `http://${host}${pathname}`,
    path: pathname,
    METHOD: c.req.method,
    headers: Object.fromEntries(headers),
  };
}

function vhostJson(vhost: VhostView): Json {
  return {
    id: vhost.id,
    name: vhost.name,
    enabled: vhost.enabled,
    clients: vhost.clients,
    streams: vhost.streams,
    send_bytes: vhost.sendBytes,
    recv_bytes: vhost.recvBytes,
    kbps: kbpsJson(vhost.kbps),
    hls: vhost.hlsFragment === null
      ? { enabled: false }
      : { enabled: true, fragment: fixed2(vhost.hlsFragment) },
  };
}

function streamJson(stream: StreamView, nowMs: number): Json {
  const { video, audio, publish } = stream;
  return {
    id: stream.id,
    name: stream.name,
    vhost: stream.vhostId,
    app: stream.app,
    tcUrl: redactQuery(stream.tcUrl),
    url: stream.url,
    // Not the stream's age: SRS gives the current time here.
    live_ms: nowMs,
    clients: stream.clients,
    frames: stream.frames,
    send_bytes: stream.sendBytes,
    recv_bytes: stream.recvBytes,
    kbps: kbpsJson(stream.kbps),
    publish: { active: publish.active, cid: publish.cid },
    video: video && {
      codec: video.codec,
      profile: video.profile,
      level: video.level,
      width: video.width,
      height: video.height,
    },
    audio: audio && {
      codec: audio.codec,
      sample_rate: audio.sample_rate,
      channel: audio.channel,
      profile: audio.profile,
    },
    edge: { vhost: stream.vhostName, flv: stream.flvPath, ...streamEdgeJson(stream.edge) },
  };
}

function streamEdgeJson(edge: StreamEdge): { readonly [key: string]: Json } {
  return {
    uptime_ms: edge.uptimeMs,
    players: edge.players,
    fps: fixed2(edge.fps),
    bit_depth: edge.bitDepth,
    video_tracks: edge.videoTracks,
    audio_tracks: edge.audioTracks,
    recv_kbps: edge.recvKbps,
    send_kbps: edge.sendKbps,
    flush_interval_ms: fixed2(edge.flushIntervalMs),
    delay_p50_ms: msJson(edge.delayP50Ms),
    delay_p99_ms: msJson(edge.delayP99Ms),
    lag_ms: fixed2(edge.lagMs),
    dropped_gops: edge.droppedGops,
    dropped_messages: edge.droppedMessages,
    upstream: edge.upstream && upstreamJson(edge.upstream),
    forwards: edge.forwards.map(forwardJson),
  };
}

function upstreamJson(pull: PullView): Json {
  return {
    origin: pull.origin,
    state: pull.state,
    since_ms: Math.round(pull.sinceMs),
    retries: pull.retries,
    last_error: pull.lastError,
  };
}

function forwardJson(forward: ForwardView): Json {
  return {
    destination: forward.destination,
    state: forward.state,
    since_ms: Math.round(forward.sinceMs),
    lag_ms: fixed2(forward.lagMs),
    dropped_messages: forward.droppedMessages,
    send_bytes: forward.sentBytes,
    retries: forward.retries,
    last_error: forward.lastError,
  };
}

function clientJson(client: ClientView): Json {
  return {
    id: client.id,
    vhost: client.vhostId,
    stream: client.streamId,
    ip: client.ip,
    pageUrl: redactQuery(client.pageUrl),
    swfUrl: redactQuery(client.swfUrl),
    tcUrl: redactQuery(client.tcUrl),
    url: client.url,
    name: client.name,
    type: client.type,
    publish: client.publish,
    alive: fixed2(client.aliveMs / 1000),
    send_bytes: client.sendBytes,
    recv_bytes: client.recvBytes,
    kbps: kbpsJson(client.kbps),
    edge: {
      port: client.edge.port,
      lag_ms: msJson(client.edge.lagMs),
      dropped_gops: client.edge.droppedGops,
      dropped_messages: client.edge.droppedMessages,
    },
  };
}

function kbpsJson(kbps: Kbps): Json {
  return { recv_30s: kbps.recv30s, send_30s: kbps.send30s };
}
