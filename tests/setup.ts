/**
 * Prepares a machine for the tests: the real clients that they run, Bun when it is to be tested, and
 * the media that they publish; with the argument `package` also what the tests of packages need. Run by
 * the test tasks; does nothing that has been done already.
 * @module
 */
import process from "node:process";
import { CHROMIUM } from "./tools/browser.ts";
import { debianRoot } from "./tools/debian.ts";
import { EVERYWHERE, media } from "./tools/media.ts";
import { NGINX, NGINX_RTMP } from "./tools/nginx.ts";
import { Child } from "./tools/process.ts";

/** The version of Bun that the server is tested with. */
const BUN = "bun@1.4";

/** ms that an installation may take. */
const INSTALL_LIMIT_MS = 300_000;

/** ms that a program may take to say that it is there. */
const PROBE_LIMIT_MS = 20_000;

/** A call that succeeds when a tool is there, and the Debian packages that bring the tool. */
interface Tool {
  readonly name: string;
  readonly probe: readonly string[];
  readonly packages: readonly string[];
}

const gstElement = (element: string, plugins: string): Tool => ({
  name: `GStreamer's ${element}`,
  probe: ["gst-inspect-1.0", "--exists", element],
  packages: ["gstreamer1.0-tools", `gstreamer1.0-plugins-${plugins}`],
});

const TOOLS: readonly Tool[] = [
  { name: "ffmpeg", probe: ["ffmpeg", "-version"], packages: ["ffmpeg"] },
  { name: "ffprobe", probe: ["ffprobe", "-version"], packages: ["ffmpeg"] },
  { name: "ffplay", probe: ["ffplay", "-version"], packages: ["ffmpeg"] },
  { name: "mpv", probe: ["mpv", "--version"], packages: ["mpv"] },
  {
    name: "VLC",
    // It says nothing to root, and its plugins are a package of their own.
    probe: ["sh", "-c", "command -v vlc && ls /usr/lib/*/vlc/plugins/access/libavio_plugin.so"],
    packages: ["vlc-bin", "vlc-plugin-base"],
  },
  {
    name: "nginx with its RTMP module",
    probe: ["sh", "-c", `test -x ${NGINX} && test -f ${NGINX_RTMP}`],
    packages: ["nginx", "libnginx-mod-rtmp"],
  },
  { name: "Chromium", probe: [CHROMIUM, "--version"], packages: ["chromium"] },
  { name: "openssl", probe: ["openssl", "version"], packages: ["openssl"] },
  { name: "rtmpdump", probe: ["sh", "-c", "command -v rtmpdump"], packages: ["rtmpdump"] },
  {
    name: "gst-launch-1.0",
    probe: ["gst-launch-1.0", "--version"],
    packages: ["gstreamer1.0-tools"],
  },
  gstElement("flvdemux", "good"),
  gstElement("flvmux", "good"),
  gstElement("rtmp2src", "bad"),
  gstElement("rtmp2sink", "bad"),
  gstElement("rtmpsink", "bad"),
  gstElement("rtmpsrc", "bad"),
];

/** For the tests of packages, which try them on small systems of their own. */
const PACKAGE_TOOLS: readonly Tool[] = [
  { name: "debootstrap", probe: ["debootstrap", "--version"], packages: ["debootstrap"] },
  {
    name: "QEMU's user-mode emulation",
    probe: ["qemu-aarch64-static", "--version"],
    packages: ["qemu-user-static"],
  },
  {
    name: "systemd-nspawn",
    probe: ["systemd-nspawn", "--version"],
    packages: ["systemd-container"],
  },
];

/** Debian asks this program whether a package may start its service: while it is there, nginx may not. */
const NO_SERVICES = "/usr/sbin/policy-rc.d";

/** Shell commands that put it there unless there is one already, and take it away at the end. */
const WITHOUT_SERVICES = `if [ ! -e ${NO_SERVICES} ]; then
  trap 'rm -f ${NO_SERVICES}' EXIT
  printf '#!/bin/sh\\nexit 101\\n' >${NO_SERVICES} && chmod +x ${NO_SERVICES}
fi`;

/** Whether packages are to be tested. */
const packages = Deno.args.includes("package");
const wanted = packages ? [...TOOLS, ...PACKAGE_TOOLS] : TOOLS;

/** Says one line and gives up. */
function fail(message: string): never {
  console.error(`tests/setup.ts: ${message}`);
  Deno.exit(1);
}

/** Whether a program ran and succeeded; false also when there is none of that name. */
async function succeeds(command: readonly string[], limitMs: number): Promise<boolean> {
  try {
    return (await new Child(command[0] ?? "", command).finish(limitMs)).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function missingTools(): Promise<Tool[]> {
  const missing: Tool[] = [];
  for (const tool of wanted) if (!await succeeds(tool.probe, PROBE_LIMIT_MS)) missing.push(tool);
  return missing;
}

async function ensureTools(): Promise<void> {
  const missing = await missingTools();
  if (missing.length === 0) return;
  const packages = [...new Set(missing.flatMap((tool) => tool.packages))].join(" ");
  const names = missing.map((tool) => tool.name).join(", ");
  const cure = `apt-get install -y --no-install-recommends ${packages}`;
  const canInstall = process.getuid?.() === 0 &&
    await succeeds(["apt-get", "--version"], PROBE_LIMIT_MS);
  if (!canInstall) fail(`missing: ${names}. Install them as root: ${cure}`);
  console.log(`installing ${packages}`);
  const install = `${WITHOUT_SERVICES}
export DEBIAN_FRONTEND=noninteractive; apt-get update -q && ${cure} -q`;
  const installed = await succeeds(["sh", "-c", install], INSTALL_LIMIT_MS);
  if (!installed || (await missingTools()).length > 0) {
    fail(`could not install ${names}. Try it by hand and see why: apt-get update && ${cure}`);
  }
}

/** Bun itself, and the packages where Bun looks for them. */
async function ensureBun(): Promise<void> {
  if (!await succeeds(["bun", "--version"], PROBE_LIMIT_MS)) {
    const install = ["npm", "install", "--global", BUN];
    const canInstall = process.getuid?.() === 0 &&
      await succeeds(["npm", "--version"], PROBE_LIMIT_MS);
    if (!canInstall) fail(`missing: bun. Install it: ${install.join(" ")}`);
    console.log(`installing ${BUN}`);
    if (!await succeeds(install, INSTALL_LIMIT_MS)) {
      fail(`could not install bun. Try it by hand and see why: ${install.join(" ")}`);
    }
  }
  const packages = ["bun", "install", "--no-save", "--production"];
  if (!await succeeds(packages, INSTALL_LIMIT_MS)) {
    fail(`could not install the server's packages. See why: ${packages.join(" ")}`);
  }
}

await ensureTools();
if (Deno.env.get("SRS_EDGE_RUNTIME") === "bun") await ensureBun();
for (const name of EVERYWHERE) await media(name);
if (packages) { for (const name of ["bare", "systemd", "arm64"] as const) await debianRoot(name); }
