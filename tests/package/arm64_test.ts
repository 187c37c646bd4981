/**
 * The executables for arm64, a Raspberry Pi's, in the user-mode emulation of QEMU.
 * @module
 */
import { debianRoot } from "../tools/debian.ts";
import { ARM64, isBuilt } from "../tools/release.ts";
import { scenario } from "../tools/scenario.ts";
import { smoke } from "../tools/smoke.ts";

/** ms for all: the emulation takes ten times as long as the machine itself. */
const LIMIT_MS = 180_000;

for (const release of ARM64) {
  const reason = isBuilt(release) ? null : "its base binary was not to be had";
  scenario(`the arm64 executable with ${release.runtime} serves`, async (s) => {
    const libraries = await debianRoot("arm64");
    await smoke(s, ["qemu-aarch64-static", "-L", libraries, release.executable]);
  }, { limitMs: LIMIT_MS, ignore: reason });
}
