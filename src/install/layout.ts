/**
 * What an installed service consists of, and where it lies: the one list that `srs-edge install`, its
 * counterpart and the Debian package follow.
 * @module
 */
import { SERVICE_CONFIG, SYSUSERS, TMPFILES, UNIT } from "./examples.ts";

/** One file of the service. */
export interface PlacedFile {
  /** Absolute path on the machine that is installed on. */
  readonly path: string;
  /** Permissions of the file. */
  readonly mode: number;
  /** Its text; null: the executable. */
  readonly text: string | null;
  /** Holds secrets: of group {@link SERVICE_GROUP}, where that is there already. */
  readonly secret?: true;
  /** Belongs to the administrator once it is there: neither overwritten nor removed. */
  readonly kept: boolean;
}

/** The folders that differ between what a package brings and what an administrator puts there. */
export interface Folders {
  readonly bin: string;
  readonly units: string;
  readonly sysusers: string;
  readonly tmpfiles: string;
}

/** Those of a Debian package (bookworm and before have no `/usr/lib/systemd/system` in their tools). */
export const PACKAGE_FOLDERS: Folders = {
  bin: "/usr/bin",
  units: "/lib/systemd/system",
  sysusers: "/usr/lib/sysusers.d",
  tmpfiles: "/usr/lib/tmpfiles.d",
};

/** Those for files that no package has brought. */
export const LOCAL_FOLDERS: Folders = {
  bin: "/usr/local/bin",
  units: "/etc/systemd/system",
  sysusers: "/etc/sysusers.d",
  tmpfiles: "/etc/tmpfiles.d",
};

/** The service's configuration. */
export const CONFIG_PATH = "/etc/srs-edge/srs-edge.conf";

/** Group of the service's user, which may read the configuration. */
export const SERVICE_GROUP = "srs-edge";

/** The files of the service, the executable first. */
export function serviceFiles(folders: Folders): PlacedFile[] {
  const unit = UNIT.replaceAll(`${PACKAGE_FOLDERS.bin}/srs-edge`, `${folders.bin}/srs-edge`);
  return [
    { path: `${folders.bin}/srs-edge`, mode: 0o755, text: null, kept: false },
    { path: CONFIG_PATH, mode: 0o640, text: SERVICE_CONFIG, kept: true, secret: true },
    { path: `${folders.units}/srs-edge.service`, mode: 0o644, text: unit, kept: false },
    { path: `${folders.sysusers}/srs-edge.conf`, mode: 0o644, text: SYSUSERS, kept: false },
    { path: `${folders.tmpfiles}/srs-edge.conf`, mode: 0o644, text: TMPFILES, kept: false },
  ];
}
