/**
 * The archive for people who unpack and run, and the Debian package. Both are reproducible: names in
 * order, no user's name, the commit's time.
 * @module
 */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import { EXAMPLES } from "../install/examples.ts";
import { CONFIG_PATH, PACKAGE_FOLDERS, SERVICE_GROUP, serviceFiles } from "../install/layout.ts";
import { VERSION } from "../runtime/version.ts";
import { run } from "./run.ts";
import type { Runtime } from "./targets.ts";

const TAR_CURE = "It needs GNU tar and gzip";
const DEB_CURE =
  "It needs dpkg-deb: on other systems than Debian, leave out --package or install dpkg";

/** Documents that go with the executable. */
const DOCUMENTS = ["LICENSE", "README.md", "README.zh-CN.md"];

/** Makes `EXECUTABLE.tar.gz`; returns its path. `time` is that of the commit, seconds. */
export function makeArchive(executable: string, time: number): string {
  const archive = resolve(`${executable}.tar.gz`);
  const name = basename(executable, ".exe");
  inFolder((folder) => {
    const root = join(folder, name);
    mkdirSync(join(root, "conf"), { recursive: true });
    const program = join(root, `srs-edge${extname(executable) === ".exe" ? ".exe" : ""}`);
    copyFileSync(executable, program);
    chmodSync(program, 0o755);
    for (const document of DOCUMENTS) copy(document, join(root, document));
    for (const file of readdirSync("conf")) copy(join("conf", file), join(root, "conf", file));
    const order = ["--sort=name", "--format=ustar", `--mtime=@${time}`];
    const owner = ["--owner=0", "--group=0", "--numeric-owner"];
    const pack = ["tar", ...order, ...owner, "--use-compress-program=gzip -n"];
    run([...pack, "-cf", archive, "-C", folder, name], TAR_CURE);
  });
  return `${executable}.tar.gz`;
}

/** Makes the Debian package beside the executable; returns its path. `architecture` is Debian's name. */
export function makeDeb(
  executable: string,
  runtime: Runtime,
  architecture: string,
  time: number,
): string {
  const name = packageName(runtime);
  const deb = join(dirname(executable), `${name}_${VERSION}_${architecture}.deb`);
  inFolder((folder) => {
    const documents = `/usr/share/doc/${name}`;
    const files = serviceFiles(PACKAGE_FOLDERS);
    for (const { path, mode, text } of files) put(join(folder, path), text ?? { executable }, mode);
    for (const [name, text] of EXAMPLES) {
      put(join(folder, documents, "examples", `${name}.conf`), text);
    }
    for (const document of DOCUMENTS) copy(document, join(folder, documents, document));
    copy("LICENSE", join(folder, documents, "copyright"));
    const control = (file: string) => join(folder, "DEBIAN", file);
    put(control("control"), controlFile(runtime, architecture));
    put(control("conffiles"), files.filter((f) => f.kept).map((f) => `${f.path}\n`).join(""));
    for (const [script, text] of Object.entries(SCRIPTS)) put(control(script), text, 0o755);
    // xz takes a minute for what gzip does in seconds.
    const flags = ["--root-owner-group", "-Zgzip", "-z6"];
    run(["dpkg-deb", ...flags, "--build", folder, deb], DEB_CURE, {
      env: { SOURCE_DATE_EPOCH: String(time) },
    });
  });
  return deb;
}

/** The reference runtime has the plain name. */
function packageName(runtime: Runtime): string {
  return runtime === "deno" ? "srs-edge" : `srs-edge-${runtime}`;
}

function controlFile(runtime: Runtime, architecture: string): string {
  const other = packageName(runtime === "deno" ? "bun" : "deno");
  return `Package: ${packageName(runtime)}
Version: ${VERSION}
Architecture: ${architecture}
Maintainer: the srs-edge developers <noreply@localhost>
Section: video
Priority: optional
Depends: libc6 (>= 2.27)${runtime === "deno" ? ", libgcc-s1" : ""}, systemd | systemd-sysusers
Conflicts: ${other}
Replaces: ${other}
Description: low-latency RTMP server for edge boxes
 Takes SRS's configuration files and adds about a millisecond of delay between
 an RTMP encoder and its players. Runs as a service of systemd.
`;
}

const WITH_SYSTEMD = "if [ -d /run/systemd/system ]; then";

/** Scripts of the package. They do what `srs-edge install` prints, but start nothing by themselves. */
const SCRIPTS: Readonly<Record<string, string>> = {
  postinst: `#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
systemd-sysusers srs-edge.conf
# It holds passwords and keys.
if [ -e ${CONFIG_PATH} ]; then
  chown root:${SERVICE_GROUP} ${CONFIG_PATH}
  chmod 0640 ${CONFIG_PATH}
fi
${WITH_SYSTEMD}
  systemctl daemon-reload
  [ -z "$2" ] || systemctl try-restart srs-edge
fi
if [ -z "$2" ]; then
  echo "Next, as root: look at the settings, start the service, and watch its log:"
  echo
  echo "  editor /etc/srs-edge/srs-edge.conf"
  echo "  systemctl enable --now srs-edge"
  echo "  journalctl -fu srs-edge"
fi
`,
  prerm: `#!/bin/sh
set -e
[ "$1" = remove ] || exit 0
${WITH_SYSTEMD}
  systemctl disable --now srs-edge
fi
`,
  postrm: `#!/bin/sh
set -e
${WITH_SYSTEMD}
  systemctl daemon-reload
fi
[ "$1" = purge ] || exit 0
rm -rf /var/log/srs-edge /var/lib/srs-edge
`,
};

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, 0o644);
}

function put(path: string, content: string | { executable: string }, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  if (typeof content === "string") writeFileSync(path, content);
  else copyFileSync(content.executable, path);
  chmodSync(path, mode);
}

function inFolder(action: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "srs-edge-build-"));
  try {
    chmodSync(folder, 0o755);
    action(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
