/**
 * Gates and visits for tests that are not about them.
 * @module
 */

import { Gate, type Visit } from "../../../src/access/gate.ts";
import { HookCaller } from "../../../src/access/hook_caller.ts";
import type { LiveStream } from "../../../src/live/stream/live_stream.ts";
import type { Log } from "../../../src/log/log.ts";

/** What hooks are told of the server. */
export const IDENTITY = { serverId: "vid-server0", serviceId: "service0", hopId: "hop0" };

/** A gate that calls hooks, if the configuration has any. */
export function newGate(): Gate {
  return new Gate(IDENTITY, new HookCaller("srs-edge/1.2.3"));
}

/** The visit of an HTTP player of a stream. */
export function visitOf({ vhost, app, name, key }: LiveStream, log: Log): Visit {
  return newGate().visit({
    id: log.id,
    ip: "192.0.2.7",
    action: "play",
    protocol: "http",
    vhost,
    app,
    stream: name,
    param: "",
    tcUrl: "",
    pageUrl: "",
    key,
  }, { log, streamId: () => `id of ${key}` });
}
