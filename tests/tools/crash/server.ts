/**
 * The server with several workers, as `main.ts` runs it, but with workers that can be made to crash.
 *
 *     server.ts FILE     configuration; see worker.ts
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { Cluster } from "../../../src/cluster.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { openLog } from "../../../src/log/tank.ts";

const { config } = loadConfig(process.argv[2], (path) => readFileSync(path, "utf8"), {});
await openLog(config.log);
const program = new URL("./worker.ts", import.meta.url);
const cluster = await Cluster.start(config, Number(config.workers), null, program);
process.on("SIGTERM", async () => {
  await cluster.stop();
  process.exit(0);
});
