/**
 * A fault of the server's own, wherever it is, ends neither the process nor a thread.
 * @module
 */
import assert from "node:assert/strict";
import { scenario } from "../tools/scenario.ts";
import { runtimes, serverCommand } from "../tools/server.ts";
import { PLACES } from "../tools/faults/throwing.ts";

/** ms for the program. */
const LIMIT_MS = 30_000;

const PROGRAM = new URL("../tools/faults/program.ts", import.meta.url).pathname;

/** What is thrown besides `throwEverywhere`, and not given to a guard of its own. */
const MAIN = [
  "accept",
  "bytes",
  "close",
  "connected",
  "the server's clock",
  "a signal",
  "a message of a thread",
  "a message on a port",
];

for (const runtime of runtimes().filter((name) => name !== "exe")) {
  const command = serverCommand(runtime);
  scenario(
    `faults in every callback of ${runtime} are logged and counted, and end nothing`,
    async (s) => {
      const child = s.spawn("faults", [...command.slice(0, -1), PROGRAM]);
      const { code } = await child.finish(LIMIT_MS);
      assert.equal(code, 0, child.report());
      const { stdout } = child;
      assert.match(stdout, /^alive$/m);
      assert.doesNotMatch(stdout, /thread (failed|ended)/);
      for (const where of MAIN) {
        assert.match(
          stdout,
          new RegExp(`\\[ERROR\\].*internal fault in .*[^]*main: ${where}`),
          where,
        );
      }
      // Two connections of those whose end has a fault.
      assert.equal(/^main (\d+)$/m.exec(stdout)?.[1], String(PLACES + MAIN.length + 1), stdout);
      assert.equal(/^thread (\d+)$/m.exec(stdout)?.[1], String(PLACES + 1), stdout);
      assert.match(stdout, /^requests 1$/m);
    },
  );
}
