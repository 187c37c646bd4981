/**
 * `srs-edge install` and `srs-edge uninstall`: the executable becomes a service of systemd. Only files
 * are put in place or removed; what needs other programs is left to commands that are printed.
 * @module
 */
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, renameSync } from "node:fs";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import {
  CONFIG_PATH,
  LOCAL_FOLDERS,
  type PlacedFile,
  SERVICE_GROUP,
  serviceFiles,
} from "./layout.ts";

/** Where systemd notes that the service starts with the machine. */
const ENABLED = "/etc/systemd/system/multi-user.target.wants/srs-edge.service";

/** Permissions of everybody else. */
const OTHERS = 0o007;

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
    const kept = file.kept && existsSync(path);
    if (!kept) attempt(`write ${path}`, () => place(file, path, executable));
    if (file.secret) attempt(`hide ${path}`, () => hide(path, root));
    return `  ${kept ? "kept   " : "written"}   ${path}`;
  });
  return [
    ...report,
    "",
    "Next, as root: make the user, start the service now and with the machine, and watch its log:",
    "",
    "  systemd-sysusers && systemd-tmpfiles --create srs-edge.conf && systemctl daemon-reload",
    "  systemctl enable --now srs-edge",
    "  journalctl -fu srs-edge",
    "",
    `Its settings are in ${CONFIG_PATH}, for root and the group ${SERVICE_GROUP} to read.`,
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
  else writeFileSync(fresh, text, { mode });
  chmodSync(fresh, mode);
  renameSync(fresh, path);
}

/**
 * A file with secrets is for root and the service alone, also one that an older version has put there. The
 * service's group may not be there yet: systemd-tmpfiles gives it the file then.
 */
function hide(path: string, root: string): void {
  const { mode } = statSync(path);
  if ((mode & OTHERS) !== 0) chmodSync(path, mode & 0o777 & ~OTHERS);
  const group = groupId(join(root, "/etc/group"));
  if (group !== null && process.geteuid?.() === 0) chownSync(path, 0, group);
}

/** Number of the service's group; null: there is none. */
function groupId(file: string): number | null {
  if (!existsSync(file)) return null;
  const line = readFileSync(file, "utf8").split("\n").find((each) => {
    return each.startsWith(`${SERVICE_GROUP}:`);
  });
  return line === undefined ? null : Number(line.split(":")[2]);
}

function attempt(what: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InstallError(`cannot ${what}: ${reason}. Run it as root`);
  }
}
