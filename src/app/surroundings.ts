/**
 * What the log says of how the server was started: as root, or with settings of the runtime around it.
 * @module
 */

import { existsSync } from "node:fs";
import process from "node:process";

/** What the process finds itself in. */
export interface Surroundings {
  /** Null: unknown. */
  readonly userId: number | null;
  readonly pid: number;
  readonly isBun: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly exists: (path: string) => boolean;
}

const ROOT = 0;

/** Files that container engines put into their containers. */
const CONTAINER_FILES = ["/.dockerenv", "/run/.containerenv"];

/** Variables that they, systemd-nspawn and LXC set. */
const CONTAINER_VARIABLES = ["container", "KUBERNETES_SERVICE_HOST"];

/** Those of this process. */
export function ownSurroundings(): Surroundings {
  let userId: number | null = null;
  try {
    userId = process.geteuid?.() ?? null;
  } catch {
    // Deno without the permission.
  }
  return {
    userId,
    pid: process.pid,
    isBun: process.versions.bun !== undefined,
    environment: process.env,
    exists: existsSync,
  };
}

/**
 * What is to be warned of. Root in a container is usual, and kept in it by the container; anywhere else a
 * fault of the server would be one of the whole machine.
 */
export function surroundingWarnings(where: Surroundings): string[] {
  const warnings: string[] = [];
  if (where.userId === ROOT && !isContainer(where)) {
    warnings.push(
      "runs as root: whoever finds a fault in the server has the whole machine. Run it as a user of " +
        "its own, as the service does (srs-edge install); ports below 1024 need CAP_NET_BIND_SERVICE alone",
    );
  }
  if (where.isBun && where.environment.BUN_OPTIONS) {
    warnings.push(
      "BUN_OPTIONS is set: Bun obeys it, also in the executable, and it can load other programs. Unset it",
    );
  }
  return warnings;
}

/** The first process of a system is the server itself in containers alone. */
function isContainer({ pid, exists, environment }: Surroundings): boolean {
  return pid === 1 || CONTAINER_FILES.some(exists) ||
    CONTAINER_VARIABLES.some((name) => environment[name]);
}
