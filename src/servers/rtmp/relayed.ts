/**
 * Clients of vhosts that have to do with other servers: what must be asked before they are served.
 * @module
 */

import type { Grant } from "../../access/grant.ts";
import { clearFor } from "../../live/publication/clearing.ts";
import { addressGroup } from "../../log/address_group.ts";
import type { Answer, Refusal } from "../../rtmp/error.ts";
import { EdgePublishPhase } from "./edge_publish_phase.ts";
import type { Phase, SessionContext } from "./phase.ts";
import { busy, PublishPhase } from "./publish_phase.ts";
import { relayClient } from "./relay_client.ts";
import type { PlayRequest, PublishRequest } from "./stream_request.ts";

/** Whether the client may play, as far as the origin of an edge knows. */
export function askToPlay(
  session: SessionContext,
  request: PlayRequest,
  answer: Answer,
): void {
  const { relay } = session.host;
  const client = relayClient(session, request.target);
  relay.admit(client, (refusal) => answer(refusal ?? relay.mayPull(request.stream, client)));
}

/**
 * Before hooks are asked about a publisher: ends a stalled one that has the stream, and one whose end
 * has come and not been read. With on_publish it does so in any thread, and waits for the delivery of
 * on_unpublish. Busy if a publisher keeps the stream: hooks that accepted the newcomer would be told of
 * its end while the other one is live.
 */
export function askToClear(
  session: SessionContext,
  request: PublishRequest,
  answer: Answer,
): void {
  const { stream, target: { vhost, key } } = request;
  const hooks = vhost.hooks.on_publish.length > 0;
  // At an edge the origin decides who has the stream.
  if (!hooks && (!stream.published || vhost.edge)) return void answer(null);
  const address = addressGroup(session.socket.remoteAddress);
  clearFor(stream, address, (here) => {
    if (here.kept) return void answer(busy(key));
    if (!hooks) return void answer(null);
    session.host.claims.clear(stream, address, (there) => {
      request.replaces = here.present || there.present;
      answer(there.kept ? busy(key) : null);
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
    if ("reason" in found) return void answer(found);
    request.destinations = found;
    claims.claim(request.stream, addressGroup(session.socket.remoteAddress), answer);
  });
}

/** The phase of a client that may publish; a refusal when another one has the stream by now. */
export function startPublishing(
  session: SessionContext,
  request: PublishRequest,
  grant: Grant,
): Phase | Refusal {
  const { uplink } = request;
  if (uplink) return new EdgePublishPhase(session, request, grant, uplink);
  return PublishPhase.start(session, request, grant, relayClient(session, request.target));
}
