/**
 * Builds what is given to people, into `dist/`: executables, archives, Debian packages, checksums; and
 * the parts of the documents that are made from the source.
 *
 *     deno task build                                 the executable for this machine, by deno compile
 *     deno task build --runtime bun                   by bun build --compile
 *     deno task build --target linux-arm64            for another machine; may be repeated
 *     deno task build --package                       also archive, .deb and SHA256SUMS
 *     deno task docs                                  the configuration reference: conf/full.conf, conf/reference*.md
 * @module
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { makeArchive, makeDeb } from "./src/release/archive.ts";
import { type Commit, compile } from "./src/release/compile.ts";
import { updateReferences } from "./src/release/documents.ts";
import { BuildError, run } from "./src/release/run.ts";
import { findTarget, type Runtime, type Target, targetNames } from "./src/release/targets.ts";

const DIST = "dist";
const GIT_CURE = "It needs git and the repository, for the commit";

/** Files in {@link DIST} that are given to people. */
const RELEASED = /^srs-edge.*$/;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: "string", default: "deno" },
    target: { type: "string", multiple: true },
    package: { type: "boolean", default: false },
  },
});

/** The commit that is checked out. */
function checkedOut(): Commit {
  const git = (...args: string[]) => run(["git", ...args], GIT_CURE).trim();
  const dirty = git("status", "--porcelain") === "" ? "" : "-dirty";
  return {
    hash: git("rev-parse", "--short=10", "HEAD") + dirty,
    time: Number(git("log", "-1", "--format=%ct")),
  };
}

function wanted(runtime: Runtime): Target[] {
  const processor = process.arch === "arm64" ? "arm64" : "x64";
  const system = process.platform === "win32" ? "windows" : process.platform;
  return (values.target ?? [`${system}-${processor}`]).map((name) => {
    const target = findTarget(runtime, name);
    if (target) return target;
    const known = targetNames(runtime).join(" ");
    throw new BuildError(`${runtime} does not build for ${name}; it does for ${known}`);
  });
}

function build(runtime: Runtime): void {
  const commit = checkedOut();
  mkdirSync(DIST, { recursive: true });
  const made: string[] = [];
  for (const target of wanted(runtime)) {
    const executable = compile(runtime, target, DIST, commit);
    made.push(executable);
    if (!values.package) continue;
    made.push(makeArchive(executable, commit.time));
    if (target.debian) made.push(makeDeb(executable, runtime, target.debian, commit.time));
  }
  for (const path of made) console.log(`${path} (${(statSync(path).size / 1e6).toFixed(1)} MB)`);
  if (values.package) writeChecksums();
}

/** Of everything in the folder, so that several builds fill one file. */
function writeChecksums(): void {
  const lines = readdirSync(DIST).filter((name) => RELEASED.test(name)).sort().map((name) => {
    const digest = createHash("sha256").update(readFileSync(join(DIST, name))).digest("hex");
    return `${digest}  ${name}\n`;
  });
  writeFileSync(join(DIST, "SHA256SUMS"), lines.join(""));
  console.log(`${DIST}/SHA256SUMS`);
}

try {
  const { runtime } = values;
  if (positionals[0] === "docs") updateReferences();
  else if (runtime === "deno" || runtime === "bun") build(runtime);
  else throw new BuildError(`--runtime ${runtime}: say deno or bun`);
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`build: ${error.message}.`);
  process.exitCode = 1;
}
