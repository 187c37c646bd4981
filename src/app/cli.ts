/**
 * The command line, as SRS users know it.
 * @module
 */

import { parseArgs } from "node:util";
import { quote } from "../config/grammar/diagnostic.ts";
import { nearest, optionHint } from "../config/directives/suggest.ts";
import { parseProbe, type ProbeOptions, ProbeUsageError } from "../probe/options.ts";
import { ProbeExit } from "../probe/report.ts";
import type { SignOptions } from "./sign.ts";

/** What the user wants. */
export type Invocation =
  | { readonly action: "help" }
  | { readonly action: "version" }
  | { readonly action: "signature" }
  /** `probe` null: its help is wanted. */
  | { readonly action: "probe"; readonly probe: ProbeOptions | null }
  /** `name` empty: which there are. */
  | { readonly action: "print-config"; readonly name: string }
  /** `root`: the folder that counts as `/`. */
  | { readonly action: "install" | "uninstall"; readonly root: string }
  /** `file` null: settings from the environment alone (`-e`), here and below. */
  | { readonly action: "sign"; readonly file: string | null; readonly sign: SignOptions }
  | { readonly action: "test" | "run"; readonly file: string | null };

/** Exit status for a bad command line (SRS). */
const EXIT_USAGE = 255;

/** Words that may stand first. */
const COMMANDS = ["probe", "install", "uninstall", "sign"] as const;

/** s that a signed URL is good for unless said otherwise. */
const DEFAULT_SIGNED_SECONDS = 3600;
/** s, ten years: `expires` is to keep the digits that it may have. */
const MAX_SIGNED_SECONDS = 315_360_000;

const OPTIONS = {
  config: { type: "string", short: "c" },
  test: { type: "boolean", short: "t" },
  env: { type: "boolean", short: "e" },
  version: { type: "boolean", short: "v" },
  signature: { type: "boolean", short: "g" },
  help: { type: "boolean", short: "h" },
  "print-config": { type: "string" },
  root: { type: "string" },
  seconds: { type: "string" },
} as const;

/** The command line makes no sense; the message says what to do. */
export class UsageError extends Error {
  constructor(message: string, readonly status: number = EXIT_USAGE) {
    super(message);
  }
}

/** The text of `-h`. */
export function helpText(program: string): string {
  return `Low-latency RTMP server with SRS's configuration.

Usage: ${program} <-h?vVge>|<[-t] -c FILE>
       ${program} probe URL    measures a stream or a server's delay; probe -h tells more

  -c FILE   run with this configuration file
  -t        test the configuration, print what is in effect, and exit
  -e        take the settings from the environment (SRS_LISTEN and so on), no file
  -v, -V    print the version
  -g        print name and version
  -h, -?    print this

  --print-config NAME       print one of the configurations that come with it; "" lists them
  install [--root DIR]      make it a service of systemd (as root; DIR: of an image)
  uninstall [--root DIR]    take the service away again
  sign -c FILE [--seconds N] publish|play URL
                            print the URL with a signature, for a vhost with a secret; good for N seconds
                            (${DEFAULT_SIGNED_SECONDS})

Examples:
  ${program} -c conf/realtime.conf
  ${program} -t -c conf/realtime.conf
  SRS_LISTEN=1935 ${program} -e

SRS_CONFIG_FILE in the environment takes the place of the file given with -c.
SIGINT and SIGTERM stop the server; a second one stops it at once. SIGHUP reloads the configuration,
SIGQUIT waits for the clients to leave.
`;
}

/**
 * Reads the arguments (without program name) and the environment.
 * @throws {UsageError}
 */
export function parseCommandLine(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Invocation {
  if (args[0] === "probe") return { action: "probe", probe: probeOptions(args.slice(1)) };
  const { values, positionals } = parse(args);
  if (values.help) return { action: "help" };
  if (values.version) return { action: "version" };
  if (values.signature) return { action: "signature" };
  if (values["print-config"] !== undefined) {
    return { action: "print-config", name: values["print-config"] };
  }
  const [command] = positionals;
  if (positionals.length === 1 && (command === "install" || command === "uninstall")) {
    return { action: command, root: values.root ?? "/" };
  }
  const file = env.SRS_CONFIG_FILE || values.config;
  if (command === "sign") {
    const sign = signOptions(positionals.slice(1), values.seconds);
    if (values.env || env.SRS_ENV_ONLY === "on") return { action: "sign", file: null, sign };
    if (file !== undefined) return { action: "sign", file, sign };
    throw new UsageError("sign needs the configuration with the secret: sign -c FILE ...");
  }
  if (values.seconds !== undefined) throw new UsageError("--seconds is for sign and probe alone");
  const action = values.test ? "test" : "run";
  if (positionals.length > 0) {
    throw new UsageError(unexpected(positionals));
  }
  if (values.env || env.SRS_ENV_ONLY === "on") return { action, file: null };
  if (file !== undefined) return { action, file };
  if (values.test) throw new UsageError("-t needs a configuration file: -t -c FILE");
  return { action: "help" };
}

function signOptions(words: readonly string[], seconds: string | undefined): SignOptions {
  const [action, url, ...more] = words;
  if ((action !== "publish" && action !== "play") || url === undefined || more.length > 0) {
    throw new UsageError("say what is signed: sign -c FILE publish|play rtmp://host/app/stream");
  }
  const number = Number(seconds ?? DEFAULT_SIGNED_SECONDS);
  if (!Number.isInteger(number) || number < 1 || number > MAX_SIGNED_SECONDS) {
    throw new UsageError(`--seconds ${quote(seconds ?? "")}: give 1 to ${MAX_SIGNED_SECONDS}`);
  }
  return { action, url, seconds: number };
}

function probeOptions(args: readonly string[]): ProbeOptions | null {
  try {
    return parseProbe(args);
  } catch (error) {
    if (!(error instanceof ProbeUsageError)) throw error;
    throw new UsageError(error.message, ProbeExit.USAGE);
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: args.map((arg) =>
        arg === "-V" ? "-v" : arg === "-G" ? "-g" : arg === "-?" ? "-h" : arg
      ),
      strict: true,
      allowPositionals: true,
      options: OPTIONS,
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // Node's text continues with hints about "--" that are of no use here.
    const [problem] = message.split(/\. |\n/);
    throw new UsageError(
      `${problem}${optionHint(args, Object.keys(OPTIONS))}; -h lists the options`,
    );
  }
}

/** What to say of words that are no options. */
function unexpected([first, ...rest]: readonly string[]): string {
  const problem = `unexpected argument ${quote(first)}`;
  const command = nearest(first.toLowerCase(), COMMANDS);
  if (command !== null && command !== first) return `${problem}, did you mean "${command}"?`;
  if (command !== null && rest.length > 0) {
    return `unexpected argument ${quote(rest[0])}: ${command} takes none`;
  }
  const option = nearest(first.toLowerCase(), Object.keys(OPTIONS));
  if (option !== null) return `${problem}, did you mean "--${option}"?`;
  return `${problem}: give the file with -c`;
}
