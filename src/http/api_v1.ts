/**
 * The statistics API under `/api/`: SRS's paths and JSON, field for field.
 *
 * Where SRS is followed on purpose: failures are HTTP 200 with `{"code":N}`, unknown paths get the
 * listing of the nearest parent, a page has at least 10 entries. Where it is not: no JSONP (H26), no
 * `?method=` (a foreign page could kick with an image's URL), no kick from foreign web pages.
 * @module
 */

import { type Context, Hono } from "hono";
import { redactQuery } from "../log/text.ts";
import { VERSION } from "../version.ts";
import { fixed2, type Json, stringify } from "./json.ts";
import type { SystemStats } from "./system_stats.ts";
import type { ClientView, Kbps, ServerView, StreamView, VhostView } from "./view.ts";

/** SRS's numbers for an id that is not known. */
const NO_VHOST = 2014;
const NO_STREAM = 2048;
const NO_CLIENT = 2049;

/** Entries of a page: the default, and the least that can be asked for (SRS). */
const PAGE_MIN = 10;

/** What the listing of `/api/v1/` says of its members. Only the keys matter to programs. */
const V1_URLS = {
  versions: "the version of the server",
  summaries: "the summary(pid, argv, pwd, cpu, mem) of the server",
  vhosts: "manage all vhosts or specified vhost",
  streams: "manage all streams or specified stream",
  clients: "manage all clients or specified client, default query top 10 clients",
};

/** What the API needs. */
export interface ApiOptions {
  /** Unix ms. */
  readonly now: () => number;
  readonly stats: SystemStats;
}

/** The routes `/`, `/api/` and below, to be mounted at `/`. */
export function apiV1(view: ServerView, options: ApiOptions): Hono {
  const { now, stats } = options;
  const api = new Hono();
  const envelope = (members: { readonly [key: string]: Json }): Json => ({
    code: 0,
    server: view.serverId,
    service: view.serviceId,
    pid: String(view.pid),
    ...members,
  });

  api.all("/", (c) => json(c, envelope({ urls: { api: "the api root" } })));
  for (const path of ["/api", "/api/v1", "/api/v1/vhosts", "/api/v1/streams", "/api/v1/clients"]) {
    api.all(path, (c) => redirect(c, `${path}/`));
  }

  api.all("/api/v1/versions", (c) => json(c, envelope({ data: versions() })));
  api.all("/api/v1/summaries", (c) => {
    return json(c, envelope({ data: summaries(view, stats, now()) }));
  });

  collection(api, "/api/v1/vhosts/", () => view.vhosts, {
    one: "vhost",
    many: "vhosts",
    missing: NO_VHOST,
    print: vhostJson,
  }, envelope);
  collection(api, "/api/v1/streams/", () => view.streams, {
    one: "stream",
    many: "streams",
    missing: NO_STREAM,
    print: (stream: StreamView) => streamJson(stream, now()),
  }, envelope);
  api.delete("/api/v1/clients/*", (c) => {
    if (!mayKick(c)) return c.text(KICK_REFUSED, 403);
    const kicked = view.kick(idOf(c, "/api/v1/clients/"));
    return json(c, kicked ? envelope({}) : { code: NO_CLIENT });
  });
  collection(
    api,
    "/api/v1/clients/",
    () => view.clients,
    {
      one: "client",
      many: "clients",
      missing: NO_CLIENT,
      print: clientJson,
    },
    envelope,
    ["GET", "HEAD", "DELETE"],
  );

  api.all("/api/v1/*", (c) => json(c, envelope({ urls: V1_URLS })));
  api.all("/api/*", (c) => json(c, envelope({ urls: { v1: "the api version 1.0" } })));
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
}

/** `GET PATH` lists a page of entries, `GET PATHid` shows one; other methods are refused. */
function collection<T>(
  api: Hono,
  path: string,
  entries: () => ReadonlyMap<string, T>,
  naming: Naming<T>,
  envelope: (members: { readonly [key: string]: Json }) => Json,
  methods: readonly string[] = ["GET", "HEAD"],
): void {
  api.get(`${path}*`, (c) => {
    const id = idOf(c, path);
    if (id === "") {
      const list = page(entries(), c).map(naming.print);
      return json(c, envelope({ [naming.many]: list }));
    }
    const entry = entries().get(id);
    if (entry === undefined) return json(c, { code: naming.missing });
    return json(c, envelope({ [naming.one]: naming.print(entry) }));
  });
  api.all(`${path}*`, (c) => c.text("Method Not Allowed", 405, { Allow: methods.join(", ") }));
}

/** What follows the collection's path; an id needs no decoding. */
function idOf(c: Context, path: string): string {
  return c.req.path.slice(path.length);
}

/** `?start=S&count=C` of the entries in the order of their ids. */
function page<T>(entries: ReadonlyMap<string, T>, c: Context): T[] {
  const number = (name: string) => Number.parseInt(c.req.query(name) ?? "", 10) || 0;
  const start = Math.max(0, number("start"));
  const count = Math.max(PAGE_MIN, number("count"));
  const sorted = [...entries].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  return sorted.slice(start, start + count).map(([, entry]) => entry);
}

const KICK_REFUSED =
  "Forbidden: a web page may kick a client only if it was loaded from this server by IP address " +
  "or as localhost. Programs such as curl are not concerned.\n";

/**
 * Browsers send `Origin` with every DELETE, programs do not. The page must be our own; and since a
 * foreign page can have its name resolved to our address (DNS rebinding), a name does not prove that.
 */
function mayKick(c: Context): boolean {
  const origin = c.req.header("Origin");
  if (origin === undefined) return true;
  const host = c.req.header("Host") ?? "";
  const sameOrigin = origin === `http://${host}` || origin === `https://${host}`;
  return sameOrigin && /^(localhost|\d+(\.\d+){3}|\[[0-9a-f:.]+\])(:\d+)?$/i.test(host);
}

function json(c: Context, value: Json): Response {
  return c.body(stringify(value), 200, { "Content-Type": "application/json" });
}

function redirect(c: Context, path: string): Response {
  const query = c.req.url.indexOf("?");
  const location = query < 0 ? path : path + c.req.url.slice(query);
  return c.text(`Redirect to ${location}`, 302, { Location: location });
}

function versions(): Json {
  const [major, minor, revision] = VERSION.split(".").map(Number);
  return { major, minor, revision, version: VERSION };
}

/** SRS's field names, the misspelt `ilde_time` included. */
function summaries(view: ServerView, stats: SystemStats, nowMs: number): Json {
  const { self, system, timeMs } = stats.read(nowMs);
  return {
    ok: true,
    now_ms: nowMs,
    self: {
      version: VERSION,
      pid: self.pid,
      ppid: self.ppid,
      argv: redactQuery(self.argv),
      cwd: self.cwd,
      mem_kbyte: self.memKbyte,
      mem_percent: fixed2(self.memPercent),
      cpu_percent: fixed2(self.cpuPercent),
      srs_uptime: (nowMs - view.startedMs) / 1000,
    },
    system: {
      cpu_percent: fixed2(system.cpuPercent),
      disk_read_KBps: system.diskReadKBps,
      disk_write_KBps: system.diskWriteKBps,
      // As SRS without a list of disks in its configuration.
      disk_busy_percent: fixed2(0),
      mem_ram_kbyte: system.memRamKbyte,
      mem_ram_percent: fixed2(system.memRamPercent),
      mem_swap_kbyte: system.memSwapKbyte,
      mem_swap_percent: fixed2(system.memSwapPercent),
      cpus: system.cpus,
      cpus_online: system.cpus,
      uptime: fixed2(system.uptime),
      ilde_time: fixed2(system.idleTime),
      load_1m: fixed2(system.load[0]),
      load_5m: fixed2(system.load[1]),
      load_15m: fixed2(system.load[2]),
      net_sample_time: timeMs,
      net_recv_bytes: system.netRecvBytes,
      net_send_bytes: system.netSendBytes,
      net_recvi_bytes: system.netInnerRecvBytes,
      net_sendi_bytes: system.netInnerSendBytes,
      srs_sample_time: nowMs,
      srs_recv_bytes: view.totals.recvBytes,
      srs_send_bytes: view.totals.sendBytes,
      conn_sys: system.connSys,
      conn_sys_et: system.connSysEt,
      conn_sys_tw: system.connSysTw,
      conn_sys_udp: system.connSysUdp,
      conn_srs: view.totals.connections,
    },
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
    hls: { enabled: false },
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
  };
}

function kbpsJson(kbps: Kbps): Json {
  return { recv_30s: kbps.recv30s, send_30s: kbps.send30s };
}
