/**
 * What executables can be built for: each compiler's own names, and short ones for both.
 * @module
 */

/** The compilers. */
export type Runtime = "deno" | "bun";

/** A machine that a compiler can build for. */
export interface Target {
  /** The compiler's name for it, also part of the file's name. */
  readonly name: string;
  /** The name for people: system and processor. */
  readonly short: string;
  /** Debian's name of the architecture; null: not Debian. */
  readonly debian: string | null;
  /** The processor in an ELF header (e_machine); null: not Linux. */
  readonly machine: number | null;
}

const X86_64 = 62;
const AARCH64 = 183;

const TARGETS: Readonly<Record<Runtime, readonly Target[]>> = {
  deno: [
    { name: "x86_64-unknown-linux-gnu", short: "linux-x64", debian: "amd64", machine: X86_64 },
    { name: "aarch64-unknown-linux-gnu", short: "linux-arm64", debian: "arm64", machine: AARCH64 },
    { name: "x86_64-apple-darwin", short: "darwin-x64", debian: null, machine: null },
    { name: "aarch64-apple-darwin", short: "darwin-arm64", debian: null, machine: null },
    { name: "x86_64-pc-windows-msvc", short: "windows-x64", debian: null, machine: null },
  ],
  bun: [
    // The plain x64 one wants AVX2, which the small Intel processors of edge boxes do not have.
    { name: "bun-linux-x64-baseline", short: "linux-x64", debian: "amd64", machine: X86_64 },
    { name: "bun-linux-x64", short: "linux-x64-avx2", debian: null, machine: X86_64 },
    { name: "bun-linux-arm64", short: "linux-arm64", debian: "arm64", machine: AARCH64 },
    { name: "bun-linux-x64-musl", short: "linux-x64-musl", debian: null, machine: X86_64 },
    { name: "bun-linux-arm64-musl", short: "linux-arm64-musl", debian: null, machine: AARCH64 },
    { name: "bun-darwin-x64", short: "darwin-x64", debian: null, machine: null },
    { name: "bun-darwin-arm64", short: "darwin-arm64", debian: null, machine: null },
    { name: "bun-windows-x64", short: "windows-x64", debian: null, machine: null },
  ],
};

/** A target by either of its names; null when the compiler has no such. */
export function findTarget(runtime: Runtime, name: string): Target | null {
  return TARGETS[runtime].find((target) => target.name === name || target.short === name) ?? null;
}

/** The short names of what a compiler builds for. */
export function targetNames(runtime: Runtime): string[] {
  return TARGETS[runtime].map((target) => target.short);
}
