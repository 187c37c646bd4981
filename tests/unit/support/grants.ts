/**
 * Gates and grants for tests that are not about them.
 * @module
 */

import { Access } from "../../../src/access/access.ts";
import type { Grant } from "../../../src/access/grant.ts";
import { HookCaller } from "../../../src/access/hook_caller.ts";
import type { LiveStream } from "../../../src/live/stream/live_stream.ts";
import type { Log } from "../../../src/log/log.ts";

/** What hooks are told of the server. */
export const IDENTITY = { serverId: "vid-server0", serviceId: "service0", hopId: "hop0" };

/** A access that calls hooks, if the configuration has any. */
export function newAccess(): Access {
  return new Access(IDENTITY, new HookCaller("srs-edge/1.2.3"));
}

/** The grant of an HTTP player of a stream. */
export function grantOf({ vhost, app, name, key }: LiveStream, log: Log): Grant {
  return newAccess().grant({
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
