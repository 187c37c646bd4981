/**
 * Builds `cluster { mode remote; }` and `forward { }`, which make this server a client of others.
 * @module
 */
import type { Reading, Section } from "../directives/section.ts";
import {
  CLUSTER,
  CLUSTER_BLOCK,
  FORWARD,
  FORWARD_BLOCK,
  PUBLISH,
  VHOST_ROOT,
} from "../directives/vhost.ts";
import type { EdgeConfig, ForwardConfig, Takeover } from "../types.ts";

/** The edge settings of a vhost. Null when it is an origin. */
export function buildEdge(
  vhost: Section,
  takeover: Takeover,
  { report }: Reading,
): EdgeConfig | null {
  const cluster = vhost.enter(CLUSTER_BLOCK);
  const mode = cluster.get(CLUSTER.mode);
  const edge: EdgeConfig = {
    origins: cluster.get(CLUSTER.origin),
    protocol: cluster.get(CLUSTER.protocol),
    followClient: cluster.get(CLUSTER.follow_client),
    tokenTraverse: cluster.get(CLUSTER.token_traverse),
    takeover,
    vhost: cluster.get(CLUSTER.vhost),
    debugUpnode: cluster.get(CLUSTER.debug_srs_upnode),
  };
  if (mode !== "remote") return null;
  const place = cluster.find(CLUSTER.mode);
  if (edge.origins.length === 0 && place) {
    report.error(place, "an edge needs to know its origin: add origin host:port;");
  }
  return edge;
}

/** The forward settings of a vhost. Null when it forwards nothing. */
export function buildForward(vhost: Section, { report }: Reading): ForwardConfig | null {
  const forward = vhost.enter(FORWARD_BLOCK);
  const enabled = forward.get(FORWARD.enabled);
  const destinations = forward.get(FORWARD.destination);
  const backend = forward.get(FORWARD.backend);
  if (!enabled) return null;
  const place = forward.find(FORWARD.enabled) ?? vhost.find(FORWARD_BLOCK);
  const kickoff = vhost.enter(VHOST_ROOT.publish).find(PUBLISH.kickoff_for_idle);
  if (place && kickoff) {
    report.error(
      kickoff,
      "kickoff_for_idle cannot be used together with forward: it would end streams that are forwarded",
    );
  }
  if (backend !== "" && !/^https?:\/\/[^/]/i.test(backend)) {
    const at = forward.find(FORWARD.backend);
    if (at) report.error(at, "backend: expected a URL, http://host:port/path");
  }
  if (place && destinations.length === 0 && backend === "") {
    report.warn(place, "forward has nowhere to go: add destination host:port; or backend URL;");
  }
  return { destinations, backend: backend === "" ? null : backend };
}
