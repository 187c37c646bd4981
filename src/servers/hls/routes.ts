/**
 * HLS: `http://host:port/app/stream.m3u8`, and the files that it names.
 *
 * The first answer to a player is a multivariant playlist, whose only entry has `hls_ctx`: the player's
 * session. Whoever has been told the name of a file may have it.
 * @module
 */

import { randomBytes } from "node:crypto";
import { type Context, Hono } from "hono";
import { Grant } from "../../access/grant.ts";
import { keptText } from "../../access/peer_words.ts";
import type { AccessRequest } from "../../access/request.ts";
import type { Config } from "../../config/types.ts";
import type { HlsStream } from "../../hls/hls_stream.ts";
import type { HlsStreams } from "../../hls/hls_streams.ts";
import { mediaPlaylist, multivariantPlaylist, type Names } from "../../hls/playlist.ts";
import { readWanted, reloadOf, type Wanted } from "../../hls/reload.ts";
import { lineBudget } from "../../log/budget.ts";
import { newConnectionId } from "../../log/ids.ts";
import { peerText } from "../../log/text.ts";
import { ErrorCode, type Refusal, RtmpError } from "../../rtmp/error.ts";
import { HOPS_HEADER, parseHops } from "../../rtmp/hops.ts";
import { urlPath } from "../../rtmp/stream_name.ts";
import { type FlvAccessHost, FlvQuestion } from "../flv/admission.ts";
import type { HttpEnv } from "../http/request/answer.ts";
import { ambiguousLine, callerAddress, WHO_ASKS } from "../http/request/caller.ts";
import {
  FIRST_SEGMENT_MS,
  HELD_MORE,
  HELD_PER_SESSION,
  HOLD_TARGETS,
  MAX_KICKED,
} from "./limits.ts";
import { HlsSession, type HlsSessionHost } from "./session.ts";
import { findHlsTarget, type HlsFile, type HlsTarget } from "./target.ts";

/** What the routes need of the server around them. */
export interface HlsHost extends HlsSessionHost, FlvAccessHost {
  readonly config: Config;
}

const SESSION = "hls_ctx";
const SESSION_ID = /^[A-Za-z0-9_-]{16}$/;
const SESSION_BYTES = 12;
/** Parameters of LL-HLS, which are not passed on. */
const MSN = "_HLS_msn";
const PART = "_HLS_part";
const OF_PLAYERS = [SESSION, MSN, PART, "_HLS_skip"];
/** Stands in a cached playlist where the session's parameter belongs. */
const QUERY_MARK = "\u0001";

const PLAYLIST_TYPE = "application/vnd.apple.mpegurl";
const VIDEO_TYPE = "video/mp4";
const AUDIO_TYPE = "audio/mp4";
/** Files have names that are never used again. */
const CACHED = "max-age=3600";

/** The routes, to be mounted at `/`. What is no file of HLS is left to the others. */
export function hlsRoutes(host: HlsHost, streams: HlsStreams): Hono<HttpEnv> {
  const players = new HlsPlayers(host, streams);
  const routes = new Hono<HttpEnv>();
  routes.get("*", (c, next) => {
    const url = new URL(c.req.url);
    let target: HlsTarget | null;
    try {
      target = findHlsTarget(host.config, url);
    } catch (error) {
      if (!(error instanceof RtmpError)) throw error;
      return c.text(`Not Found: ${error.message}.\n`, 404);
    }
    return target ? players.answer(c, url, target) : next();
  });
  return routes;
}

/** A playlist as it was last made. */
interface Cached {
  readonly version: number;
  readonly text: string;
}

/** All players of HLS. */
class HlsPlayers {
  readonly #host: HlsHost;
  readonly #streams: HlsStreams;
  readonly #sessions = new Map<string, HlsSession>();
  readonly #kicked = new Set<string>();
  readonly #playlists = new WeakMap<HlsStream, Cached>();

  constructor(host: HlsHost, streams: HlsStreams) {
    this.#host = host;
    this.#streams = streams;
  }

  async answer(c: Context<HttpEnv>, url: URL, target: HlsTarget): Promise<Response> {
    const { file, key } = target;
    const stream = this.#find(key);
    const id = url.searchParams.get(SESSION);
    const session = id === null ? undefined : this.#sessions.get(id);
    const own = session?.stream.live.key === key ? session : undefined;
    if (file.kind !== "playlist") return await this.#file(c, stream, own, file);
    if (id !== null && this.#kicked.has(id)) return gone(c, "the session is over");
    if (own) return await this.#media(c, url, own.stream, own);
    return await this.#begin(c, url, target, id);
  }

  #find(key: string): HlsStream | null {
    const live = this.#host.hub.find(key);
    return live ? this.#streams.of(live) : null;
  }

  /** A request without a session: asks whether it may play. */
  async #begin(
    c: Context<HttpEnv>,
    url: URL,
    target: HlsTarget,
    given: string | null,
  ): Promise<Response> {
    const { peer } = c.env;
    const { httpServer } = this.#host.config;
    const log = lineBudget.log(newConnectionId(), peer.address);
    const ip = callerAddress(c, httpServer);
    if (ip === null) {
      ambiguousLine.say(c, httpServer);
      return c.text(WHO_ASKS, 403);
    }
    const head = c.req.method === "HEAD" || !target.vhost.hls.sessions;
    const request = requestOf(c, ip, url, target, log.id);
    const question = new FlvQuestion(this.#host, target, request, {
      address: peer.address,
      hops: parseHops(c.req.header(HOPS_HEADER)),
      signal: c.req.raw.signal,
    });
    const answer = await question.answer(log, head);
    if (!(answer instanceof Grant)) {
      question.dismiss();
      return refuse(c, answer, (line) => log.warn(line, answer.code));
    }
    const stream = this.#find(target.key);
    const isReady = stream !== null && await this.#ready(c, stream);
    if (!stream || !isReady || head) {
      answer.end();
      question.dismiss();
      if (!stream || !isReady) return gone(c, `${target.key} has no segment yet`, true);
      return c.req.method === "HEAD"
        ? c.body(null, 200, playlistHeaders())
        : await this.#media(c, url, stream, null);
    }
    // A player that comes back after a restart of the server keeps the name that it has.
    const isOwn = given !== null && SESSION_ID.test(given) && !this.#sessions.has(given);
    const id = isOwn ? given : randomBytes(SESSION_BYTES).toString("base64url");
    const { address, port } = peer;
    const remote = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
    const session = new HlsSession(
      this.#host,
      stream,
      {
        socket: { remote, remoteAddress: address },
        tcUrl: request.tcUrl,
        pageUrl: request.pageUrl,
        name: `${target.stream}.m3u8`,
        param: url.search,
        grant: answer,
      },
      log,
      (isKicked) => this.#over(id, isKicked),
    );
    this.#sessions.set(id, session);
    if (isOwn) return await this.#media(c, url, stream, session);
    const query = new URLSearchParams({ [SESSION]: id });
    for (const [name, value] of url.searchParams) {
      if (!OF_PLAYERS.includes(name)) query.append(name, value);
    }
    const name = url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
    const text = multivariantPlaylist(stream.window, `${name}?${query}`);
    session.asked(text.length);
    return c.body(text, 200, playlistHeaders());
  }

  #over(id: string, isKicked: boolean): void {
    this.#sessions.delete(id);
    if (!isKicked) return;
    this.#kicked.add(id);
    const [oldest] = this.#kicked;
    if (this.#kicked.size > MAX_KICKED) this.#kicked.delete(oldest);
  }

  /** Waits until there is a segment; not for ever. */
  async #ready(c: Context<HttpEnv>, stream: HlsStream): Promise<boolean> {
    await this.#until(c, stream, FIRST_SEGMENT_MS, () => stream.window.isReady);
    return stream.window.isReady;
  }

  /** The media playlist, once it has what is asked for. */
  async #media(
    c: Context<HttpEnv>,
    url: URL,
    stream: HlsStream,
    session: HlsSession | null,
  ): Promise<Response> {
    const wanted = readWanted(url.searchParams.get(MSN), url.searchParams.get(PART));
    if (wanted === "bad") return c.text(`Bad Request: ${MSN} and ${PART} are whole numbers\n`, 400);
    if (wanted !== null && c.req.method !== "HEAD") {
      const refused = await this.#hold(c, stream, session, wanted);
      if (refused) return refused;
    }
    const query = session ? this.#sessionQuery(url) : "";
    const text = this.#playlist(stream).replaceAll(QUERY_MARK, query);
    session?.asked(text.length);
    return c.body(text, 200, playlistHeaders());
  }

  #sessionQuery(url: URL): string {
    return `?${new URLSearchParams({ [SESSION]: url.searchParams.get(SESSION) ?? "" })}`;
  }

  #playlist(stream: HlsStream): string {
    const { version } = stream.window;
    const known = this.#playlists.get(stream);
    if (known?.version === version) return known.text;
    const text = mediaPlaylist(stream.window, stream.partTarget, namesOf(stream));
    this.#playlists.set(stream, { version, text });
    return text;
  }

  /** Waits for what a player wants of a playlist; the answer if that does not come. */
  async #hold(
    c: Context<HttpEnv>,
    stream: HlsStream,
    session: HlsSession | null,
    wanted: Wanted,
  ): Promise<Response | null> {
    const look = () => reloadOf(stream.window, stream.partTarget, wanted);
    if (look() === "wait") {
      session?.asked(0);
      if (this.#isFull(stream)) return busy(c);
      await this.#until(c, stream, this.#holdMs(stream), () => look() !== "wait");
    }
    if (look() === "answer") return null;
    if (look() === "wait") return busy(c);
    return c.text(`Bad Request: ${MSN} and ${PART} are too far ahead\n`, 400);
  }

  #holdMs({ window }: HlsStream): number {
    return 1000 * HOLD_TARGETS * Math.max(1, window.targetDuration);
  }

  #isFull({ waiting, sessions }: HlsStream): boolean {
    return waiting >= HELD_PER_SESSION * sessions + HELD_MORE;
  }

  /** Waits until something is true, the time is over, or the client has gone. */
  #until(
    c: Context<HttpEnv>,
    stream: HlsStream,
    ms: number,
    isTrue: () => boolean,
  ): Promise<void> {
    if (isTrue()) return Promise.resolve();
    return new Promise((resolve) => {
      const { signal } = c.req.raw;
      let cancelNext = () => {};
      const done = () => {
        cancelNext();
        cancelTimer();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const cancelTimer = this.#host.clock.after(ms, done);
      signal.addEventListener("abort", done);
      const look = () => {
        if (isTrue()) done();
        else cancelNext = stream.next(look);
      };
      look();
    });
  }

  async #file(
    c: Context<HttpEnv>,
    stream: HlsStream | null,
    session: HlsSession | undefined,
    file: Exclude<HlsFile, { kind: "playlist" }>,
  ): Promise<Response> {
    if (!stream || stream.run !== file.run) return gone(c, "there is no such file");
    if (file.kind === "part" && c.req.method !== "HEAD" && this.#isNext(stream, file)) {
      if (this.#isFull(stream)) return busy(c);
      session?.asked(0);
      await this.#until(c, stream, this.#holdMs(stream), () => !this.#isNext(stream, file));
    }
    const bytes = bytesOf(stream, file);
    if (!bytes) return gone(c, "there is no such file, or not any more");
    session?.asked(bytes.length);
    const init = stream.window.inits.get(file.kind === "init" ? file.number : 0) ??
      [...stream.window.inits.values()].at(-1);
    const type = init && init.width === 0 ? AUDIO_TYPE : VIDEO_TYPE;
    return send(c, bytes, type);
  }

  /** Whether a part is the one that playlists give as the next. */
  #isNext(
    { window }: HlsStream,
    file: { readonly number: number; readonly index: number },
  ): boolean {
    const { growing, nextNumber } = window;
    return file.number === nextNumber && file.index === (growing?.parts.length ?? 0);
  }
}

function namesOf(stream: HlsStream): Names {
  const begin = `${urlPath(stream.live.name)}-${stream.run}-`;
  return {
    init: (number) => `${begin}init${number}.mp4${QUERY_MARK}`,
    segment: (number) => `${begin}${number}.m4s${QUERY_MARK}`,
    part: (number, index) => `${begin}${number}.${index}.m4s${QUERY_MARK}`,
    date: (ms) => new Date(ms).toISOString(),
  };
}

function bytesOf(
  { window }: HlsStream,
  file: Exclude<HlsFile, { kind: "playlist" }>,
): Uint8Array<ArrayBuffer> | null {
  if (file.kind === "init") return window.inits.get(file.number)?.bytes ?? null;
  const segment = window.find(file.number);
  if (!segment) return null;
  if (file.kind === "part") return segment.parts[file.index]?.bytes ?? null;
  if (!segment.isComplete) return null;
  const bytes = new Uint8Array(segment.bytes);
  let at = 0;
  for (const part of segment.parts) {
    bytes.set(part.bytes, at);
    at += part.bytes.length;
  }
  return bytes;
}

/** A file, or the range of it that is asked for (RFC 9110 §14): one range, else all of it. */
function send(c: Context<HttpEnv>, bytes: Uint8Array<ArrayBuffer>, type: string): Response {
  const headers = { "Content-Type": type, "Cache-Control": CACHED, "Accept-Ranges": "bytes" };
  if (c.req.method === "HEAD") {
    return c.body(null, 200, { ...headers, "Content-Length": String(bytes.length) });
  }
  const range = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(c.req.header("Range") ?? "");
  if (!range || (range[1] === "" && range[2] === "")) return c.body(bytes, 200, headers);
  const { length } = bytes;
  const start = range[1] === "" ? Math.max(0, length - Number(range[2])) : Number(range[1]);
  const end = range[1] === "" || range[2] === "" ? length : Math.min(length, Number(range[2]) + 1);
  if (start >= length || end <= start) {
    return c.body(null, 416, { "Content-Range": `bytes */${length}` });
  }
  const told = { "Content-Range": `bytes ${start}-${end - 1}/${length}` };
  return c.body(bytes.slice(start, end), 206, { ...headers, ...told });
}

function playlistHeaders(): Record<string, string> {
  return { "Content-Type": PLAYLIST_TYPE, "Cache-Control": "no-cache" };
}

function gone(c: Context<HttpEnv>, why: string, soon = false): Response {
  const headers = { "Cache-Control": "no-store", ...soon ? { "Retry-After": "1" } : {} };
  return c.text(`Not Found: ${why}.\n`, 404, headers);
}

function busy(c: Context<HttpEnv>): Response {
  const headers = { "Cache-Control": "no-store", "Retry-After": "1" };
  return c.text("Service Unavailable: what is asked for has not come in time.\n", 503, headers);
}

/** A refusal in the words of HTTP. */
function refuse(
  c: Context<HttpEnv>,
  { code, reason }: Refusal,
  warn: (line: string) => void,
): Response {
  switch (code) {
    case ErrorCode.NOT_LIVE:
      return gone(c, reason, true);
    case ErrorCode.LOOP:
      return c.text(`Loop Detected: ${reason}`, 508);
    case ErrorCode.LIMIT:
      return c.text(`Service Unavailable: ${reason}`, 503);
  }
  warn(`HTTP client ip=${c.env.peer.address} refused: ${peerText(reason)}. ret=${code}`);
  return c.text(`Forbidden: ${reason}`, 403);
}

/** As SRS describes such a player to hooks: the stream with its ending. */
function requestOf(
  c: Context<HttpEnv>,
  ip: string,
  url: URL,
  { vhost, app, stream, key }: HlsTarget,
  id: string,
): AccessRequest {
  return {
    id,
    ip,
    action: "play",
    protocol: "http",
    vhost,
    app,
    stream,
    param: url.search,
    tcUrl: keptText(`${url.origin}/${app}`),
    pageUrl: keptText(c.req.header("Referer") ?? c.req.header("Origin") ?? ""),
    key,
  };
}
