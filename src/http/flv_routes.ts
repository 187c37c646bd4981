/**
 * HTTP-FLV and WebSocket-FLV: `http://host:port/app/stream.flv`, and the same with `ws://` (spec: http
 * §4).
 * @module
 */

import { type Context, Hono } from "hono";
import type { Config } from "../config/types.ts";
import type { Hub } from "../live/hub.ts";
import type { LiveStream } from "../live/live_stream.ts";
import { newConnectionId } from "../log/ids.ts";
import { connectionLog } from "../log/log.ts";
import { responseBody } from "../net/response_body.ts";
import { wantsWebSocket } from "../net/web_socket.ts";
import type { HttpEnv } from "./answer.ts";
import { findFlvTarget, flvPath, type FlvTarget } from "./flv_mount.ts";
import { FlvSession, type FlvSessionHost } from "./flv_session.ts";

/** Live streams that an answer lists at most. */
const MAX_LISTED = 20;

const MEDIA_HEADERS = {
  "Content-Type": "video/x-flv",
  "Cache-Control": "no-store",
  // What follows the stream on its connection is nothing, whoever ends it.
  "Connection": "close",
};

/** What the routes need of the server around them. */
export interface FlvHost extends FlvSessionHost {
  readonly config: Config;
  readonly hub: Hub;
  /** Lets a connection in, returning null, or says which limit is in the way. */
  admit(address: string): string | null;
}

/** The routes, to be mounted at `/`. What is no stream's path is left to the others. */
export function flvRoutes(host: FlvHost): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.get("*", (c, next) => {
    const url = new URL(c.req.url);
    const target = url.pathname.endsWith(".flv") ? findFlvTarget(host.config, url) : null;
    return target ? play(c, host, url, target) : next();
  });
  return routes;
}

function play(
  c: Context<HttpEnv>,
  host: FlvHost,
  url: URL,
  target: FlvTarget,
): Response {
  const stream = host.hub.find(target.key);
  if (!stream?.active) return notLive(c, host, url, target);
  if (c.req.method === "HEAD") return c.body(null, 200, MEDIA_HEADERS);

  const { peer } = c.env;
  const limit = host.admit(peer.address);
  if (limit) return c.text(`Service Unavailable: ${limit}`, 503);
  const session = newSession(c, host, stream, url, target);
  if (wantsWebSocket(c.req.raw)) {
    const answer = peer.upgrade(session);
    if (answer) return answer;
    session.onClose();
    return c.text("Bad Request: this is no WebSocket handshake", 400);
  }
  peer.keepOpen();
  return c.body(responseBody(session, () => peer.cutOff()), 200, MEDIA_HEADERS);
}

function newSession(
  c: Context<HttpEnv>,
  host: FlvHost,
  stream: LiveStream,
  url: URL,
  { app, stream: name }: FlvTarget,
): FlvSession {
  const { address, port } = c.env.peer;
  const remote = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  const forwarded = c.req.header("X-Forwarded-For")?.split(",")[0].trim();
  return new FlvSession(host, stream, {
    socket: { remote, remoteAddress: address },
    tcUrl: `${url.origin}/${app}`,
    pageUrl: c.req.header("Referer") ?? "",
    name: `${name}.flv`,
    param: url.search,
    transport: wantsWebSocket(c.req.raw) ? "ws" : "http",
    forwardedFor: forwarded ?? c.req.header("X-Real-IP") ?? "",
  }, connectionLog(newConnectionId()));
}

/** Nobody publishes it: says what there is instead. */
function notLive(c: Context<HttpEnv>, { hub }: FlvHost, url: URL, target: FlvTarget): Response {
  const { vhost } = target;
  const live = [...hub.streams].filter((stream) => stream.active && stream.vhost === vhost)
    .map(({ app, key }) => new URL(flvPath(url, vhost, app, lastPart(key)), url).href).sort();
  const streams = live.slice(0, MAX_LISTED);
  const more = live.length - streams.length;
  const error = `nobody publishes ${target.key}`;
  if (c.req.header("Accept")?.includes("application/json")) {
    return c.json({ code: 404, error, streams, more }, 404);
  }
  const list = streams.length > 0
    ? ["Live now:", ...streams, ...more > 0 ? [`and ${more} more`] : []]
    : ["No stream is live."];
  return c.text(`Not Found: ${error}.\n\n${list.join("\n")}\n`, 404);
}

/** The stream's name in its key: without an extension, so that the path finds it again. */
function lastPart(key: string): string {
  return key.slice(key.lastIndexOf("/") + 1);
}
