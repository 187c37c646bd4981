/**
 * Whether the server under test can have several workers: Deno since 2.9, Bun, on Linux.
 * @module
 */
import { Child, until } from "./process.ts";
import { accepts, configText, freePort, serverCommand } from "./server.ts";

/** The reason why it cannot, as the server says it; null: it can. Found out by starting one. */
export async function whyNoWorkers(): Promise<string | null> {
  const folder = await Deno.makeTempDir();
  const port = freePort();
  const file = `${folder}/a.conf`;
  await Deno.writeTextFile(file, configText(port, freePort(), { global: "workers 3;" }));
  const child = new Child("probe", [...serverCommand(), "-c", file], {
    cwd: new URL("../../", import.meta.url).pathname,
  });
  try {
    await until("a start or a refusal", 30_000, async () => child.exit || await accepts(port));
    if (!child.exit) return null;
    const refusal = /workers 3: .* cannot listen on one port/.exec(child.stderr);
    if (!refusal) throw new Error(child.report());
    return refusal[0];
  } finally {
    await child.kill();
    await Deno.remove(folder, { recursive: true });
  }
}
