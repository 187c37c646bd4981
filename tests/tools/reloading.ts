/**
 * A server whose configuration changes while it runs.
 * @module
 */
import { until } from "./process.ts";
import type { Server } from "./server.ts";

/** ms until a reload must have succeeded or failed. */
const RELOAD_LIMIT_MS = 10_000;

const OUTCOME = /reload config success, state=90\.|reload failed, state=\d+, nothing changed/g;

/** Lines of a server's log that tell of reloads, without their heads. */
export function reloadLines(log: string): string[] {
  return [...log.matchAll(/\] (reload(?: config|:| failed).*)$/gm)].map(([, text]) => {
    // deno-lint-ignore no-control-regex
    return text.replace(/\x1b\[\d*m/g, "");
  });
}

/** Changes the file; `signal`: and has the server read it. Returns the lines that it logs then. */
export async function reload(
  server: Server,
  change: (text: string) => string,
  signal: () => unknown = () => server.process.signal("SIGHUP"),
): Promise<string[]> {
  const text = await Deno.readTextFile(server.configFile);
  await Deno.writeTextFile(server.configFile, change(text));
  const outcomes = () => [...server.log.matchAll(OUTCOME)].length;
  const [before, lines] = [outcomes(), reloadLines(server.log).length];
  await signal();
  await until("the end of the reload", RELOAD_LIMIT_MS, () => outcomes() > before);
  // A failure says why in the lines behind it, which come in the same turn.
  await until("its lines", RELOAD_LIMIT_MS, () => server.log.endsWith("\n"));
  return reloadLines(server.log).slice(lines);
}
