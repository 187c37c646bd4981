/**
 * Programs that the build runs.
 * @module
 */

/** The build cannot go on; the message says why and what to do. */
export class BuildError extends Error {}

/**
 * Runs a program to its end and returns what it said on stdout; what it says on stderr is shown.
 * @throws {BuildError} with `cure`, what to do when it fails.
 */
export function run(
  command: readonly string[],
  cure: string,
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): string {
  const [program, ...args] = command;
  let output: Deno.CommandOutput;
  try {
    // Not node:child_process: Deno's takes itself for Node there and changes its own arguments.
    output = new Deno.Command(program, { args, ...options, stderr: "inherit" }).outputSync();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BuildError(`cannot run ${program}: ${reason}. ${cure}`);
  }
  if (!output.success) {
    throw new BuildError(`${program} failed with status ${output.code}. ${cure}`);
  }
  return new TextDecoder().decode(output.stdout);
}
