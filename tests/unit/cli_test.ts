/**
 * The command line: what a typing error gets (F29).
 * @module
 */
import assert from "node:assert/strict";
import { parseCommandLine, UsageError } from "../../src/app/cli.ts";

/** The message for a command line that is refused. */
function told(...args: string[]): string {
  try {
    parseCommandLine(args, {});
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error));
    return error.message;
  }
  throw new Error(`${args.join(" ")}: it was taken`);
}

Deno.test("F29: every command and every option with a typing error gets the right one named", () => {
  const meant = (word: string) => new RegExp(`did you mean "${word}"\\?`);
  for (const command of ["probe", "install", "uninstall", "sign"]) {
    assert.match(told(command.slice(0, -1)), meant(command));
    assert.match(told(command[1] + command[0] + command.slice(2), "x"), meant(command));
    assert.match(told(command.toUpperCase()), meant(command));
  }
  for (
    const option of "config test env version signature help print-config root seconds".split(" ")
  ) {
    assert.match(told(`--${option[1]}${option[0]}${option.slice(2)}`), meant(`--${option}`));
    assert.match(told(`--${option}x=y`), meant(`--${option}`));
  }
  for (const option of "publish json seconds fps gop bitrate help".split(" ")) {
    assert.match(told("probe", `--${option}x`), meant(`--${option}`));
    assert.match(told("probe", "--json", `--${option.toUpperCase()}`), meant(`--${option}`));
  }
});

Deno.test("F29: what is like nothing gets no guess, what is right no hint", () => {
  assert.equal(told("realtime.conf"), 'unexpected argument "realtime.conf": give the file with -c');
  assert.doesNotMatch(told("--no-such-flag"), /did you mean/);
  assert.doesNotMatch(told("-x"), /did you mean/);
  assert.doesNotMatch(told("--config"), /did you mean/, "its value is missing, not its name");
  assert.doesNotMatch(told("probe", "--nonsense"), /did you mean/);
  assert.equal(told("install", "x"), 'unexpected argument "x": install takes none');
  assert.equal(told("version"), 'unexpected argument "version", did you mean "--version"?');
});
