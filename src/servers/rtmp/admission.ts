/**
 * What access is asked for an RTMP client, and how its questions wait.
 * @module
 */

import type { AccessParts, Question } from "../../access/access.ts";
import type { Grant } from "../../access/grant.ts";
import { keptText } from "../../access/peer_words.ts";
import type { AccessRequest } from "../../access/request.ts";
import type { Action } from "../../config/types.ts";
import type { Refusal } from "../../rtmp/error.ts";
import { HOOKS_TIMEOUT_MS } from "./limits.ts";
import type { SessionContext } from "./phase.ts";
import type { StreamRequest } from "./stream_request.ts";

/** Asks whether the client may publish or play. While a step waits, nothing more of the client is read. */
export function askAccess(
  session: SessionContext,
  action: Action,
  request: StreamRequest,
  steps: AccessParts["steps"],
  answer: (answer: Grant | Refusal) => void,
): Question {
  const { host, log, info } = session;
  return host.access.ask(requestOf(session, action, request), {
    log,
    streamId: () => host.streamId(request.stream, info.tcUrl ?? ""),
    steps,
    run: (name, step, then) => {
      if (name === "hooks") session.consult(step, then, HOOKS_TIMEOUT_MS);
      else session.consult(step, then);
    },
  }, answer);
}

function requestOf(
  session: SessionContext,
  action: Action,
  { target: { vhost, url: { app, stream, param }, key } }: StreamRequest,
): AccessRequest {
  const { id, socket, info } = session;
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
