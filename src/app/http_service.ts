/**
 * The HTTP side of the server: API, metrics, files and FLV players on their ports.
 * @module
 */

import { flvRoutes } from "../servers/flv/routes.ts";
import type { ServerControl } from "../servers/http/api/control.ts";
import { HttpPorts } from "../servers/http/listeners.ts";
import type { HttpService } from "./server.ts";

/** Makes it; `control`: what the API may do to the server's life. */
export function httpService(control: ServerControl | null): HttpService {
  return (view, flv) => new HttpPorts(view, [{ on: "both", routes: flvRoutes(flv) }], control);
}
