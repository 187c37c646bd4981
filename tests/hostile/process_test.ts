/**
 * What other programs and users of the machine can do to the process: signals, links, its environment.
 * @module
 */
import assert from "node:assert/strict";
import { sleep, until } from "../tools/process.ts";
import { scenario } from "../tools/scenario.ts";
import { accepts, runtimes, type Server, serverCommand } from "../tools/server.ts";
import { WatchedControl } from "../tools/watched_control.ts";
import { whyNoWorkers } from "../tools/workers.ts";

/** ms for something that is there at once, on a machine that does other things as well. */
const SOON_MS = 10_000;

/** ms that a debugger would take to listen. */
const DEBUGGER_MS = 700;

const VHOST = "min_latency on; http_remux { enabled on; }";

/** The ports, of any address, on which a process listens. */
async function listening(pid: number): Promise<number[]> {
  const { stdout } = await new Deno.Command("ss", { args: ["-H", "-ltnp"] }).output();
  const lines = new TextDecoder().decode(stdout).split("\n");
  const ports = lines.filter((line) => line.includes(`pid=${pid},`))
    .map((line) => Number(/:(\d+)\s/.exec(line)?.[1]));
  return [...new Set(ports)].sort();
}

/** The log file's text, or "". */
function logged(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** What logrotate does, by a signal of its choice. */
async function rotates(server: Server, path: string, signal: Deno.Signal): Promise<void> {
  await Deno.rename(path, `${path}.1`);
  server.process.signal(signal);
  await until(`lines in the new file after ${signal}`, SOON_MS, async () => {
    // It has a line.
    await accepts(server.port);
    return logged(path) !== "";
  });
}

const impossible = await whyNoWorkers();

for (const runtime of runtimes()) {
  const command = serverCommand(runtime);

  for (const workers of [1, 2]) {
    scenario(`H52 on ${runtime}: no signal opens a debugger; workers ${workers}`, async (s) => {
      const path = `${s.folder}/srs.log`;
      const server = await s.server({
        vhost: VHOST,
        global: `workers ${workers}; srs_log_tank file; srs_log_file ${path};`,
        command,
      });
      await until("the workers", SOON_MS, () => logged(path).includes("RTMP listen at"));
      const control = await WatchedControl.start(server);
      try {
        const before = await listening(server.process.pid);
        assert.ok(before.includes(server.port) && before.includes(server.apiPort), `${before}`);
        for (let i = 0; i < 3; i++) {
          for (const signal of ["SIGUSR1", "SIGUSR2", "SIGHUP"] as const) {
            server.process.signal(signal);
            await sleep(DEBUGGER_MS / 3);
          }
        }
        await sleep(DEBUGGER_MS);
        assert.deepEqual(await listening(server.process.pid), before, server.log);
        assert.equal(server.process.exit, null);
        assert.doesNotMatch(server.log + logged(path), /[Dd]ebugger/);
        await rotates(server, path, "SIGUSR2");
        await control.fine("after the signals");
      } finally {
        control.stop();
      }
    }, { ignore: workers === 1 ? null : impossible });
  }

  scenario(`H52 on ${runtime}: SRS's signal opens the log anew where it is free`, async (s) => {
    const path = `${s.folder}/srs.log`;
    const server = await s.server({
      global: `srs_log_tank file; srs_log_file ${path};`,
      command,
    });
    if (runtime === "deno") {
      await Deno.rename(path, `${path}.1`);
      server.process.signal("SIGUSR1");
      await sleep(DEBUGGER_MS);
      await accepts(server.port);
      await sleep(DEBUGGER_MS);
      assert.equal(logged(path), "", "from source Deno's own SIGUSR1 is switched off");
      await Deno.rename(`${path}.1`, path);
    } else {
      await rotates(server, path, "SIGUSR1");
    }
    await rotates(server, path, "SIGUSR2");
  });
}

scenario("H52: without the C library the log says what SIGUSR1 does", async (s) => {
  const [deno, ...rest] = serverCommand("deno");
  const flags = rest.filter((flag) => !flag.startsWith("--allow-ffi"));
  const server = await s.server({ command: [deno, ...flags, "--no-prompt"].toSorted(atTheEnd) });
  await until("the warning", SOON_MS, () => server.log.includes("SIGUSR1 opens this runtime's"));
});

/** The program after the runtime's flags. */
function atTheEnd(a: string, b: string): number {
  return Number(a.endsWith(".ts")) - Number(b.endsWith(".ts"));
}
