/**
 * Source to executable: a copy of the source with the commit in it is bundled and minified, one file for
 * each entry point, and the runtime's compiler puts these into its base binary.
 * @module
 */
import { closeSync, cpSync, mkdirSync, openSync, readSync, rmSync } from "node:fs";
import { utimesSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import process from "node:process";
import { C_LIBRARIES } from "../runtime/libc.ts";
import { VERSION } from "../runtime/version.ts";
import { BuildError, run } from "./run.ts";
import type { Runtime, Target } from "./targets.ts";

const MAIN = "src/main.ts";

/**
 * The program of worker threads, which is loaded by its URL: `./worker.ts` of the module that starts
 * it.
 */
const WORKER = "src/app/worker.ts";
/** Where that URL leads in a bundle, whose modules are all main's: the program is put there. */
const BUNDLED_WORKER = "src/worker.ts";

/** What the server may do, compiled in: it can never do more. Bun has nothing of the kind. */
const PERMISSIONS = [
  "--no-prompt",
  "--allow-net", // the ports and addresses are the user's choice
  "--allow-read", // configuration files, includes, certificates, files that are served
  "--allow-write", // log and pid file, `install`
  "--allow-env", // SRS_* overrides, systemd's variables
  // The kernel's socket calls, without the runtime in between: the C library and no other.
  `--allow-ffi=${C_LIBRARIES.join(",")}`,
  // Figures of the API and the metrics; uid: whose links the log file may be, and whether it is root.
  "--allow-sys=cpus,hostname,loadavg,networkInterfaces,osRelease,osUptime,systemMemoryInfo,uid",
];

/** Features that Deno calls unstable: unix datagrams, for systemd. */
const DENO_FEATURES = ["--unstable-net"];

/**
 * V8 keeps tens of megabytes of room that thousands of joining players have filled once; like this a
 * player takes half the memory, and no more CPU than a measurement can tell (tests/bench/README.md).
 */
const V8_FLAGS = "--v8-flags=--optimize-for-size";

/** What the source needs to be bundled, besides itself. */
const INPUTS = ["src", "conf", "package.json", "deno.json", "deno.lock"];

/** Where an ELF header has the processor, 2 bytes. */
const ELF_MACHINE_OFFSET = 18;

const BUNDLE_CURE = "It needs esbuild from the npm registry the first time: is that within reach?";
const BUN_CURE =
  "It needs Bun's base binary for the target from the npm registry the first time: is that within " +
  "reach? If not, set BUN_BASE to the path of a bun for that target, of exactly the version that builds";

/** What is checked out: short hash, and time in seconds. */
export interface Commit {
  readonly hash: string;
  readonly time: number;
}

/** The path of the executable for a target. */
export function executablePath(dist: string, { name }: Target): string {
  const suffix = name.includes("windows") ? ".exe" : "";
  return join(dist, `srs-edge-${VERSION}-${name}${suffix}`);
}

/**
 * Builds the executable and returns its path; `dist` is the folder for results. The same source and
 * compilers give the same bytes.
 * @throws {BuildError}
 */
export function compile(runtime: Runtime, target: Target, dist: string, commit: Commit): string {
  const stage = resolve(dist, ".stage");
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  for (const input of INPUTS) cpSync(input, join(stage, input), { recursive: true });
  writeFileSync(
    join(stage, "src/runtime/commit.ts"),
    `export const COMMIT: string = "${commit.hash}";\n`,
  );
  const worker = JSON.stringify(`./${relative(dirname(BUNDLED_WORKER), WORKER)}`);
  writeFileSync(join(stage, BUNDLED_WORKER), `import ${worker};\n`);
  const output = resolve(executablePath(dist, target));
  if (runtime === "deno") compileDeno(stage, target, output, commit.time);
  else compileBun(stage, target, output);
  rmSync(stage, { recursive: true });
  checkMachine(output, target);
  return relative(process.cwd(), output);
}

function compileDeno(stage: string, { name }: Target, output: string, time: number): void {
  const deno = process.execPath;
  const bundle = join(stage, "bundle");
  for (const program of [MAIN, BUNDLED_WORKER]) {
    const file = join(bundle, program);
    run([deno, "bundle", "--quiet", "--minify", "--output", file, program], BUNDLE_CURE, {
      cwd: stage,
    });
    utimesSync(file, time, time); // It becomes part of the executable.
  }
  const flags = [
    "--quiet",
    "--no-check",
    "--no-config",
    ...PERMISSIONS,
    ...DENO_FEATURES,
    V8_FLAGS,
  ];
  const command = [deno, "compile", ...flags, "--target", name, "--include", BUNDLED_WORKER];
  // Without a package.json in sight: all that it names would be put in, tests' packages too.
  run([...command, "--output", output, MAIN], denortCure(name), { cwd: bundle });
}

/** A base binary that was given by hand may be one for another processor: no compiler notices. */
function checkMachine(executable: string, { name, machine }: Target): void {
  if (machine === null) return;
  const header = new DataView(new ArrayBuffer(ELF_MACHINE_OFFSET + 2));
  const file = openSync(executable, "r");
  readSync(file, header, 0, header.byteLength, 0);
  closeSync(file);
  if (header.getUint16(ELF_MACHINE_OFFSET, true) === machine) return;
  rmSync(executable);
  throw new BuildError(`the base binary in DENORT_BIN or BUN_BASE is not one for ${name}`);
}

function denortCure(target: string): string {
  const { deno } = process.versions;
  return process.env.DENORT_BIN
    ? `DENORT_BIN is ${process.env.DENORT_BIN}: it must be the denort of Deno ${deno} for ${target}`
    : `If the base binary could not be downloaded, set DENORT_BIN to a denort of Deno ${deno} for ` +
      `${target} (denort-${target}.zip of Deno's release), or build with --runtime bun, which needs ` +
      "the npm registry alone";
}

function compileBun(stage: string, { name }: Target, output: string): void {
  const base = process.env.BUN_BASE ? ["--compile-executable-path", process.env.BUN_BASE] : [];
  run(["bun", "install", "--production", "--no-save", "--silent"], BUN_CURE, { cwd: stage });
  // Nothing in the folder where it is started may change what it does: no .env, no bunfig.toml.
  const closed = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
  const flags = ["--compile", "--minify", "--keep-names", "--bytecode", "--format=esm", ...closed];
  const command = ["bun", "build", ...flags, `--target=${name}`, ...base];
  run([...command, "--outfile", output, MAIN, BUNDLED_WORKER], BUN_CURE, { cwd: stage });
}
