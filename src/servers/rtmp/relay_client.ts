/**
 * A connection, as other servers are told of it.
 * @module
 */

import type { RelayClient } from "../../clients/on_behalf.ts";
import type { SessionContext } from "./phase.ts";
import type { Target } from "./target.ts";

/** The client, as other servers are told of it. */
export function relayClient({ id, socket, info }: SessionContext, target: Target): RelayClient {
  const { vhost, url } = target;
  return {
    id,
    ip: socket.remoteAddress,
    tcUrl: info.tcUrl ?? "",
    pageUrl: info.pageUrl,
    swfUrl: info.swfUrl,
    args: info.args,
    hops: info.hops,
    vhost,
    app: url.app,
    stream: url.stream,
    param: url.param,
    transport: "rtmp",
  };
}
