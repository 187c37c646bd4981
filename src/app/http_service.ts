/**
 * The HTTP side of the server: API, metrics, files, FLV and HLS players on their ports.
 * @module
 */

import { hlsRoutes } from "../servers/hls/routes.ts";
import { flvRoutes } from "../servers/flv/routes.ts";
import type { ServerControl } from "../servers/http/api/control.ts";
import { HttpPorts } from "../servers/http/listeners.ts";
import type { HttpService } from "./server.ts";

/** Makes it; `control`: what the API may do to the server's life. */
export function httpService(control: ServerControl | null): HttpService {
  return (view, host, hls) => {
    const mounts = [flvRoutes(host), hlsRoutes(host, hls)];
    return new HttpPorts(view, mounts.map((routes) => ({ on: "both" as const, routes })), control);
  };
}
