/**
 * Builds the one-file executable: `dist/srs-edge-<version>-<target>`, by `deno compile`.
 *
 *     deno task build
 *
 * `deno compile` fetches its base binary from Deno's download site; where that cannot be reached, set
 * DENORT_BIN to a `denort` of exactly the Deno version that runs this.
 * @module
 */

import { mkdirSync, statSync } from "node:fs";
import process from "node:process";
import { VERSION } from "./src/version.ts";

/** What the server may do, compiled in: it can never do more. */
const PERMISSIONS = [
  "--no-prompt",
  "--allow-net", // the ports and addresses are the user's choice
  "--allow-read", // configuration files, includes
  "--allow-write", // log and pid file
  "--allow-env", // SRS_* overrides
  // Figures of the API and the metrics.
  "--allow-sys=cpus,hostname,loadavg,networkInterfaces,osRelease,osUptime,systemMemoryInfo",
];

const target = Deno.build.target;
const output = `dist/srs-edge-${VERSION}-${target}`;
mkdirSync("dist", { recursive: true });

const command = new Deno.Command(Deno.execPath(), {
  args: [
    "compile",
    "--quiet",
    ...PERMISSIONS,
    "--include",
    "src/worker.ts",
    "--output",
    output,
    "src/main.ts",
  ],
});
const { success } = await command.spawn().status;
if (!success) {
  console.error(
    "\nbuild failed. If the base binary (denort) could not be downloaded, set DENORT_BIN to the path of " +
      `a denort of version ${Deno.version.deno}.`,
  );
  process.exit(1);
}
console.log(`${output} (${Math.round(statSync(output).size / 1e6)} MB)`);
