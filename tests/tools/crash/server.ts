/**
 * The server with several workers, as `main.ts` runs it, but with workers that can be made to crash.
 *
 *     server.ts FILE     configuration; see worker.ts
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { startCluster } from "../../../src/app/cluster.ts";
import { loadConfig } from "../../../src/config/file/load.ts";
import { openLog } from "../../../src/log/sink.ts";

const { config } = loadConfig(process.argv[2], (path) => readFileSync(path, "utf8"), {});
await openLog(config.log);
const program = new URL("./worker.ts", import.meta.url);
const cluster = await startCluster(config, Number(config.workers), null, program);
process.on("SIGTERM", async () => {
  await cluster.stop();
  process.exit(0);
});
