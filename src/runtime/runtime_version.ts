/**
 * Which runtimes the server runs on from source. An executable brings its own.
 * @module
 */

/** The oldest releases that the tests run on; older ones close TLS and count connections differently. */
const OLDEST = [
  { name: "Deno", key: "deno", major: 2, minor: 9, cure: "deno upgrade, or npx -y deno@2.9.6" },
  { name: "Bun", key: "bun", major: 1, minor: 4, cure: "bun upgrade, or npx -y bun@1.4.5" },
] as const;

/** `process.versions`: the runtime has its name in it. */
export type RuntimeVersions = Readonly<Record<string, string | undefined>>;

/** Why the source cannot run on this runtime, with the cure; null when it can. */
export function runtimeShortage(versions: RuntimeVersions): string | null {
  const needed = OLDEST.map(({ name, major, minor }) => `${name} ${major}.${minor}`).join(" or ");
  const runtime = OLDEST.find(({ key }) => versions[key] !== undefined);
  if (!runtime) return `from source it needs ${needed}, or later: this runtime is neither`;
  const { name, key, major, minor, cure } = runtime;
  const version = versions[key] ?? "";
  const [found, foundMinor] = version.split(".").map((part) => Number.parseInt(part, 10));
  if (found > major || (found === major && foundMinor >= minor)) return null;
  return `this is ${name} ${version}, and from source it needs ${name} ${major}.${minor} or later: ` +
    `${cure}. An executable (deno task build, or a release) needs neither`;
}
