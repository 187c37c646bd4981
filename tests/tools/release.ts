/**
 * What `deno task build --package` has left in `dist/`.
 * @module
 */
import { VERSION } from "../../src/runtime/version.ts";

const DIST = new URL("../../dist/", import.meta.url).pathname;

/** What is given to the people of one machine. */
export interface Release {
  readonly runtime: "deno" | "bun";
  readonly executable: string;
  readonly archive: string;
  readonly deb: string;
}

function releaseOf(runtime: Release["runtime"], target: string, architecture: string): Release {
  const executable = `${DIST}srs-edge-${VERSION}-${target}`;
  const name = runtime === "deno" ? "srs-edge" : "srs-edge-bun";
  const deb = `${DIST}${name}_${VERSION}_${architecture}.deb`;
  return { runtime, executable, archive: `${executable}.tar.gz`, deb };
}

/** Those for x86-64. */
export const X64: readonly Release[] = [
  releaseOf("deno", "x86_64-unknown-linux-gnu", "amd64"),
  releaseOf("bun", "bun-linux-x64-baseline", "amd64"),
];

/** Those for arm64; Deno's is there where its base binary can be had. */
export const ARM64: readonly Release[] = [
  releaseOf("deno", "aarch64-unknown-linux-gnu", "arm64"),
  releaseOf("bun", "bun-linux-arm64", "arm64"),
];

/** Where the checksums are. */
export const SUMS_FOLDER = DIST;

/** Whether it has been built. */
export function isBuilt({ executable }: Release): boolean {
  try {
    return Deno.statSync(executable).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
