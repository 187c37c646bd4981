/**
 * Streams by HTTP and WebSocket: `http://host:port/app/stream.flv`, and the same with `ws://`; where the
 * mount says so, in another container.
 * @module
 */

import { MAX_LISTED } from "./limits.ts";
import { keptText } from "../../access/peer_words.ts";
import { type Context, Hono } from "hono";
import type { Config, VhostConfig } from "../../config/types.ts";
import { Grant } from "../../access/grant.ts";
import type { AccessRequest } from "../../access/request.ts";
import type { LiveStream } from "../../live/stream/live_stream.ts";
import { newConnectionId } from "../../log/ids.ts";
import { lineBudget } from "../../log/budget.ts";
import type { Log } from "../../log/log.ts";
import { peerText } from "../../log/text.ts";
import { wantsWebSocket } from "../../http1/web_socket.ts";
import { ErrorCode, type Refusal, RtmpError } from "../../rtmp/error.ts";
import { HOPS_HEADER, parseHops } from "../../rtmp/hops.ts";
import { nameInKey, vhostInKey } from "../../rtmp/stream_name.ts";
import type { HttpEnv } from "../http/request/answer.ts";
import { ambiguousLine, callerAddress, WHO_ASKS } from "../http/request/caller.ts";
import { mayConnect } from "../http/request/cors.ts";
import { isRebound } from "../http/request/local_request.ts";
import { mayReadApi, webPorts } from "../http/request/own_page.ts";
import { type FlvAccessHost, FlvQuestion } from "./admission.ts";
import { type Container, containerOf, mayFill } from "./containers.ts";
import { findFlvTarget, flvPath, type FlvTarget } from "./mount.ts";
import { FlvSession, type FlvSessionHost } from "./session.ts";

const MEDIA_HEADERS = {
  "Cache-Control": "no-store",
  // Nothing follows the stream on its connection, whichever side ends it.
  "Connection": "close",
  // nginx collects an answer in its buffers unless told not to: audio alone would arrive in lumps.
  "X-Accel-Buffering": "no",
};

function mediaHeaders({ contentType }: Container): Record<string, string> {
  return { "Content-Type": contentType, ...MEDIA_HEADERS };
}

/** What the routes need of the server around them. */
export interface FlvHost extends FlvSessionHost, FlvAccessHost {
  readonly config: Config;
}

/** The routes, to be mounted at `/`. What is no stream's path is left to the others. */
export function flvRoutes(host: FlvHost): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.get("*", (c, next) => {
    const url = new URL(c.req.url);
    let target: FlvTarget | null;
    try {
      target = containerOf(url.pathname.replace(/\/+$/, ""))
        ? findFlvTarget(host.config, url)
        : null;
    } catch (error) {
      if (!(error instanceof RtmpError)) throw error;
      return c.text(`Not Found: ${error.message}.\n`, 404);
    }
    return target ? play(c, host, url, target) : next();
  });
  return routes;
}

async function play(
  c: Context<HttpEnv>,
  host: FlvHost,
  url: URL,
  target: FlvTarget,
): Promise<Response> {
  const { peer } = c.env;
  const log = lineBudget.log(newConnectionId(), peer.address);
  const { httpServer } = host.config;
  const ip = callerAddress(c, httpServer);
  if (ip === null) {
    ambiguousLine.say(c, httpServer);
    return c.text(WHO_ASKS, 403);
  }
  if (wantsWebSocket(c.req.raw) && !mayConnect(c, pageRules(host.config))) {
    return c.text(FOREIGN_SOCKET, 403);
  }
  const head = c.req.method === "HEAD";
  const ask = new FlvQuestion(host, target, requestOf(c, ip, url, target, log.id), {
    address: peer.address,
    hops: parseHops(c.req.header(HOPS_HEADER)),
    signal: c.req.raw.signal,
  });
  let answer: Grant | Refusal;
  try {
    answer = await ask.answer(log, head);
  } catch (error) {
    ask.dismiss();
    throw error;
  }
  if (!(answer instanceof Grant)) {
    ask.dismiss();
    return refuse(c, host, log, url, target, answer);
  }
  const stream = host.hub.find(target.key);
  const hasActive = stream?.active === true;
  if (hasActive && !mayFill(target.container, stream.headers)) {
    answer.end();
    ask.dismiss();
    return c.text(`Not Found: ${target.key} has nothing that fits into ${what(target)}.\n`, 404);
  }
  if (head) return c.body(null, 200, mediaHeaders(target.container));
  // It may have ended in the meantime.
  if (!hasActive) {
    answer.end();
    ask.dismiss();
    return notLive(c, host, url, target);
  }
  const session = newSession(c, host, stream, url, target, answer, ip, log);
  if (wantsWebSocket(c.req.raw)) {
    if (peer.upgrade(session)) return c.body(null);
    session.onClose();
    return c.text("Bad Request: this is no WebSocket handshake", 400);
  }
  peer.stream(session);
  return c.body(null, 200, mediaHeaders(target.container));
}

function what({ container }: FlvTarget): string {
  return `${container.ending} (${container.contentType})`;
}

/** A refusal in the words of HTTP. Who asks too often, or for what is not there, is no line in the log. */
function refuse(
  c: Context<HttpEnv>,
  host: FlvHost,
  log: Log,
  url: URL,
  target: FlvTarget,
  { code, reason }: Refusal,
): Response {
  switch (code) {
    case ErrorCode.NOT_LIVE:
      return notLive(c, host, url, target);
    case ErrorCode.LOOP:
      return c.text(`Loop Detected: ${reason}`, 508);
    case ErrorCode.LIMIT:
      return c.text(`Service Unavailable: ${reason}`, 503);
  }
  log.warn(`HTTP client ip=${c.env.peer.address} refused: ${peerText(reason)}. ret=${code}`, code);
  return c.text(`Forbidden: ${reason}`, 403);
}

/** As SRS describes such a player to hooks, but for the address. */
function requestOf(
  c: Context<HttpEnv>,
  ip: string,
  url: URL,
  { vhost, app, stream, key }: FlvTarget,
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
    tcUrl: `rtmp://${vhost.name}/${app}`,
    pageUrl: pageOf(c),
    key,
  };
}

function newSession(
  c: Context<HttpEnv>,
  host: FlvHost,
  stream: LiveStream,
  url: URL,
  { app, stream: name, container }: FlvTarget,
  grant: Grant,
  ip: string,
  log: Log,
): FlvSession {
  const { address, port } = c.env.peer;
  const remote = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  return new FlvSession(host, stream, {
    socket: { remote, remoteAddress: address },
    tcUrl: keptText(`${url.origin}/${app}`),
    pageUrl: pageOf(c),
    name: name + container.ending,
    container,
    param: url.search,
    transport: wantsWebSocket(c.req.raw) ? "ws" : "http",
    grant,
    realAddress: ip === address ? "" : ip,
  }, log);
}

/** The page that a player is on; of a WebSocket browsers tell its site alone. */
function pageOf(c: Context<HttpEnv>): string {
  return keptText(c.req.header("Referer") ?? c.req.header("Origin") ?? "");
}

const FOREIGN_SOCKET =
  "Forbidden: pages of other sites may not play here; name them in http_server { trusted_origins }\n";

function pageRules(config: Config) {
  const { crossdomain, trustedOrigins } = config.httpServer;
  return { crossdomain, trustedOrigins, ports: webPorts(config) };
}

/** Names of streams are for those who may read the API (H63). */
function maySeeNames(c: Context<HttpEnv>, config: Config): boolean {
  const rules = pageRules(config);
  const origin = c.req.header("Origin");
  if (origin !== undefined && !mayReadApi(c, origin, rules)) return false;
  return !isRebound(c, { ...rules, guarded: false, loopback: false });
}

/**
 * Whether a vhost has no rule that keeps a client from a stream, and no secret in its streams' names
 * (H49).
 */
function everybodyMayPlay({ play, publish, security, refer, hooks, edge }: VhostConfig): boolean {
  return play.secrets.length === 0 && publish.secrets.length === 0 && !security.enabled &&
    !refer.enabled && !edge?.tokenTraverse &&
    Object.values(hooks).every((urls) => urls.length === 0);
}

/** The stream has no publisher: says what there is instead. */
function notLive(
  c: Context<HttpEnv>,
  { hub, config }: FlvHost,
  url: URL,
  target: FlvTarget,
): Response {
  const { vhost } = target;
  // Where not every client may play, or the API wants a password, names are not for all.
  const open = everybodyMayPlay(vhost) && config.httpApi.auth === null && maySeeNames(c, config);
  const live = [...open ? hub.streams : []]
    .filter((stream) => stream.active && vhostInKey(stream.key) === vhostInKey(target.key))
    .map(({ app, key }) => new URL(flvPath(url, vhost, app, nameInKey(key)), url).href).sort();
  const streams = live.slice(0, MAX_LISTED);
  const more = live.length - streams.length;
  const error = `nobody publishes ${target.key}`;
  if (c.req.header("Accept")?.includes("application/json")) {
    return c.json({ code: 404, error, streams, more }, 404);
  }
  const list = streams.length > 0
    ? ["Live now:", ...streams, ...more > 0 ? [`and ${more} more`] : []]
    : open
    ? ["No stream is live."]
    : [];
  return c.text(`${[`Not Found: ${error}.`, "", ...list].join("\n").trimEnd()}\n`, 404);
}
