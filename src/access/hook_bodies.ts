/**
 * What is posted to hook servers: SRS's fields in SRS's order.
 * @module
 */

import type { HookAction } from "../config/types.ts";
import type { ServerIdentity } from "../log/ids.ts";
import type { AccessRequest } from "./request.ts";

/** A connection that has ended. */
export interface Departure {
  readonly id: string;
  readonly ip: string;
  /** Name of the vhost's block. */
  readonly vhost: string;
  readonly app: string;
  /** Bytes of the whole connection. */
  readonly sendBytes: number;
  readonly recvBytes: number;
}

/** The events that concern a stream. */
export type StreamAction = Exclude<HookAction, "on_connect" | "on_close">;

/** The body of `on_connect`. */
export function connectBody(server: ServerIdentity, request: AccessRequest): string {
  const { vhost, app, stream, param, tcUrl, pageUrl } = request;
  return json(server, "on_connect", request, {
    vhost: vhost.name,
    app,
    stream,
    param,
    tcUrl,
    pageUrl,
  });
}

/** The body of `on_close`. */
export function closeBody(server: ServerIdentity, gone: Departure): string {
  const { vhost, app, sendBytes, recvBytes } = gone;
  return json(server, "on_close", gone, {
    vhost,
    app,
    send_bytes: sendBytes,
    recv_bytes: recvBytes,
  });
}

/** The body of the others. `streamId` is the stream's id in the API. */
export function streamBody(
  server: ServerIdentity,
  action: StreamAction,
  request: AccessRequest,
  streamId: string,
): string {
  const { vhost, app, stream, param, tcUrl, pageUrl, key } = request;
  const place = { vhost: vhost.name, app };
  const identity = { stream_url: key, stream_id: streamId };
  return json(
    server,
    action,
    request,
    action === "on_play"
      ? { ...place, stream, tcUrl, param, pageUrl, ...identity }
      : { ...place, tcUrl, stream, param, ...identity },
  );
}

function json(
  { serverId, serviceId }: ServerIdentity,
  action: HookAction,
  { id, ip }: { readonly id: string; readonly ip: string },
  rest: Readonly<Record<string, string | number>>,
): string {
  const head = { server_id: serverId, service_id: serviceId, action, client_id: id, ip };
  return JSON.stringify({ ...head, ...rest });
}
