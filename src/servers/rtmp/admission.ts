/**
 * What the gate is told of an RTMP client, and what its refusals are here.
 * @module
 */

import { keptText } from "../../access/peer_words.ts";
import type { Action } from "../../config/types.ts";
import type { Visit } from "../../access/gate.ts";
import type { Refusal, Visitor } from "../../access/visitor.ts";
import type { LiveStream } from "../../live/stream/live_stream.ts";
import { RtmpError } from "../../rtmp/error.ts";
import type { SessionContext } from "./phase.ts";
import type { Target } from "./target.ts";

/**
 * Asks the rules of the client's vhost.
 * @throws {RtmpError} when one is against it.
 */
export function checkRules(session: SessionContext, target: Target, action: Action): void {
  const refusal = session.host.gate.check(visitorOf(session, target, action));
  if (refusal) throw refused(refusal);
}

/** What is to be asked of hooks, and told to them at the end. */
export function visitOf(
  session: SessionContext,
  target: Target,
  action: Action,
  stream: LiveStream,
): Visit {
  const { host, log, info } = session;
  return host.gate.visit(visitorOf(session, target, action), {
    log,
    streamId: () => host.streamId(stream, info.tcUrl ?? ""),
  });
}

/** A refusal as what ends an RTMP connection. */
export function refused({ code, reason }: Refusal): RtmpError {
  return new RtmpError(code, reason);
}

function visitorOf(session: SessionContext, target: Target, action: Action): Visitor {
  const { id, socket, info } = session;
  const { vhost, url: { app, stream, param }, key } = target;
  return {
    id,
    ip: socket.remoteAddress,
    action,
    protocol: "rtmp",
    vhost,
    app,
    stream,
    param,
    tcUrl: keptText(info.tcUrl ?? ""),
    pageUrl: info.pageUrl,
    key,
  };
}
