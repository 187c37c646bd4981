/**
 * Clients of vhosts that have to do with other servers: what must be asked before they are served.
 * @module
 */

import type { Visit } from "../../access/gate.ts";
import { clearFor } from "../../live/publication/clearing.ts";
import { addressGroup } from "../../log/address_group.ts";
import { RtmpError } from "../../rtmp/error.ts";
import { EdgePublishPhase } from "./edge_publish_phase.ts";
import type { Answer } from "../../live/stream/claims.ts";
import type { Phase, SessionContext } from "./phase.ts";
import type { PlayRequest } from "./play_phase.ts";
import { busy, PublishPhase, type PublishRequest } from "./publish_phase.ts";
import { relayClient } from "./relay_client.ts";

/** Whether the client may play, as far as the origin of an edge knows. */
export function askToPlay(
  session: SessionContext,
  { target, stream }: PlayRequest,
  answer: Answer,
): void {
  const { relay } = session.host;
  const client = relayClient(session, target);
  relay.admit(client, (refusal) => answer(refusal ?? relay.mayPull(stream, client)));
}

/**
 * Before hooks are asked about a publisher: ends a stalled one that has the stream, and one whose end has
 * come and not been read. With on_publish it does so in any thread, and waits for the delivery of
 * on_unpublish. Busy if a publisher keeps the stream: hooks that accepted the newcomer would be told of its
 * end while the other one is live.
 */
export function askToClear(
  session: SessionContext,
  request: PublishRequest,
  answer: Answer,
): void {
  const { stream, target } = request;
  const address = addressGroup(session.socket.remoteAddress);
  clearFor(stream, address, (here) => {
    if (here.kept) return void answer(busy(target.key));
    if (target.vhost.hooks.on_publish.length === 0) return void answer(null);
    session.host.claims.clear(stream, address, (there) => {
      request.replaces = here.present || there.present;
      answer(there.kept ? busy(target.key) : null);
    });
  });
}

/** Whether the client may publish: the origin of an edge decides, else this server. */
export function askToPublish(
  session: SessionContext,
  request: PublishRequest,
  answer: Answer,
): void {
  const { relay, claims } = session.host;
  const { vhost } = request.target;
  const client = relayClient(session, request.target);
  const { edge } = vhost;
  if (edge) {
    return relay.admit(client, (refusal) => {
      if (refusal) return answer(refusal);
      request.uplink = relay.openUplink(client, edge, answer);
      return true;
    });
  }
  relay.destinations(client, (found) => {
    if (found instanceof RtmpError) return void answer(found);
    request.destinations = found;
    claims.claim(request.stream, addressGroup(session.socket.remoteAddress), answer);
  });
}

/**
 * The phase of a client that may publish.
 * @throws {RtmpError} when the stream is being published already.
 */
export function startPublishing(
  session: SessionContext,
  request: PublishRequest,
  visit: Visit,
): Phase {
  const { uplink } = request;
  if (uplink) return new EdgePublishPhase(session, request, visit, uplink);
  return PublishPhase.start(session, request, visit, relayClient(session, request.target));
}
