/**
 * `forward { backend URL; }`: another server says, for every stream that begins, where
 * it is copied to.
 * @module
 */

import { isStreamUrl, parseServer } from "../../config/directives/upstreams.ts";
import { httpPost } from "../../net/http_post.ts";
import { SERVER_NAME, VERSION } from "../../runtime/version.ts";
import type { RelayClient } from "../../clients/on_behalf.ts";
import { BACKEND_MAX_BYTES, BACKEND_TIMEOUT_MS, MAX_DESTINATIONS } from "./limits.ts";

/** How this server calls itself there. */
export interface BackendIdentity {
  readonly serverId: string;
  readonly serviceId: string;
}

/**
 * Asks for the destinations of a client's stream.
 * @throws Error with the reason, when there is no answer or it is none.
 */
export async function askBackend(
  url: string,
  client: RelayClient,
  identity: BackendIdentity,
): Promise<readonly string[]> {
  const { status, body } = await httpPost(url, {
    body: JSON.stringify({
      action: "on_forward",
      server_id: identity.serverId,
      service_id: identity.serviceId,
      client_id: client.id,
      ip: client.ip,
      vhost: client.vhost.name,
      app: client.app,
      tcUrl: client.tcUrl,
      stream: client.stream,
      param: client.param,
    }),
    contentType: "application/json",
    userAgent: `${SERVER_NAME}/${VERSION}`,
    timeoutMs: BACKEND_TIMEOUT_MS,
    maxBytes: BACKEND_MAX_BYTES,
  });
  if (status !== 200) throw new Error(`it answers ${status}`);
  return readAnswer(body);
}

/**
 * Reads `{"code":0,"data":{"urls":[...]}}`.
 * @throws Error that says what is wrong with it.
 */
export function readAnswer(body: string): readonly string[] {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    throw new Error("its answer is no JSON");
  }
  const code = member(answer, "code");
  if (code !== 0) throw new Error(`it answers with code ${typeof code === "number" ? code : "?"}`);
  const urls = member(member(answer, "data"), "urls");
  if (!Array.isArray(urls)) throw new Error("its answer has no list data.urls");
  if (urls.length > MAX_DESTINATIONS) {
    throw new Error(`it names more than ${MAX_DESTINATIONS} destinations`);
  }
  return urls.map((url: unknown) => {
    if (typeof url === "string" && (isStreamUrl(url) || parseServer(url))) return url;
    throw new Error("data.urls has something that is no rtmp://host/app/stream");
  });
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}
