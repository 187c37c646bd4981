/**
 * The HTTP side of the server: API, metrics, files and FLV players on their ports.
 * @module
 */

import { flvRoutes } from "./http/flv_routes.ts";
import { HttpListeners } from "./http/listeners.ts";
import type { HttpService } from "./server.ts";

/** Opens the ports that the configuration asks for. */
export const serveHttp: HttpService = (config, view, flv) =>
  HttpListeners.open(config, view, [{ on: "both", routes: flvRoutes(flv) }]);
