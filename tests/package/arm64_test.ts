/**
 * The packages for arm64, a Raspberry Pi's, in the user-mode emulation of QEMU.
 * @module
 */
import assert from "node:assert/strict";
import { debianRoot } from "../tools/debian.ts";
import { run } from "../tools/process.ts";
import { ARM64, isBuilt } from "../tools/release.ts";
import { scenario } from "../tools/scenario.ts";
import { smoke } from "../tools/smoke.ts";

/** ms for all: the emulation takes ten times as long as the machine itself. */
const LIMIT_MS = 180_000;
/** ms to unpack a package. */
const UNPACK_LIMIT_MS = 20_000;

for (const release of ARM64) {
  const reason = isBuilt(release) ? null : "its base binary was not to be had";
  scenario(`the arm64 package with ${release.runtime} serves`, async (s) => {
    const { deb, executable } = release;
    const libraries = await debianRoot("arm64");
    const field = await run(["dpkg-deb", "--field", deb, "Architecture"], UNPACK_LIMIT_MS);
    assert.equal(field.stdout, "arm64\n");
    await run(["dpkg-deb", "-x", deb, s.folder], UNPACK_LIMIT_MS);
    const program = `${s.folder}/usr/bin/srs-edge`;
    assert.deepEqual(await Deno.readFile(program), await Deno.readFile(executable));
    await smoke(s, ["qemu-aarch64-static", "-L", libraries, program]);
  }, { limitMs: LIMIT_MS, ignore: reason });
}
