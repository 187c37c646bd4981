/**
 * Puts the server with several workers together: the coordinator, its own part of the server, and the
 * workers' program.
 * @module
 */

import type { Config } from "../config/types.ts";
import type { ServerControl } from "../servers/http/api/control.ts";
import { Coordinator } from "../workers/coordinator.ts";
import { httpService } from "./http_service.ts";
import { Server } from "./server.ts";

/** Where the workers' program is. */
const WORKER_PROGRAM = new URL("./worker.ts", import.meta.url);

/**
 * Starts so many workers. `control`: what the API may do to the server's life; `program`: another program
 * for the workers, which a test has do what a worker never should.
 * @throws Error with the cure when this runtime cannot do it, or a port cannot be had.
 */
export function startCluster(
  config: Config,
  workers: number,
  control: ServerControl | null = null,
  program: URL = WORKER_PROGRAM,
): Promise<Coordinator> {
  return Coordinator.start(config, workers, {
    program,
    startPart: (config, parts, view) =>
      Server.start(config, (_own, host, hls) => httpService(control)(view, host, hls), parts),
  });
}
