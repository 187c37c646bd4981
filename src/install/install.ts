/**
 * `srs-edge install` and `srs-edge uninstall`: the executable becomes a service of systemd. Only files
 * are put in place or removed; what needs other programs is left to commands that are printed.
 * @module
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync } from "node:fs";
import { rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CONFIG_PATH, LOCAL_FOLDERS, type PlacedFile, serviceFiles } from "./layout.ts";

/** Where systemd notes that the service starts with the machine. */
const ENABLED = "/etc/systemd/system/multi-user.target.wants/srs-edge.service";

/** It cannot be done; the message says why and what to do. */
export class InstallError extends Error {}

/**
 * Puts the service in place below `root` (`/`, or the root of an image); returns what to tell.
 * `executable` is the path of this program.
 * @throws {InstallError}
 */
export function install(root: string, executable: string): string {
  const report = serviceFiles(LOCAL_FOLDERS).map((file) => {
    const path = join(root, file.path);
    if (file.kept && existsSync(path)) return `  kept      ${path}`;
    attempt(`write ${path}`, () => place(file, path, executable));
    return `  written   ${path}`;
  });
  return [
    ...report,
    "",
    "Next, as root: make the user, start the service now and with the machine, and watch its log:",
    "",
    "  systemd-sysusers && systemctl daemon-reload",
    "  systemctl enable --now srs-edge",
    "  journalctl -fu srs-edge",
    "",
    `Its settings are in ${CONFIG_PATH}.`,
  ].join("\n");
}

/**
 * Removes what {@link install} has put in place, but for the configuration; returns what to tell.
 * @throws {InstallError}
 */
export function uninstall(root: string): string {
  const files = serviceFiles(LOCAL_FOLDERS);
  const gone = [...files.filter((file) => !file.kept).map((file) => file.path), ENABLED];
  const report = gone.map((each) => {
    const path = join(root, each);
    attempt(`remove ${path}`, () => rmSync(path, { force: true }));
    return `  removed   ${path}`;
  });
  return [
    ...report,
    ...files.filter((file) => file.kept).map((file) => `  kept      ${join(root, file.path)}`),
    "",
    "Next, as root: stop it if it runs, and remove the user:",
    "",
    "  systemctl stop srs-edge",
    "  systemctl daemon-reload",
    "  userdel srs-edge",
    "",
    "Settings and logs stay: /etc/srs-edge, /var/lib/srs-edge, /var/log/srs-edge.",
  ].join("\n");
}

/** Beside the old file first: the executable may be running, and must never be half there. */
function place({ mode, text }: PlacedFile, path: string, executable: string): void {
  const fresh = `${path}.new`;
  mkdirSync(dirname(path), { recursive: true });
  if (text === null) copyFileSync(executable, fresh);
  else writeFileSync(fresh, text);
  chmodSync(fresh, mode);
  renameSync(fresh, path);
}

function attempt(what: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InstallError(`cannot ${what}: ${reason}. Run it as root`);
  }
}
