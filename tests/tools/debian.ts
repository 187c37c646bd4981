/**
 * Small Debian systems for the tests of packages: made once, kept outside of the repository.
 * @module
 */
import { run } from "./process.ts";

/** The release that packages are tried on. */
const RELEASE = "bookworm";
const MIRROR = "http://deb.debian.org/debian";

/** ms that a system may take to be made; the downloads are most of it. */
const MAKE_LIMIT_MS = 400_000;

function cacheFolder(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  return `${cache}/srs-edge-tests`;
}

/** Shell commands that make what is kept in `$1`. */
const RECIPES = {
  /** The least that Debian calls a system. */
  bare: `debootstrap --variant=minbase ${RELEASE} "$1" ${MIRROR}`,
  /** The same with systemd, which can be booted. */
  systemd: `cp -a "$(dirname "$1")/bare/." "$1" && cp /etc/resolv.conf "$1/etc/resolv.conf" &&
    chroot "$1" sh -c 'export DEBIAN_FRONTEND=noninteractive
      apt-get update -q && apt-get install -y -q --no-install-recommends systemd systemd-sysv dbus'`,
  /** The libraries of an arm64 system; nothing in it runs by itself. */
  arm64: `mkdir -p "$1/apt/lists/partial" "$1/apt/cache/archives/partial" && cd "$1" &&
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${MIRROR} ${RELEASE} main" \\
      >apt/sources.list &&
    apt="apt-get -q -o Dir::Etc::SourceList=$1/apt/sources.list -o Dir::Etc::SourceParts=-
      -o Dir::State::Lists=$1/apt/lists -o Dir::Cache=$1/apt/cache -o APT::Architecture=arm64
      -o APT::Architectures=arm64 -o APT::Sandbox::User=root" &&
    $apt update && $apt download libc6 libgcc-s1 &&
    for package in *.deb; do dpkg-deb -x "$package" .; done && rm -r apt ./*.deb`,
} as const;

/** A kept system's name. */
export type SystemName = keyof typeof RECIPES;

/** The root of a system, which is made if it is not there. Not to be changed: copy it. */
export async function debianRoot(name: SystemName): Promise<string> {
  if (name === "systemd") await debianRoot("bare");
  const root = `${cacheFolder()}/${name}`;
  if (await exists(root)) return root;
  const unfinished = `${root}.${Deno.pid}`;
  await Deno.mkdir(unfinished, { recursive: true });
  try {
    await run(["sh", "-c", RECIPES[name], "sh", unfinished], MAKE_LIMIT_MS);
    await Deno.rename(unfinished, root);
  } finally {
    if (await exists(unfinished)) await Deno.remove(unfinished, { recursive: true });
  }
  return root;
}

/**
 * The command that runs a program within a root, in the same process. `/tmp` is that of the host, so
 * that both see a test's files; `/proc` is there, without which neither runtime starts.
 */
export function inRoot(root: string, ...program: string[]): string[] {
  const enter = 'mount --bind /tmp "$0/tmp" && mount -t proc proc "$0/proc" && cd / && ' +
    'exec chroot "$0" "$@"';
  return ["unshare", "--mount", "--propagation", "private", "sh", "-c", enter, root, ...program];
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
