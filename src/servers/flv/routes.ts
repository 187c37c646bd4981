/**
 * HTTP-FLV and WebSocket-FLV: `http://host:port/app/stream.flv`, and the same with `ws://`.
 * @module
 */

import { keptText } from "../../access/peer_words.ts";
import { type Context, Hono } from "hono";
import type { Config, VhostConfig } from "../../config/types.ts";
import type { Gate, Visit } from "../../access/gate.ts";
import type { Refusal, Visitor } from "../../access/visitor.ts";
import type { Hub } from "../../live/stream/hub.ts";
import type { LiveStream } from "../../live/stream/live_stream.ts";
import { newConnectionId } from "../../log/ids.ts";
import { lineBudget } from "../../log/budget.ts";
import type { Log } from "../../log/log.ts";
import { peerText } from "../../log/text.ts";
import { wantsWebSocket } from "../../http1/web_socket.ts";
import type { RelayClient } from "../../clients/on_behalf.ts";
import type { RelayService } from "../../relay/relays.ts";
import { RtmpError } from "../../rtmp/error.ts";
import { HOPS_HEADER, parseHops } from "../../rtmp/hops.ts";
import { nameInKey, vhostInKey } from "../../rtmp/stream_name.ts";
import type { HttpEnv } from "../http/request/answer.ts";
import { ambiguousLine, callerAddress, WHO_ASKS } from "../http/request/caller.ts";
import { mayConnect } from "../http/request/cors.ts";
import { isRebound } from "../http/request/local_request.ts";
import { mayReadApi, webPorts } from "../http/request/own_page.ts";
import { findFlvTarget, flvPath, type FlvTarget } from "./mount.ts";
import { FlvSession, type FlvSessionHost } from "./session.ts";

/** Live streams that an answer lists at most. */
const MAX_LISTED = 20;

/** ms that a viewer at an edge waits for the stream to come from the origin, before it is told 404. */
const ORIGIN_WAIT_MS = 8000;
/** ms between two looks at whether it has come. */
const ORIGIN_POLL_MS = 20;

const MEDIA_HEADERS = {
  "Content-Type": "video/x-flv",
  "Cache-Control": "no-store",
  // What follows the stream on its connection is nothing, whoever ends it.
  "Connection": "close",
  // nginx collects an answer in its buffers unless told not to: audio alone would arrive in lumps.
  "X-Accel-Buffering": "no",
};

/** What the routes need of the server around them. */
export interface FlvHost extends FlvSessionHost {
  readonly config: Config;
  readonly hub: Hub;
  readonly relay: RelayService;
  /** Lets a connection in, returning null, or says which limit is in the way. */
  admit(address: string): string | null;
  /** A connection that was let in has not become a session. */
  dismiss(address: string): void;
  readonly gate: Gate;
  /** The stream's id in the API. */
  streamId(stream: LiveStream, tcUrl: string): string;
}

/** The routes, to be mounted at `/`. What is no stream's path is left to the others. */
export function flvRoutes(host: FlvHost): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.get("*", (c, next) => {
    const url = new URL(c.req.url);
    let target: FlvTarget | null;
    try {
      target = /\.flv\/*$/.test(url.pathname) ? findFlvTarget(host.config, url) : null;
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
  const visitor = visitorOf(c, ip, url, target, log.id);
  if (wantsWebSocket(c.req.raw) && !mayConnect(c, pageRules(host.config))) {
    return c.text(FOREIGN_SOCKET, 403);
  }
  const refusal = host.gate.check(visitor);
  if (refusal) return refuse(c, log, refusal);
  const { vhost, app, stream: name, key } = target;
  const hops = parseHops(c.req.header(HOPS_HEADER));
  const loop = host.relay.refuse(hops);
  if (loop) return c.text(`Loop Detected: ${loop}`, 508);
  // At an edge it is live when the origin has it, which is asked below.
  const known = host.hub.find(key);
  if (!vhost.edge && !known?.active) return notLive(c, host, url, target);
  if (c.req.method === "HEAD") return c.body(null, 200, MEDIA_HEADERS);

  const limit = host.admit(peer.address);
  if (limit) return c.text(`Service Unavailable: ${limit}`, 503);
  const asked = known ?? host.hub.obtain(key, vhost, app, name);
  const streamId = () => host.streamId(host.hub.find(key) ?? asked, visitor.tcUrl);
  const visit = host.gate.visit(visitor, { log, streamId });
  asked.reserve();
  let no: Refusal | null;
  try {
    no = await new Promise<Refusal | null>((resolve) => visit.ask(resolve));
    if (!no && vhost.edge) {
      no = await askOrigin(host, asked, relayClient(visitor, hops), c.req.raw.signal);
    }
  } catch (error) {
    visit.end();
    host.dismiss(peer.address);
    throw error;
  } finally {
    asked.unreserve();
  }
  // It may have ended in the meantime.
  const stream = host.hub.find(key);
  if (no || !stream?.active) {
    visit.end();
    host.dismiss(peer.address);
    return no ? refuse(c, log, no) : notLive(c, host, url, target);
  }
  const session = newSession(c, host, stream, url, target, visit, ip, log);
  if (wantsWebSocket(c.req.raw)) {
    if (peer.upgrade(session)) return c.body(null);
    session.onClose();
    return c.text("Bad Request: this is no WebSocket handshake", 400);
  }
  peer.stream(session);
  return c.body(null, 200, MEDIA_HEADERS);
}

/**
 * Has an edge pull the stream, and waits until it is live; not for ever, and not for a client that is gone
 * (H39). Returns why it may not.
 */
async function askOrigin(
  host: FlvHost,
  stream: LiveStream,
  client: RelayClient,
  signal: AbortSignal,
): Promise<Refusal | null> {
  const refusal = await new Promise<RtmpError | null>((resolve) => {
    host.relay.admit(client, (error) => {
      resolve(error ?? host.relay.mayPull(stream, client));
      return true;
    });
  });
  if (refusal) return { code: refusal.code, reason: refusal.message };
  const limit = host.clock.now() + ORIGIN_WAIT_MS;
  do {
    // Again and again: the pull ends when nobody wants it.
    host.relay.play(stream, client);
    if (stream.active) return null;
    await new Promise<void>((resolve) => void host.clock.after(ORIGIN_POLL_MS, resolve));
  } while (host.clock.now() < limit && !signal.aborted);
  return null;
}

/** The viewer, as an origin is told of it. */
function relayClient(visitor: Visitor, hops: readonly string[]): RelayClient {
  const { id, ip, vhost, app, stream, param, tcUrl, pageUrl } = visitor;
  return {
    id,
    ip,
    vhost,
    app,
    stream,
    param,
    tcUrl: tcUrl + param,
    pageUrl,
    swfUrl: "",
    args: null,
    hops,
    transport: "flv",
  };
}

function refuse(c: Context<HttpEnv>, log: Log, { code, reason }: Refusal): Response {
  log.warn(`HTTP client ip=${c.env.peer.address} refused: ${peerText(reason)}. ret=${code}`, code);
  return c.text(`Forbidden: ${reason}`, 403);
}

/** As SRS describes such a player to hooks, but for the address. */
function visitorOf(
  c: Context<HttpEnv>,
  ip: string,
  url: URL,
  { vhost, app, stream, key }: FlvTarget,
  id: string,
): Visitor {
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
  { app, stream: name }: FlvTarget,
  visit: Visit,
  ip: string,
  log: Log,
): FlvSession {
  const { address, port } = c.env.peer;
  const remote = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  return new FlvSession(host, stream, {
    socket: { remote, remoteAddress: address },
    tcUrl: keptText(`${url.origin}/${app}`),
    pageUrl: pageOf(c),
    name: `${name}.flv`,
    param: url.search,
    transport: wantsWebSocket(c.req.raw) ? "ws" : "http",
    visit,
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

/** Whether a vhost has no rule that keeps anybody from a stream, and no secret in its streams' names (H49). */
function everybodyMayPlay({ play, publish, security, refer, hooks, edge }: VhostConfig): boolean {
  return play.secrets.length === 0 && publish.secrets.length === 0 && !security.enabled &&
    !refer.enabled && !edge?.tokenTraverse &&
    Object.values(hooks).every((urls) => urls.length === 0);
}

/** Nobody publishes it: says what there is instead. */
function notLive(
  c: Context<HttpEnv>,
  { hub, config }: FlvHost,
  url: URL,
  target: FlvTarget,
): Response {
  const { vhost } = target;
  // Where not everybody may play, or the API wants a password, names are not for everybody.
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
